"""How many accounts would become Unassigned if segments left a draft, asked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from frameworks.definition import Definition
from frameworks.errors import InvalidError
from frameworks.forecast import ACCOUNTS_AT_MOST, Forecast, forecaster
from frameworks.models import FrameworkVersion
from frameworks.services.retiring import Leaving, bodies_without


@dataclass(frozen=True)
class RetireForecast:
    """`unassigned` are accounts of the leaving segments that no rule would take; `other_way` the same with the other
    answer about the rules, None where that makes no difference. `problems` say why nothing could be counted.
    """

    unassigned: int = 0
    other_way: int | None = None
    adds_rules: bool = False
    problems: tuple[str, ...] = ()


_UNCOUNTED = {
    "no_accounts": "There are no accounts yet, so nobody moves.",
    "too_many_accounts": f"More than {ACCOUNTS_AT_MOST:,} accounts are not counted here: the Impact tab says it.",
    "unreadable": "An account has a value that cannot be read as what the draft says it is: nobody was counted.",
}


def forecast_of(version: FrameworkVersion, dimension: str, leaving: Leaving, at: datetime) -> RetireForecast | None:
    """What would come of it; None where no app here has accounts, or nothing takes their place yet."""
    if forecaster() is None or not (leaving.into or leaving.new_label.strip()):
        return None
    one_heir = len(leaving.into) == 1 and not leaving.new_label.strip()
    try:
        chosen = _unassigned(version, dimension, leaving, at)
        other = replace(leaving, rules_go_along=not leaving.rules_go_along)
        return RetireForecast(
            chosen, _unassigned(version, dimension, other, at) if one_heir else None, leaving.adds_rules
        )
    except InvalidError as error:
        return RetireForecast(problems=tuple(error.problems))


def _unassigned(version: FrameworkVersion, dimension: str, leaving: Leaving, at: datetime) -> int:
    ask = forecaster()
    if ask is None:
        return 0
    definition = Definition(bodies_without(version=version, dimension=dimension, leaving=leaving))
    found: Forecast = ask(definition=definition, framework=version.framework, at=at, at_most=ACCOUNTS_AT_MOST)
    if found.state != "counted":
        raise InvalidError([_UNCOUNTED[found.state]])
    gone = {*leaving.segments}
    return sum(
        move.accounts
        for move in found.moves
        if move.dimension == dimension and move.was in gone and move.now is None and not move.is_first
    )
