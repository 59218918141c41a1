"""Fiscal periods on the calendar, and the instants at which time alone changes a verdict."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from frameworks.criteria.periods import closed_period_end, next_period_start, period_end, period_of, period_start
from frameworks.criteria.uses import reads_periods
from tests.frameworks.criteria.rules import ROWS, RULES
from tests.frameworks.criteria.vocabulary import AS_OF, BERLIN, GRAINS, berlin, day, flips, leaf, read, verdict

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(
    ("on", "grain", "start_month", "label", "first", "last"),
    [
        ("2026-07-15", "month", 2, "2026-07", "2026-07-01", "2026-07-31"),
        ("2028-02-29", "month", 1, "2028-02", "2028-02-01", "2028-02-29"),
        ("2026-08-31", "fiscal_quarter", 1, "2026-Q3", "2026-07-01", "2026-09-30"),
        ("2026-01-31", "fiscal_quarter", 2, "2026-Q4", "2025-11-01", "2026-01-31"),
        ("2026-02-01", "fiscal_quarter", 2, "2027-Q1", "2026-02-01", "2026-04-30"),
        ("2026-12-31", "fiscal_quarter", 11, "2027-Q1", "2026-11-01", "2027-01-31"),
        ("2026-12-31", "fiscal_year", 1, "2026", "2026-01-01", "2026-12-31"),
        ("2026-01-31", "fiscal_year", 2, "2026", "2025-02-01", "2026-01-31"),
        ("2026-06-30", "fiscal_year", 7, "2026", "2025-07-01", "2026-06-30"),
        ("2026-07-01", "fiscal_year", 7, "2027", "2026-07-01", "2027-06-30"),
    ],
)
def test_period_has_a_name_a_first_and_a_last_day(on, grain, start_month, label, first, last):
    found = (
        period_of(day(on), grain, start_month),
        period_start(day(on), grain, start_month).isoformat(),
        period_end(label, grain, start_month).isoformat(),
    )

    assert found == (label, first, last)


@pytest.mark.parametrize(
    ("as_of", "grain", "back", "last"),
    [
        ("2026-04-01", "fiscal_quarter", 1, "2026-01-31"),
        # on its last day a period is still open
        ("2026-04-30", "fiscal_quarter", 1, "2026-01-31"),
        ("2026-05-01", "fiscal_quarter", 1, "2026-04-30"),
        ("2026-05-01", "fiscal_quarter", 3, "2025-10-31"),
        ("2026-03-31", "month", 1, "2026-02-28"),
        ("2026-03-31", "month", 25, "2024-02-29"),
        ("2026-01-31", "fiscal_year", 1, "2025-01-31"),
    ],
)
def test_closed_period_is_over_before_the_day_begins(as_of, grain, back, last):
    assert closed_period_end(day(as_of), grain, 2, back).isoformat() == last


@pytest.mark.parametrize(("label", "grain"), [("2026-Q5", "fiscal_quarter"), ("2026", "month"), ("26", "fiscal_year")])
def test_label_of_another_grain_is_refused(label, grain):
    with pytest.raises(ValueError, match="write it like"):
        period_end(label, grain, 1)


@given(st.dates(date(1900, 1, 1), date(2900, 1, 1)), st.sampled_from(GRAINS), st.integers(1, 12))
def test_periods_follow_each_other_without_gap(on, grain, start_month):
    label = period_of(on, grain, start_month)
    last = period_end(label, grain, start_month)

    assert period_start(on, grain, start_month) <= on <= last
    assert period_start(last, grain, start_month) == period_start(on, grain, start_month)
    assert next_period_start(on, grain, start_month) == last + timedelta(days=1)
    assert closed_period_end(last + timedelta(days=1), grain, start_month) == last


# --- flips

MAY, JUNE = berlin(2026, 5, 1), berlin(2026, 6, 1)
TENURE = [berlin(2026, 4, 19), berlin(2026, 4, 20)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rule", "row", "expected"),
    [
        (leaf("within_last", "signed_on", n=90, unit="days"), {"signed_on": day("2026-03-01")}, [berlin(2026, 5, 31)]),
        (
            leaf("within_last", "signed_on", n=90, unit="days"),
            {"signed_on": day("2026-04-02")},
            [berlin(2026, 4, 2), berlin(2026, 7, 2)],
        ),
        (leaf("within_last", "signed_on", n=90, unit="days"), {"signed_on": day("2020-03-01")}, []),
        (leaf("older_than", "signed_on", n=1, unit="months"), {"signed_on": day("2026-03-30")}, [berlin(2026, 5, 1)]),
        (
            leaf("within_next", "signed_on", n=1, unit="months"),
            {"signed_on": day("2026-05-31")},
            [berlin(2026, 5, 1), berlin(2026, 6, 1)],
        ),
        (leaf("before", "signed_on", value="2026-06-01"), {"signed_on": day("2026-05-31")}, []),
        (leaf("ge", "usage", value="5"), {"usage_observed_at": berlin(2026, 3, 20, 15)}, [berlin(2026, 4, 20)]),
        (
            leaf("ge", "tenure", value="30"),
            {"signed_on": day("2026-03-20")},
            [berlin(2026, 4, 19), berlin(2026, 4, 20)],
        ),
        (leaf("ge", "tenure", value="9" * 18), {"signed_on": day("2026-03-20")}, []),
        (leaf("in_period", "signed_on", period="fiscal_year", offset=1), {"signed_on": day("2026-03-20")}, []),
        (
            {"id": "n1", "op": "signal", "kind": "hiring", "at_least": 1, "within_days": 10},
            {"signals": [{"kind": "hiring", "on": day("2026-03-28")}, {"kind": "hiring", "on": day("2026-03-25")}]},
            [berlin(2026, 4, 5)],
        ),
        (
            {"id": "n1", "op": "signal", "kind": "hiring", "at_least": 1, "within_days": 10},
            {"signals": [{"kind": "hiring", "on": day("2026-04-03")}]},
            [berlin(2026, 4, 3)],
        ),
    ],
)
def test_flip_is_the_midnight_at_which_the_verdict_may_change(rule, row, expected):
    assert flips(rule, row) == expected


@pytest.mark.django_db
@few
@given(
    RULES,
    ROWS,
    st.sampled_from([AS_OF, berlin(2026, 1, 31, 12), berlin(2026, 2, 28, 23, 59), berlin(2026, 3, 28, 22)]),
    st.floats(0, 1),
    st.sampled_from([BERLIN, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Asia/Beirut")]),
)
def test_verdict_never_changes_by_time_before_the_next_flip(root, rows, as_of, share, zone):
    assume(not reads_periods(read(root).root))
    for row in rows:
        found = flips(root, row, as_of=as_of, zone=zone)
        assert all(flip > as_of for flip in found)
        end = found[0] if found else as_of + timedelta(days=400)

        later = as_of + (end - as_of) * share - timedelta(microseconds=1)

        assert verdict(root, row, as_of=max(as_of, later), zone=zone) is verdict(root, row, as_of=as_of, zone=zone)


@pytest.mark.django_db
@few
@given(
    st.dates(date(2026, 1, 25), date(2026, 5, 5)),
    st.dates(date(2026, 1, 25), date(2026, 5, 5)),
    st.sampled_from(["within_last", "within_next", "older_than"]),
    st.integers(1, 3),
    st.sampled_from(["days", "weeks", "months"]),
)
def test_every_change_by_time_of_a_relative_date_is_a_flip(today, signed, op, n, unit):
    rule = leaf(op, "signed_on", n=n, unit=unit)
    row = {"signed_on": signed}
    at = datetime(today.year, today.month, today.day, 12, tzinfo=BERLIN)

    found = flips(rule, row, as_of=at)
    before = verdict(rule, row, as_of=at)
    changed = next(
        (
            midnight
            for ahead in range(1, 130)
            if verdict(rule, row, as_of=(midnight := berlin(*(today + timedelta(days=ahead)).timetuple()[:3])))
            is not before
        ),
        None,
    )

    assert changed is None or changed in found
