"""The frameworks pages: every state renders, GET changes nothing, POST does what the services do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frameworks import panels
from frameworks.models import Framework, FrameworkVersion, Signoff
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import create_framework, start_draft
from frameworks.services.review import request_changes
from governance.models import AuditEntry
from tests.frameworks.making import AT, LATER, Company, person, playbook, put_in_force, segment
from tests.frameworks.pages import text, url

TABS = ("detail", "definitions", "dimensions", "playbooks", "data_sources", "checks", "history")
PASSWORD = "correct horse"


def trace() -> tuple[int, ...]:
    states = "".join(FrameworkVersion.objects.order_by("pk").values_list("state", flat=True))
    return (Framework.objects.count(), Signoff.objects.count(), AuditEntry.objects.count(), hash(states))


def answers_form(response: HttpResponse, choose: Callable[[str], str]) -> dict[str, str]:
    """The sign-off form as a browser would post it; `choose` answers by the point's title."""
    html = response.content.decode()
    hidden = dict(re.findall(r'name="((?:digest|seen)-\d+)" value="([0-9a-f]*)"', html))
    titles = re.findall(r'data-term="(\d+)" data-label="([^"]*)"', html)
    chosen = {f"answer-{number}": choose(title) for number, title in titles}
    return hidden | {name: value for name, value in chosen.items() if value}


# Reading


@pytest.mark.parametrize("name", ["leah", "ravi", "priya"])
def test_every_tab_of_a_draft_renders_for_everyone(company: Company, login: Any, name: str) -> None:
    page = login(company.people[name])

    for tab in TABS:
        assert page.get(url(company, f"version_{tab}")).status_code == 200


def test_every_tab_renders_in_every_state(company: Company, login: Any) -> None:
    page = login(company.priya)

    def look() -> None:
        for tab in TABS:
            assert page.get(url(company, f"version_{tab}")).status_code == 200
        for part in ("term/arr", "segment/tier/smb", "playbook/tier/smb", "policy/signoff", "dimension/tier"):
            assert page.get(url(company, "version_detail"), {"part": part}).status_code == 200
        for name in ("signing", "signing_manifest"):
            assert page.get(url(company, name)).status_code == 200
        for address in ("/frameworks/", "/frameworks/main/", "/sign-off/"):
            assert page.get(address).status_code == 200

    look()
    company.submit()
    look()
    company.sign_all()
    look()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    look()
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    company.save("segment", "tier/enterprise", segment("Enterprise", ("ge", "arr", "150000")))
    look()


def test_pages_need_a_login(company: Company, client: Client) -> None:
    for address in ("/frameworks/", "/frameworks/main/", url(company, "version_detail"), "/sign-off/"):
        response = client.get(address)
        assert (response.status_code, response["Location"].startswith("/login/")) == (302, True)


def test_reading_changes_nothing(company: Company, login: Any) -> None:
    company.submit()
    before = trace()
    page = login(company.marcus)

    for name in ("version_submit", "version_withdraw", "parts_confirm", "version_reject", "version_request_changes"):
        assert page.get(url(company, name)).status_code == 405
    page.get(url(company, "signing"), {"answer-1": "yes", "password": PASSWORD})

    assert trace() == before


def test_framework_list_without_framework_offers_the_first_action(db: None, login: Any) -> None:
    assert "Start from a template" in text(login(person("ravi", "revops")).get("/frameworks/"))
    assert "Start from a template" not in text(login(person("leah", "csm")).get("/frameworks/"))


def test_framework_list_takes_the_same_queries_for_one_row_and_for_three(company: Company, login: Any) -> None:
    page = login(company.leah)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page.get("/frameworks/")
        return len(captured)

    queries()
    one = queries()
    for slug in ("b", "c"):
        create_framework(name=slug, slug=slug, template=None, actor=company.ravi, at=AT)

    assert queries() == one


def test_version_pages_take_the_same_queries_for_few_parts_and_for_many(company: Company, login: Any) -> None:
    page = login(company.marcus)

    def queries() -> list[int]:
        found = []
        for address in [*(url(company, f"version_{tab}") for tab in TABS), url(company, "signing"), "/sign-off/"]:
            with CaptureQueriesContext(connection) as captured:
                page.get(address)
            found.append(len(captured))
        return found

    company.submit()
    queries()
    few = queries()
    request_changes(version=company.version, actor=company.ravi, at=AT, reason="More terms.")
    for number in range(5):
        company.save("term", f"t{number}", {"label": f"T {number}", "wording": f"Wording {number}."})
    company.submit()
    queries()

    assert queries() == few


def test_changes_since_the_base_version_are_typed_and_in_words(company: Company, login: Any) -> None:
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    company.save("segment", "tier/smb", segment("SMB", ("lt", "arr", "80000")))

    said = text(login(company.leah).get(url(company, "version_detail")))

    assert "Segment Customer Tier / SMB" in said
    assert "ARR &lt; $100,000 → &lt; $80,000" in said
    assert "semantic" in said


def test_version_page_says_why_it_cannot_be_activated_and_who_is_needed(company: Company, login: Any) -> None:
    company.submit()
    company.sign("marcus", company.answers("marcus", "reject", "Usage is not recurring.")[1:])

    said = text(login(company.tomas).get(url(company, "version_detail")))

    assert "Marcus said No to ARR" in said
    assert "Still needed: Marcus, Nadia, Priya" in said
    assert "Activation waits for 3 requirements" in said
    assert "Sign your 3 parts" in said


def test_panel_of_a_higher_app_is_rendered_on_the_version_page(
    company: Company, login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "_providers", {})
    panels.register(panels.VERSION_IMPACT, lambda request, version: f"141 accounts move under {version}")
    panels.register(panels.VERSION_IMPACT, lambda request, version: "")

    assert "141 accounts move under v0" in text(login(company.leah).get(url(company, "version_detail")))


# Drafting


def test_framework_is_made_from_a_template(db: None, login: Any) -> None:
    page = login(person("ravi", "revops"))
    assert page.get("/frameworks/new/").status_code == 200

    response = page.post("/frameworks/new/", {"name": "Acme", "slug": "", "template": "firmographic_value"})

    assert response["Location"] == "/frameworks/acme/v0/"
    assert "ASSUMED" in text(page.get(response["Location"]))


def test_framework_with_a_taken_address_says_so(company: Company, login: Any) -> None:
    response = login(company.ravi).post("/frameworks/new/", {"name": "Again", "slug": "main", "template": ""})

    assert (response.status_code, "already exists" in text(response)) == (422, True)
    assert Framework.objects.count() == 1


def test_framework_by_csm_is_refused(company: Company, login: Any) -> None:
    assert login(company.leah).post("/frameworks/new/", {"name": "Mine"}).status_code == 403
    assert Framework.objects.count() == 1


def test_parts_are_confirmed_in_bulk_with_evidence(company: Company, login: Any) -> None:
    page = login(company.priya)
    html = page.get(url(company, "version_detail")).content.decode()
    ticks = re.findall(r'name="part" value="([^"]+)"', html)

    response = page.post(url(company, "parts_confirm"), {"part": ticks, "evidence": "Agreed in the kickoff."})

    assert response.status_code == 302
    assert (
        "Confirm" not in text(page.get(url(company, "version_detail"))).split("Who will be asked")[0].split("ready")[-1]
    )
    assert company.version.framework.confirmations.count() == len(ticks) == 11


def test_confirmation_without_evidence_or_of_a_changed_part_is_refused(company: Company, login: Any) -> None:
    page, part = login(company.priya), company.part("term", "arr")
    tick = f"term/arr@{part.body_id}"
    assert page.post(url(company, "parts_confirm"), {"part": [tick], "evidence": "yes"}).status_code == 422

    company.save("term", "arr", {"label": "ARR", "wording": "Changed meanwhile."})
    response = page.post(url(company, "parts_confirm"), {"part": [tick], "evidence": "Agreed in the kickoff."})

    assert (response.status_code, "Changed since" in text(response)) == (409, True)
    assert not company.version.framework.confirmations.exists()


def test_segment_is_edited_in_the_editor_of_its_dimension_or_as_text(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_edit", kind="segment", key="tier/smb")

    answer = page.get(address)
    as_text = page.get(f"{address}?as=text")

    assert (answer.status_code, answer["Location"]) == (302, url(company, "dimension_edit", key="tier"))
    assert "In the editor" in text(as_text)
    company.version.parts.filter(kind="dimension").delete()
    assert page.get(address).status_code == 200


def test_every_kind_can_be_edited_as_yaml(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_edit", kind="dimension", key="tier") + "?as=text"
    digest = company.part("dimension", "tier").body_id
    assert "segments:" in page.get(address).content.decode()

    wrong = page.post(address, {"digest": digest, "text": "label: [Tier"})
    bomb = page.post(address, {"digest": digest, "text": "a: &a [x, x]\nb: [*a, *a]"})
    right = page.post(address, {"digest": digest, "text": "label: Tier\nsegments: [enterprise, smb]"})

    assert (wrong.status_code, "Line 2, column 1" in text(wrong)) == (422, True)
    assert (bomb.status_code, "aliases are not allowed" in text(bomb)) == (422, True)
    assert right.status_code == 302
    assert company.body("dimension", "tier")["label"] == "Tier"


def test_new_definition_is_added_by_form(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_new", kind="term")
    assert page.get(address).status_code == 200

    response = page.post(
        address, {"digest": "", "key": "nrr", "label": "NRR", "wording": "Net retention.", "owner": ""}
    )

    assert response.status_code == 302
    assert company.body("term", "nrr") == {"label": "NRR", "wording": "Net retention."}


@pytest.mark.parametrize("name", ["leah", "marcus"])
def test_edit_without_permission_is_refused(company: Company, login: Any, name: str) -> None:
    part, page = company.part("term", "arr"), login(company.people[name])
    form = {"digest": part.body_id, "label": "ARR", "wording": "Mine."}

    assert page.post(url(company, "part_edit", kind="term", key="arr"), form).status_code == 403
    assert page.post(url(company, "part_delete", kind="term", key="arr"), form).status_code == 403

    assert company.part("term", "arr") == part


def test_edit_of_a_frozen_version_conflicts(company: Company, login: Any) -> None:
    company.submit()
    part, page = company.part("term", "arr"), login(company.ravi)
    form = {"digest": part.body_id, "label": "ARR", "wording": "Mine."}

    for name in ("part_edit", "part_delete"):
        response = page.post(url(company, name, kind="term", key="arr"), form)
        assert (response.status_code, "frozen" in text(response)) == (409, True)

    assert company.part("term", "arr").body_id == part.body_id


def test_part_is_taken_out_of_a_draft(company: Company, login: Any) -> None:
    digest = company.part("term", "arr").body_id

    login(company.ravi).post(url(company, "part_delete", kind="term", key="arr"), {"digest": digest})

    assert not company.version.parts.filter(kind="term", key="arr").exists()


# Review


def test_submission_with_problems_lists_them_and_changes_nothing(company: Company, login: Any) -> None:
    before = trace()

    response = login(company.ravi).post(url(company, "version_submit"))

    assert (response.status_code, "still ASSUMED" in text(response)) == (422, True)
    assert trace() == before


def test_version_goes_through_review_by_its_buttons(company: Company, login: Any) -> None:
    company.confirm()
    page = login(company.ravi)

    for name, state in (
        ("version_submit", "in_review"),
        ("version_request_changes", "draft"),
        ("version_submit", "in_review"),
        ("version_withdraw", "withdrawn"),
        ("version_reopen", "draft"),
        ("version_submit", "in_review"),
        ("version_reject", "rejected"),
    ):
        response = page.post(url(company, name), {"reason": "As agreed."})
        assert (response.status_code, FrameworkVersion.objects.get().state) == (302, state), name


@pytest.mark.parametrize("name", ["version_request_changes", "version_withdraw", "version_reject"])
def test_outsider_cannot_end_a_review(company: Company, login: Any, name: str) -> None:
    company.submit()
    before = trace()

    assert login(company.leah).post(url(company, name), {"reason": "I do not like it."}).status_code == 403

    assert trace() == before


# Signing


def test_person_signs_every_term_with_one_password(company: Company, login: Any) -> None:
    company.submit()
    page = login(company.marcus)
    form = answers_form(page.get(url(company, "signing")), lambda title: "yes")

    response = page.post(url(company, "signing"), {**form, "password": PASSWORD})

    assert response["Location"] == url(company, "signing_manifest")
    rows = Signoff.objects.order_by("pk")
    assert [(row.part_key, row.decision, row.authentication) for row in rows] == [
        ("account", "approve", "password"),
        ("arr", "approve", "password"),
    ]
    said = text(page.get(response["Location"]))
    assert "I agree with the definition of ARR in version 0 of Customer segmentation." in said
    assert "Nothing waits for your signature" in text(page.get(url(company, "signing")))


def test_second_signature_within_five_minutes_asks_no_password(company: Company, login: Any) -> None:
    company.submit()
    page = login(company.marcus)
    form = answers_form(page.get(url(company, "signing")), lambda title: "yes" if title == "ARR" else "")
    page.post(url(company, "signing"), {**form, "password": PASSWORD})

    rest = page.get(url(company, "signing"))
    page.post(url(company, "signing"), answers_form(rest, lambda title: "yes"))

    assert "data-signoff-secret" not in rest.content.decode()
    assert Signoff.objects.count() == 2


@pytest.mark.parametrize(("password", "said"), [("", "Give your password"), ("wrong", "not your password")])
def test_signature_without_the_password_is_refused_and_answers_are_kept(
    company: Company, login: Any, password: str, said: str
) -> None:
    company.submit()
    page = login(company.marcus)
    form = answers_form(page.get(url(company, "signing")), lambda title: "yes")

    response = page.post(url(company, "signing"), {**form, "password": password})

    assert (response.status_code, said in text(response)) == (422, True)
    assert response.content.decode().count('value="yes" checked') == 2
    assert not Signoff.objects.exists()


def test_no_without_a_reason_is_refused(company: Company, login: Any) -> None:
    company.submit()
    page = login(company.marcus)
    form = answers_form(page.get(url(company, "signing")), lambda title: "no")

    response = page.post(url(company, "signing"), {**form, "password": PASSWORD})

    assert (response.status_code, "a No needs a reason" in text(response)) == (422, True)
    assert not Signoff.objects.exists()


def test_no_is_shown_to_the_others(company: Company, login: Any) -> None:
    company.submit()
    company.sign("marcus", company.answers("marcus", "reject", "Usage <b>is</b> not recurring.")[1:])

    html = login(company.nadia).get(url(company, "signing")).content.decode()

    assert "Marcus" in html
    assert "Usage &lt;b&gt;is&lt;/b&gt; not recurring." in html


def test_page_shows_what_changed_since_the_person_signed(company: Company, login: Any) -> None:
    company.submit()
    company.sign("marcus")
    request_changes(version=company.version, actor=company.nadia, at=AT, reason="Signed is not enough.")
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Yearly value of invoiced subscriptions."})
    company.submit()

    html = login(company.marcus).get(url(company, "signing")).content.decode()

    assert "Changed since you signed on 21 Nov 2026" in html
    assert "<del>signed</del><ins>invoiced</ins>" in html
    assert html.count("data-term=") == 1


def test_stale_page_gets_409_with_the_difference_and_keeps_the_other_answers(company: Company, login: Any) -> None:
    company.submit()
    page = login(company.marcus)
    form = answers_form(page.get(url(company, "signing")), lambda title: "yes")
    request_changes(version=company.version, actor=company.nadia, at=AT, reason="Signed is not enough.")
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Yearly value of invoiced subscriptions."})
    company.submit()

    response = page.post(url(company, "signing"), {**form, "password": PASSWORD})

    html = response.content.decode()
    assert (response.status_code, "What you were about to sign changed" in html) == (409, True)
    assert "<del>signed</del><ins>invoiced</ins>" in html
    assert html.count('value="yes" checked') == 1
    assert not Signoff.objects.exists()


def test_two_tabs_yes_and_no_one_stands_and_the_other_conflicts(company: Company, login: Any) -> None:
    company.submit()
    page = login(company.marcus)
    shown = page.get(url(company, "signing"))
    yes, no = answers_form(shown, lambda title: "yes"), answers_form(shown, lambda title: "no")
    reasons = {name.replace("answer", "reason"): "Changed my mind." for name in no if name.startswith("answer")}
    page.post(url(company, "signing"), {**yes, "password": PASSWORD})

    response = page.post(url(company, "signing"), {**no, **reasons, "password": PASSWORD})

    assert (response.status_code, "take that back first" in text(response)) == (409, True)
    assert set(Signoff.objects.values_list("decision", flat=True)) == {"approve"}


@pytest.mark.parametrize("name", ["leah", "ravi"])
def test_person_who_is_not_asked_cannot_sign(company: Company, login: Any, name: str) -> None:
    company.submit()
    page = login(company.people[name])
    asked = company.answers("marcus")[0]
    form = {f"answer-{asked.requirement_id}": "yes", f"digest-{asked.requirement_id}": asked.expected_digest}
    assert "You are not asked here" in text(page.get(url(company, "signing")))

    response = page.post(url(company, "signing"), {**form, "password": PASSWORD})

    assert (response.status_code, "This is signed by Stakeholder" in text(response)) == (403, True)
    assert not Signoff.objects.exists()


def test_signing_needs_the_form_token(company: Company) -> None:
    company.submit()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(company.marcus)

    assert strict.post(url(company, "signing"), {"password": PASSWORD}).status_code == 403

    assert not Signoff.objects.exists()


def test_decision_is_taken_back_with_reason_and_password(company: Company, login: Any) -> None:
    company.submit()
    company.sign("marcus")
    page = login(company.marcus)
    address = url(company, "signing_withdraw", requirement=company.requirement("terms", "arr").pk)

    assert page.post(address, {"reason": "Wrong button."}).status_code == 403
    assert page.post(address, {"reason": "", "password": PASSWORD}).status_code == 422
    assert page.post(address, {"reason": "Wrong button.", "password": PASSWORD}).status_code == 302

    assert list(Signoff.objects.order_by("pk").values_list("decision", flat=True))[-1] == "withdraw"
    assert page.get(url(company, "signing")).content.decode().count("data-term=") == 1


def test_list_of_what_waits_names_only_what_is_open(company: Company, login: Any) -> None:
    company.submit()
    page = login(company.marcus)
    assert "Sign 2 for v0" in text(page.get("/sign-off/"))

    company.sign("marcus")

    assert "Nothing waits for you" in text(page.get("/sign-off/"))


def test_ten_terms_take_fourteen_taps_at_most(company: Company, login: Any) -> None:
    for number in range(8):
        company.save("term", f"t{number}", {"label": f"T {number}", "wording": f"Wording {number}."})
    company.submit()
    html = login(company.marcus).get(url(company, "signing")).content.decode()

    answers, password, submit = (
        html.count('value="yes"'),
        html.count("data-signoff-secret"),
        html.count("data-signoff-submit"),
    )

    assert (answers, password, submit) == (10, 1, 1)
    assert answers + password + submit <= 14


def test_proof_older_than_five_minutes_asks_for_the_password_again(
    company: Company, login: Any, time_machine: Any
) -> None:
    company.submit()
    page = login(company.marcus)
    form = answers_form(page.get(url(company, "signing")), lambda title: "yes" if title == "ARR" else "")
    page.post(url(company, "signing"), {**form, "password": PASSWORD})

    time_machine.move_to(timezone.now() + timedelta(minutes=6))

    assert "data-signoff-secret" in page.get(url(company, "signing")).content.decode()


def test_framework_page_shows_its_versions_in_sheets(
    company: Company, login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frameworks.views.frameworks.VERSIONS_PER_SHEET", 1)
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    page = login(company.ravi)

    first, second = (text(page.get("/frameworks/main/", {"page": number})) for number in (1, 2))

    assert ("Download v1 as YAML" in first, "Download v0 as YAML" in first) == (True, False)
    assert ("Download v1 as YAML" in second, "Download v0 as YAML" in second) == (False, True)
    assert "1 to 1 of 2" in first


def test_address_of_a_button_says_that_nothing_is_done_by_opening_it(company: Company, login: Any) -> None:
    answer = login(company.ravi).get(url(company, "version_submit"))

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "Nothing is done by opening this address" in text(answer)
    company.version.refresh_from_db()
    assert company.version.state == "draft"


def test_set_says_what_changed_since_the_person_signed_it_and_not_since_the_base(company: Company, login: Any) -> None:
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    framework = company.version.framework
    for key, title in (("tier/smb", "Call once a year"), ("tier/enterprise", "Visit every quarter")):
        company.version = start_draft(framework=framework, actor=company.ravi, at=LATER)
        company.save("playbook", key, playbook(title))
        if key == "tier/smb":
            put_in_force(company.version)
            framework.active_version = company.version
            framework.save()
    company.submit()

    said = text(login(company.carol).get(url(company, "signing")))

    assert "Changed since you signed on 21 Nov 2026" in said
    assert "What changed since you signed" in said
    assert "What differs from v1" not in said
    assert "Call once a year" in said
    assert "Visit every quarter" in said
