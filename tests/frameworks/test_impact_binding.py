"""Impact is part of what is signed: bound by its digest, within a tolerance, asked again outside it."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import Error, transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.impact import impact_exceeds
from frameworks.models import FrameworkVersion, Signoff, VersionImpact
from frameworks.services.activation import activation_blockers, flip_active_version
from frameworks.services.impact import record_impact
from frameworks.services.review import request_changes
from frameworks.services.signing import sign
from tests.frameworks.making import AT, LATER, Company, requirement
from tests.frameworks.pages import text, url


def figures(**segments: tuple[int, str]) -> dict[str, Any]:
    return {
        "segments": {
            f"tier/{key.replace('unassigned', '')}": {"accounts": accounts, "arr": arr}
            for key, (accounts, arr) in segments.items()
        }
    }


SIGNED = figures(enterprise=(100, "1000000.00"), smb=(1000, "500000.00"), unassigned=(0, "0"))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (SIGNED, []),
        (figures(enterprise=(102, "1000000"), smb=(1000, "500000"), unassigned=(0, "0")), []),
        (
            figures(enterprise=(103, "1000000"), smb=(1000, "500000"), unassigned=(0, "0")),
            ["tier / enterprise: 103 accounts now, 100 signed."],
        ),
        (
            figures(enterprise=(100, "979999.99"), smb=(1000, "500000"), unassigned=(0, "0")),
            ["tier / enterprise: $980K ARR now, $1.0M signed."],
        ),
        (
            figures(enterprise=(100, "1000000"), smb=(999, "500000"), unassigned=(1, "0")),
            ["tier / Unassigned: 1 account now, 0 signed."],
        ),
        (
            figures(enterprise=(100, "1000000")),
            ["tier / smb: 0 accounts now, 1,000 signed.", "tier / smb: $0 ARR now, $500K signed."],
        ),
    ],
)
def test_impact_exceeds_what_was_signed_by_segment(now: dict[str, Any], said: list[str]) -> None:
    assert impact_exceeds(SIGNED, now, Decimal("0.02")) == said


def test_amounts_that_would_read_the_same_are_printed_in_full() -> None:
    signed, now = figures(smb=(1, "52450000.00")), figures(smb=(1, "52470000.50"))

    said = impact_exceeds(signed, now, Decimal("0.0001"), {"tier/smb": "SMB"}, "EUR")

    assert said == ["SMB: €52.5M ARR now, €52.4M signed."]
    near = impact_exceeds(figures(smb=(1, "52474600.00")), now, Decimal(0), {"tier/smb": "SMB"}, "EUR")
    assert near == ["SMB: €52,470,000.50 ARR now, €52,474,600 signed."]


@pytest.fixture
def submitted(company: Company) -> Company:
    policy = company.body("policy", "signoff")
    line = requirement("impact", kinds=["segment"], pool={"role": "executive"}, include_impact=True)
    company.save("policy", "signoff", {**policy, "requirements": [*policy["requirements"], line]})
    company.submit()
    return company


def record(company: Company, now: dict[str, Any]) -> VersionImpact:
    return record_impact(version=company.version, figures=now, as_of=AT, actor=None, at=AT)


def sign_impact(company: Company, shown: str | None) -> list[Signoff]:
    rows: list[Signoff] = sign(
        version=company.version,
        decisions=company.answers("priya", code="impact"),
        signer=company.priya,
        authentication="password",
        authenticated_at=AT,
        at=AT,
        impact_digest=shown,
    )
    return rows


def approve_all(company: Company) -> None:
    for name in ("priya", "marcus", "nadia", "tomas", "carol"):
        company.sign(name)


def test_signature_binds_the_newest_impact(submitted: Company) -> None:
    record(submitted, figures(smb=(1, "1")))
    newest = record(submitted, SIGNED)

    (row,) = sign_impact(submitted, newest.digest)

    assert row.impact_digest == newest.digest


@pytest.mark.parametrize("shown", ["", "0" * 64])
def test_page_with_other_figures_conflicts(submitted: Company, shown: str) -> None:
    record(submitted, SIGNED)

    with pytest.raises(StaleSignoffError, match="impact of this version"):
        sign_impact(submitted, shown)

    assert Signoff.objects.count() == 0


def test_impact_within_the_tolerance_asks_nobody_again(submitted: Company) -> None:
    record(submitted, SIGNED)
    approve_all(submitted)

    record(submitted, figures(enterprise=(101, "1000000"), smb=(999, "500000"), unassigned=(0, "0")))

    assert submitted.version.state == "approved"
    assert activation_blockers(submitted.version, AT) == []


def test_impact_beyond_the_tolerance_asks_again(submitted: Company) -> None:
    record(submitted, SIGNED)
    approve_all(submitted)
    moved = figures(enterprise=(150, "1000000"), smb=(950, "500000"), unassigned=(0, "0"))

    newest = record(submitted, moved)

    assert submitted.version.state == "in_review"
    assert "150 accounts now, 100 signed" in submitted.version.state_reason
    with pytest.raises(ConflictError, match="150 accounts now, 100 signed"):
        flip_active_version(version=submitted.version, actor=submitted.priya, at=LATER)
    sign_impact(submitted, newest.digest)
    assert FrameworkVersion.objects.get(pk=submitted.version.pk).state == "approved"


def asked(company: Company, login: Any) -> tuple[str, str, str]:
    """What the executive reads: the signing page, the list of what waits, the inbox."""
    browser = login(company.priya)
    return text(browser.get(url(company, "signing"))), text(browser.get("/sign-off/")), text(browser.get("/"))


def test_executive_reads_that_the_figures_moved_and_not_that_the_text_changed(submitted: Company, login: Any) -> None:
    record(submitted, SIGNED)
    approve_all(submitted)
    record(submitted, figures(enterprise=(150, "1000000"), smb=(950, "500000"), unassigned=(0, "0")))

    signing, waiting, inbox = asked(submitted, login)

    assert "The figures moved since you signed on 21 Nov 2026" in signing
    assert "150 accounts now, 100 signed" in signing
    assert "The wording is the one that you signed." in signing
    assert "the figures moved since you signed" in waiting
    assert "The figures moved since you signed." in inbox
    assert "Changed since you signed" not in signing + waiting + inbox


def test_executive_reads_that_the_impact_is_asked_anew_in_a_later_round(submitted: Company, login: Any) -> None:
    record(submitted, SIGNED)
    sign_impact(submitted, None)
    request_changes(version=submitted.version, actor=submitted.nadia, at=AT, reason="A note is missing.")
    submitted.submit()

    signing, waiting, _ = asked(submitted, login)

    assert "The impact is asked anew since you signed on 21 Nov 2026" in signing
    assert "the impact is asked anew since you signed" in waiting


def test_executive_reads_that_the_sign_off_stands_within_the_tolerance(submitted: Company, login: Any) -> None:
    record(submitted, SIGNED)
    sign_impact(submitted, None)
    standing = "within the tolerance, so the sign-off stands"
    assert standing not in text(login(submitted.priya).get(url(submitted, "signing")))

    record(submitted, figures(enterprise=(101, "1000000"), smb=(999, "500000"), unassigned=(0, "0")))

    assert standing in text(login(submitted.priya).get(url(submitted, "signing")))
    assert standing in text(login(submitted.priya).get(url(submitted, "version_detail")))


def test_same_figures_again_are_kept_once(submitted: Company) -> None:
    first = record(submitted, SIGNED)

    assert record(submitted, SIGNED) == first
    assert VersionImpact.objects.count() == 1


def test_malformed_figures_and_those_of_an_ended_version_are_refused(submitted: Company) -> None:
    for bad in ({}, {"segments": {"tier/smb": {"accounts": 1.5, "arr": "x"}}}):
        with pytest.raises(InvalidError):
            record(submitted, bad)
    approve_all(submitted)
    flip_active_version(version=submitted.version, actor=submitted.priya, at=LATER)
    with pytest.raises(ConflictError):
        record(submitted, SIGNED)

    assert VersionImpact.objects.count() == 0


def test_recorded_impact_is_refused_to_change_by_the_database(submitted: Company) -> None:
    record(submitted, SIGNED)

    for change in (VersionImpact.objects.all().delete, lambda: VersionImpact.objects.update(figures={})):
        with pytest.raises(Error), transaction.atomic():
            change()

    assert VersionImpact.objects.get().figures == SIGNED


def test_system_activates_nothing_that_people_have_to_decide(submitted: Company) -> None:
    approve_all(submitted)

    with pytest.raises(NotAllowedError):
        flip_active_version(version=submitted.version, actor=None, at=LATER)

    assert FrameworkVersion.objects.get(pk=submitted.version.pk).state == "approved"
