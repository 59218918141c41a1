"""What the criteria language and the dimensions mean, said a second time: slowly, in plain Python.

Written from the definition of the language, for comparison with the engine; it shares no code with the compiler or
the evaluation. Rules are read as the JSON they are stored as, numbers are Decimals, a day is a day on the
framework's calendar. Unknown is None.

Where the definition leaves a choice, this is the choice:

- `missing` of an outcome lists what the open rules, and those of the segments around them, read and do not have: under
  `provisional` the rules that could still win over the winner, under `missing_data` all rules that could still win;
  where `raise_only` does not know its base, the rules of the base.
- A rule of the winner's own segment, or of one around it, is no rival of the winner. Under `unique` every other
  segment is a rival.
- A value without a moment of observation is not fresh where the attribute has a freshness limit.
- A choice that the framework declares is a value: a missing token that reads like its id is none.
- A condition under `sustained` is in a trace as it is at the newest closed period.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tests.oracle.calendar import shifted
from tests.oracle.deciding import Account
from tests.oracle.facts import Bodies, Body, Facts, Outcome, Override, Signal, State, Verdict
from tests.oracle.values import folded

__all__ = (
    "Bodies",
    "Body",
    "Facts",
    "Outcome",
    "Override",
    "Signal",
    "State",
    "Verdict",
    "evaluate",
    "evaluate_after",
    "folded",
    "shifted",
)


def evaluate(bodies: Bodies, facts: Facts, *, as_of: datetime) -> dict[str, Outcome]:
    """The outcome of every dimension of a new account, by its key."""
    return evaluate_after({}, bodies, facts, as_of=as_of)[0]


def evaluate_after(
    prior: Mapping[str, State], bodies: Bodies, facts: Facts, *, as_of: datetime, number: int = 1, version: int = 1
) -> tuple[dict[str, Outcome], dict[str, State]]:
    """The outcomes of an account of which `prior` is stored, and what is stored of it then.

    `number` counts the changes of the account's facts, `version` those of the framework.
    """
    account = Account(bodies, facts, as_of, prior, number, version)
    outcomes = {key: account.outcome(key) for key in account.dimensions}
    return outcomes, {**prior, **account.states}
