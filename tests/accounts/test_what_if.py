"""What would be if other things were known of an account: the oracle's answer, and nothing is written."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.evaluation.altering import Alteration, Happened, Listed, Measured, ValueSet
from accounts.evaluation.explain import VerdictNode, explain_account
from accounts.evaluation.what_if import Supposed, what_if
from accounts.models import Account, Assignment
from frameworks.models import User
from tests import oracle
from tests.accounts import storing
from tests.accounts.small import AT, framework, leaf, rule
from tests.accounts.strategies import Example, examples
from tests.accounts.test_account_pages import words
from tests.accounts.test_oracle import random_frameworks, undone
from tests.accounts.vocabulary import ATTRIBUTES, LISTS
from tests.frameworks.making import person
from tests.oracle import Facts, Override, Signal

pytestmark = pytest.mark.django_db

_WORDS = {"true": True, "false": False, "unknown": None}


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


def trace(nodes: list[VerdictNode]) -> dict[str, bool | None]:
    return {each.id: _WORDS[each.verdict] for node in nodes for each in _with_children(node)}


def _with_children(node: VerdictNode) -> list[VerdictNode]:
    return [node, *(each for child in node.children for each in _with_children(child))]


def said(supposed: Supposed) -> tuple[Any, ...]:
    why = supposed.then.why
    return supposed.then.counted, why.segment, why.reason, why.rule_key, {r.id: trace(r.children) for r in why.rules}


def expected(outcome: oracle.Outcome) -> tuple[Any, ...]:
    return outcome.effective, outcome.segment, outcome.reason, outcome.rule, outcome.trace


# --- the oracle


def _as_changed(facts: Facts, other: Facts, example: Example) -> tuple[list[Alteration], Facts]:
    """What turns the first account's facts into the other's values, lists, signals and periods, and what it is then."""
    read = {key for kind, key in example.bodies if kind == "data_source"}
    keys = sorted(key for key in other.values if key in read)
    changes: list[Alteration] = [ValueSet(key, ATTRIBUTES[key].data_type, _stored(other.values[key])) for key in keys]
    changes += [Listed(key, key in other.lists) for key in LISTS]
    changes += [Happened(each.kind, each.day, tuple(sorted(each.details.items()))) for each in other.signals]
    changes += [
        Measured(metric, grain, end, value)  # type: ignore[arg-type]
        for metric, grains in other.series.items()
        for grain, values in grains.items()
        for end, value in values.items()
    ]
    observed = dict(facts.observed) | dict.fromkeys(keys, example.as_of)
    unseen = {key for key in keys if key in OBSERVED and other.values[key] is None}
    return changes, replace(
        facts,
        values={**facts.values, **{key: other.values[key] for key in keys}},
        observed={key: moment for key, moment in observed.items() if key not in unseen},
        lists=other.lists,
        signals=[*facts.signals, *other.signals],
        series=_joined(facts.series, other.series),
    )


def _stored(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | list) else str(value)


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = {metric: {grain: dict(values) for grain, values in grains.items()} for metric, grains in one.items()}
    for metric, grains in other.items():
        for grain, values in grains.items():
            found.setdefault(metric, {}).setdefault(grain, {}).update(values)
    return found


@random_frameworks
@given(example=examples(most_accounts=3, most_dimensions=3), data=st.data())
def test_what_if_says_what_the_oracle_says_of_the_changed_account(
    author: User, example: Example, data: st.DataObject
) -> None:
    facts, other = data.draw(st.sampled_from(example.accounts)), data.draw(st.sampled_from(example.accounts))
    changes, changed = _as_changed(facts, other, example)

    with undone():
        version = storing.store_framework(example.bodies, author)
        (row,) = storing.store_accounts([facts], version.framework, author, example.as_of)
        supposed = what_if(account=row, changes=changes, at=example.as_of)

    outcomes = oracle.evaluate(example.bodies, changed, as_of=example.as_of)
    assert {each.key: said(each) for each in supposed} == {key: expected(each) for key, each in outcomes.items()}


# --- by example


def tiers(high: Any, settings: dict[str, Any] | None = None) -> Any:
    low = [rule({"op": "always"})]
    return framework({"d": (settings or {}, {"high": [rule(high)], "low": low})})


def stored(bodies: Any, facts: Facts, author: User) -> Account:
    version = storing.store_framework(bodies, author)
    (row,) = storing.store_accounts([facts], version.framework, author, AT)
    storing.apply(version, [row.pk], AT)
    return Account.objects.get(pk=row.pk)


def everything() -> list[Any]:
    with connection.cursor() as cursor:
        found = []
        for table in ("accounts_account", "accounts_assignment", "accounts_listentry", "accounts_signal"):
            cursor.execute(f"SELECT count(*), max(t::text) FROM {table} t")
            found.append(cursor.fetchone())
    return found


def test_changed_number_moves_the_account_and_nothing_is_written(author: User) -> None:
    row = stored(tiers(leaf("ge", "employee_count", "1000")), Facts({"employee_count": 900}), author)
    before = everything()

    (supposed,) = what_if(account=row, changes=[ValueSet("employee_count", "integer", 1000)], at=AT)

    assert (supposed.now.counted, supposed.then.counted, supposed.moves) == ("low", "high", True)
    tree = supposed.then.why.rules[0].children[0]
    assert (tree.verdict, tree.value, tree.source, tree.observed_at) == ("true", "1,000", "supposed", AT)
    assert everything() == before


def test_supposing_nothing_gives_the_explanation_of_the_account_as_it_is(author: User) -> None:
    bodies = framework(
        {
            "d": ({}, {"high": [rule(leaf("ge", "arr", "100000.00"))], "low": [rule({"op": "always"})]}),
            "e": ({}, {"yes": [rule({"op": "segment", "dimension": "d", "any_of": ["high"]})]}),
        }
    )
    listed = Facts(
        {"arr": "5.00", "seats": "7"},
        overrides=[Override("d", "high", AT - timedelta(days=1), AT + timedelta(days=1))],
        signals=[Signal("hiring", AT.date())],
    )
    row = stored(bodies, listed, author)

    supposed = what_if(account=row, changes=[], at=AT)

    assert [each.now.why for each in supposed] == explain_account(account=row, at=AT)
    assert [each.then for each in supposed] == [each.now for each in supposed]


def test_override_in_force_goes_on_counting_and_is_what_other_dimensions_read(author: User) -> None:
    bodies = framework(
        {
            "d": ({}, {"high": [rule(leaf("ge", "arr", "100000.00"))], "low": [rule({"op": "always"})]}),
            "e": ({}, {"yes": [rule({"op": "segment", "dimension": "d", "any_of": ["high"]})]}),
        }
    )
    over = [Override("d", "low", AT - timedelta(days=1), AT + timedelta(days=1))]
    row = stored(bodies, Facts({"arr": "5.00"}, overrides=over), author)

    d, e = what_if(account=row, changes=[ValueSet("arr", "money", "200000.00")], at=AT)

    assert (d.then.why.segment, d.then.counted, d.moves, d.counts) == ("high", "low", True, False)
    assert (e.then.why.segment, e.moves) == (None, False)


def test_step_made_on_other_facts_may_go_on(author: User) -> None:
    segments = {f"s{n}": [rule(leaf("ge", "employee_count", str(cut)))] for n, cut in ((1, 30), (2, 20), (3, 10))}
    bodies = framework({"d": ({"max_step": 1}, {**segments, "s4": [rule({"op": "always"})]})})
    row = stored(bodies, Facts({"employee_count": 5}), author)

    (supposed,) = what_if(account=row, changes=[ValueSet("employee_count", "integer", 50)], at=AT)

    assert (supposed.then.why.segment, supposed.then.why.reason) == ("s3", "stepped")


def test_every_core_attribute_can_be_supposed_and_taken_away(author: User) -> None:
    row = stored(tiers(leaf("ge", "employee_count", "1000")), Facts({"employee_count": 1000}), author)
    gone = [ValueSet(key, data_type, None) for key, data_type in CORE_ATTRIBUTES.items() if key != "stage"]

    (supposed,) = what_if(account=row, changes=gone, at=AT)

    assert (supposed.then.why.segment, supposed.then.why.reason) == ("low", "provisional")
    assert Assignment.objects.get(account=row).computed is not None


# --- the page


def page_of(account: Account) -> str:
    return f"/accounts/{account.uuid}/what-if/"


@pytest.fixture
def visitor(client: Client) -> Client:
    client.force_login(person("leah", "csm"))
    return client


@pytest.fixture
def shown(author: User) -> Account:
    high = {
        "op": "any",
        "items": [
            leaf("ge", "employee_count", "1000"),
            {"op": "on_list", "list": "fortune"},
            {"op": "signal", "kind": "hiring", "at_least": 2, "within_days": 30},
            {"op": "sustained", "periods": 2, "grain": "fiscal_quarter", "item": leaf("ge", "arr", "100000.00")},
        ],
    }
    return stored(tiers(high), Facts({"employee_count": 900}), author)


@pytest.mark.parametrize(
    "query",
    [
        {"v-employee_count": "1000"},
        {"l-fortune": "on"},
        {"s-0": "2"},
        {"p-arr-fiscal_quarter-1": "100000.00", "p-arr-fiscal_quarter-2": "100000.00"},
    ],
)
def test_form_asks_of_values_lists_signals_and_periods(visitor: Client, shown: Account, query: dict[str, str]) -> None:
    with time_machine.travel(AT, tick=False):
        visitor.force_login(User.objects.get(name="Leah"))
        said = words(visitor.get(page_of(shown), query))

    assert "low high Moves" in said
    assert "Why high then?" in said


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"v-employee_count": "9,000"}, "Write a whole number without separators"),
        ({"v-employee_count": "-5"}, "Must be 0 or more."),
        ({"l-fortune": "perhaps"}, "is not one of the available choices"),
        ({"s-0": "21"}, "less than or equal to 20"),
        ({"p-arr-fiscal_quarter-1": "<b>1</b>"}, "Write digits and one point at most"),
        ({"p-arr-fiscal_quarter-1": "-"}, "A period can be tried with a value only."),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field(
    visitor: Client, shown: Account, query: dict[str, str], refusal: str
) -> None:
    before = everything()

    response = visitor.get(page_of(shown), query)

    assert response.status_code == 200
    assert refusal in words(response)
    assert "Nothing was tried: 1 value cannot be read." in words(response)
    assert "Moves" not in words(response)
    assert everything() == before


def test_day_is_shown_as_it_is_typed(visitor: Client, author: User) -> None:
    since = {"op": "after", "attribute": "last_activity_on", "value": "2026-01-01"}
    row = stored(tiers(since), Facts({"last_activity_on": date(2025, 3, 9)}), author)

    assert b'placeholder="2025-03-09"' in visitor.get(page_of(row)).content


def test_number_is_shown_as_it_is_typed_with_its_unit_beside_the_name(visitor: Client, author: User) -> None:
    row = stored(tiers(leaf("ge", "arr", "100000.00")), Facts({"arr": Decimal("1250000.50")}), author)

    said = visitor.get(page_of(row)).content.decode()

    assert 'placeholder="1250000.5"' in said
    assert "(USD)" in said


def test_what_every_account_has_cannot_be_supposed_away(visitor: Client, author: User) -> None:
    row = stored(tiers(leaf("eq", "stage", "customer")), Facts({"stage": "customer"}), author)

    said = visitor.get(page_of(row)).content.decode()

    assert "v-stage" in said
    assert "No value" not in said


def test_nothing_filled_in_is_said_in_words_of_the_form(visitor: Client, shown: Account) -> None:
    assert "Change at least one value." in words(visitor.get(page_of(shown), {"s-0": "0"}))


def test_signal_of_today_counts_where_it_is_still_yesterday(visitor: Client, author: User) -> None:
    bodies = tiers({"op": "signal", "kind": "hiring", "at_least": 1, "within_days": 30})
    bodies["meta", "meta"] = {**bodies["meta", "meta"], "time_zone": "America/New_York"}
    row = stored(bodies, Facts({}), author)

    with time_machine.travel(AT.replace(hour=2) + timedelta(days=1), tick=False):
        visitor.force_login(User.objects.get(name="Leah"))
        answer = words(visitor.get(page_of(row), {"s-0": "1"}))

    assert "low high Moves" in answer


def test_panel_alone_is_answered_to_the_page_that_asks_for_it(visitor: Client, shown: Account) -> None:
    response = visitor.get(page_of(shown), {"v-employee_count": "1000"}, headers={"HX-Request": "true"})

    assert b"<html" not in response.content
    assert b'id="what-if"' in response.content


def test_override_is_said_to_go_on_counting(visitor: Client, author: User) -> None:
    over = [Override("d", "low", AT - timedelta(days=1), AT + timedelta(days=1))]
    row = stored(tiers(leaf("ge", "arr", "100000.00")), Facts({"arr": "5.00"}, overrides=over), author)

    with time_machine.travel(AT, tick=False):
        visitor.force_login(User.objects.get(name="Leah"))
        said = words(visitor.get(page_of(row), {"v-arr": "200000.00"}))

    assert "low goes on counting: override until" in said


def test_what_if_of_a_visitor_asks_to_log_in_and_of_a_deleted_account_is_not_found(
    client: Client, shown: Account
) -> None:
    anonymous = client.get(page_of(shown))
    client.force_login(person("leah", "csm"))
    Account.objects.filter(pk=shown.pk).update(deleted_at=AT)

    gone = client.get(page_of(shown))

    assert (anonymous.status_code, anonymous["Location"].split("?")[0], gone.status_code) == (302, "/login/", 404)


def test_what_if_takes_as_many_queries_for_three_changes_as_for_one(visitor: Client, shown: Account) -> None:
    three = {"v-employee_count": "1000", "l-fortune": "on", "p-arr-fiscal_quarter-1": "3.00"}
    visitor.get(page_of(shown), three)
    counts = []

    for query in ({"l-fortune": "on"}, three):
        with CaptureQueriesContext(connection) as captured:
            visitor.get(page_of(shown), query)
        counts.append(len(captured))

    assert counts[0] == counts[1]
