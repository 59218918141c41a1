"""What a definition that is in no version yet would move, for the command and the API alike."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db import DataError

from accounts.evaluation.impact import Flow, impact_of
from accounts.models import Account
from accounts.models.account import LISTED
from frameworks.definition import Definition
from frameworks.errors import InvalidError
from frameworks.forecast import Forecast, Move
from frameworks.models import Framework


def forecast_moves(
    *, definition: Definition, framework: Framework | None, at: datetime, at_most: int | None = None
) -> Forecast:
    """Implements frameworks.forecast.Forecaster."""
    listed = Account.objects.filter(LISTED)
    accounts = listed.count()
    if not accounts:
        return Forecast("no_accounts", 0)
    if at_most is not None and accounts > at_most:
        return Forecast("too_many_accounts", accounts)
    try:
        flows = impact_of(definition=definition, framework=framework, as_of=at)
    except ValueError as error:
        raise InvalidError([str(error)]) from error
    except DataError:
        return Forecast("unreadable", accounts)
    return Forecast("counted", accounts, tuple(_moves(flows)))


def _moves(flows: Mapping[Flow, int]) -> Iterator[Move]:
    for (dimension, was, now), accounts in sorted(flows.items(), key=lambda pair: (pair[0][0], -pair[1], pair[0])):
        is_first = was == "+"
        yield Move(dimension, None if is_first else was or None, now or None, accounts, is_first)
