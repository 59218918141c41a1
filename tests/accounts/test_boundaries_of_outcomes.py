"""Boundary cases of competing segments, special accounts and overrides, through the real engine."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.evaluation import engine
from accounts.evaluation.statement import Scope
from accounts.models import Account, Assignment, Cause, Override, Transition
from frameworks.models import FrameworkVersion, Segment, User
from tests import oracle
from tests.accounts import storing
from tests.accounts.small import AT, evaluated, framework, leaf, one_rule, rule, verdicts
from tests.accounts.strategies import Bodies
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


# --- competing segments


def lifecycle(**settings: Any) -> Bodies:
    """Bands that overlap by nature: a short contract is both new and about to end."""
    onboarding = rule(leaf("within_last", "last_activity_on", n=90, unit="days"))
    renewal = rule(leaf("within_next", "contract_end_on", n=120, unit="days"))
    segments = {"onboarding": [onboarding], "renewal": [renewal]}
    return framework({"d": ({"base_basis": "value", **settings}, segments)})


SHORT_CONTRACT = {
    "last_activity_on": AT.date() - timedelta(days=10),
    "contract_end_on": AT.date() + timedelta(days=20),
}


@pytest.mark.parametrize(
    ("hit_policy", "expected"),
    [
        ("ranked", ("onboarding", "matched", ["renewal"])),
        ("basis_precedence", ("onboarding", "matched", ["renewal"])),
        ("unique", (None, "conflict", ["onboarding", "renewal"])),
        ("manual_review", (None, "conflict", ["onboarding", "renewal"])),
        ("raise_only", ("onboarding", "matched", ["renewal"])),
    ],
)
def test_lifecycle_bands_that_overlap_are_decided_by_the_hit_policy(
    author: User, hit_policy: str, expected: tuple[Any, ...]
) -> None:
    found = evaluated(lifecycle(hit_policy=hit_policy), [Facts(SHORT_CONTRACT)], author)[0]["d"]

    assert (found.segment, found.reason, found.losers) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"hit_policy": "basis_precedence"}, ("small", "matched", ["large"])),
        ({"hit_policy": "basis_precedence", "basis_order": ["firmographic"]}, ("large", "matched", ["small"])),
        ({"hit_policy": "ranked"}, ("large", "matched", ["small"])),
        ({"hit_policy": "unique"}, (None, "conflict", ["large", "small"])),
        ({"hit_policy": "manual_review"}, (None, "conflict", ["large", "small"])),
        ({"hit_policy": "raise_only"}, ("large", "matched", ["small"])),
        ({"hit_policy": "raise_only", "base_basis": "needs"}, (None, "no_match", [])),
    ],
)
def test_value_says_lower_and_size_says_higher(
    author: User, settings: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    by_size = rule(leaf("ge", "employee_count", "1000"), "firmographic", "size")
    by_value = rule(leaf("lt", "arr", "25000"), "value", "value")
    bodies = framework({"d": (settings, {"large": [by_size], "small": [by_value]})})

    found = evaluated(bodies, [Facts({"employee_count": 5_000, "arr": Decimal(9_000)})], author)[0]["d"]

    assert (found.segment, found.reason, sorted(found.losers)) == expected


def test_tie_within_a_basis_goes_to_the_higher_rank_and_the_earlier_rule(author: User) -> None:
    always: dict[str, Any] = {"op": "always"}
    segments = {
        "first": [rule(always, "needs", "late"), rule(always, "value", "one"), rule(always, "value", "two")],
        "second": [rule(always, "value", "one")],
    }

    found = evaluated(framework({"d": ({"hit_policy": "basis_precedence"}, segments)}), [Facts({})], author)[0]["d"]

    assert (found.segment, found.rule, found.losers) == ("first", "first/one", ["second"])


def test_provisional_names_only_what_could_still_change_the_outcome(author: User) -> None:
    segments = {
        "top": [rule(leaf("ge", "arr", "1"))],
        "middle": [rule(leaf("ge", "employee_count", "1"))],
        "low": [rule(leaf("ge", "health_score", "1"))],
    }
    values = Facts({"employee_count": 5})

    for setting, reason in (("provisional", "provisional"), ("unassigned", "missing_data")):
        bodies = framework({"d": ({"undetermined_higher": setting}, segments)})
        found = evaluated(bodies, [values], author)[0]["d"]
        assert (found.reason, found.missing) == (reason, ["arr"])


def test_own_rule_that_is_open_makes_nobody_provisional(author: User) -> None:
    rules = [rule(leaf("ge", "arr", "1"), key="by_value"), rule(leaf("ge", "employee_count", "1"), key="by_size")]

    found = evaluated(framework({"d": ({}, {"top": rules})}), [Facts({"employee_count": 5})], author)[0]["d"]

    assert (found.segment, found.reason, found.rule) == ("top", "matched", "top/by_size")


def test_fallback_takes_what_matches_nothing_and_never_what_is_missing(author: User) -> None:
    bodies = framework({"d": ({"fallback": "rest"}, {"top": [rule(leaf("ge", "arr", "100"))], "rest": []})})

    found = evaluated(bodies, [Facts({"arr": Decimal(99)}), Facts({"arr": None})], author)

    assert [(each["d"].segment, each["d"].reason) for each in found] == [("rest", "fallback"), (None, "missing_data")]


# --- what came before


def document(root: dict[str, Any]) -> dict[str, Any]:
    return dict(rule(root)["criteria"])


def test_account_that_flaps_at_a_threshold_moves_once(author: User) -> None:
    tiers = {"top": [rule(leaf("ge", "arr", "100"))], "low": [rule(leaf("lt", "arr", "100"))]}
    bodies = framework({"d": ({"downgrade": "auto"}, tiers)})
    bodies["segment", "d/top"]["stay"] = document(leaf("ge", "arr", "90"))
    version = storing.store_framework(bodies, author)
    (row,) = storing.store_accounts([Facts({"arr": Decimal(95)})], version.framework, author, AT)

    found = []
    for arr in (95, 100, 99, 100, 90, 89, 95):
        Account.objects.filter(pk=row.pk).update(arr=Decimal(arr))
        storing.apply(version, [row.pk], AT)
        found.append(storing.assigned([row.pk])[row.pk]["d"].segment)

    assert found == ["low", "top", "top", "top", "top", "low", "low"]


def test_account_whose_segment_a_version_gave_up_is_placed_as_if_it_were_new(author: User) -> None:
    rules = {"old": [rule(leaf("lt", "arr", "50"))], "low": [rule(leaf("lt", "arr", "100"))]}
    settings = {"min_dwell_days": 30, "max_step": 1}
    first = storing.store_framework(framework({"d": (settings, rules)}), author)
    (row,) = storing.store_accounts([Facts({"arr": Decimal(5)})], first.framework, author, AT)
    storing.apply(first, [row.pk], AT)
    rules = {"low": rules["low"]}
    bodies = framework({"d": (settings, rules)})
    bodies["segment", "d/low"]["move"] = document(leaf("ge", "arr", "90"))
    second = storing.store_version(first.framework, bodies, author)

    before = storing.assigned([row.pk])[row.pk]["d"]
    storing.apply(second, [row.pk], AT)

    after = storing.assigned([row.pk])[row.pk]["d"]
    assert [(each.segment, each.effective, each.reason, each.rule) for each in (before, after)] == [
        ("old", "old", "matched", "old/r"),
        ("low", "low", "matched", "low/r"),
    ]


def test_dimensions_that_read_each_other_through_a_move_are_named(author: User) -> None:
    reads = {key: {"op": "is_unassigned", "dimension": key} for key in ("a", "b")}
    bodies = framework({"a": ({}, {"s": []}), "b": ({}, {"s": [rule(reads["a"])]})})
    bodies["segment", "a/s"]["move"] = document(reads["b"])

    with pytest.raises(ValueError, match="a → b → a"):
        evaluated(bodies, [Facts({})], author)


def test_dimension_with_a_move_can_be_read_by_another(author: User) -> None:
    """Both name a column of the statement after the dimension."""
    reads = rule({"op": "segment", "dimension": "d", "any_of": ["top"]})
    bodies = TWO_TIERS | framework({"e": ({}, {"key_account": [reads]})})
    top = dict(bodies["segment", "d/top"], move=document(leaf("ge", "arr", "200")))

    found = evaluated(bodies | {("segment", "d/top"): top}, [Facts({"arr": Decimal(150)})], author)[0]

    assert (found["d"].segment, found["e"].segment) == ("top", "key_account")


@pytest.mark.parametrize("arr", [5, 150, None])
def test_fallback_with_a_stay_says_the_same_when_it_is_asked_again(author: User, arr: int | None) -> None:
    bodies = framework({"d": ({"fallback": "rest"}, {"top": [rule(leaf("ge", "arr", "100"))], "rest": []})})
    bodies["segment", "d/rest"]["stay"] = document({"op": "always"})
    version = storing.store_framework(bodies, author)
    facts = Facts({"arr": None if arr is None else Decimal(arr)})
    (row,) = storing.store_accounts([facts], version.framework, author, AT)

    storing.apply(version, [row.pk], AT)
    again = storing.apply(version, [row.pk], AT)

    assert again.changed == 0
    assert storing.assigned([row.pk])[row.pk]["d"].reason == {5: "fallback", 150: "matched"}.get(
        arr or 0, "missing_data"
    )


def test_nothing_pulls_under_raise_only_while_the_base_is_false(author: User) -> None:
    by_value = rule(leaf("ge", "arr", "100"), "value")
    bodies = framework({"d": ({"hit_policy": "raise_only", "fallback": "rest"}, {"top": [by_value], "rest": []})})
    bodies["segment", "d/top"]["move"] = document(leaf("ge", "arr", "200"))
    version = storing.store_framework(bodies, author)
    (row,) = storing.store_accounts([Facts({"arr": Decimal(150)})], version.framework, author, AT)

    storing.apply(version, [row.pk], AT)
    again = storing.apply(version, [row.pk], AT)

    assert (again.changed, storing.assigned([row.pk])[row.pk]["d"].reason) == (0, "fallback")


# --- accounts that are special


@pytest.mark.parametrize("kind", ["test", "internal", "merged", "deleted"])
def test_account_set_apart_is_excluded_from_every_dimension(author: User, kind: str) -> None:
    version = storing.store_framework(one_rule({"op": "always"}), author)
    row, other = storing.store_accounts([Facts({})] * 2, version.framework, author, AT)
    changes: dict[str, dict[str, Any]] = {
        "merged": {"exclusion": "merged", "merged_into": other},
        "deleted": {"deleted_at": AT},
    }
    Account.objects.filter(pk=row.pk).update(**changes.get(kind, {"exclusion": kind}))

    storing.apply(version, [row.pk, other.pk], AT)

    found = storing.assigned([row.pk, other.pk])
    assert (found[row.pk]["d"].segment, found[row.pk]["d"].reason) == (None, "excluded")
    assert (found[other.pk]["d"].segment, found[other.pk]["d"].reason) == ("yes", "matched")


def test_churned_account_is_segmented_like_any_other(author: User) -> None:
    found = verdicts(leaf("eq", "stage", "churned"), [{"stage": "churned"}, {"stage": "customer"}], author)

    assert found == [True, False]


def test_unreadable_value_is_an_error_of_its_account_alone(author: User) -> None:
    version = storing.store_framework(one_rule(leaf("ge", "seats", "1")), author)
    rows = storing.store_accounts([Facts({"seats": value}) for value in (5, "many", 0)], version.framework, author, AT)
    ids = [row.pk for row in rows]

    done = engine.apply_with_isolation(
        plan=engine.plan_of(version), scope=Scope(ids=tuple(ids)), as_of=AT, cause=Cause.DATA
    )

    found = storing.assigned(ids)
    assert done.failed == 1
    assert [found[pk]["d"].reason for pk in ids] == ["matched", "error", "no_match"]


# --- overrides


TWO_TIERS = framework({"d": ({}, {"top": [rule(leaf("ge", "arr", "100"))], "low": [rule(leaf("lt", "arr", "100"))]})})


def an_override(version: FrameworkVersion, row: Account, segment: Segment, author: User, **times: datetime) -> Override:
    moments = {"valid_from": AT - timedelta(days=1), "valid_until": AT + timedelta(days=1)} | times
    return Override.objects.create(
        account=row,
        dimension=segment.dimension,
        segment=segment,
        reason="Agreed.",
        created_by=author,
        created_at=AT,
        **moments,
    )


def test_override_equal_to_computed_keeps_both_and_reports_the_agreement_once(author: User) -> None:
    version = storing.store_framework(TWO_TIERS, author)
    (row,) = storing.store_accounts([Facts({"arr": Decimal(5)})], version.framework, author, AT)
    an_override(version, row, Segment.objects.get(dimension__framework=version.framework, key="top"), author)
    storing.apply(version, [row.pk], AT)
    Account.objects.filter(pk=row.pk).update(arr=Decimal(500))

    agreed, again = (storing.apply(version, [row.pk], AT + timedelta(minutes=n)) for n in (1, 2))

    stored = Assignment.objects.select_related("computed", "effective", "without_override").get(account=row)
    assert [segment and segment.key for segment in (stored.computed, stored.effective, stored.without_override)] == [
        "top",
        "top",
        "top",
    ]
    assert (agreed.agreeing, agreed.transitions, again.agreeing, again.changed) == ((row.pk,), 0, (), 0)


def test_override_counts_from_its_first_moment_until_before_its_last(author: User) -> None:
    start, end = AT - timedelta(days=1), AT
    facts = Facts({"arr": Decimal(5)}, overrides=(oracle.Override("d", "top", start, end),))
    moments = [start - timedelta(microseconds=1), start, end - timedelta(microseconds=1), end]

    found = [evaluated(TWO_TIERS, [facts], author, moment)[0]["d"].effective for moment in moments]

    assert found == ["low", "top", "top", "low"]


def test_override_that_was_ended_during_a_run_is_not_kept_beyond_its_end(author: User) -> None:
    version = storing.store_framework(TWO_TIERS, author)
    (row,) = storing.store_accounts([Facts({"arr": Decimal(5)})], version.framework, author, AT)
    segment = Segment.objects.get(dimension__framework=version.framework, key="top")
    ended = AT + timedelta(minutes=5)
    an_override(version, row, segment, author, ended_at=ended)

    storing.apply(version, [row.pk], AT)

    stored = storing.assigned([row.pk])[row.pk]["d"]
    assert (stored.effective, stored.until) == ("top", ended)


def test_override_that_expires_during_a_run_counts_in_every_chunk_of_it(author: User) -> None:
    """A run has one instant. The chunk that is evaluated after the override's end sees what the first one saw."""
    version = storing.store_framework(TWO_TIERS, author)
    facts = Facts({"arr": Decimal(5)}, overrides=(oracle.Override("d", "top", AT - timedelta(days=1), AT),))
    rows = storing.store_accounts([facts, facts], version.framework, author, AT)
    as_of = AT - timedelta(microseconds=1)

    for row in rows:
        storing.apply_range(version, row.pk, row.pk + 1, as_of)
    swept = storing.apply(version, [row.pk for row in rows], AT)

    moves = Transition.objects.order_by("id").values_list("to_segment__key", "effective_at")
    assert list(moves) == [("top", as_of)] * 2 + [("low", AT)] * 2
    assert swept.transitions == 2


def test_override_to_a_retired_segment_still_counts_and_is_none_of_the_listed(author: User) -> None:
    reads = {"op": "segment", "dimension": "d", "none_of": ["top"]}
    segments = {"open": [rule({"op": "is_unassigned", "dimension": "d"})], "other": [rule(reads)]}
    bodies = framework({"d": ({}, {"top": [rule(leaf("ge", "arr", "100"))]}), "e": ({}, segments)})
    version = storing.store_framework(bodies, author)
    (row,) = storing.store_accounts([Facts({"arr": Decimal(500)})], version.framework, author, AT)
    dimension = version.framework.dimensions.get(key="d")
    an_override(version, row, Segment.objects.create(dimension=dimension, key="old", name="Old"), author)

    storing.apply(version, [row.pk], AT)

    found = storing.assigned([row.pk])[row.pk]
    assert (found["d"].segment, found["d"].effective, found["e"].segment) == ("top", "old", "other")


def test_composite_reads_the_effective_segment(author: User) -> None:
    reads = rule({"op": "segment", "dimension": "d", "any_of": ["top"]})
    bodies = TWO_TIERS | framework({"e": ({}, {"key_account": [reads]})})
    override = oracle.Override("d", "top", AT - timedelta(days=1), AT + timedelta(days=1))

    found = evaluated(bodies, [Facts({"arr": Decimal(5)}), Facts({"arr": Decimal(5)}, overrides=(override,))], author)

    assert [each["e"].segment for each in found] == [None, "key_account"]
