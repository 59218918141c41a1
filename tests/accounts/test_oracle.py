"""The engine and the oracle agree: random frameworks over accounts that lie where the rules cut.

Few examples by default. `pytest tests/accounts/test_oracle.py --hypothesis-profile=long` goes through
10,000 frameworks, each over several accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.stages import compile_definition
from frameworks.criteria.ast import MAX_DEPTH
from frameworks.definition import Definition
from frameworks.models import User
from tests import oracle
from tests.accounts import storing
from tests.accounts.strategies import Bodies, Example, examples
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
    event(f"accounts: {len(example.accounts)}")
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


def _changed(node: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The tree with `change` applied to every node, from the leaves up."""
    copy = dict(node)
    if "item" in node:
        copy["item"] = _changed(node["item"], change)
    if "items" in node:
        copy["items"] = [_changed(item, change) for item in node["items"]]
    return change(copy)


def _by_de_morgan(node: dict[str, Any]) -> dict[str, Any]:
    if node["op"] not in ("all", "any"):
        return node
    other = "any" if node["op"] == "all" else "all"
    items = [{"id": f"{item['id']}-", "op": "not", "item": item} for item in node["items"]]
    return {"id": f"{node['id']}_", "op": "not", "item": {"id": node["id"], "op": other, "items": items}}


def _doubly_negated(node: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{node['id']}-", "op": "not", "item": {"id": f"{node['id']}_", "op": "not", "item": node}}


def _reversed(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "items": node["items"][::-1]} if "items" in node else node


@pytest.mark.parametrize("change", [_by_de_morgan, _doubly_negated, _reversed])
def test_rule_said_in_another_way_has_the_same_outcome(author: User, change: Any) -> None:
    @settings(random_frameworks, max_examples=settings().max_examples // 4 + 1)
    @given(example=examples(most_dimensions=2))
    def compare(example: Example) -> None:
        with undone():
            said = outcomes_of(example, author)
        with undone():
            otherwise = outcomes_of(replace(example, bodies=_reworded(example, change)), author)
        assert said == otherwise

    compare()


def _reworded(example: Example, change: Any) -> Bodies:
    """The framework with every rule changed where that keeps it within eight levels."""
    return {part: _segment_changed(body, change) if "rules" in body else body for part, body in example.bodies.items()}


def _segment_changed(body: dict[str, Any], change: Any) -> dict[str, Any]:
    rules = [{**rule, "criteria": _document_changed(rule["criteria"], change)} for rule in body["rules"]]
    others: dict[str, Any] = {name: _document_changed(body[name], change) for name in ("move", "stay") if name in body}
    return {**body, "rules": rules, **others}


def _document_changed(document: dict[str, Any], change: Any) -> dict[str, Any]:
    root = _changed(document["root"], change)
    if _depth(root) > MAX_DEPTH:
        root = change(document["root"])
    return {"schema": "criteria/1", "root": root}


def _depth(node: dict[str, Any]) -> int:
    return 1 + max((_depth(each) for each in [*node.get("items", ()), *filter(None, [node.get("item")])]), default=0)


def outcomes_of(example: Example, author: User) -> list[dict[str, oracle.Outcome]]:
    version = storing.store_framework(example.bodies, author)
    rows = storing.store_accounts(example.accounts, version.framework, author, example.as_of)
    ids = [row.pk for row in rows]
    storing.apply(version, ids, example.as_of)
    assigned = storing.assigned(ids)
    return [assigned[pk] for pk in ids]


@settings(random_frameworks, max_examples=settings().max_examples // 2 + 1)
@given(example=examples(), size=st.integers(1, 3))
def test_bulk_single_preview_and_repetition_agree(author: User, example: Example, size: int) -> None:
    """Chunks of any size write the same rows; a second pass previews and writes nothing."""
    with undone():
        version = storing.store_framework(example.bodies, author)
        rows = storing.store_accounts(example.accounts, version.framework, author, example.as_of)
        ids = [row.pk for row in rows]
        for start in range(0, len(ids), size):
            storing.apply(version, ids[start : start + size], example.as_of)
        in_chunks = storing.assigned(ids)
        previewed = storing.preview(version, ids, example.as_of)
        again = storing.apply(version, ids, example.as_of)
        by_range = storing.apply_range(version, min(ids), max(ids) + 1, example.as_of)

        for pk, outcomes in zip(ids, expected_of(example), strict=True):
            for key, outcome in outcomes.items():
                assert in_chunks[pk][key] == replace(outcome, trace={}), str(example)
        assert (previewed.changed, again.changed, again.transitions, by_range.changed) == (0, 0, 0, 0)


@settings(random_frameworks, max_examples=settings().max_examples // 2 + 1)
@given(example=examples())
def test_hypothetical_account_has_the_outcome_a_stored_one_has(author: User, example: Example) -> None:
    expected = [
        oracle.evaluate(example.bodies, replace(f, overrides=()), as_of=example.as_of) for f in example.accounts
    ]

    with undone():
        version = storing.store_framework(example.bodies, author)
        rows = storing.store_accounts(example.accounts, version.framework, author, example.as_of)
        accounts = [storing.hypothetical_of(*pair) for pair in zip(rows, example.accounts, strict=True)]
        plan = compile_definition(Definition(example.bodies))
        found = evaluate_rows(plan=plan, rows=accounts, as_of=example.as_of)

    for outcomes, hypothetical in zip(expected, found, strict=True):
        for key, outcome in outcomes.items():
            said = hypothetical[key]
            assert (said.segment, said.reason, said.rule_key) == (outcome.segment, outcome.reason, outcome.rule)
            assert (list(said.missing), list(said.losers)) == (outcome.missing, outcome.losers)


@settings(random_frameworks, max_examples=settings().max_examples // 2 + 1)
@given(example=examples())
def test_preview_of_changed_facts_names_the_moves_that_applying_makes(author: User, example: Example) -> None:
    """Accounts take each other's values: what would move is what moves."""
    with undone():
        version = storing.store_framework(example.bodies, author)
        rows = storing.store_accounts(example.accounts, version.framework, author, example.as_of)
        ids = [row.pk for row in rows]
        storing.apply(version, ids, example.as_of)
        storing.exchange_values(rows)

        planned = storing.preview(version, ids, example.as_of)
        applied = storing.apply(version, ids, example.as_of)

        assert planned.moves == applied.moves
