"""Parts are called by their labels wherever people read; keys are for files, addresses and programs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from frameworks.document import Document
from frameworks.errors import InvalidError
from frameworks.models import Comment, User
from frameworks.naming import names_of, requirement_names, subjects_of
from frameworks.services.activation import activation_blockers, flip_active_version
from frameworks.services.discussion import add_comment
from frameworks.services.drafting import start_draft
from frameworks.services.review import request_changes, submission_problems, submit_version
from governance.models import Notification
from governance.services.reminding import watch_notices
from tests.frameworks.making import AT, LATER, Company, segment
from tests.frameworks.pages import text, url

KEY = "kx_retained"
NAME = "Net revenue kept"
BODIES: dict[tuple[str, str], Any] = {
    ("dimension", "tier"): {"label": "Customer Tier", "segments": ["smb"]},
    ("segment", "tier/smb"): {"label": "Small firms", "dimension": "tier"},
    ("playbook", "tier/smb"): {"summary": "Nothing."},
    ("policy", "signoff"): {"policy": "signoff"},
    ("meta", "meta"): {"currency": "USD"},
    ("term", "arr"): {"label": "ARR"},
    ("data_source", "employee_count"): {"label": "Employees"},
    ("waiver", "gap__tier__smb"): {"code": "gap", "subject": "tier/smb"},
}


@pytest.mark.parametrize(
    ("kind", "key", "title", "phrase"),
    [
        ("dimension", "tier", "Dimension Customer Tier", "dimension Customer Tier"),
        ("segment", "tier/smb", "Segment Customer Tier / Small firms", "segment Customer Tier / Small firms"),
        ("playbook", "tier/smb", "Playbook Customer Tier / Small firms", "playbook Customer Tier / Small firms"),
        ("playbook", "size/mid_market", "Playbook Size / Mid market", "playbook Size / Mid market"),
        ("policy", "signoff", "Sign-off policy", "sign-off policy"),
        ("policy", "guard", "Guard policy", "guard policy"),
        ("meta", "meta", "About the framework", "part about the framework"),
        ("term", "arr", "Definition ARR", "definition ARR"),
        ("term", "net_new", "Definition Net new", "definition Net new"),
        ("data_source", "employee_count", "Data source Employees", "data source Employees"),
        (
            "waiver",
            "gap__tier__smb",
            "Waiver Gap, Customer Tier / Small firms",
            "waiver Gap, Customer Tier / Small firms",
        ),
        ("waiver", "no_source", "Waiver No source", "waiver No source"),
    ],
)
def test_part_is_called_by_its_label_and_kind(kind: str, key: str, title: str, phrase: str) -> None:
    document = Document(BODIES)

    assert (document.title_of(kind, key), document.phrase_of(kind, key)) == (title, phrase)


@pytest.fixture
def named(company: Company) -> Company:
    """A draft with a definition and a segment whose keys say nothing of their names."""
    company.save("term", KEY, {"label": NAME, "wording": "What customers of a year ago pay now."})
    company.save("dimension", "tier", {"label": "Customer Tier", "segments": ["enterprise", "smb", KEY]})
    company.save("segment", f"tier/{KEY}", segment("Public sector", ("ge", "arr", "5")))
    company.save("playbook", f"tier/{KEY}", company.body("playbook", "tier/smb"))
    return company


def test_names_are_read_in_one_query(named: Company, django_assert_num_queries: Callable[..., Any]) -> None:
    parts = [(part.kind, part.key) for part in named.version.parts.all()]

    with django_assert_num_queries(1):
        names = names_of(named.version, parts)

    assert names.label_of("playbook", f"tier/{KEY}") == "Customer Tier / Public sector"
    assert names.label_of("waiver", "gap__tier") == "Gap, Customer Tier"


def test_problems_before_review_call_parts_by_their_names(named: Company) -> None:
    named.save("dimension", "tier", {"label": "Customer Tier", "segments": ["enterprise", "smb"]})

    said = " ".join(submission_problems(named.version))

    assert "Playbook Customer Tier / Public sector belongs to no dimension" in said
    assert KEY not in said


def test_parts_that_cannot_be_read_are_called_by_their_names(named: Company) -> None:
    named.version.parts.filter(kind="data_source").delete()
    named.confirm()

    with pytest.raises(InvalidError, match="Segment Customer Tier / Public sector: /rules/0") as caught:
        submit_version(version=named.version, actor=named.ravi, at=AT)

    assert KEY not in str(caught.value)


def comment(company: Company, kind: str, key: str) -> Comment:
    return add_comment(
        version=company.version,
        part_kind=kind,
        part_key=key,
        thread=None,
        text="@Marcus, is it so?",
        actor=company.priya,
        at=AT,
    )


def test_nothing_that_people_read_calls_a_part_by_its_key(named: Company, login: Callable[[User], Client]) -> None:
    comment(named, "term", KEY)
    comment(named, "playbook", f"tier/{KEY}")
    named.submit()
    named.sign("marcus", [*named.answers("marcus", "reject", "Not so.", code="terms")])
    watch_notices(AT + timedelta(days=14))
    tabs = ("detail", "definitions", "alignment", "dimensions", "playbooks", "checks", "discussion", "history")
    places = [url(named, f"version_{tab}") for tab in tabs]
    places += [
        url(named, "signing"),
        url(named, "signing_manifest"),
        "/sign-off/",
        "/mentions/",
        "/",
        "/notifications/",
    ]

    for name in ("marcus", "priya", "tomas", "carol", "ravi"):
        for place in places:
            answer = login(named.people[name]).get(place)
            assert (place, answer.status_code) == (place, 200)
            assert KEY not in text(answer), (name, place)
    assert KEY not in " ".join(f"{row.subject} {row.text}" for row in Notification.objects.all())
    assert KEY not in " ".join(activation_blockers(named.version, AT))


def test_requirements_and_comments_are_called_by_names(named: Company) -> None:
    first = comment(named, "playbook", f"tier/{KEY}")
    whole = comment(named, "", "")
    named.submit()
    asked = [named.requirement("terms", KEY), named.requirement("playbooks")]

    assert list(requirement_names(asked).values()) == [f"Terms: {NAME}", "Playbooks"]
    assert subjects_of([first, whole]) == {first.pk: "playbook Customer Tier / Public sector", whole.pk: "v0"}


def test_saving_and_taking_out_say_the_name(named: Company, login: Callable[[User], Client]) -> None:
    browser = login(named.ravi)
    digest = named.part("term", KEY).body_id
    body = {"digest": digest, "label": NAME, "wording": "Another wording.", "owner": ""}
    place = {"kind": "term", "key": KEY}

    saved = browser.post(url(named, "part_edit", **place), body, follow=True)
    gone = browser.post(url(named, "part_delete", **place), {"digest": named.part("term", KEY).body_id}, follow=True)

    assert f"Definition {NAME} is saved." in text(saved)
    assert f"Definition {NAME} is taken out of this draft." in text(gone)


def test_rebase_page_and_changes_call_parts_by_their_names(named: Company, login: Callable[[User], Client]) -> None:
    named.submit()
    named.sign_all()
    flip_active_version(version=named.version, actor=named.priya, at=AT)
    framework = named.version.framework
    named.version = start_draft(framework=framework, actor=named.ravi, at=LATER)
    late = start_draft(framework=framework, actor=named.ravi, at=LATER)
    named.save("term", KEY, {"label": NAME, "wording": "What they pay now."})
    named.submit()
    named.sign_all()
    flip_active_version(version=named.version, actor=named.priya, at=LATER)
    named.version = late
    named.save("term", KEY, {"label": NAME, "wording": "What they would pay."})

    page = text(login(named.ravi).get(url(named, "version_rebase")))
    changes = text(login(named.ravi).get("/frameworks/main/diff/?from=0&to=1"))

    assert f"Definition {NAME} changed in both" in page
    assert KEY not in page + changes


def test_reason_of_a_version_that_lost_its_approval_names_the_part(named: Company) -> None:
    named.submit()
    named.sign_all()
    request_changes(version=named.version, actor=named.priya, at=AT, reason="Once more.")
    named.submit()

    named.nadia.groups.clear()

    assert f"Terms: {NAME}: 2 of 3 signed." in " ".join(activation_blockers(named.version, AT))
