"""What would move an account up: only what the engine confirms, and the smallest of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.attributes import CORE_ATTRIBUTES
from accounts.evaluation.altering import Happened, Listed, Measured, ValueSet, altered
from accounts.evaluation.engine import plan_of
from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.nearest import Nearest, _changes, nearest_above, prior_of, ways_up
from accounts.evaluation.past import facts_at
from accounts.evaluation.steps import Step
from accounts.models import Account, AccountIdentifier, Assignment, PastAccount
from accounts.services.evaluation import evaluate_pending
from accounts.services.lists import change_list_entries
from accounts.services.observing import push_observations, record_signals
from accounts.services.pushing import push_accounts
from accounts.way_up import step_words, tried_words
from frameworks.criteria.periods import period_of
from frameworks.criteria.types import AttributeType
from frameworks.models import AccountList, Attribute, FrameworkVersion, User
from tests.accounts import storing
from tests.accounts.activating import AT as NOW
from tests.accounts.activating import account, activate, signed_version
from tests.accounts.small import AT, framework, leaf, rule
from tests.accounts.strategies import Bodies
from tests.accounts.test_account_pages import words
from tests.accounts.test_oracle import undone
from tests.accounts.test_runs import spread
from tests.frameworks.making import person
from tests.oracle import Facts, Signal

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


def test_nothing_is_told_where_three_changes_are_needed(author: User) -> None:
    rules = all_of(
        leaf("ge", "employee_count", "10"), leaf("eq", "industry", "Mining"), leaf("ge", "health_score", "50")
    )

    nearest = found(tiers(rules), {"employee_count": 5, "industry": "Retail", "health_score": 3}, author)

    assert nearest is not None
    assert (nearest.ways, nearest.singles, nearest.is_complete) == ((), 7, True)
    said_of = tried_words(nearest)
    assert said_of == "None of the 7 single changes tried is enough, nor any two of them together."


QUARTERS = {"arr": {"fiscal_quarter": {date(2025, 12, 31): Decimal("90.00"), date(2026, 3, 31): Decimal(1)}}}


@pytest.mark.parametrize(
    ("rules", "facts", "expected"),
    [
        (leaf("eq", "industry", "Mining"), Facts({"industry": "Retail"}), ["industry: Mining"]),
        (leaf("is_true", "is_partner"), Facts({}), ["is partner: yes"]),
        (leaf("in", "stage", ["churned"]), Facts({}), ["stage: The churned"]),
        (leaf("after", "renewed_on", "2026-01-31"), Facts({}), ["renewed on: 1 February 2026"]),
        ({"op": "on_list", "list": "fortune"}, Facts({}), ["On the list fortune"]),
        (
            {"op": "signal", "kind": "hiring", "at_least": 3, "within_days": 30},
            Facts({}, signals=[Signal("hiring", AT.date())]),
            ["2 more hiring signals"],
        ),
        (
            leaf("ge", "arr_per_head", "10"),
            Facts({"arr": Decimal("90.00"), "employee_count": 10}),
            ["$10 more arr", "1 fewer employee"],
        ),
        (
            {"op": "sustained", "periods": 2, "grain": "fiscal_quarter", "item": leaf("ge", "arr", "100.00")},
            Facts({}, series=QUARTERS),
            ["arr of $100 at the end of 2025-Q4 and 2025-Q3"],
        ),
    ],
    ids=["text", "boolean", "choice", "date", "list", "signal", "derived", "sustained"],
)
def test_other_changes_than_of_numbers_are_told(rules: Any, facts: Facts, expected: list[str], author: User) -> None:
    nearest = found(tiers(rules), dict(facts.values), author, signals=facts.signals, series=facts.series)

    assert sorted(said(nearest)) == sorted(expected)


def stored_for_real(changes: Iterable[Any], actor: User) -> None:
    """As programs and people store them: pushed, observed, signalled, listed; then evaluated."""
    key = {"source": "crm", "external_id": "A-1"}
    told: dict[str, Any] = {"all_or_none": True, "actor": actor, "at": AT}
    for number, change in enumerate(changes):
        match change:
            case ValueSet():
                kind = "attributes" if change.key not in CORE_ATTRIBUTES else ""
                said = {change.key: change.stored}
                result = push_accounts(items=[{**key, **({kind: said} if kind else said)}], **told)
            case Measured():
                names = period_of(change.end_on, change.grain, 1)
                period = {"metric": change.metric, "grain": change.grain, "period": names, "value": str(change.value)}
                item = {**key, **period, "period_end_on": change.end_on.isoformat()}
                result = push_observations(items=[item], **told)
            case Happened():
                about = {"kind": change.kind, "occurred_on": change.occurred_on.isoformat()}
                items = [{**key, **about, "signal_id": f"{number}-{n}"} for n in range(change.count)]
                result = record_signals(items=items, **told)
            case Listed():
                on = AccountList.objects.get(key=change.list)
                assert not change_list_entries(account_list=on, action="add", items=[key], actor=None, at=AT).failed
                continue
        assert result.is_applied, result
    evaluate_pending(at=AT)


@pytest.mark.parametrize(
    "rules",
    [
        leaf("ge", "employee_count", "1000"),
        leaf("eq", "industry", "Mining"),
        leaf("is_true", "is_partner"),
        leaf("after", "renewed_on", "2026-01-31"),
        leaf("ge", "arr_per_head", "10"),
        {"op": "on_list", "list": "fortune"},
        {"op": "signal", "kind": "hiring", "at_least": 3, "within_days": 30},
        {"op": "sustained", "periods": 2, "grain": "fiscal_quarter", "item": leaf("ge", "arr", "100.00")},
        {"op": "all", "items": [leaf("ge", "employee_count", "1000"), leaf("eq", "industry", "Mining")]},
    ],
)
def test_every_way_leads_there_when_the_services_store_it(rules: Any, author: User) -> None:
    for key, data_type in (("is_partner", "boolean"), ("renewed_on", "date")):
        Attribute.objects.get_or_create(key=key, defaults={"data_type": data_type})
    version = storing.store_framework(tiers(rules), author)
    (row,) = storing.store_accounts(
        [Facts({"arr": Decimal("90.00"), "employee_count": 10})], version.framework, author, AT
    )
    AccountIdentifier.objects.create(account=row, source="crm", external_id="A-1")
    storing.apply(version, [row.pk], AT)
    plan = plan_of(version)
    nearest = nearest_above(account=row, plan=plan, d=plan.dimensions[0], segment="low", at=AT)
    assert nearest is not None
    assert nearest.ways

    for way, lands in zip(nearest.ways, nearest.lands, strict=True):
        with undone():
            stored_for_real(_changes(way), person("sync", "integration"))
            assert Assignment.objects.get(account=row).computed.key == lands  # type: ignore[union-attr]


def test_change_that_skips_the_next_segment_is_told_with_where_it_lands(author: User) -> None:
    bodies = framework(
        {
            "d": (
                {},
                {
                    "top": [rule(leaf("ge", "employee_count", "1000"))],
                    "middle": [rule(leaf("eq", "industry", "Mining"))],
                    "low": [rule({"op": "always"})],
                },
            )
        }
    )

    nearest = found(bodies, {"employee_count": 990}, author)

    assert nearest is not None
    assert (nearest.segment, nearest.lands) == ("middle", ("top", "middle"))


def test_more_combinations_than_can_be_tried_are_said_to_be_left_out_but_no_single_one_is(author: User) -> None:
    keys = ["annual_revenue", "arr", "employee_count", "health_score", "weekly_active_share", "seats"]
    never = [all_of(leaf("ge", key, str(n)), leaf("eq", "city", "a"), leaf("eq", "motto", "b")) for n in range(9, 12)
             for key in keys]  # fmt: skip
    last = leaf("ge", "weekly_active_share", "99")

    without = found(tiers(any_of(*never)), {}, author)
    with_one = found(tiers(any_of(*never, last)), {}, author)

    assert without is not None
    assert (without.ways, without.is_complete) == ((), False)
    assert tried_words(without).endswith(f"nor any of the {without.pairs} nearest pairs; others were not tried.")
    assert with_one is not None
    assert [len(way) for way in with_one.ways] == [1]


def test_all_dimensions_take_one_statement(author: User) -> None:
    high = {"high": [rule(leaf("ge", "arr", "100.00"))], "low": [rule({"op": "always"})]}
    counts = []
    for keys in (["d"], ["d", "e", "f"]):
        version = storing.store_framework(framework({key: ({}, high) for key in keys}), author)
        (row,) = storing.store_accounts([Facts({})], version.framework, author, AT)
        storing.apply(version, [row.pk], AT)
        plan = plan_of(version)
        with CaptureQueriesContext(connection) as captured:
            assert len(ways_up(account=row, plan=plan, segments=dict.fromkeys(keys, "low"), at=AT)) == len(keys)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_top_segment_has_nothing_above(author: User) -> None:
    assert found(tiers(leaf("ge", "employee_count", "10")), {"employee_count": 50}, author) is None


def test_minimum_stay_is_reached_by_no_number(author: User) -> None:
    bodies = tiers(leaf("ge", "employee_count", "10"), settings={"min_dwell_days": 30})

    nearest = found(bodies, {"employee_count": 5}, author)

    assert nearest is not None
    assert (nearest.ways, nearest.singles) == ((), 3)


def test_rule_on_what_is_not_the_accounts_to_change_is_not_said_to_be_out_of_reach() -> None:
    nearest = Nearest("high", ())

    assert tried_words(nearest) == "Its rules suggest no change to what is known of this account alone."
    assert tried_words(replace(nearest, singles=1)) == "The one change that its rules suggest is not enough."


def test_value_nobody_knows_is_asked_for_no_higher_than_the_next_segment_needs(author: User) -> None:
    bodies = framework(
        {
            "d": (
                {},
                {
                    "top": [rule(leaf("ge", "arr", "100000.00"))],
                    "middle": [rule(leaf("ge", "arr", "25000.00"))],
                    "low": [rule({"op": "always"})],
                },
            )
        }
    )

    nearest = found(bodies, {}, author)

    assert said(nearest) == ["arr of $25,000, which nobody knows today"]
    assert nearest is not None
    assert nearest.lands == ("middle",)


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
            changed = altered(facts_at(row.pk, NOW), _changes(way), NOW)
            (outcome,) = evaluate_rows(plan=plan, rows=[changed], as_of=NOW, prior=[prior_of(row, plan)])
            assert outcome[d.key].segment == nearest.lands[nearest.ways.index(way)]
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
        page = client.get(f"/accounts/{given.uuid}/", {"dimension": "customer_tier"})
        alone = client.get(f"/accounts/{given.uuid}/way-up/", {"dimension": "customer_tier"})
        panel = client.get(
            f"/accounts/{given.uuid}/way-up/", {"dimension": "customer_tier"}, headers={"HX-Request": "true"}
        )

    address = f'href="/accounts/{given.uuid}/way-up/?dimension=customer_tier"'
    assert address in page.content.decode()
    assert address.replace("href", "hx-get") in page.content.decode()
    assert "To become Strategic by the rules" in words(alone)
    assert "$10,000 more ARR" in words(alone)
    assert panel.content.decode().strip() in alone.content.decode()
    assert Account.objects.filter(pk=given.pk).values().get() == before
    assert not PastAccount.objects.filter(account=given).exists()


def test_way_up_asks_to_log_in_and_of_nobody_who_is_gone(client: Client) -> None:
    given = account("Castellan")

    stranger = client.get(f"/accounts/{given.uuid}/way-up/")
    client.force_login(person("leah", "csm"))
    nothing = client.get(f"/accounts/{given.uuid}/way-up/")
    Account.objects.filter(pk=given.pk).update(deleted_at=NOW)
    gone = client.get(f"/accounts/{given.uuid}/way-up/")

    assert (stranger.status_code, stranger["Location"]) == (302, f"/login/?next=/accounts/{given.uuid}/way-up/")
    assert (nothing.status_code, "Nothing above" in words(nothing)) == (200, True)
    assert gone.status_code == 404
