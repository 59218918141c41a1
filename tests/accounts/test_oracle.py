"""The engine and the oracle agree: random frameworks over accounts that lie where the rules cut.

Few examples by default. `pytest tests/accounts/test_oracle.py --hypothesis-profile=long` goes through more than
10,000 pairs of framework and account.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings

from frameworks.models import User
from tests import oracle
from tests.accounts import storing
from tests.accounts.strategies import Example, examples
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

# The number of examples comes from the profile.
random_frameworks = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


@contextmanager
def undone() -> Iterator[None]:
    """Each example begins with the database that the test began with."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


def expected_of(example: Example) -> list[dict[str, oracle.Outcome]]:
    return [oracle.evaluate(example.bodies, facts, as_of=example.as_of) for facts in example.accounts]


def differing(example: Example, place: int, key: str, said: oracle.Outcome, expected: oracle.Outcome) -> str:
    """The nodes on which the two disagree and what they looked at, for whoever reads the failure."""
    facts = example.accounts[place]
    nodes = {
        (rule, node): example.node(key, rule, node)
        for rule, verdicts in expected.trace.items()
        for node, verdict in verdicts.items()
        if said.trace[rule][node] is not verdict
    }
    sources = {source: body for (kind, source), body in example.bodies.items() if kind == "data_source"}
    zone = example.bodies["meta", "meta"]["time_zone"]
    return f"{key} at {example.as_of} in {zone}\n{facts}\n{sources}\n{nodes}\nengine {said}\noracle {expected}"


@random_frameworks
@given(example=examples())
def test_engine_says_what_the_oracle_says(author: User, example: Example) -> None:
    expected = expected_of(example)

    with undone():
        version = storing.store_framework(example.bodies, author)
        rows = storing.store_accounts(example.accounts, version.framework, author, example.as_of)
        ids = [row.pk for row in rows]
        storing.apply(version, ids, example.as_of)
        assigned = storing.assigned(ids)
        traces = storing.traced(version, ids, example.as_of)
        explained = storing.explained(rows[0], example.as_of)

    for row, outcomes in zip(rows, expected, strict=True):
        for key, outcome in outcomes.items():
            said = replace(assigned[row.pk][key], trace=traces[row.pk][key])
            assert said == outcome, differing(example, row.pk - rows[0].pk, key, said, outcome)
    for key, outcome in expected[0].items():
        explanation, trace = explained[key]
        assert trace == outcome.trace
        assert (explanation.segment, explanation.reason, explanation.rule_key) == (
            outcome.segment,
            outcome.reason,
            outcome.rule,
        )
