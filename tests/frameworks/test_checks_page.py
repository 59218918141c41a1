"""The Checks tab, the gate and waivers: through the page and the service."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from frameworks.checks.slot import engine_checks
from frameworks.coverage import covered_digest, manifest_of
from frameworks.errors import InvalidError, NotAllowedError
from frameworks.gates import findings_of
from frameworks.models import Contribution, Requirement
from frameworks.services.review import submit_version
from frameworks.services.waiving import waive_findings
from tests.frameworks import pages
from tests.frameworks.making import AT, Company

REASON = "Size does not matter to us below that amount."


def url(company: Company, name: str = "version_checks") -> str:
    return reverse(f"frameworks:{name}", kwargs={"slug": "main", "number": company.version.number})


def without_waivers(company: Company) -> None:
    company.version.parts.filter(kind="waiver").delete()


def test_submission_without_waiver_is_refused_naming_the_warning(company: Company) -> None:
    without_waivers(company)
    company.confirm()

    with pytest.raises(InvalidError) as caught:
        submit_version(version=company.version, actor=company.ravi, at=AT)

    said = " ".join(caught.value.problems)
    assert "(gap)" in said
    assert "(no_anti_icp)" in said
    company.version.refresh_from_db()
    assert company.version.state == "draft"


def test_waiver_that_does_not_name_every_place_covers_nothing(company: Company) -> None:
    company.save(
        "waiver", "gap__tier", {"code": "gap", "subject": "tier", "items": ["somewhere else"], "reason": REASON}
    )

    report = engine_checks().ensure(company.version, AT)  # type: ignore[union-attr]

    assert [each.code for each in findings_of(company.version, report) if each.code == "gap" and each.is_open] == [
        "gap"
    ]


def test_waiver_is_covered_by_the_digest_of_whoever_signs_it(company: Company) -> None:
    company.submit()
    requirement = Requirement.objects.get(version=company.version, code="playbooks")
    before = covered_digest(requirement, manifest_of(company.version))
    company.version.state = "draft"
    company.version.save()

    body = company.body("waiver", "gap__tier") | {"reason": "Another reason than the one that was signed."}
    company.save("waiver", "gap__tier", body)

    assert covered_digest(requirement, manifest_of(company.version)) != before


def test_waiving_by_somebody_who_may_not_edit_changes_nothing(company: Company) -> None:
    without_waivers(company)
    report = engine_checks().ensure(company.version, AT)  # type: ignore[union-attr]
    findings = [each for each in findings_of(company.version, report) if each.severity == "warning"]

    with pytest.raises(NotAllowedError):
        waive_findings(
            version=company.version,
            findings=findings,
            reason=REASON,
            actor=company.leah,
            at=AT,
            source=Contribution.Source.PAGE,
        )

    assert not company.version.parts.filter(kind="waiver").exists()


def test_page_runs_the_checks_and_writes_waivers(company: Company, client: Client) -> None:
    without_waivers(company)
    client.force_login(company.ravi)

    client.post(url(company, "checks_run"))
    shown = client.get(url(company))
    seen = [each.seen for each in shown.context["open_warnings"]]
    answer = client.post(url(company, "checks_waive"), {"seen": seen, "reason": REASON})

    assert "no segment takes" in shown.content.decode()
    assert "Sample records" in shown.content.decode()
    assert answer.status_code == 302
    assert client.get(url(company)).context["open_warnings"] == []


def test_page_shows_the_findings_to_everybody_and_forms_to_editors_only(company: Company, client: Client) -> None:
    without_waivers(company)
    client.force_login(company.leah)

    shown = client.get(url(company)).content.decode()

    assert "no anti-ICP list" in shown
    assert "Write waivers" not in shown
    assert client.post(url(company, "checks_run")).status_code == 403


def test_accepted_warning_leads_to_its_waiver(company: Company, login: Any) -> None:
    form = pages.url(company, "part_edit", kind="waiver", key="no_anti_icp__tier")
    shown = "?part=waiver/no_anti_icp__tier"

    edited = login(company.ravi).get(url(company)).content.decode()
    read = login(company.leah).get(url(company)).content.decode()

    assert (form in edited, form in read, shown in read) == (True, False, True)
