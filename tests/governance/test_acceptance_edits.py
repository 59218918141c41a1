"""What an edit does to signatures, by each way that an edit can take into the next version.

The rows of docs/acceptance.md about edits: exactly what an edit touches is asked again, whoever wrote it where.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from frameworks.models import FrameworkVersion, Signoff
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.impact import record_impact
from frameworks.services.review import withdraw_version
from frameworks.standing import requirements_standing
from tests.frameworks.making import AT, Company, criteria, requirement
from tests.frameworks.pages import text, url
from tests.frameworks.ways import Ways

PASSWORD = "correct horse"
DRAFTED = ("page", "api", "orm")
FILED = ("upload", "apply", "command")


@pytest.fixture
def ways(db: None) -> Ways:
    """v0 in force, signed by everybody."""
    company = Company()
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    return Ways(company)


def edited(ways: Ways, way: str, kind: str, key: str, body: dict[str, Any]) -> None:
    """The next version is made, holds this body, and is what the company works on."""
    company, active = ways.company, ways.company.version.framework.active_version
    assert active is not None
    company.version = active
    if way in DRAFTED:
        company.version = start_draft(framework=active.framework, actor=company.ravi, at=AT)
    answer = ways.send(way, kind, key, body)
    assert answer is None or answer.status_code < 400, answer.content
    company.version = active.framework.versions.order_by("-number")[0]


def asked_again(company: Company) -> set[str]:
    """What is open once the version is in review; then it is withdrawn, to make room for the next."""
    company.submit()
    found = {str(each.requirement) for each in requirements_standing(company.version, AT) if not each.is_met}
    withdraw_version(version=company.version, actor=company.ravi, at=AT, reason="The next one.")
    return found


def with_rule(body: dict[str, Any], *items: tuple[str, str, str]) -> dict[str, Any]:
    (rule,) = body["rules"]
    return {**body, "rules": [{**rule, "criteria": criteria(*items)}]}


Change = Callable[[dict[str, Any]], dict[str, Any]]

# The kind and key of a part, what becomes of its body, and the requirements that are open again.
EDITS: dict[str, tuple[str, str, Change, set[str]]] = {
    "wording of a term": ("term", "arr", lambda body: {**body, "wording": "Another."}, {"Terms arr"}),
    "label of a term": ("term", "arr", lambda body: {**body, "label": "Annual recurring revenue"}, set()),
    "label of a segment": ("segment", "tier/smb", lambda body: {**body, "label": "Small business"}, set()),
    "threshold": (
        "segment",
        "tier/enterprise",
        lambda body: with_rule(body, ("ge", "arr", "100000"), ("ge", "employee_count", "900")),
        # The waiver of the gap quotes the threshold, and the playbooks' line covers waivers.
        {"Rules tier/enterprise", "Playbooks"},
    ),
    "what employees are counted in": (
        "data_source",
        "employee_count",
        lambda body: {**body, "unit": "FTE"},
        # Only the rule that reads them: its meaning changed though its part did not.
        {"Rules tier/enterprise"},
    ),
    "work of a playbook": (
        "playbook",
        "tier/smb",
        lambda body: {**body, "actions": [{**each, "due_business_days": 9} for each in body["actions"]]},
        {"Playbooks"},
    ),
    "fallback of a dimension": (
        "dimension",
        "tier",
        lambda body: {**body, "fallback": "smb"},
        {"Rules tier", "Rules tier/enterprise", "Rules tier/smb"},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edit_voids_exactly_the_covered_sign_offs_by_every_way(ways: Ways, edit: str) -> None:
    kind, key, change, expected = EDITS[edit]
    signed = list(Signoff.objects.order_by("pk").values())
    body = change(ways.company.body(kind, key))

    found = {}
    for way in (*DRAFTED, *FILED):
        edited(ways, way, kind, key, body)
        found[way] = asked_again(ways.company)

    assert found == dict.fromkeys((*DRAFTED, *FILED), expected)
    assert list(Signoff.objects.order_by("pk").values()) == signed


def test_no_op_save_by_every_way_leaves_no_trace_and_voids_nothing(ways: Ways) -> None:
    company = ways.company
    active = company.version
    company.version = start_draft(framework=active.framework, actor=company.ravi, at=AT)
    body = company.body("term", "arr")
    before = ways.state()

    saved = [ways.send(way, "term", "arr", body) for way in (*DRAFTED[:2], *FILED)]

    assert [answer.status_code for answer in saved if answer is not None] == [302, 200, 302, 200]
    assert ways.state() == before
    assert asked_again(company) == set()


def figures(enterprise: int) -> dict[str, Any]:
    counts = {"tier/enterprise": enterprise, "tier/smb": 1000 - enterprise, "tier/": 0}
    return {"segments": {key: {"accounts": count, "arr": "100.00"} for key, count in counts.items()}}


def test_impact_beyond_the_tolerance_asks_again_on_every_page(ways: Ways) -> None:
    company = ways.company
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    policy = company.body("policy", "signoff")
    line = requirement("impact", kinds=["segment"], pool={"role": "executive"}, include_impact=True)
    company.save("policy", "signoff", {**policy, "requirements": [*policy["requirements"], line]})
    company.submit()
    shown = record_impact(version=company.version, figures=figures(100), as_of=AT, actor=None, at=AT)
    company.sign("priya")
    assert company.version.state == "approved"
    executive = Client()
    executive.force_login(company.priya)
    activate = reverse("governance:activate_version", args=["main", company.version.number])

    record_impact(version=company.version, figures=figures(150), as_of=AT, actor=None, at=AT)
    before = ways.state()
    activated = executive.post(activate)
    page = executive.get(url(company, "signing"))
    form = dict(re.findall(r'name="((?:digest|seen)-\d+|impact)" value="([0-9a-f]*)"', page.content.decode()))
    answers = {f"answer-{number}": "yes" for number in re.findall(r'data-term="(\d+)"', page.content.decode())}
    stale = executive.post(url(company, "signing"), {**form, **answers, "impact": shown.digest, "password": PASSWORD})

    assert (activated.status_code, "150 accounts now, 100 signed" in text(activated)) == (409, True)
    assert (len(answers), stale.status_code) == (1, 409)
    assert (ways.state(), FrameworkVersion.objects.get(pk=company.version.pk).state) == (before, "in_review")
    assert executive.post(url(company, "signing"), {**form, **answers, "password": PASSWORD}).status_code == 302
    assert FrameworkVersion.objects.get(pk=company.version.pk).state == "approved"
