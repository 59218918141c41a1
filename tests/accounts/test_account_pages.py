"""The list of accounts and the page of one account, as people see them."""

import csv
import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.account_list import distribution, listed_dimensions, moved_url
from accounts.account_page import renewal
from accounts.evaluation.seen import stale_words
from accounts.models import (
    Account,
    AccountIdentifier,
    Assignment,
    AssignmentRun,
    Cause,
    ListEntry,
    MetricObservation,
    PendingEvaluation,
    Signal,
    Transition,
)
from accounts.services.evaluation import evaluate_pending
from accounts.services.overrides import grant_override
from frameworks.criteria.types import AttributeType
from frameworks.models import AccountList, Dimension, FrameworkVersion, Segment, User
from tests.accounts.activating import AT, account, activate, signed_version
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

LIST = "/accounts/"


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(AT + timedelta(minutes=1), tick=False):
        yield


@pytest.fixture
def leah() -> User:
    return person("leah", "csm")


@pytest.fixture
def visitor(client: Client, leah: User) -> Client:
    client.force_login(leah)
    return client


@pytest.fixture
def accounts(active_world: None) -> list[Account]:
    return list(Account.objects.order_by("pk"))


def names(response: Any) -> list[str]:
    return [row.record.name for row in response.context["table"].page.object_list]


def words(response: Any) -> str:
    """What the page's main part says, on one line."""
    main = response.content.decode().split("<main", 1)[1].split("</main>")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main)))


def override(given: Account, segment: str, *, until: timedelta) -> None:
    tier = Dimension.objects.get(key="customer_tier")
    grant_override(
        account=given,
        dimension=tier,
        segment=tier.segments.get(key=segment),
        valid_from=AT,
        valid_until=AT + until,
        reason="A group-wide rollout is being signed.",
        actor=person("dana", "cs_ops"),
        at=AT,
    )
    evaluate_pending(at=AT)


# --- the list


def test_list_of_a_visitor_asks_to_log_in(client: Client) -> None:
    response = client.get(LIST)

    assert (response.status_code, response["Location"]) == (302, f"/login/?next={LIST}")


def test_list_names_the_segment_of_every_account_in_every_dimension(visitor: Client, active_world: None) -> None:
    said = words(visitor.get(LIST))

    assert "8 accounts" in said
    assert re.search(r"Company 7 Strategic Healthcare Low Growth \$800,000", said)


def test_list_without_accounts_offers_to_import_and_says_that_nothing_is_active(visitor: Client) -> None:
    said = words(visitor.get(LIST))

    assert "No accounts yet" in said
    assert "No version is active yet" in said


def test_list_that_matches_nothing_offers_to_clear_the_filters(visitor: Client) -> None:
    account("Acme")

    said = words(visitor.get(LIST, {"q": "zzz"}))

    assert "No account matches" in said
    assert "Clear the filters" in said


@pytest.mark.parametrize("query", [{"stage": "gone"}, {"csm": "somebody"}, {"in-customer_tier": "gold"}, {"run": "x"}])
def test_list_with_an_unknown_filter_shows_nothing_and_says_so(
    visitor: Client, query: dict[str, str], signed_world: None
) -> None:
    account("Acme")
    activate(FrameworkVersion.objects.get())

    response = visitor.get(LIST, query)

    assert (response.status_code, names(response)) == (200, [])
    assert "No account matches" in words(response)


def test_list_follows_an_override_until_the_minute_it_ends(visitor: Client, accounts: list[Account]) -> None:
    override(accounts[0], "strategic", until=timedelta(days=1))

    during = names(visitor.get(LIST, {"in-customer_tier": "strategic"}))
    with time_machine.travel(AT + timedelta(days=1, seconds=1), tick=False):
        visitor.force_login(User.objects.get(name="Leah"))
        afterwards = names(visitor.get(LIST, {"in-customer_tier": "strategic"}))
        again = names(visitor.get(LIST, {"in-customer_tier": "smb"}))

    assert "Company 0" in during
    assert "Company 0" not in afterwards
    assert "Company 0" in again


def test_list_takes_as_many_queries_for_three_rows_as_for_one(visitor: Client, active_world: None) -> None:
    visitor.get(LIST)

    with CaptureQueriesContext(connection) as one:
        assert len(names(visitor.get(LIST, {"q": "company 1"}))) == 1
    with CaptureQueriesContext(connection) as three:
        assert len(names(visitor.get(LIST, {"in-engagement": "high"}))) >= 2

    assert len(one) == len(three)


def test_figures_above_the_list_lead_to_as_many_accounts(visitor: Client, accounts: list[Account]) -> None:
    Account.objects.filter(pk=accounts[7].pk).update(deleted_at=AT)

    response = visitor.get(LIST)

    (tier, *_) = listed_dimensions()
    counted = {segment.key if segment else "-": count for segment, count in distribution(tier)}
    assert sum(counted.values()) == len(accounts) - 1
    for figure in response.context["figures"]:
        assert figure["count"] == counted[figure["value"]]
        assert len(names(visitor.get(LIST, {tier.parameter: figure["value"]}))) == figure["count"]


def test_deleted_and_merged_accounts_are_nowhere(visitor: Client) -> None:
    gone = account("Gone", deleted_at=AT)
    kept = account("Kept")
    merged = account("Merged", merged_into=kept, exclusion="merged")

    listed = names(visitor.get(LIST))
    pages = [visitor.get(reverse("accounts:account_detail", args=[each.uuid])).status_code for each in (gone, merged)]

    assert (listed, pages) == (["Kept"], [404, 404])


def test_figures_of_a_run_lead_to_exactly_the_accounts_it_moved(visitor: Client, active_world: None) -> None:
    run = AssignmentRun.objects.get()
    tier = Dimension.objects.get(key="customer_tier")
    strategic = tier.segments.get(key="strategic")

    response = visitor.get(moved_url(run, "customer_tier", "", "strategic"))

    assert run.moves[str(tier.pk)][""][str(strategic.pk)] == len(names(response)) == 2
    assert "Moved by Run" in words(response)


def test_list_of_an_unknown_run_is_empty_instead_of_everything(visitor: Client, active_world: None) -> None:
    run = AssignmentRun.objects.get()

    for address in (moved_url(run, "nowhere", "", "strategic"), moved_url(run, "customer_tier", "", "platinum")):
        assert names(visitor.get(address)) == []


# --- export


def exported(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_export_has_every_filtered_row_with_segments_and_ids(visitor: Client, signed_world: None) -> None:
    accounts = list(Account.objects.order_by("pk"))
    AccountIdentifier.objects.create(account=accounts[7], source="crm", external_id="7")
    activate(FrameworkVersion.objects.get())

    rows = exported(visitor.get("/accounts/export.csv", {"in-customer_tier": "strategic", "sort": "-arr"}))

    assert [(row["name"], row["customer_tier"], row["arr"], row["external_ids"]) for row in rows] == [
        ("Company 6", "Strategic", "900000.00", ""),
        ("Company 7", "Strategic", "800000.00", "crm:7"),
    ]


@pytest.mark.parametrize("name", ["=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1", " =1", "＝1"])
def test_export_writes_no_cell_that_a_spreadsheet_calculates(visitor: Client, name: str) -> None:
    account(name)

    (row,) = exported(visitor.get("/accounts/export.csv"))

    assert row["name"] == f"'{name}"


def test_export_with_an_unknown_filter_is_the_page_that_says_so(visitor: Client) -> None:
    account("Acme")

    response = visitor.get("/accounts/export.csv", {"stage": "gone"})

    assert response["Content-Type"].startswith("text/html")
    assert "Acme" not in words(response)


# --- one account


def detail(visitor: Client, given: Account, **query: str) -> Any:
    return visitor.get(reverse("accounts:account_detail", args=[given.uuid]), query)


def test_account_page_says_where_since_when_and_why(visitor: Client, accounts: list[Account]) -> None:
    response = detail(visitor, accounts[7])

    said = words(response)
    assert "Customer Tier Strategic 21 Nov 2026" in said
    assert "Why Strategic? Customer Tier" in said
    assert "Strategic: its rule is met, and no rule asked before it is." in said
    assert "ARR of $500,000 or more $800,000" in said
    assert "First assignment: Strategic" in said


def test_account_page_explains_the_dimension_of_the_address(visitor: Client, accounts: list[Account]) -> None:
    said = words(detail(visitor, accounts[7], dimension="engagement"))
    unknown = words(detail(visitor, accounts[7], dimension="nowhere"))

    assert "Why Low? Engagement" in said
    assert "Why Strategic? Customer Tier" in unknown


def test_account_page_can_show_only_the_checks_that_decide(visitor: Client, accounts: list[Account]) -> None:
    whole = detail(visitor, accounts[0], dimension="customer_tier").context["page"].tree
    brief = detail(visitor, accounts[0], dimension="customer_tier", checks="deciding").context["page"].tree

    assert [rule.verdict for rule in whole[:4]] == ["false", "false", "false", "true"]
    assert [rule.verdict for rule in whole[4:]] == [""] * len(whole[4:])
    assert [(rule.id, rule.verdict) for rule in brief] == [("smb/value", "true")]
    assert all(child.verdict == "true" for child in brief[0].children)


def test_account_page_says_what_is_missing_for_an_unassigned_dimension(visitor: Client, signed_world: None) -> None:
    bare = account("Bare", health_score=None)
    activate(FrameworkVersion.objects.get())

    said = words(detail(visitor, bare, dimension="engagement", checks="deciding"))

    assert "Missing: Health score" in said
    assert "Unassigned: it cannot be decided without Health score." in said
    assert "Health No value known" in said.replace(" – ", " ")


def test_account_page_under_an_override_keeps_what_the_rules_say_beside_it(
    visitor: Client, accounts: list[Account]
) -> None:
    override(accounts[0], "enterprise", until=timedelta(days=30))

    said = words(detail(visitor, accounts[0]))

    assert "Enterprise by override until 21 Dec 2026" in said
    assert "Enterprise Override" in said
    assert "Rules say SMB" in said
    assert "Why SMB by the rules? Customer Tier" in said
    assert "SMB → Enterprise Customer Tier. Override started, v0" in said


def test_account_page_of_a_held_move_says_that_it_waits_and_what_the_rules_say(
    visitor: Client, accounts: list[Account]
) -> None:
    enterprise = Segment.objects.get(dimension__key="customer_tier", key="enterprise")
    rows = Assignment.objects.filter(account=accounts[0], dimension=enterprise.dimension)
    rows.update(effective=enterprise, is_held=True)

    said = words(detail(visitor, accounts[0]))

    assert "Enterprise Held" in said
    assert "Rules say SMB; the move waits for a person" in said
    assert "Why SMB by the rules? Customer Tier" in said


def test_account_page_of_an_unreadable_value_says_so(visitor: Client, signed_world: None) -> None:
    broken = account("Broken", attributes={"expansion_opportunity": "perhaps"})
    activate(FrameworkVersion.objects.get())

    response = detail(visitor, broken)

    assert response.status_code == 200
    assert "cannot be read" in words(response)
    assert "Could not be evaluated" in words(response)


def test_account_page_without_an_active_version_still_shows_the_account(visitor: Client) -> None:
    response = detail(visitor, account("Acme"))

    assert response.status_code == 200
    assert "No version is active yet" in words(response)


def test_account_page_names_sources_ages_and_generated_values(visitor: Client, signed_world: None) -> None:
    given = account(
        "Acme",
        provenance={
            "arr": {"source": "generated", "at": AT.isoformat()},
            "industry": {"source": "fortune.csv", "at": AT.isoformat()},
        },
    )
    activate(FrameworkVersion.objects.get())

    said = words(detail(visitor, given))

    assert "ARR $60,000 generated for the demo" in said
    assert "Industry Technology fortune.csv 1 min ago" in said
    assert "made up" in said


@pytest.mark.parametrize(
    ("freshness", "age", "said"),
    [(30, 30, ""), (30, 31, "older than 30 days"), (None, 400, ""), (30, None, "nobody knows how old")],
)
def test_value_too_old_to_count_is_marked(freshness: int | None, age: int | None, said: str) -> None:
    attribute = AttributeType("seats", "Seats", "integer", freshness_days=freshness)
    observed_at = None if age is None else AT - timedelta(days=age)

    assert stale_words(attribute, observed_at, AT) == said


@pytest.mark.parametrize(
    ("days", "value", "tone"),
    [(113, "113 days", ""), (1, "1 day", ""), (0, "Today", ""), (-1, "1 day ago", "warn"), (None, "–", "")],
)
def test_renewal_says_how_many_days_are_left(days: int | None, value: str, tone: str) -> None:
    ends_on = None if days is None else AT.date() + timedelta(days=days)

    said = renewal(ends_on, AT.date())

    assert (said["value"], said["tone"]) == (value, tone)


def test_account_page_shows_the_newest_value_of_a_restated_period(visitor: Client, signed_world: None) -> None:
    given = account("Acme")
    for year, value in (("2020", 900), ("2021", 1000), ("2021", 1100)):
        MetricObservation.objects.create(
            account=given,
            metric="employee_count",
            grain="fiscal_year",
            period=year,
            period_end_on=f"{year}-12-31",
            value=value,
            source="fortune.csv",
            recorded_at=AT,
        )
    activate(FrameworkVersion.objects.get())

    (history,) = detail(visitor, given).context["page"].histories

    assert history.rows == [("2021", "1,100"), ("2020", "900")]
    assert history.growth == "Up 22.2\u00a0% since 2020"


def test_account_page_lists_the_playbook_actions_of_its_segments(visitor: Client, accounts: list[Account]) -> None:
    shown = detail(visitor, accounts[7]).context["page"].playbooks

    assert (shown[0].dimension, shown[0].segment.name) == ("Customer Tier", "Strategic")
    assert all(item.tasks for item in shown)


def test_account_page_says_that_an_evaluation_is_owed_and_reloads_when_it_is_done(
    visitor: Client, signed_world: None
) -> None:
    given = account("Acme")
    activate(FrameworkVersion.objects.get())
    PendingEvaluation.objects.create(account=given, cause=Cause.DATA, marked_at=AT)
    fragment = reverse("accounts:account_evaluation", args=[given.uuid])

    before = words(detail(visitor, given))
    waiting = visitor.get(fragment)
    evaluate_pending(at=AT)
    done = visitor.get(fragment)

    assert "Being re-evaluated" in before
    assert "every 2s" in waiting.content.decode()
    assert (done.content, done["HX-Refresh"]) == (b"", "true")
    assert "Being re-evaluated" not in words(detail(visitor, given))


def test_reading_pages_changes_nothing(visitor: Client, accounts: list[Account]) -> None:
    run = AssignmentRun.objects.get()
    before = (Assignment.objects.count(), Transition.objects.count(), run.state)

    for address in (
        LIST,
        "/accounts/export.csv",
        reverse("accounts:account_detail", args=[accounts[0].uuid]),
        "/runs/",
        reverse("accounts:run_detail", args=[run.uuid]),
        reverse("accounts:run_progress", args=[run.uuid]),
    ):
        response = visitor.get(address)
        assert response.status_code == 200
        list(response) if response.streaming else response.content

    run.refresh_from_db()
    assert (Assignment.objects.count(), Transition.objects.count(), run.state) == before


def with_facts(given: Account, number: int) -> None:
    """So many of everything that the page lists."""
    for n in range(number):
        on, _ = AccountList.objects.get_or_create(key=f"list_{n}", defaults={"label": f"List {n}"})
        ListEntry.objects.create(list=on, account=given, added_at=AT)
        told: dict[str, Any] = {"account": given, "recorded_at": AT, "source": "news"}
        Signal.objects.create(**told, external_id=f"{given.pk}-{n}", kind="hiring", occurred_on=AT.date())
        AccountIdentifier.objects.create(account=given, source="crm", external_id=f"{given.pk}-{n}")
        period = {"grain": "fiscal_year", "period": str(2020 + n), "period_end_on": f"{2020 + n}-12-31"}
        MetricObservation.objects.create(**told, metric="employee_count", value=n, **period)


def test_page_of_an_account_takes_as_many_queries_with_three_of_everything_as_with_one(visitor: Client) -> None:
    bare, full = account("Bare"), account("Full")
    with_facts(bare, 1)
    with_facts(full, 3)
    activate(signed_version())
    visitor.get(f"/accounts/{bare.uuid}/")

    with CaptureQueriesContext(connection) as one:
        assert visitor.get(f"/accounts/{bare.uuid}/").status_code == 200
    with CaptureQueriesContext(connection) as three:
        assert visitor.get(f"/accounts/{full.uuid}/").status_code == 200

    assert len(one) == len(three)
    assert len(one) <= 60
