"""The explanation says what the assignment says, and with which values."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.evaluation.explain import VerdictNode, explain_account
from accounts.models import Account, Assignment, MetricSeries
from accounts.verdict_tree import said_once
from tests.accounts import small, storing
from tests.accounts.activating import AT, account, activate, signed_version
from tests.accounts.test_runs import spread
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db


def leaves(node: VerdictNode) -> list[VerdictNode]:
    return [leaf for child in node.children for leaf in leaves(child)] if node.children else [node]


def test_explanation_agrees_with_every_assignment() -> None:
    accounts = [*spread(), account("Bare", health_score=None, last_activity_on=None, arr=None)]
    activate(signed_version())

    for each in accounts:
        explained = {found.dimension_id: found for found in explain_account(account=each, at=AT)}
        for row in Assignment.objects.filter(account=each).select_related("computed"):
            found = explained[row.dimension_id]
            assert (found.segment, found.reason, found.rule_key) == (
                row.computed.key if row.computed else None,
                row.reason,
                row.rule_key,
            )


def test_explanation_shows_values_seen_with_source_and_age() -> None:
    spread()
    big = account("Big", arr=Decimal("640000.00"), provenance={"arr": {"source": "billing", "at": AT.isoformat()}})
    activate(signed_version())

    tier = next(found for found in explain_account(account=big, at=AT) if found.key == "customer_tier")

    arr = next(leaf for rule in tier.rules for leaf in leaves(rule) if leaf.value.startswith("$640,000"))
    assert (tier.segment, arr.verdict, arr.source) == ("strategic", "true", "billing")


def test_explanation_of_missing_value_is_unknown_and_named() -> None:
    spread()
    bare = account("Bare", health_score=None)
    activate(signed_version())

    engagement = next(found for found in explain_account(account=bare, at=AT) if found.key == "engagement")

    unknown = [leaf for rule in engagement.rules for leaf in leaves(rule) if leaf.verdict == "unknown"]
    assert unknown
    assert all(leaf.value == "" for leaf in unknown)


def explained_leaf(root: dict[str, Any], values: dict[str, Any], **how: Any) -> tuple[VerdictNode, Account]:
    """The tree of one rule for one account with six quarters of ARR, the newest but one unknown."""
    author = person("ravi", "revops")
    version = storing.store_framework(small.one_rule(root, **how.pop("framework", {})), author)
    (row,) = storing.store_accounts([Facts(values, **how)], version.framework, author, small.AT)
    ends = [date(2025, 12, 31), date(2025, 6, 30)]
    MetricSeries.objects.create(
        account=row, metric="arr", grain="fiscal_quarter", ends=ends, values=[Decimal("86400"), Decimal("70000.50")]
    )
    (found,) = explain_account(account=row, at=small.AT)
    return found.rules[0].children[0], row


def test_history_leaf_shows_the_closed_periods_that_count() -> None:
    sustained = {
        "op": "sustained",
        "grain": "fiscal_quarter",
        "periods": 3,
        "item": small.leaf("ge", "arr", "80000.00"),
    }

    tree, _ = explained_leaf(sustained, {"arr": Decimal("1.00")})

    (inside,) = tree.children
    assert (tree.verdict, inside.verdict) == ("false", "true")
    assert inside.value == "2025-Q4 $86,400, 2025-Q3 no value, 2025-Q2 $70,000.50"


def test_change_shows_the_two_periods_it_compares() -> None:
    change = {
        "op": "change",
        "attribute": "arr",
        "grain": "fiscal_quarter",
        "periods": 2,
        "measure": "percent",
        "compare": "ge",
        "value": "20",
    }

    tree, _ = explained_leaf(change, {})

    assert (tree.verdict, tree.value) == ("true", "2025-Q4 $86,400, 2025-Q2 $70,000.50")


def test_value_older_than_its_limit_is_said_to_be_too_old() -> None:
    tree, _ = explained_leaf(
        small.leaf("ge", "employee_count", "10"),
        {"employee_count": 50},
        observed={"employee_count": small.AT - timedelta(days=40)},
        framework={"sources": {"employee_count": {"freshness_days": 30}}},
    )

    assert (tree.verdict, tree.value, tree.note) == ("unknown", "", "older than 30 days")


def test_leaf_on_the_ultimate_parent_shows_its_value() -> None:
    parent = account("Orrin", employee_count=9_000)
    tree, row = explained_leaf(small.leaf("ge", "employee_count", "1000", of="ultimate_parent"), {"employee_count": 50})
    Account.objects.filter(pk=row.pk).update(ultimate_parent=parent)
    row.refresh_from_db()

    (found,) = explain_account(account=row, at=small.AT)

    assert (tree.verdict, tree.value) == ("false", "50")
    assert (found.rules[0].verdict, found.rules[0].children[0].value) == ("true", "9,000")


def test_value_that_conditions_in_a_row_read_is_said_once() -> None:
    both = {
        "op": "all",
        "items": [
            small.leaf("ge", "arr", "10.00"),
            small.leaf("lt", "arr", "90.00"),
            small.leaf("ge", "employee_count", "5"),
            small.leaf("ge", "arr", "20.00"),
        ],
    }
    tree, _ = explained_leaf(both, {"arr": Decimal("50.00"), "employee_count": 50})

    shown = said_once(tree)

    assert [leaf.value for leaf in tree.children] == ["$50", "$50", "50", "$50"]
    assert [leaf.value for leaf in shown.children] == ["$50", "", "50", "$50"]
    assert shown.children[1].source == "as above"
