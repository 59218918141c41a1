"""A version that left draft stays as it is, by every way that writes parts, in every state, and by the database."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, transaction
from django.test import Client
from django.urls import reverse

from frameworks.content import checked
from frameworks.definition import Definition
from frameworks.models import Contribution, Framework, FrameworkVersion, Part, PartBody, Requirement, Signoff
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft, write_contents
from frameworks.services.exchange import export_version
from frameworks.services.rebasing import plan_rebase
from frameworks.services.review import reject, withdraw_version
from frameworks.services.scheduling import schedule_activation
from frameworks.version_page import VersionPage
from governance.models import AuditEntry
from tests.frameworks.making import AT, Company, person, sent
from tests.frameworks.pages import url
from tests.frameworks.ways import Ways

EVIDENCE = "Agreed in the kickoff meeting."
OTHER = {"label": "ARR", "wording": "Another.", "owner": "Finance"}


@pytest.fixture
def company(db: None) -> Company:
    company = Company()
    company.submit()
    return company


def approve(company: Company) -> None:
    company.sign_all()


def activate(company: Company) -> None:
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)


def schedule(company: Company) -> None:
    company.sign_all()
    schedule_activation(version=company.version, moment=AT + timedelta(days=1), actor=company.priya, at=AT)


def end(company: Company) -> None:
    reject(version=company.version, actor=company.priya, at=AT, reason="Not this year.")


def withdraw(company: Company) -> None:
    withdraw_version(version=company.version, actor=company.ravi, at=AT, reason="Not yet.")


STATES: dict[str, Callable[[Company], Any]] = {
    "in_review": lambda company: None,
    "approved": approve,
    "scheduled": schedule,
    "activated": activate,
    "rejected": end,
    "withdrawn": withdraw,
}


def held(company: Company) -> tuple[Any, ...]:
    """The version, its parts, what was asked and signed, and the acts about it."""
    version = FrameworkVersion.objects.filter(pk=company.version.pk).values().get()
    counts = [model.objects.count() for model in (PartBody, Contribution, Requirement, Signoff, AuditEntry)]
    return version, list(Part.objects.order_by("pk").values()), counts


def finding(company: Company) -> str:
    """One that the version has, as its page and the API name it."""
    return VersionPage(company.version, company.ravi, AT).findings[0].fingerprint


def by_pages(company: Company) -> dict[str, int]:
    """Every page that writes parts, each sent as its own form would send it."""
    browser = Client()
    browser.force_login(company.ravi)
    term, tier = company.part("term", "arr"), company.part("dimension", "tier")
    place = {"kind": "term", "key": "arr"}
    text = {"digest": term.body_id, "key": "arr", "text": json.dumps(OTHER)}
    edit = sent(company, smb={**company.body("segment", "tier/smb"), "label": "Small"})
    save = url(company, "dimension_save", key="tier")
    posts: dict[str, tuple[str, Any]] = {
        "edit": (url(company, "part_edit", **place), {"digest": term.body_id, **OTHER}),
        "edit as text": (url(company, "part_edit", **place) + "?as=text", text),
        "new": (url(company, "part_new", kind="term"), {**text, "key": "nrr"}),
        "merge": (url(company, "part_merge", **place), {"digest": term.body_id, **OTHER}),
        "delete": (url(company, "part_delete", **place), {"digest": term.body_id}),
        "retire": (
            url(company, "segments_retire", key="tier"),
            {"digest": tier.body_id, "segment": "smb", "into": "enterprise", "reason": "They are one now."},
        ),
        "restore": (url(company, "segment_restore", key="tier"), {"digest": tier.body_id, "segment": "smb"}),
        "waive": (url(company, "checks_waive"), {"seen": finding(company), "reason": "Known, and accepted."}),
        "confirm": (
            url(company, "parts_confirm"),
            {"part": f"term/arr@{term.body_id}", "evidence": "Agreed in the kickoff meeting."},
        ),
    }
    found = {name: browser.post(address, form).status_code for name, (address, form) in posts.items()}
    return found | {"editor": browser.post(save, json.dumps(edit), content_type="application/json").status_code}


@pytest.mark.parametrize("state", STATES)
def test_frozen_version_is_refused_to_every_page_that_writes_parts(company: Company, state: str) -> None:
    STATES[state](company)
    before = held(company)

    found = by_pages(company)

    assert (FrameworkVersion.objects.get().state, set(found.values())) == (state, {409}), found
    assert held(company) == before


@pytest.mark.parametrize("state", STATES)
def test_frozen_version_is_refused_to_the_api(company: Company, state: str) -> None:
    STATES[state](company)
    ways = Ways(company)
    place = f"/api/v1/framework-versions/{company.version.uuid}"
    etag = {"If-Match": f'"{company.part("term", "arr").body_id}"'}
    asked = {"fingerprints": [finding(company)], "reason": "Known, and accepted."}
    before = held(company)

    found = {
        "PUT": ways.api.send("PUT", f"{place}/parts/term/arr", OTHER, **etag).status_code,
        "PUT new": ways.api.send("PUT", f"{place}/parts/term/nrr", OTHER, **{"If-None-Match": "*"}).status_code,
        "DELETE": ways.api.send("DELETE", f"{place}/parts/term/arr", **etag).status_code,
        "waiver": ways.api.post(f"{place}/waivers", asked).status_code,
        "PATCH": ways.api.send("PATCH", f"{place}/parts/term/arr", OTHER, **etag).status_code,
        "PATCH version": ways.api.send("PATCH", place, {"state": "draft"}).status_code,
        "DELETE version": ways.api.send("DELETE", place).status_code,
    }

    assert found == dict.fromkeys(("PUT", "PUT new", "DELETE", "waiver"), 409) | dict.fromkeys(
        ("PATCH", "PATCH version", "DELETE version"), 405
    )
    assert held(company) == before


@pytest.mark.parametrize("way", ["upload", "apply", "command"])
@pytest.mark.parametrize("state", STATES)
def test_import_leaves_the_frozen_version_and_makes_a_draft(company: Company, state: str, way: str) -> None:
    STATES[state](company)
    ways = Ways(company)
    before = held(company)
    parts = list(company.version.parts.order_by("pk").values())

    ways.send(way, "term", "arr", OTHER)

    made = FrameworkVersion.objects.order_by("-number")[0]
    assert (made.number, made.state, company.body("term", "arr")) == (1, "draft", company.body("term", "arr"))
    assert made.parts.get(kind="term", key="arr").body.body == OTHER
    assert held(company)[0] == before[0]
    assert list(company.version.parts.order_by("pk").values()) == parts


def write_past_the_lock(company: Company) -> None:
    """What every import and page ends with, without the look at the state before it."""
    content = checked("term", "arr", OTHER, Definition({}))
    write_contents(version=company.version, contents=[content], actor=company.ravi, at=AT, source="import")


WRITES: dict[str, Callable[[Company], Any]] = {
    "import past the lock": write_past_the_lock,
    "save": lambda company: company.part("term", "arr").save(),
    "update": lambda company: company.version.parts.filter(key="arr").update(
        body=PartBody.objects.exclude(kind="term")[0]
    ),
    "delete": lambda company: company.version.parts.all().delete(),
    "other version's part moved here": lambda company: Part.objects.filter(key="arr").update(key="nrr"),
    "bulk update": lambda company: Part.objects.bulk_update(
        [Part(pk=company.part("term", "arr").pk, body=company.part("term", "account").body)], ["body"]
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_frozen_version_is_refused_by_the_database_in_every_state(
    company: Company, state: str, application_role: Callable[[], AbstractContextManager[None]]
) -> None:
    STATES[state](company)
    before = held(company)

    for name, write in WRITES.items():
        with pytest.raises(Error, match="frozen"), application_role():
            write(company)
        assert held(company) == before, name


@pytest.mark.parametrize("state", STATES)
def test_frozen_version_is_refused_to_the_admin_and_its_bulk_actions(company: Company, state: str) -> None:
    STATES[state](company)
    admin = Client()
    admin.force_login(person("root", is_superuser=True, is_staff=True))
    before = held(company)

    for model, row in (("part", company.part("term", "arr")), ("frameworkversion", company.version)):
        keys = [row.pk, *type(row).objects.values_list("pk", flat=True)]
        listing = reverse(f"admin:frameworks_{model}_changelist")
        for action in ("delete_selected", "unfreeze", "activate"):
            asked = {"action": action, "_selected_action": keys, "select_across": "1", "post": "yes"}
            assert admin.post(listing, asked).status_code in (200, 302, 403)
        for page in ("change", "delete"):
            address = reverse(f"admin:frameworks_{model}_{page}", args=[row.pk])
            assert admin.post(address, {"post": "yes", "state": "draft", "body": "x"}).status_code == 403

    assert held(company) == before
    assert AuditEntry.objects.filter(action__startswith="admin").count() == 0


# Two that were made of the same version


@pytest.fixture
def raced(company: Company) -> Company:
    """v0 and then v1 in force, v2 a draft of v0: both wrote ARR."""
    activate(company)
    framework = company.version.framework
    first, second = (start_draft(framework=framework, actor=company.ravi, at=AT) for _ in range(2))
    for version, wording in ((second, "Ours."), (first, "Theirs.")):
        company.version = version
        company.save("term", "arr", {**OTHER, "wording": wording})
    company.submit()
    company.sign_all()
    flip_active_version(version=first, actor=company.priya, at=AT)
    company.version = FrameworkVersion.objects.get(pk=second.pk)
    return company


def test_draft_that_lost_the_race_conflicts_on_its_pages(raced: Company) -> None:
    raced.confirm()
    browser = Client()
    browser.force_login(raced.ravi)
    before = held(raced)

    submitted = browser.post(url(raced, "version_submit"))
    assert (submitted.status_code, "rebase it onto v1" in submitted.content.decode()) == (422, True)
    FrameworkVersion.objects.filter(pk=raced.version.pk).update(state="in_review", round=1)
    FrameworkVersion.objects.filter(pk=raced.version.pk).update(state="approved")
    browser.force_login(raced.priya)
    place = reverse("governance:activate_version", args=["main", raced.version.number])
    activated = browser.post(place)

    assert (activated.status_code, "rebase it" in activated.content.decode()) == (409, True)
    assert Framework.objects.get().active_version == raced.version.framework.versions.get(number=1)
    assert held(raced)[1:] == before[1:]


def test_file_of_the_version_that_lost_conflicts_by_every_way(raced: Company) -> None:
    ways = Ways(raced)
    old = raced.version.framework.versions.get(number=0)
    stale = export_version(old).replace("A company as the CRM knows it.", "A company as Billing knows it.")
    before = held(raced)

    by_api = ways.api.post("/api/v1/frameworks/main/files/apply", stale, content_type="application/yaml")
    by_page = ways.upload(stale)

    assert (by_api.status_code, by_page.status_code) == (409, 409)
    assert held(raced) == before


def test_rebase_on_its_page_voids_no_sign_off_of_what_it_leaves(raced: Company) -> None:
    browser = Client()
    browser.force_login(raced.ravi)
    plan = plan_rebase(raced.version)
    assert plan is not None
    (conflict,) = plan.conflicts
    form = {"onto": str(plan.onto.uuid), "choice-term/arr": "theirs", "theirs-term/arr": conflict.theirs}
    signed = list(Signoff.objects.order_by("pk").values())

    stale = browser.post(url(raced, "version_rebase"), {**form, "theirs-term/arr": "0" * 64})
    assert (stale.status_code, raced.body("term", "arr")["wording"]) == (409, "Ours.")
    assert browser.post(url(raced, "version_rebase"), form).status_code == 302
    submitted = browser.post(url(raced, "version_submit"))

    raced.version.refresh_from_db()
    assert (submitted.status_code, raced.version.state) == (302, "approved")
    assert list(Signoff.objects.order_by("pk").values()) == signed


def test_pointer_to_the_loser_is_refused_by_the_database(raced: Company) -> None:
    active = Framework.objects.get().active_version

    with pytest.raises(Error), transaction.atomic():
        Framework.objects.update(active_version=raced.version)

    assert Framework.objects.get().active_version == active
