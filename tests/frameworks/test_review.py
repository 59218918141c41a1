"""Submitting and what leads back from review."""

from collections.abc import Callable
from typing import Any

import pytest

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import FrameworkVersion, Requirement
from frameworks.services.drafting import assumed_parts, confirm_parts, delete_part
from frameworks.services.review import (
    reject,
    reopen_version,
    request_changes,
    submission_problems,
    submit_version,
    withdraw_version,
)
from frameworks.standing import requirements_standing
from governance.models import AuditEntry
from tests.frameworks.making import AT, Company, person, playbook, requirement
from tests.frameworks.pages import text, url


def policy(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"policy": "signoff", "requirements": list(lines)}


def state_of(company: Company) -> tuple[Any, ...]:
    version = FrameworkVersion.objects.get(pk=company.version.pk)
    return (version.state, version.round, Requirement.objects.count(), AuditEntry.objects.count())


def remove(company: Company, kind: str, key: str) -> None:
    part = company.part(kind, key)
    delete_part(
        version=company.version,
        kind=kind,
        key=key,
        expected_digest=part.body_id,
        actor=company.ravi,
        at=AT,
        source="page",
    )


def test_submitted_version_asks_the_right_people_per_part_and_set(company: Company) -> None:
    version = company.submit()

    assert (version.state, version.round, version.submitted_at) == ("in_review", 1, AT)
    assert len(version.manifest_digest) == 64
    asked = [
        (row.code, row.part_key, row.minimum, sorted(row.pool.values_list("name", flat=True)))
        for row in Requirement.objects.filter(version=version)
    ]
    everyone = ["Marcus", "Nadia", "Priya"]
    assert asked == [
        ("terms", "account", 3, everyone),
        ("terms", "arr", 3, everyone),
        ("rules", "tier", 1, ["Tomas"]),
        ("rules", "tier/enterprise", 1, ["Tomas"]),
        ("rules", "tier/smb", 1, ["Tomas"]),
        ("playbooks", "", 1, ["Carol"]),
    ]


def test_playbooks_may_still_be_assumed_when_submitted(company: Company) -> None:
    parts = [part for part in assumed_parts(company.version) if part.kind != "playbook"]
    confirm_parts(version=company.version, parts=parts, evidence="Agreed in the kickoff.", actor=company.priya, at=AT)

    assert submit_version(version=company.version, actor=company.ravi, at=AT).state == "in_review"


def test_submission_lists_all_problems_at_once(company: Company) -> None:
    remove(company, "playbook", "tier/smb")
    remove(company, "data_source", "employee_count")
    remove(company, "term", "arr")
    remove(company, "term", "account")
    before = state_of(company)

    with pytest.raises(InvalidError) as caught:
        submit_version(version=company.version, actor=company.ravi, at=AT)

    said = " | ".join(caught.value.problems)
    assert "6 parts are still ASSUMED" in said
    assert "Segment Customer Tier / Enterprise: /rules/0/criteria/root/items/1/attribute" in said
    assert 'There is no attribute "employee' in said
    assert state_of(company) == before


def test_submission_of_incomplete_content_is_refused_with_each_gap(company: Company) -> None:
    company.save("dimension", "tier", {"label": "Customer Tier", "segments": ["enterprise", "smb", "tiny"]})
    company.save("segment", "tier/smb", {"label": "SMB", "dimension": "tier"})
    company.save("playbook", "tier/smb", {"summary": "Nothing yet."})
    company.save("playbook", "tier/old", playbook("Something"))
    remove(company, "term", "arr")
    remove(company, "term", "account")
    company.confirm()

    problems = submission_problems(company.version)

    assert problems == [
        "There is no definition: write down what your words mean.",
        "Customer Tier lists tiny, which has no segment part.",
        "Playbook Customer Tier / Old belongs to no dimension's list of segments.",
        "Customer Tier / SMB has no rule, so no account ever gets there.",
        "Customer Tier / SMB has no playbook action: nobody would act on it.",
    ]


def test_segment_without_rule_is_fine_as_fallback(company: Company) -> None:
    body = {"label": "Customer Tier", "segments": ["enterprise", "smb"], "fallback": "smb"}
    company.save("dimension", "tier", body)
    company.save("segment", "tier/smb", {"label": "SMB", "dimension": "tier"})
    company.confirm()

    assert submission_problems(company.version) == []


def deactivate_carol(company: Company) -> None:
    company.carol.is_active = False
    company.carol.save()


def take_carols_role(company: Company) -> None:
    company.carol.groups.clear()


def let_only_the_author_sign(company: Company) -> None:
    company.tomas.groups.clear()


def ask_for_two(company: Company) -> None:
    company.save("policy", "signoff", policy(requirement("all", kinds=["term"], minimum=2, pool={"role": "revops"})))


def ask_nobody(company: Company) -> None:
    company.save("policy", "signoff", policy(requirement("all", kinds=["term"], pool={"role": "enablement"})))


def ask_a_program(company: Company) -> None:
    person("robot", "revops", is_service=True)
    company.save("policy", "signoff", policy(requirement("all", kinds=["term"], pool={"people": ["robot@x.example"]})))


def name_a_missing_part(company: Company) -> None:
    line = requirement("all", kinds=["term"], keys=["arr", "nrr"], pool={"role": "stakeholder"})
    company.save("policy", "signoff", policy(line))


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (deactivate_carol, "The login of Carol is deactivated."),
        (take_carols_role, "None of the roles of Carol may sign."),
        (let_only_the_author_sign, "Ravi wrote or changed parts of this version"),
        (ask_for_two, "too few people who can sign: 1 of 2"),
        (ask_nobody, "Nobody is Enablement"),
        (ask_a_program, "Robot is a program and cannot sign"),
        (name_a_missing_part, "names parts that this version does not have"),
    ],
)
def test_requirement_that_nobody_can_meet_refuses_submission_and_names_why(
    company: Company, prepare: Callable[[Company], None], said: str
) -> None:
    prepare(company)
    company.confirm()
    before = state_of(company)

    with pytest.raises(InvalidError, match=said):
        submit_version(version=company.version, actor=company.ravi, at=AT)

    assert state_of(company) == before


def test_submission_by_person_without_permission_is_refused(company: Company) -> None:
    company.confirm()
    before = state_of(company)

    with pytest.raises(NotAllowedError):
        submit_version(version=company.version, actor=company.priya, at=AT)

    assert state_of(company) == before


def test_version_that_was_sent_back_is_said_to_be_a_draft(company: Company, login: Any) -> None:
    company.submit()

    answer = login(company.nadia).post(url(company, "version_request_changes"), {"reason": "Not yet."}, follow=True)

    assert "v0 is a draft now." in text(answer)


def test_submission_twice_conflicts(company: Company) -> None:
    version = company.submit()
    before = state_of(company)

    with pytest.raises(ConflictError, match="in review"):
        submit_version(version=version, actor=company.ravi, at=AT)

    assert state_of(company) == before


def test_changes_requested_reopen_the_draft_and_sign_offs_of_what_stays_keep_counting(company: Company) -> None:
    company.submit()
    company.sign("marcus")
    request_changes(version=company.version, actor=company.nadia, at=AT, reason="ARR is not right yet.")

    company.save("term", "arr", {"label": "ARR", "wording": "Yearly value of invoiced subscriptions."})
    company.submit()

    assert company.version.round == 2
    assert [answer.requirement_id for answer in company.answers("marcus")] == [
        company.requirement("terms", "account").pk,
        company.requirement("terms", "arr").pk,
    ]
    by_key = {standing.requirement.part_key: standing for standing in requirements_standing(company.version, AT)}
    assert [given.printed_name for given in by_key["account"].approvals] == ["Marcus"]
    assert by_key["arr"].approvals == ()


def test_changes_requested_by_somebody_who_is_not_asked_are_refused(company: Company) -> None:
    company.submit()
    before = state_of(company)

    with pytest.raises(NotAllowedError):
        request_changes(version=company.version, actor=company.leah, at=AT, reason="I do not like it.")

    assert state_of(company) == before


@pytest.mark.parametrize("service", [request_changes, withdraw_version, reject])
def test_leaving_review_needs_a_reason(company: Company, service: Any) -> None:
    company.submit()
    before = state_of(company)

    with pytest.raises(InvalidError):
        service(version=company.version, actor=company.ravi, at=AT, reason="  ")

    assert state_of(company) == before


def test_withdrawn_version_can_be_reopened_and_rejected_one_cannot(company: Company) -> None:
    company.submit()
    withdraw_version(version=company.version, actor=company.ravi, at=AT, reason="Too early.")
    reopen_version(version=company.version, actor=company.ravi, at=AT)
    assert company.version.state == "draft"

    company.submit()
    reject(version=company.version, actor=company.priya, at=AT, reason="The wrong approach.")
    with pytest.raises(ConflictError, match="rejected"):
        reopen_version(version=company.version, actor=company.ravi, at=AT)

    assert FrameworkVersion.objects.get(pk=company.version.pk).state == "rejected"
