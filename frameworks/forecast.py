"""How many accounts a definition that is in no version yet would move: asked here, answered by the app that has them.

Accounts registers its answer once, in `ready()`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from frameworks.definition import Definition
from frameworks.models import Framework

ACCOUNTS_AT_MOST = 200_000
"""Some five seconds of a request; more are counted by the command, and by the impact."""


@dataclass(frozen=True)
class Move:
    """Accounts that would go from one segment of a dimension to another; None is Unassigned.

    `is_first`: they have no assignment in the dimension yet, so they come from nowhere.
    """

    dimension: str
    was: str | None
    now: str | None
    accounts: int
    is_first: bool = False


@dataclass(frozen=True)
class Forecast:
    """Of `accounts` that are neither deleted nor merged, those that would move, the largest groups first.

    Other states have no moves: nothing was counted because there are no accounts, more than were to be counted, or one
    with a value that cannot be read as what the definition says it is.
    """

    state: Literal["counted", "no_accounts", "too_many_accounts", "unreadable"]
    accounts: int
    moves: tuple[Move, ...] = ()


class Forecaster(Protocol):
    def __call__(
        self, *, definition: Definition, framework: Framework | None, at: datetime, at_most: int | None = None
    ) -> Forecast:
        """Compare what the definition says with what is assigned; nothing is written.

        With more than `at_most` accounts nothing is counted. Raises InvalidError for dimensions that read each other in
        a circle.
        """
        ...


_registered: list[Forecaster] = []


def register(forecaster: Forecaster) -> None:
    """Called once, from `ready()`."""
    _registered[:] = [forecaster]


def forecaster() -> Forecaster | None:
    """What was registered; None in an installation of this app alone."""
    return _registered[0] if _registered else None
