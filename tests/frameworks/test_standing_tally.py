"""The tally that pages show says what deriving every requirement says, whoever signed what and in whatever order."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frameworks.models import Framework, FrameworkVersion
from frameworks.services.activation import flip_active_version
from frameworks.services.carrying import CarriedTally, is_carried
from frameworks.services.drafting import start_draft
from frameworks.services.helping import shortages_among
from frameworks.services.impact import record_impact
from frameworks.services.overruling import overrule_dissent
from frameworks.services.review import request_changes
from frameworks.services.rollback import draft_rollback
from frameworks.services.signing import withdraw_signoff
from frameworks.standing_cache import Line, Overview
from frameworks.standing_tally import Tally
from governance.services.version_inbox import asked_again
from tests.frameworks.making import AT, LATER, POLICY, Company, put_in_force, requirement

PROOF: dict[str, Any] = {"authentication": "password", "authenticated_at": AT, "at": AT}


def policy() -> dict[str, Any]:
    """Definitions age and may be approved over dissent; figures are signed too."""
    first, *others = cast(list[dict[str, Any]], POLICY["requirements"])
    figures = requirement("impact", kinds=["segment"], pool={"role": "executive"}, include_impact=True)
    return {**POLICY, "requirements": [{**first, "dissent_role": "executive", "freshness_days": 30}, *others, figures]}


@pytest.fixture
def asked(company: Company) -> Company:
    company.save("policy", "signoff", policy())
    company.submit()
    return company


def nothing(company: Company) -> None:
    pass


def some(company: Company) -> None:
    company.sign("marcus")
    company.sign("tomas", company.answers("tomas")[:1])


def everything(company: Company) -> None:
    company.sign_all()


def refused(company: Company) -> None:
    company.sign("marcus", company.answers("marcus", "reject", "Usage is not recurring."))
    company.sign("priya")


def overruled(company: Company) -> None:
    refused(company)
    asked = company.requirement("terms", "arr")
    digest = asked.covered_digest
    overrule_dissent(
        requirement=asked, expected_digest=digest, reason="The board decided.", signer=company.priya, **PROOF
    )


def taken_back(company: Company) -> None:
    company.sign_all()
    asked = company.requirement("terms", "account")
    withdraw_signoff(requirement=asked, signer=company.nadia, reason="I was too quick.", **PROOF)


def left(company: Company) -> None:
    """One signer lost the role, another the right to log in."""
    company.sign_all()
    company.tomas.groups.clear()
    company.nadia.is_active = False
    company.nadia.save()


def figures(company: Company) -> None:
    segments = {"accounts": 1, "arr": "1", "before": {"accounts": 1, "arr": "1"}}
    given = {"accounts": 10, "arr": "0", "segments": {"tier/smb": segments, "tier/": segments}}
    record_impact(version=company.version, figures=given, as_of=AT, actor=None, at=AT)
    company.sign_all()
    moved = {**segments, "accounts": 9}
    given = {**given, "segments": {"tier/smb": moved, "tier/": segments}}
    record_impact(version=company.version, figures=given, as_of=LATER, actor=None, at=LATER)


def another_round(company: Company) -> None:
    company.sign_all()
    request_changes(version=company.version, actor=company.ravi, at=LATER, reason="Usage is not recurring.")
    company.save("term", "arr", {"label": "ARR", "wording": "Yearly value of signed contracts.", "owner": "Finance"})
    company.submit()


def next_version(company: Company) -> None:
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=LATER)
    company.save("term", "nrr", {"label": "NRR", "wording": "Net retention."})
    company.submit()
    company.sign("marcus")


def gone_back(company: Company) -> None:
    """To the first version, after one whose other wording was refused and put in force all the same."""
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    first = company.version
    company.version = start_draft(framework=first.framework, actor=company.ravi, at=LATER)
    company.save("term", "arr", {"label": "ARR", "wording": "Yearly value of signed contracts.", "owner": "Finance"})
    company.submit()
    arr = company.requirement("terms", "arr")
    noes = company.answers("marcus", "reject", "Usage is not recurring.")
    company.sign("marcus", [each for each in noes if each.requirement_id == arr.pk])
    put_in_force(company.version, LATER)
    Framework.objects.filter(pk=first.framework_id).update(active_version=company.version)
    first = FrameworkVersion.objects.select_related("framework").get(pk=first.pk)
    company.version = draft_rollback(version=first, reason="It was better before.", actor=company.ravi, at=LATER)
    company.submit()


def undigested(company: Company) -> None:
    """Requirements of before their digests were stored."""
    company.sign("marcus")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE frameworks_requirement DISABLE TRIGGER USER")
        cursor.execute("UPDATE frameworks_requirement SET covered_digest = '' WHERE code = 'terms'")
        cursor.execute("ALTER TABLE frameworks_requirement ENABLE TRIGGER USER")


STORIES = (
    *(nothing, some, everything, refused, overruled, taken_back, left, figures, another_round, next_version),
    *(gone_back, undigested),
)


def said_of(line: Line) -> dict[str, Any]:
    """What pages read of a line."""
    plain = {name: value for name, value in vars(line).items() if name != "standings"}
    return plain | {"single": line.standings[0] if line.total == 1 else None}


@pytest.mark.parametrize("days", [0, 60])
@pytest.mark.parametrize("story", STORIES)
def test_tally_says_what_every_requirement_by_itself_says(
    asked: Company, story: Callable[[Company], None], days: int
) -> None:
    story(asked)
    at = LATER + timedelta(days=days)

    overview, tally = Overview(asked.version, at), Tally(asked.version, at)

    assert [said_of(line) for line in tally.lines] == [said_of(line) for line in overview.lines]
    assert tally.about(overview.by_part) == overview.by_part
    assert (tally.open_parts, tally.kinds, tally.sets) == (overview.open_parts, overview.kinds, overview.sets)
    assert tally.count == len(overview.standings)
    for part, own in overview.by_part.items():
        for alike, each in zip(tally.by_part[part], own, strict=True):
            assert (alike.is_met, alike.is_blocked, alike.missing) == (each.is_met, each.is_blocked, each.missing)
            assert (alike.rejections, alike.overruled_by) == (each.rejections, each.overruled_by)
            assert (alike.lapsed, alike.lapses) == (each.lapsed, each.lapses)
            assert (alike.lacks_signers, tally.known.impact_stands(alike)) == (
                each.lacks_signers,
                overview.known.impact_stands(each),
            )
            assert is_carried(asked.version, [alike]) == is_carried(asked.version, [each])
            assert asked_again([alike], asked.marcus.pk) == asked_again([each], asked.marcus.pk)
    assert shortages_among(group.one for group in tally.groups) == shortages_among(overview.standings)


def test_tally_of_a_draft_says_what_stands_once_it_is_submitted(asked: Company) -> None:
    next_version(asked)
    request_changes(version=asked.version, actor=asked.ravi, at=LATER, reason="A definition is missing.")
    asked.save("term", "grr", {"label": "GRR", "wording": "Gross retention."})

    carried = CarriedTally(asked.version, LATER)

    asked.submit()
    tally = Tally(asked.version, LATER)
    assert [counted_of(line) for line in carried.lines] == [counted_of(line) for line in tally.lines]
    assert (carried.open_parts, carried.kinds, carried.count) == (tally.open_parts, tally.kinds, tally.count)
    for part, own in tally.about(tally.by_part).items():
        assert [(each.digest, each.approvals) for each in carried.about([part])[part]] == [
            (each.digest, each.approvals) for each in own
        ]


def test_tally_of_a_draft_sent_back_asks_for_figures_anew_as_submitting_does(asked: Company) -> None:
    figures(asked)
    asked.sign_all()
    assert Tally(asked.version, LATER).lines[-1].is_done
    request_changes(version=asked.version, actor=asked.ravi, at=LATER, reason="One more look at the figures.")

    carried = CarriedTally(asked.version, LATER).lines

    asked.submit()
    assert [counted_of(line) for line in carried] == [counted_of(line) for line in Tally(asked.version, LATER).lines]
    assert [(line.code, line.is_done) for line in carried] == [
        ("terms", True),
        ("rules", True),
        ("playbooks", True),
        ("impact", False),
    ]


def counted_of(line: Line) -> tuple[Any, ...]:
    return (line.code, line.total, line.met, line.missing, line.approved_by, line.lacks_signers)


def test_tally_derives_one_of_those_that_stand_alike(asked: Company) -> None:
    asked.sign("marcus")
    asked.sign("priya", asked.answers("priya", "reject", "Too vague.", code="terms")[:1])

    tally = Tally(asked.version, AT)

    assert [(group.one.requirement.code, len(group.parts)) for group in tally.groups] == [
        ("terms", 1),
        ("terms", 1),
        ("rules", 3),
        ("playbooks", 1),
        ("impact", 1),
    ]


def test_tally_takes_the_same_queries_for_few_requirements_and_for_many(asked: Company) -> None:
    with CaptureQueriesContext(connection) as few:
        Tally(asked.version, AT)
    request_changes(version=asked.version, actor=asked.ravi, at=LATER, reason="Definitions are missing.")
    for number in range(20):
        asked.save("term", f"t{number}", {"label": f"T {number}", "wording": f"Wording {number}."})
    asked.submit()
    asked.sign("marcus", asked.answers("marcus", code="terms")[:7])

    with CaptureQueriesContext(connection) as many:
        Tally(asked.version, AT)

    assert len(many) == len(few)
