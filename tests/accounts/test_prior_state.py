"""What an account's stored row decides: move and stay, dwell, steps, held moves, nesting, and what time alone does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from accounts.evaluation import engine
from accounts.evaluation.statement import Scope
from accounts.models import Account, Assignment, AssignmentRun, Cause, MetricSeries, PendingEvaluation, Transition
from accounts.services import clock
from accounts.services.evaluation import evaluate_pending, sweep
from accounts.services.holding import release_held
from frameworks.errors import ConflictError
from frameworks.models import Dimension, FrameworkVersion, Segment, User
from tests.accounts import storing
from tests.accounts.small import AT, framework, leaf, rule
from tests.accounts.strategies import Bodies
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db

ALWAYS = {"op": "always"}


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


class Kept:
    """One account under one version, evaluated again and again; every evaluation is repeated and must write nothing."""

    def __init__(
        self, bodies: Bodies, author: User, values: Mapping[str, Any] | None = None, at: datetime = AT
    ) -> None:
        self.author = author
        self.version: FrameworkVersion = storing.store_framework(bodies, author)
        (self.account,) = storing.store_accounts([Facts(values or {})], self.version.framework, author, at)
        self.at = at

    @property
    def row(self) -> Assignment:
        return Assignment.objects.select_related("computed", "effective").get(account=self.account)

    def evaluate(self, *, days: int = 0, at: datetime | None = None, **values: Any) -> str:
        """The computed segment, or the reason for none, after changed values and passed days."""
        if values:
            Account.objects.filter(pk=self.account.pk).update(**values, version=F("version") + 1)
        self.at = at or self.at + timedelta(days=days)
        ids = [self.account.pk]
        storing.apply(self.version, ids, self.at)
        again = storing.apply(self.version, ids, self.at)
        assert (again.changed, again.transitions) == (0, 0)
        return self.row.computed.key if self.row.computed else self.row.reason

    def said(self) -> tuple[str, str]:
        return self.row.reason, self.row.rule_key

    def counted(self) -> str | None:
        return self.row.effective.key if self.row.effective else None

    def under(self, bodies: Bodies) -> None:
        """Another version of the framework, its segments the same."""
        other = storing.store_framework(bodies, self.author)
        identities = Dimension.objects.filter(framework=self.version.framework)
        Dimension.objects.filter(framework=other.framework).update(key="gone")
        identities.update(framework=other.framework)
        self.version = other


def tiers(settings: Mapping[str, Any] | None = None, **extra: Mapping[str, Any]) -> Bodies:
    """Three tiers by ARR: high from 100, middle from 50, low below. `extra` are fields of their segments."""
    cuts = {"high": leaf("ge", "arr", "100"), "middle": leaf("range", "arr", ge="50", lt="100")}
    cuts["low"] = leaf("lt", "arr", "50")
    bodies = framework({"d": ({"downgrade": "auto", **(settings or {})}, {k: [rule(v)] for k, v in cuts.items()})})
    for key, fields in extra.items():
        bodies["segment", f"d/{key}"] |= fields
    return bodies


def document(root: Mapping[str, Any]) -> dict[str, Any]:
    return dict(rule(root)["criteria"])


# --- hit policies


SIZE_LOWER = {"employee_count": 10, "arr": Decimal(900)}
SIZE_HIGHER = {"employee_count": 5_000, "arr": Decimal(9)}


def by_size_and_value(settings: Mapping[str, Any]) -> Bodies:
    large = [
        rule(leaf("ge", "employee_count", "1000"), "firmographic", "size"),
        rule(leaf("ge", "arr", "500"), "value", "value"),
    ]
    small = [
        rule(leaf("lt", "employee_count", "1000"), "firmographic", "size"),
        rule(leaf("lt", "arr", "500"), "value", "value"),
    ]
    return framework({"d": (settings, {"large": large, "small": small})})


@pytest.mark.parametrize(
    ("settings", "values", "expected"),
    [
        ({"hit_policy": "raise_only"}, SIZE_HIGHER, ("large", "large/size")),
        ({"hit_policy": "raise_only"}, SIZE_LOWER, ("large", "large/value")),
        ({"hit_policy": "raise_only", "base_basis": "value"}, SIZE_HIGHER, ("large", "large/size")),
        ({"hit_policy": "manual_review"}, SIZE_HIGHER, ("conflict", "")),
        ({"hit_policy": "ranked"}, SIZE_HIGHER, ("large", "large/size")),
        ({"hit_policy": "basis_precedence"}, SIZE_HIGHER, ("small", "small/value")),
        ({"hit_policy": "unique"}, SIZE_HIGHER, ("conflict", "")),
    ],
)
def test_value_lower_and_size_higher_under_each_hit_policy(
    author: User, settings: dict[str, Any], values: dict[str, Any], expected: tuple[str, str]
) -> None:
    kept = Kept(by_size_and_value(settings), author, values)

    assert (kept.evaluate(), kept.row.rule_key) == expected


@pytest.mark.parametrize(
    ("values", "fallback", "expected"),
    [
        ({"arr": Decimal(900)}, None, ("missing_data", ["employee_count"])),
        ({"arr": Decimal(900), "employee_count": 7}, None, ("no_match", [])),
        ({"arr": Decimal(900), "employee_count": 7}, "low", ("low", [])),
        ({"employee_count": 5_000}, None, ("low", ["arr"])),
    ],
)
def test_raise_only_places_nobody_without_a_true_base_rule(
    author: User, values: dict[str, Any], fallback: str | None, expected: tuple[str, list[str]]
) -> None:
    segments = {
        "high": [rule(leaf("ge", "arr", "500"), "value")],
        "low": [rule(leaf("ge", "employee_count", "1000"), "firmographic")],
    }
    settings = {"hit_policy": "raise_only", **({"fallback": fallback} if fallback else {})}
    kept = Kept(framework({"d": (settings, segments)}), author, values)

    assert (kept.evaluate(), kept.row.missing) == expected


def test_tie_in_rank_goes_to_the_higher_segment_and_its_earlier_rule(author: User) -> None:
    rules = [rule(ALWAYS, "needs", "one"), rule(ALWAYS, "value", "two")]
    kept = Kept(framework({"d": ({}, {"first": rules, "second": rules})}), author)

    assert (kept.evaluate(), kept.row.rule_key, kept.row.conflict) == ("first", "first/one", ["second"])


# --- nested segments


def nested(settings: Mapping[str, Any]) -> Bodies:
    """`big` with `huge` nested in it, ranked below `other`."""
    rules = {
        "big": leaf("ge", "arr", "100"),
        "other": leaf("ge", "employee_count", "10"),
        "huge": leaf("ge", "health_score", "50"),
    }
    bodies = framework({"d": (settings, {key: [rule(root)] for key, root in rules.items()})})
    bodies["segment", "d/huge"]["parent"] = "big"
    return bodies


@pytest.mark.parametrize(
    ("hit_policy", "values", "expected"),
    [
        ("ranked", {"arr": 200, "health_score": 90}, ("huge", [])),
        ("ranked", {"arr": 200, "health_score": 10}, ("big", [])),
        ("ranked", {"arr": 20, "health_score": 90}, ("no_match", [])),
        ("ranked", {"arr": 200, "health_score": 90, "employee_count": 20}, ("huge", ["other"])),
        ("unique", {"arr": 200, "health_score": 90}, ("huge", [])),
        ("unique", {"arr": 200, "health_score": 90, "employee_count": 20}, ("conflict", ["huge", "big", "other"])),
    ],
)
def test_child_needs_its_parent_and_wins_over_it(
    author: User, hit_policy: str, values: dict[str, Any], expected: tuple[str, list[str]]
) -> None:
    given = {"employee_count": 0, **values, "arr": Decimal(values["arr"])}
    kept = Kept(nested({"hit_policy": hit_policy}), author, given)

    assert (kept.evaluate(), kept.row.conflict) == expected


def test_child_whose_parent_is_unknown_is_unknown_and_names_what_the_parent_reads(author: User) -> None:
    kept = Kept(nested({}), author, {"health_score": 90, "employee_count": 0})

    assert (kept.evaluate(), kept.row.missing) == ("missing_data", ["arr"])


# --- move and stay


def quarters(n: int) -> dict[str, Any]:
    return {"op": "sustained", "periods": n, "grain": "fiscal_quarter", "item": {**leaf("ge", "arr", "100")}}


def with_history(kept: Kept, **values: str) -> None:
    ends = sorted((date.fromisoformat(day.replace("_", "-").removeprefix("d")) for day in values), reverse=True)
    by_day = {date.fromisoformat(day.replace("_", "-").removeprefix("d")): Decimal(v) for day, v in values.items()}
    MetricSeries.objects.update_or_create(
        account=kept.account,
        metric="arr",
        grain="fiscal_quarter",
        defaults={"ends": ends, "values": [by_day[day] for day in ends]},
    )


def test_first_assignment_looks_at_today_and_a_move_waits_for_two_quarters(author: User) -> None:
    bodies = tiers({}, high={"move": document(quarters(2))})
    new = Kept(bodies, author, {"arr": Decimal(500)})
    assert (new.evaluate(), *new.said()) == ("high", "matched", "high/r")

    moving = Kept(bodies, author, {"arr": Decimal(60)}, at=datetime(2026, 5, 1, tzinfo=UTC))
    assert moving.evaluate() == "middle"
    with_history(moving, d2026_03_31="60", d2025_12_31="60")
    assert (moving.evaluate(arr=Decimal(500)), *moving.said()) == ("middle", "kept", "high/move")
    with_history(moving, d2026_06_30="500", d2026_03_31="60")
    assert moving.evaluate(at=datetime(2026, 7, 2, tzinfo=UTC)) == "middle"
    with_history(moving, d2026_09_30="500", d2026_06_30="500")
    assert (moving.evaluate(at=datetime(2026, 10, 2, tzinfo=UTC)), *moving.said()) == ("high", "matched", "high/r")


def test_move_without_history_keeps_the_account_where_it_is(author: User) -> None:
    kept = Kept(tiers({}, high={"move": document(quarters(2))}), author, {"arr": Decimal(60)})
    kept.evaluate()

    assert (kept.evaluate(arr=Decimal(500)), *kept.said()) == ("middle", "kept", "high/move")


def test_history_alone_missing_is_insufficient_history(author: User) -> None:
    bodies = framework({"d": ({}, {"high": [rule(quarters(2))]})})
    kept = Kept(bodies, author, {"arr": Decimal(500)})

    assert (kept.evaluate(), kept.row.missing) == ("insufficient_history", ["history:arr"])


def test_stay_keeps_an_account_that_flaps_at_the_threshold(author: User) -> None:
    kept = Kept(tiers({}, high={"stay": document(leaf("ge", "arr", "90"))}), author, {"arr": Decimal(95)})

    assert kept.evaluate() == "middle"
    assert kept.evaluate(arr=Decimal(100)) == "high"
    assert (kept.evaluate(arr=Decimal(95)), *kept.said()) == ("high", "matched", "high/stay")
    assert kept.row.conflict == ["middle"]
    assert kept.evaluate(arr=Decimal(89)) == "middle"


def test_stay_of_the_fallback_is_asked_only_against_something(author: User) -> None:
    segments = {"top": [rule(leaf("ge", "arr", "100"))], "rest": []}
    bodies = framework({"d": ({"fallback": "rest", "downgrade": "auto"}, segments)})
    bodies["segment", "d/rest"]["stay"] = document(ALWAYS)
    kept = Kept(bodies, author, {"arr": Decimal(9)})

    assert (kept.evaluate(), *kept.said()) == ("rest", "fallback", "")
    assert (kept.evaluate(arr=None), *kept.said()) == ("rest", "provisional", "rest/stay")
    assert kept.evaluate(arr=Decimal(100)) == "top"


def test_segment_reached_by_a_step_does_not_keep_what_rests_there(author: User) -> None:
    bodies = tiers({"max_step": 1}, middle={"stay": document(ALWAYS)})
    kept = Kept(bodies, author, {"arr": Decimal(100)})
    kept.evaluate()

    assert (kept.evaluate(arr=Decimal(9)), *kept.said()) == ("middle", "stepped", "low/r")
    assert (kept.evaluate(arr=Decimal(8)), *kept.said()) == ("middle", "matched", "middle/stay")


def test_move_pulls_nobody_under_raise_only_without_a_true_base_rule(author: User) -> None:
    segments = {
        "high": [rule(leaf("ge", "arr", "100"), "value")],
        "low": [rule(leaf("ge", "employee_count", "10"), "firmographic")],
    }
    bodies = framework({"d": ({"hit_policy": "raise_only", "downgrade": "auto"}, segments)})
    bodies["segment", "d/high"]["move"] = document(quarters(2))
    kept = Kept(bodies, author, {"arr": Decimal(9), "employee_count": 10})
    kept.evaluate()

    assert (kept.evaluate(arr=Decimal(500)), kept.row.reason) == ("low", "matched")
    assert kept.evaluate(employee_count=9) == "no_match"


# --- dwell and steps


def test_account_dwells_for_days_of_the_framework_zone(author: User) -> None:
    kept = Kept(tiers({"min_dwell_days": 3}), author, {"arr": Decimal(100)})
    kept.evaluate()

    assert (kept.evaluate(days=1, arr=Decimal(60)), *kept.said()) == ("high", "kept", "middle/r")
    assert kept.row.next_flip_at == datetime(2026, 4, 3, tzinfo=UTC)
    assert kept.evaluate(at=datetime(2026, 4, 2, 23, 59, tzinfo=UTC)) == "high"
    assert kept.evaluate(at=datetime(2026, 4, 3, tzinfo=UTC)) == "middle"
    assert kept.row.computed_since == datetime(2026, 4, 3, tzinfo=UTC)
    assert kept.row.next_flip_at is None


def test_dwell_keeps_nobody_from_becoming_unassigned(author: User) -> None:
    kept = Kept(tiers({"min_dwell_days": 30}), author, {"arr": Decimal(100)})
    kept.evaluate()

    assert kept.evaluate(days=1, arr=None) == "missing_data"


def test_step_is_one_rank_and_the_next_needs_new_facts(author: User) -> None:
    kept = Kept(tiers({"max_step": 1}), author, {"arr": Decimal(100)})
    kept.evaluate()

    assert (kept.evaluate(arr=Decimal(9)), *kept.said()) == ("middle", "stepped", "low/r")
    assert (kept.evaluate(days=10), *kept.said()) == ("middle", "stepped", "low/r")
    assert (kept.evaluate(arr=Decimal(8)), *kept.said()) == ("low", "matched", "low/r")


def test_next_step_comes_with_a_new_version(author: User) -> None:
    kept = Kept(tiers({"max_step": 1}), author, {"arr": Decimal(100)})
    kept.evaluate()
    kept.evaluate(arr=Decimal(9))

    kept.under(tiers({"max_step": 1}))

    assert kept.evaluate() == "low"


def test_next_step_comes_when_the_dwell_is_over(author: User) -> None:
    kept = Kept(tiers({"max_step": 1, "min_dwell_days": 5}), author, {"arr": Decimal(100)})
    kept.evaluate()

    assert kept.evaluate(days=5, arr=Decimal(9)) == "middle"
    assert kept.evaluate(days=4) == "middle"
    assert kept.evaluate(days=1) == "low"


def test_first_assignment_takes_no_steps_and_does_not_dwell(author: User) -> None:
    kept = Kept(tiers({"max_step": 1, "min_dwell_days": 5}), author, {"arr": Decimal(9)})

    assert kept.evaluate() == "low"


# --- held moves


def release(kept: Kept, to: str) -> None:
    segment = Segment.objects.get(dimension=kept.row.dimension, key=to)
    release_held(account=kept.account, dimension=kept.row.dimension, to=segment, actor=kept.author, at=kept.at)


def test_downgrade_under_review_is_held_until_it_is_released(author: User) -> None:
    kept = Kept(tiers({"downgrade": "review"}), author, {"arr": Decimal(100)})
    kept.evaluate()

    assert kept.evaluate(arr=Decimal(9)) == "low"
    assert (kept.counted(), kept.row.is_held) == ("high", True)
    release(kept, "low")
    evaluate_pending(at=kept.at)
    assert (kept.counted(), kept.row.is_held) == ("low", False)
    assert Transition.objects.filter(account=kept.account).latest("id").cause == Cause.REVIEW
    assert (kept.evaluate(), kept.counted()) == ("low", "low")


def test_release_lets_nothing_else_through_and_holds_once(author: User) -> None:
    kept = Kept(tiers({"downgrade": "review"}), author, {"arr": Decimal(100)})
    kept.evaluate()
    kept.evaluate(arr=Decimal(60))
    release(kept, "middle")
    evaluate_pending(at=kept.at)

    kept.evaluate(arr=Decimal(9))
    assert (kept.counted(), kept.row.is_held) == ("middle", True)
    kept.evaluate(arr=Decimal(100))
    assert (kept.counted(), kept.row.is_held) == ("high", False)
    kept.evaluate(arr=Decimal(60))
    assert (kept.counted(), kept.row.is_held) == ("high", True)


def test_release_of_an_account_that_is_not_held_is_refused_and_changes_nothing(author: User) -> None:
    kept = Kept(tiers({"downgrade": "review"}), author, {"arr": Decimal(100)})
    kept.evaluate()

    with pytest.raises(ConflictError):
        release(kept, "high")

    assert (kept.row.released_id, PendingEvaluation.objects.count()) == (None, 0)


def held_in_a_gap(author: User) -> Kept:
    """An account on its way from high to low, whose ARR is not known any more."""
    kept = Kept(tiers({"downgrade": "review"}), author, {"arr": Decimal(100)})
    kept.evaluate()
    kept.evaluate(arr=Decimal(9))
    lose_arr(kept)
    return kept


def lose_arr(kept: Kept) -> None:
    Account.objects.filter(pk=kept.account.pk).update(arr=None, version=F("version") + 1)
    assert kept.evaluate() == "missing_data"


def test_gap_in_the_data_does_not_get_a_held_downgrade_past_the_person(author: User) -> None:
    kept = held_in_a_gap(author)

    assert (kept.counted(), kept.row.is_held) == ("high", True)
    kept.evaluate()
    assert (kept.counted(), kept.row.is_held) == ("high", True)
    assert (kept.evaluate(arr=Decimal(9)), kept.counted(), kept.row.is_held) == ("low", "high", True)
    lose_arr(kept)
    assert (kept.evaluate(arr=Decimal(100)), kept.counted(), kept.row.is_held) == ("high", "high", False)
    lose_arr(kept)
    assert (kept.counted(), kept.row.is_held) == (None, False)


def test_account_released_while_its_data_are_missing_waits_no_more(author: User) -> None:
    kept = held_in_a_gap(author)

    release(kept, "low")
    evaluate_pending(at=kept.at)

    assert (kept.counted(), kept.row.is_held) == (None, False)
    assert (kept.evaluate(arr=Decimal(9)), kept.counted(), kept.row.is_held) == ("low", "low", False)


def test_known_answer_that_is_no_segment_ends_a_held_downgrade(author: User) -> None:
    bodies = tiers({"downgrade": "review"})
    kept = Kept(bodies, author, {"arr": Decimal(100)})
    kept.evaluate()
    kept.evaluate(arr=Decimal(9))
    held = kept.row.is_held
    bodies["segment", "d/low"]["rules"] = []
    kept.under(bodies)

    assert (held, kept.evaluate(), kept.counted(), kept.row.is_held) == (True, "no_match", None, False)


def test_upgrade_under_review_is_held_and_a_downgrade_is_not(author: User) -> None:
    kept = Kept(tiers({"upgrade": "review"}), author, {"arr": Decimal(60)})
    kept.evaluate()

    kept.evaluate(arr=Decimal(100))
    assert (kept.counted(), kept.row.is_held) == ("middle", True)
    kept.evaluate(arr=Decimal(9))
    assert (kept.counted(), kept.row.is_held) == ("low", False)


def test_other_dimension_reads_what_counts_or_what_is_computed(author: User) -> None:
    leaf_of = {"op": "segment", "dimension": "d", "any_of": ["high"]}
    bodies = tiers({"downgrade": "review"})
    for key, settings in (("counted", {}), ("given", {"basis_of": "computed"})):
        bodies["dimension", key] = {"label": key, "hit_policy": "ranked", "segments": ["yes", "no"], **settings}
        bodies["dimension", key]["downgrade"] = "auto"
        bodies["segment", f"{key}/yes"] = {"label": "yes", "dimension": key, "rules": [rule(leaf_of)]}
        bodies["segment", f"{key}/no"] = {"label": "no", "dimension": key, "rules": [rule(ALWAYS)]}
    version = storing.store_framework(bodies, author)
    (account,) = storing.store_accounts([Facts({"arr": Decimal(100)})], version.framework, author, AT)
    storing.apply(version, [account.pk], AT)
    Account.objects.update(arr=Decimal(9))

    storing.apply(version, [account.pk], AT)

    found = storing.assigned([account.pk])[account.pk]
    assert (found["counted"].segment, found["given"].segment) == ("yes", "no")


# --- time


def silent_since(days: int, zone: str = "UTC") -> Bodies:
    """Active while the last activity is `days` days ago at most."""
    recent = leaf("within_last", "last_activity_on", n=days, unit="days")
    quiet = leaf("older_than", "last_activity_on", n=days, unit="days")
    settings = {"downgrade": "auto"}
    return framework({"d": (settings, {"active": [rule(recent)], "quiet": [rule(quiet)]})}, zone=zone)


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC)),  # the night after clocks went forward
        ("Europe/Berlin", datetime(2026, 3, 8, 23, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 3, 9, 4, tzinfo=UTC)),
    ],
)
def test_account_whose_days_end_at_midnight_moves_with_the_sweep(author: User, zone: str, midnight: datetime) -> None:
    began = datetime(2026, 3, 6, 12, tzinfo=UTC)
    kept = Kept(silent_since(90, zone), author, {"last_activity_on": date(2025, 12, 8)}, at=began)
    assert kept.evaluate() == "active"
    assert kept.row.next_flip_at == midnight

    sweep(at=midnight - timedelta(seconds=1))
    assert not PendingEvaluation.objects.exists()
    assert (sweep(at=midnight)["due"], sweep(at=midnight)["due"]) == (1, 0)
    evaluate_pending(at=midnight)

    assert (kept.counted(), kept.row.next_flip_at is None) == ("quiet", True)
    assert Transition.objects.filter(account=kept.account).latest("id").cause == Cause.TIME


def test_flip_that_moves_nobody_is_written_without_a_new_version_of_the_row(author: User) -> None:
    kept = Kept(silent_since(90), author, {"last_activity_on": AT.date()})
    kept.evaluate()
    before = kept.row

    kept.evaluate(days=5, last_activity_on=AT.date() + timedelta(days=5))

    row = kept.row
    assert (row.version, row.changed_at, row.framework_version_id) == (
        before.version,
        before.changed_at,
        before.framework_version_id,
    )
    assert before.next_flip_at is not None
    assert row.next_flip_at == before.next_flip_at + timedelta(days=5)


def test_flip_far_ahead_is_the_midnight_a_near_one_would_be(author: User) -> None:
    kept = Kept(silent_since(900, "America/Santiago"), author, {"last_activity_on": date(2026, 3, 31)})

    kept.evaluate()

    # 900 days and one more after 31 March 2026, in the standard time of September.
    assert kept.row.next_flip_at == datetime(2028, 9, 17, 3, tzinfo=UTC)


# --- fiscal periods


def run_of(kept: Kept, at: datetime) -> AssignmentRun:
    return AssignmentRun.objects.create(
        framework=kept.version.framework,
        framework_version=kept.version,
        kind=AssignmentRun.Kind.ACTIVATION,
        state=AssignmentRun.State.APPLIED,
        as_of=at,
        created_at=at,
    )


def test_end_of_a_fiscal_period_starts_one_run_and_only_one(author: User) -> None:
    kept = Kept(tiers({}, high={"move": document(quarters(2))}), author, {"arr": Decimal(60)})
    run_of(kept, AT)

    assert clock.start_period_runs(at=datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == []
    first = clock.start_period_runs(at=datetime(2026, 4, 1, tzinfo=UTC))
    again = clock.start_period_runs(at=datetime(2026, 4, 1, 0, 1, tzinfo=UTC))

    assert ([run.kind for run in first], again) == (["period"], [])


def test_cancelled_run_of_a_period_is_not_started_again(author: User) -> None:
    kept = Kept(tiers({}, high={"move": document(quarters(2))}), author, {"arr": Decimal(60)})
    run_of(kept, AT)
    (run,) = clock.start_period_runs(at=datetime(2026, 4, 1, tzinfo=UTC))
    AssignmentRun.objects.filter(pk=run.pk).update(state=AssignmentRun.State.CANCELLED)

    assert clock.start_period_runs(at=datetime(2026, 4, 2, tzinfo=UTC)) == []
    assert len(clock.start_period_runs(at=datetime(2026, 7, 1, tzinfo=UTC))) == 1


def test_framework_whose_rules_read_no_period_starts_no_run_for_one(author: User) -> None:
    kept = Kept(tiers(), author, {"arr": Decimal(60)})
    run_of(kept, AT)

    assert clock.start_period_runs(at=datetime(2027, 4, 1, tzinfo=UTC)) == []


def test_preview_under_prior_state_names_what_applying_does(author: User) -> None:
    kept = Kept(tiers({"max_step": 1, "downgrade": "review"}), author, {"arr": Decimal(100)})
    kept.evaluate()
    Account.objects.filter(pk=kept.account.pk).update(arr=Decimal(9), version=F("version") + 1)

    previewed = storing.preview(kept.version, [kept.account.pk], kept.at)
    applied = engine.apply(
        plan=engine.plan_of(kept.version),
        scope=Scope(ids=(kept.account.pk,)),
        as_of=kept.at,
        cause=Cause.DATA,
    )

    assert previewed.moves == applied.moves
    assert (kept.counted(), kept.said()) == ("high", ("stepped", "low/r"))


def test_flip_alone_is_no_finding_of_a_run(author: User) -> None:
    kept = Kept(silent_since(90), author, {"last_activity_on": AT.date()})
    kept.evaluate()
    Assignment.objects.update(next_flip_at=None)

    previewed = storing.preview(kept.version, [kept.account.pk], kept.at)

    assert (previewed.changed, previewed.moves) == (1, {})


# --- two sweepers


def at_once(work: Callable[[], Any]) -> list[Any]:
    """What two threads get that begin together."""
    barrier = threading.Barrier(2)

    def begin() -> Any:
        try:
            barrier.wait()
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        return [done.result() for done in [pool.submit(begin), pool.submit(begin)]]


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_find_each_account_and_each_period_once() -> None:
    bodies = silent_since(90)
    bodies["segment", "d/quiet"]["move"] = document(quarters(2))
    kept = Kept(bodies, person("ravi", "revops"), {"last_activity_on": AT.date()})
    kept.evaluate()
    run_of(kept, AT)
    later = AT + timedelta(days=200)

    marked = at_once(lambda: clock.mark_due(at=later))
    started = at_once(lambda: clock.start_period_runs(at=later))

    assert sorted(marked) == [0, 1]
    assert PendingEvaluation.objects.count() == 1
    assert sorted(len(runs) for runs in started) == [0, 1]
    assert AssignmentRun.objects.filter(kind=AssignmentRun.Kind.PERIOD).count() == 1
