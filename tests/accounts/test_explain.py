"""The explanation says what the assignment says, and with which values."""

from decimal import Decimal

import pytest

from accounts.evaluation.explain import VerdictNode, explain_account
from accounts.models import Assignment
from tests.accounts.activating import AT, account, activate, signed_version
from tests.accounts.test_runs import spread

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
