"""Lists: complete, ending, signed cursors; and what one row looks like."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, AccountIdentifier, Assignment, AssignmentRun
from accounts.querysets import watermark
from frameworks.models import FrameworkVersion, Part, PartBody
from tests.api.making import Api, Model, assign, make_account, make_service, make_token

LONG_AGO = timezone.now() - timedelta(days=10)


def pages(api: Api, path: str, limit: int = 2) -> list[list[Any]]:
    """Every page, by the cursors."""
    found: list[list[Any]] = []
    cursor = ""
    while len(found) < 1000:
        answer = api.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}").json()
        found.append(answer["data"])
        if not answer["page"]["has_more"]:
            assert answer["page"]["next_cursor"] is None
            return found
        cursor = f"&cursor={answer['page']['next_cursor']}"
    raise AssertionError("The list does not end.")


def test_accounts_page_by_page_come_once_each(api: Api) -> None:
    made = [str(make_account(f"Account {n}", f"A-{n}").uuid) for n in range(5)]

    found = pages(api, "/api/v1/accounts")

    assert [[row["id"] for row in page] for page in found] == [made[:2], made[2:4], made[4:]]


def test_accounts_changed_at_one_moment_come_once_each_and_end(api: Api) -> None:
    made = {str(make_account(f"Account {n}", f"A-{n}").uuid) for n in range(25)}
    Account.objects.update(updated_at=LONG_AGO)

    found = pages(api, f"/api/v1/accounts?updated_since={LONG_AGO.isoformat().replace('+00:00', 'Z')}", limit=3)

    ids = [row["id"] for page in found for row in page]
    assert (len(ids), set(ids)) == (25, made)


def test_accounts_updated_since_is_inclusive_and_ends_at_the_watermark(api: Api) -> None:
    old, at, recent = (make_account(name, name) for name in ("old", "at", "recent"))
    Account.objects.filter(pk=old.pk).update(updated_at=LONG_AGO - timedelta(seconds=1))
    Account.objects.filter(pk=at.pk).update(updated_at=LONG_AGO)

    answer = api.get(f"/api/v1/accounts?updated_since={LONG_AGO:%Y-%m-%dT%H:%M:%S.%fZ}").json()

    assert [row["name"] for row in answer["data"]] == ["at"]
    assert datetime.fromisoformat(answer["page"]["watermark"]) < Account.objects.get(pk=recent.pk).updated_at


def test_watermark_stays_before_a_live_run(model: Model) -> None:
    as_of = timezone.now() - timedelta(hours=1)
    AssignmentRun.objects.create(
        framework=model.framework, framework_version=model.version, kind="reevaluation", state="applying",
        as_of=as_of, created_at=as_of,
    )  # fmt: skip

    assert watermark() == as_of


def test_account_in_full(api: Api) -> None:
    account = make_account(
        arr=Decimal("120000.5"),
        employee_count=1250,
        contract_end_on="2027-01-31",
        attributes={"spend": "1.50"},
        provenance={"arr": {"source": "crm", "at": "2026-11-20T08:00:00Z"}},
        source_version=7,
    )
    AccountIdentifier.objects.create(account=account, source="billing", external_id="B/7")

    answer = api.get(f"/api/v1/accounts/{account.uuid}")

    body = answer.json()
    assert answer["ETag"] == '"v1"'
    assert body == {
        "id": str(account.uuid),
        "external_ids": {"crm": "A-1", "billing": "B/7"},
        "name": "Castellan Freight",
        "domain": "",
        "stage": "customer",
        "exclusion": "",
        "currency": "USD",
        "parent": None,
        **dict.fromkeys(
            ("annual_revenue", "city", "contract_start_on", "country", "customer_since_on", "health_score", "industry",
             "last_activity_on", "state", "weekly_active_share")
        ),
        "arr": "120000.50",
        "employee_count": 1250,
        "contract_end_on": "2027-01-31",
        "attributes": {"spend": "1.50"},
        "provenance": {"arr": {"source": "crm", "at": "2026-11-20T08:00:00Z"}},
        "source_version": 7,
        "source_updated_at": None,
        "version": 1,
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }  # fmt: skip
    assert api.get("/api/v1/accounts/by-external-id/billing/B/7").json() == body
    assert api.get("/api/v1/accounts/by-external-id/billing/B%2F7").json() == body


@pytest.mark.parametrize("field", ["deleted_at", "merged_into"])
def test_account_that_is_gone_is_404_like_one_that_never_was(api: Api, field: str) -> None:
    account = make_account()
    setattr(account, field, timezone.now() if field == "deleted_at" else make_account("Into", "A-9"))
    account.save()

    gone = api.get(f"/api/v1/accounts/{account.uuid}", **{"X-Request-ID": "r"})
    never = api.get("/api/v1/accounts/3f0b8b1e-6a55-4d38-9b0f-0c8d5d1f2a10", **{"X-Request-ID": "r"})

    assert gone.status_code == 404
    assert gone.json() | {"instance": ""} == never.json() | {"instance": ""}
    assert api.get("/api/v1/accounts/by-external-id/crm/A-1").status_code == 404
    assert str(account.uuid) not in [row["id"] for row in api.get("/api/v1/accounts").json()["data"]]


def test_accounts_of_a_source(api: Api) -> None:
    first = make_account()
    make_account("Other", "A-2")
    AccountIdentifier.objects.create(account=first, source="billing", external_id="1")
    AccountIdentifier.objects.create(account=first, source="billing", external_id="2")

    found = api.get("/api/v1/accounts?source=billing").json()["data"]

    assert [row["id"] for row in found] == [str(first.uuid)]
    assert found[0]["external_ids"] == {"billing": "1", "crm": "A-1"}


def test_assignments_in_full(api: Api, model: Model) -> None:
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    account = make_account()
    assign(account, model, "mid_market", effective_since=at, changed_at=at, version=4)
    other = make_account("Unassigned", "A-2")
    assign(other, model, None, reason="missing_data", missing=["arr"])

    first, second = api.get("/api/v1/assignments").json()["data"]

    assert first == {
        "account": {"id": str(account.uuid), "external_ids": {"crm": "A-1"}},
        "dimension": "tier",
        "segment": "mid_market",
        "computed": "mid_market",
        "reason": "matched",
        "missing": [],
        "overridden_until": None,
        "framework_version": 3,
        "version": 4,
        "effective_since": "2026-11-01T12:00:00Z",
        "updated_at": "2026-11-01T12:00:00Z",
    }
    assert (second["segment"], second["reason"], second["missing"]) == (None, "missing_data", ["arr"])


@pytest.mark.parametrize(("hours", "segment"), [(1, "enterprise"), (-1, "smb")])
def test_assignment_with_an_override_follows_the_clock(api: Api, model: Model, hours: int, segment: str) -> None:
    assign(
        make_account(), model, "enterprise", computed=model.segments["smb"], without_override=model.segments["smb"],
        override_until=timezone.now() + timedelta(hours=hours),
    )  # fmt: skip

    (row,) = api.get("/api/v1/assignments").json()["data"]

    assert (row["segment"], row["computed"], row["overridden_until"] is None) == (segment, "smb", hours < 0)


def test_assignments_page_by_page_and_narrowed(api: Api, model: Model) -> None:
    for n in range(5):
        assign(make_account(f"Account {n}", f"A-{n}"), model, "smb")

    assert [len(page) for page in pages(api, "/api/v1/assignments")] == [2, 2, 1]
    assert len(api.get("/api/v1/assignments?framework=customers&dimension=tier").json()["data"]) == 5
    assert api.get("/api/v1/assignments?dimension=industry").json()["data"] == []


def test_assignments_updated_since_page_by_page(api: Api, model: Model) -> None:
    for n in range(5):
        assign(make_account(f"Account {n}", f"A-{n}"), model, "smb", changed_at=LONG_AGO)
    Assignment.objects.filter(account__name="Account 0").update(changed_at=LONG_AGO - timedelta(days=1))

    found = pages(api, f"/api/v1/assignments?updated_since={LONG_AGO:%Y-%m-%dT%H:%M:%S.%fZ}")

    assert [len(page) for page in found] == [2, 2]


@pytest.mark.parametrize("path", ["/api/v1/accounts", "/api/v1/assignments", "/api/v1/assignments/changes"])
def test_cursor_that_is_not_ours_is_400(api: Api, model: Model, path: str) -> None:
    for n in range(3):
        assign(make_account(f"Account {n}", f"A-{n}"), model, "smb")
    other = Api(make_token(make_service("other@example.com")), Client())
    first = api.get(f"{path}?limit=1").json()
    good = first.get("next_cursor") or first["page"]["next_cursor"]
    head = api.get("/api/v1/assignments/changes/head").json()["cursor"]
    wrong = [good[:-3], good + "x", good[:5] + "A" + good[6:], "", "x" * 5000, "JyBPUiAxPTE7LS0", "%00", "é"]

    for cursor in wrong + ([head] if "changes" not in path else []):
        answer = api.get(f"{path}?limit=1&cursor={cursor}")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_cursor"), cursor
    assert api.get(f"{path}?limit=1&cursor={good}").status_code == 200
    assert other.get(f"{path}?limit=1&cursor={good}").status_code == 400
    narrowed = "source=crm" if path.endswith("accounts") else "dimension=tier"
    assert api.get(f"{path}?limit=1&{narrowed}&cursor={good}").status_code == 400


@pytest.mark.parametrize(
    "path", ["/api/v1/accounts", "/api/v1/assignments", "/api/v1/assignments/changes", "/api/v1/frameworks"]
)
def test_list_needs_as_many_statements_for_three_rows_as_for_one(api: Api, model: Model, path: str) -> None:
    api.get(path)
    assign(make_account(), model, "smb")
    with CaptureQueriesContext(connection) as one:
        api.get(path)
    for n in range(2, 4):
        assign(make_account(f"Account {n}", f"A-{n}", parent=Account.objects.first()), model, "smb")
    with CaptureQueriesContext(connection) as three:
        api.get(path)

    assert len(one) == len(three)


def test_frameworks_and_a_version_with_its_parts(api: Api, model: Model) -> None:
    body = PartBody.objects.create(
        digest="d" * 64, kind="term", body={}, operational_digest="o" * 64, semantic_digest="s" * 64
    )
    version = FrameworkVersion.objects.create(framework=model.framework, number=4, author=model.version.author)
    Part.objects.create(version=version, kind="term", key="arr", body=body)

    (framework,) = api.get("/api/v1/frameworks").json()["data"]
    answer = api.get(f"/api/v1/framework-versions/{version.uuid}").json()

    assert framework["active_version"] == {"id": str(model.version.uuid), "number": 3}
    assert (answer["framework"], answer["number"], answer["state"], answer["is_active"]) == (
        "customers",
        4,
        "draft",
        False,
    )
    assert answer["parts"] == [{"kind": "term", "key": "arr", "digest": "d" * 64}]
