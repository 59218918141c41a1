"""What would move an account up: only what the engine confirms, and the smallest of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.evaluation.engine import plan_of
from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.nearest import Nearest, Step, _changed, nearest_above, prior_of
from accounts.evaluation.past import facts_at
from accounts.models import Account, Assignment, PastAccount
from accounts.way_up import step_words
from frameworks.criteria.types import AttributeType
from frameworks.models import FrameworkVersion, User
from tests.accounts import storing
from tests.accounts.activating import AT as NOW
from tests.accounts.activating import account, activate, signed_version
from tests.accounts.small import AT, framework, leaf, rule
from tests.accounts.strategies import Bodies
from tests.accounts.test_account_pages import words
from tests.accounts.test_runs import spread
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


def tiers(high: Any, *, settings: dict[str, Any] | None = None, **how: Any) -> Bodies:
    return framework(
        {"d": (settings or {}, {"high": [rule(high)], "low": [rule({"op": "always"})]})},
        sources={"employee_count": {"unit": "employees", "label": "Employees", **how.pop("employees", {})}},
        **how,
    )


def found(bodies: Bodies, values: dict[str, Any], author: User, **facts: Any) -> Nearest | None:
    """What moves the account up, each way tried once more by storing it."""
    version = storing.store_framework(bodies, author)
    (row,) = storing.store_accounts([Facts(values, **facts)], version.framework, author, AT)
    storing.apply(version, [row.pk], AT)
    plan = plan_of(version)
    segment = Assignment.objects.get(account=row).computed
    return nearest_above(account=row, plan=plan, d=plan.dimensions[0], segment=segment.key if segment else None, at=AT)


def said(nearest: Nearest | None) -> list[str]:
    assert nearest is not None
    return [" and ".join(step_words(step) for step in way) for way in nearest.ways]


def any_of(*items: Any) -> dict[str, Any]:
    return {"op": "any", "items": list(items)}


def all_of(*items: Any) -> dict[str, Any]:
    return {"op": "all", "items": list(items)}


def test_next_segment_is_reached_by_either_number(author: User) -> None:
    rules = any_of(leaf("ge", "employee_count", "1000"), leaf("ge", "arr", "100000.00"))

    nearest = found(tiers(rules), {"employee_count": 988, "arr": Decimal("98600.00")}, author)

    assert sorted(said(nearest)) == ["$1,400 more arr", "12 more employees"]


def test_bound_that_does_not_count_itself_takes_the_smallest_unit_more(author: User) -> None:
    nearest = found(tiers(leaf("gt", "arr", "100000.00")), {"arr": Decimal("86400.00")}, author)

    assert said(nearest) == ["$13,600.01 more arr"]


def test_band_above_the_value_is_entered_at_its_lower_end_and_below_it_at_its_upper_end(author: User) -> None:
    band = leaf("range", "employee_count", ge="100", lt="200")

    below, above = (
        found(tiers(band), {"employee_count": 90}, author),
        found(tiers(band), {"employee_count": 205}, author),
    )

    assert (said(below), said(above)) == (["10 more employees"], ["6 fewer employees"])


def test_pair_is_told_only_where_no_single_number_is_enough(author: User) -> None:
    rules = all_of(leaf("ge", "employee_count", "1000"), leaf("ge", "arr", "100000.00"))

    both = found(tiers(rules), {"employee_count": 999, "arr": Decimal("99999.99")}, author)
    one = found(tiers(rules), {"employee_count": 1000, "arr": Decimal("99999.99")}, author)

    assert said(both) == ["$0.01 more arr and 1 more employee"]
    assert said(one) == ["$0.01 more arr"]


def test_value_nobody_knows_is_told_as_a_whole(author: User) -> None:
    nearest = found(tiers(leaf("ge", "employee_count", "1000")), {}, author)

    assert said(nearest) == ["Employees of 1,000 employees, which nobody knows today"]


def test_nothing_is_told_where_no_number_is_enough(author: User) -> None:
    rules = all_of(leaf("ge", "employee_count", "10"), leaf("eq", "industry", "Mining"))

    nearest = found(tiers(rules), {"employee_count": 5, "industry": "Retail"}, author)

    assert nearest == Nearest("high", ())


def test_top_segment_has_nothing_above(author: User) -> None:
    assert found(tiers(leaf("ge", "employee_count", "10")), {"employee_count": 50}, author) is None


def test_minimum_stay_is_reached_by_no_number(author: User) -> None:
    bodies = tiers(leaf("ge", "employee_count", "10"), settings={"min_dwell_days": 30})

    assert found(bodies, {"employee_count": 5}, author) == Nearest("high", ())


def test_value_older_than_its_limit_only_has_to_be_seen_again(author: User) -> None:
    bodies = tiers(leaf("ge", "employee_count", "10"), employees={"freshness_days": 30})

    nearest = found(bodies, {"employee_count": 50}, author, observed={"employee_count": AT - timedelta(days=40)})

    assert said(nearest) == ["Employees seen again at 50 employees"]


def test_every_way_told_is_confirmed_when_it_is_stored() -> None:
    rows = spread()
    activate(signed_version())
    plan = plan_of(FrameworkVersion.objects.get())
    told = 0

    for row, d in ((row, d) for row in rows for d in plan.dimensions):
        stored = Assignment.objects.select_related("computed").get(account=row, dimension_id=d.dimension_id)
        segment = stored.computed.key if stored.computed else None
        nearest = nearest_above(account=row, plan=plan, d=d, segment=segment, at=NOW)
        for way in nearest.ways if nearest else ():
            assert nearest is not None
            changed = _changed(facts_at(row.pk, NOW), way, NOW)
            (outcome,) = evaluate_rows(plan=plan, rows=[changed], as_of=NOW, prior=[prior_of(row, plan)])
            assert outcome[d.key].segment == nearest.segment
            told += 1

    assert told > 0


def test_facts_of_now_evaluate_to_what_is_stored() -> None:
    rows = spread()
    activate(signed_version())
    plan = plan_of(FrameworkVersion.objects.get())

    outcomes = evaluate_rows(
        plan=plan,
        rows=[facts_at(row.pk, NOW) for row in rows],
        as_of=NOW,
        prior=[prior_of(row, plan) for row in rows],
    )

    for row, said_of in zip(rows, outcomes, strict=True):
        for stored in Assignment.objects.filter(account=row).select_related("computed", "dimension"):
            segment = stored.computed.key if stored.computed else None
            assert (said_of[stored.dimension.key].segment, said_of[stored.dimension.key].reason) == (
                segment,
                stored.reason,
            )


def test_count_without_unit_is_said_like_one_with_it() -> None:
    employees = AttributeType(key="employee_count", label="Employees", data_type="integer")

    said_of = [step_words(Step(employees, Decimal(before), Decimal(100))) for before in (88, 99, 112)]

    assert said_of == ["12 more employees", "1 more employee", "12 fewer employees"]


def test_page_says_what_would_move_the_account_up_and_changes_nothing(client: Client) -> None:
    spread()
    given = account("Castellan", arr=Decimal("490000.00"))
    activate(signed_version())
    client.force_login(person("leah", "csm"))
    before = Account.objects.filter(pk=given.pk).values().get()

    with time_machine.travel(NOW, tick=False):
        page = words(client.get(f"/accounts/{given.uuid}/", {"dimension": "customer_tier"}))

    assert "To become Strategic by the rules" in page
    assert "$10,000 more ARR" in page
    assert Account.objects.filter(pk=given.pk).values().get() == before
    assert not PastAccount.objects.filter(account=given).exists()
