"""Sign-offs: what they cover, who may give them, what voids them and what does not."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import Error, connection, transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.models import FrameworkVersion, Signoff
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.review import request_changes, submit_version
from frameworks.services.signing import Answer, sign, withdraw_signoff
from frameworks.standing import RequirementStanding, requirements_standing
from governance.models import AuditEntry
from tests.frameworks.making import AT, Company, person


@pytest.fixture
def submitted(company: Company) -> Company:
    company.submit()
    return company


def trace(company: Company) -> tuple[Any, ...]:
    state = FrameworkVersion.objects.get(pk=company.version.pk).state
    return (state, Signoff.objects.count(), AuditEntry.objects.count())


def standing(company: Company, code: str, key: str = "") -> RequirementStanding:
    return next(
        each
        for each in requirements_standing(company.version, AT)
        if (each.requirement.code, each.requirement.part_key) == (code, key)
    )


def send_back(company: Company) -> None:
    request_changes(version=company.version, actor=company.ravi, at=AT, reason="One more change.")


def test_many_terms_are_signed_with_one_authentication(submitted: Company) -> None:
    rows = submitted.sign("marcus")

    assert [(row.code, row.part_key, row.decision) for row in rows] == [
        ("terms", "account", "approve"),
        ("terms", "arr", "approve"),
    ]
    row = rows[1]
    assert row.statement == "I agree with the definition of ARR in version 0 of Customer segmentation."
    assert (row.printed_name, row.role, row.authentication) == ("Marcus", "Stakeholder", "password")
    assert row.covered_digest == standing(submitted, "terms", "arr").digest
    assert AuditEntry.objects.filter(action="version.signed").count() == 1


def test_open_requirement_names_who_is_still_needed(submitted: Company) -> None:
    submitted.sign("marcus")

    term = standing(submitted, "terms", "arr")

    assert (term.needed, [given.printed_name for given in term.approvals], term.is_met) == (3, ["Marcus"], False)
    assert [each.name for each in term.missing] == ["Nadia", "Priya"]


def test_last_sign_off_approves_the_version(submitted: Company) -> None:
    for name in ("priya", "marcus", "nadia", "tomas"):
        submitted.sign(name)
        assert submitted.version.state == "in_review"

    submitted.sign("carol")

    assert FrameworkVersion.objects.get(pk=submitted.version.pk).state == "approved"
    assert AuditEntry.objects.get(seq=AuditEntry.objects.count()).after["joined"] == ["version.approved"]


def test_signing_twice_is_recorded_once(submitted: Company) -> None:
    answers = submitted.answers("marcus")
    submitted.sign("marcus", answers)
    before = trace(submitted)

    assert submitted.sign("marcus", answers) == []

    assert trace(submitted) == before


def test_opposite_decision_conflicts_until_the_first_is_taken_back(submitted: Company) -> None:
    submitted.sign("marcus")
    no = submitted.answers("marcus", "reject", "Usage is not recurring.")
    before = trace(submitted)

    with pytest.raises(ConflictError, match="take that back first"):
        submitted.sign("marcus", no)

    assert trace(submitted) == before


def test_reject_needs_a_reason(submitted: Company) -> None:
    before = trace(submitted)

    with pytest.raises(InvalidError, match="Say why not"):
        submitted.sign("marcus", submitted.answers("marcus", "reject", "  "))

    assert trace(submitted) == before


def test_reject_blocks_with_its_reason_and_keeps_the_review_open(submitted: Company) -> None:
    submitted.sign("marcus", submitted.answers("marcus", "reject", "Usage is not recurring."))
    for name in ("priya", "nadia", "tomas", "carol"):
        submitted.sign(name)

    term = standing(submitted, "terms", "arr")

    assert submitted.version.state == "in_review"
    assert (term.is_met, term.is_blocked) == (False, True)
    assert [given.reason for given in term.rejections] == ["Usage is not recurring."]


def test_no_after_approval_takes_the_version_back_into_review(company: Company) -> None:
    bob = person("bob", "cs_ops")
    company.people["bob"] = bob
    policy = company.body("policy", "signoff")
    policy["requirements"][2]["pool"] = {"role": "cs_ops"}
    company.save("policy", "signoff", policy)
    company.submit()
    company.sign_all()
    assert company.version.state == "approved"

    company.sign("bob", company.answers("bob", "reject", "We cannot staff this."))

    assert FrameworkVersion.objects.get(pk=company.version.pk).state == "in_review"


def test_stale_digest_conflicts_and_signs_nothing_of_the_batch(submitted: Company) -> None:
    good, bad = submitted.answers("marcus")
    before = trace(submitted)

    with pytest.raises(StaleSignoffError, match="about to sign changed") as caught:
        submitted.sign("marcus", [good, bad._replace(expected_digest="0" * 64)])

    assert caught.value.requirement_ids == [bad.requirement_id]
    assert trace(submitted) == before


def test_page_of_an_earlier_round_conflicts_where_the_wording_changed(submitted: Company) -> None:
    old = submitted.answers("marcus")
    send_back(submitted)
    submitted.save("term", "arr", {"label": "ARR", "wording": "Yearly value of invoiced subscriptions."})
    submitted.submit()
    before = trace(submitted)

    with pytest.raises(StaleSignoffError, match="Terms: ARR"):
        submitted.sign("marcus", old)
    assert trace(submitted) == before

    (row,) = submitted.sign("marcus", [answer for answer in old if answer.requirement_id == old[0].requirement_id])
    assert (row.part_key, row.round) == ("account", 2)


def test_requirement_of_another_version_is_refused(submitted: Company) -> None:
    before = trace(submitted)

    with pytest.raises(InvalidError, match="no requirement of this version"):
        submitted.sign("marcus", [Answer(0, "0" * 64, "approve")])

    assert trace(submitted) == before


def test_draft_cannot_be_signed(submitted: Company) -> None:
    answers = submitted.answers("marcus")
    send_back(submitted)

    with pytest.raises(ConflictError, match="not open for signing"):
        submitted.sign("marcus", answers)

    assert not Signoff.objects.exists()


def as_author(company: Company) -> str:
    return "ravi"


def as_contributor(company: Company) -> str:
    # Tomas is among the signers of the rules; then he edits, and the version is submitted again.
    send_back(company)
    company.save("term", "account", {"label": "Account", "wording": "A company we sell to."}, actor=company.tomas)
    other = person("olga", "revops")
    company.people["olga"] = other
    company.submit()
    return "tomas"


def as_superuser(company: Company) -> str:
    company.people["root"] = person("root", is_superuser=True)
    return "root"


def as_superuser_who_contributed(company: Company) -> str:
    company.tomas.is_superuser = True
    company.tomas.save()
    return as_contributor(company)


def as_outsider(company: Company) -> str:
    return "leah"


def as_deactivated(company: Company) -> str:
    company.tomas.is_active = False
    company.tomas.save()
    return "tomas"


def as_person_without_role(company: Company) -> str:
    company.tomas.groups.clear()
    return "tomas"


def as_latecomer(company: Company) -> str:
    company.leah.groups.add(Group.objects.get(name="revops"))
    return "leah"


@pytest.mark.parametrize(
    ("become", "said"),
    [
        (as_author, "You wrote or changed parts"),
        (as_contributor, "You wrote or changed parts"),
        (as_superuser, "This is signed by RevOps"),
        (as_superuser_who_contributed, "You wrote or changed parts"),
        (as_outsider, "This is signed by RevOps"),
        (as_deactivated, "deactivated"),
        (as_person_without_role, "This is signed by RevOps"),
        (as_latecomer, "You were not among the signers"),
    ],
)
def test_signature_without_standing_is_refused_with_its_reason(
    submitted: Company, become: Callable[[Company], str], said: str
) -> None:
    name = become(submitted)
    asked = standing(submitted, "rules", "tier")
    answer = Answer(asked.requirement.pk, asked.digest, "approve")
    before = trace(submitted)

    with pytest.raises(NotAllowedError, match=said):
        submitted.sign(name, [answer])

    assert trace(submitted) == before


@pytest.mark.parametrize(
    ("method", "age", "said"),
    [("password", timedelta(minutes=6), "5 minutes"), ("token", timedelta(0), "tokens cannot sign")],
)
def test_signature_without_fresh_authentication_is_refused(
    submitted: Company, method: str, age: timedelta, said: str
) -> None:
    before = trace(submitted)

    with pytest.raises(NotAllowedError, match=said):
        sign(
            version=submitted.version,
            decisions=submitted.answers("marcus"),
            signer=submitted.marcus,
            authentication=method,
            authenticated_at=AT - age,
            at=AT,
        )

    assert trace(submitted) == before


def test_program_cannot_sign(submitted: Company) -> None:
    submitted.people["robot"] = person("robot", "stakeholder", is_service=True)
    answers = submitted.answers("marcus")

    with pytest.raises(NotAllowedError, match="program cannot sign"):
        submitted.sign("robot", answers)

    assert not Signoff.objects.exists()


def test_label_edit_carries_forward_where_the_meaning_was_signed(submitted: Company) -> None:
    submitted.sign("marcus")
    send_back(submitted)
    body = {**submitted.body("term", "arr"), "label": "Annual recurring revenue"}

    submitted.save("term", "arr", body)
    submitted.submit()

    assert [given.printed_name for given in standing(submitted, "terms", "arr").approvals] == ["Marcus"]


def test_no_op_save_voids_nothing(submitted: Company) -> None:
    submitted.sign("marcus")
    before = standing(submitted, "terms", "arr")
    send_back(submitted)

    submitted.save("term", "arr", submitted.body("term", "arr"))
    submitted.submit()

    after = standing(submitted, "terms", "arr")
    assert (after.digest, after.approvals) == (before.digest, before.approvals)


def test_edit_voids_exactly_what_it_touches(submitted: Company) -> None:
    for name in ("marcus", "tomas"):
        submitted.sign(name)
    send_back(submitted)

    source = {"label": "Employees", "data_type": "integer", "unit": "FTE", "system": "CRM"}
    submitted.save("data_source", "employee_count", source)
    submitted.submit()

    signed = {
        (each.requirement.code, each.requirement.part_key)
        for each in requirements_standing(submitted.version, AT)
        if each.approvals
    }
    # Only Enterprise's rule looks at employees: its meaning changed though its part did not.
    assert signed == {("terms", "account"), ("terms", "arr"), ("rules", "tier"), ("rules", "tier/smb")}


def test_unchanged_parts_carry_their_sign_offs_into_the_next_version(submitted: Company) -> None:
    submitted.sign_all()
    flip_active_version(version=submitted.version, actor=submitted.priya, at=AT)
    framework = submitted.version.framework
    submitted.version = start_draft(framework=framework, actor=submitted.ravi, at=AT)
    submitted.save("term", "arr", {"label": "ARR", "wording": "Yearly value of invoiced subscriptions."})

    submitted.submit()

    open_ones = [str(each.requirement) for each in requirements_standing(submitted.version, AT) if not each.is_met]
    assert open_ones == ["Terms arr"]


def test_version_without_any_change_is_approved_at_once(submitted: Company) -> None:
    submitted.sign_all()
    flip_active_version(version=submitted.version, actor=submitted.priya, at=AT)
    draft = start_draft(framework=submitted.version.framework, actor=submitted.ravi, at=AT)

    assert submit_version(version=draft, actor=submitted.ravi, at=AT).state == "approved"


def test_impact_is_signed_anew_in_every_round(company: Company) -> None:
    policy = company.body("policy", "signoff")
    policy["requirements"][2]["include_impact"] = True
    company.save("policy", "signoff", policy)
    company.submit()
    company.sign("carol")
    assert standing(company, "playbooks").is_met

    send_back(company)
    company.submit()

    assert not standing(company, "playbooks").is_met


def test_approval_older_than_its_freshness_no_longer_counts(company: Company) -> None:
    policy = company.body("policy", "signoff")
    policy["requirements"][2]["freshness_days"] = 30
    company.save("policy", "signoff", policy)
    company.submit()
    company.sign("carol")

    def at(days: int) -> RequirementStanding:
        return requirements_standing(company.version, AT + timedelta(days=days))[-1]

    assert at(30).is_met
    assert (at(31).is_met, at(31).lapsed) == (False, ("Carol signed more than 30 days ago.",))


def test_signer_who_loses_the_role_no_longer_counts(submitted: Company) -> None:
    submitted.sign("tomas")
    assert standing(submitted, "rules", "tier").is_met

    submitted.tomas.groups.clear()

    after = standing(submitted, "rules", "tier")
    assert (after.is_met, after.is_blocked) == (False, True)
    assert after.lapsed == ("Tomas can no longer sign for RevOps.",)


def test_sign_off_taken_back_no_longer_counts_and_stays_written(submitted: Company) -> None:
    submitted.sign_all()

    withdraw_signoff(
        requirement=submitted.requirement("terms", "arr"),
        signer=submitted.nadia,
        reason="Finance has to look again.",
        authentication="password",
        authenticated_at=AT,
        at=AT,
    )

    assert FrameworkVersion.objects.get(pk=submitted.version.pk).state == "in_review"
    assert [each.name for each in standing(submitted, "terms", "arr").missing] == ["Nadia"]
    decisions = Signoff.objects.filter(signer=submitted.nadia, part_key="arr").order_by("pk")
    assert list(decisions.values_list("decision", flat=True)) == ["approve", "withdraw"]


def test_sign_off_taken_back_after_activation_is_an_objection_only(submitted: Company) -> None:
    submitted.sign_all()
    flip_active_version(version=submitted.version, actor=submitted.priya, at=AT)

    row = withdraw_signoff(
        requirement=submitted.requirement("terms", "arr"),
        signer=submitted.nadia,
        reason="Finance has to look again.",
        authentication="password",
        authenticated_at=AT,
        at=AT,
    )

    assert row.meaning == "objection"
    assert FrameworkVersion.objects.get(pk=submitted.version.pk).is_active


def test_taking_back_what_was_never_given_conflicts(submitted: Company) -> None:
    before = trace(submitted)

    with pytest.raises(ConflictError):
        withdraw_signoff(
            requirement=submitted.requirement("terms", "arr"),
            signer=submitted.nadia,
            reason="Finance has to look again.",
            authentication="password",
            authenticated_at=AT,
            at=AT,
        )

    assert trace(submitted) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE frameworks_signoff SET decision = 'approve'",
        "DELETE FROM frameworks_signoff",
        "UPDATE frameworks_requirement SET minimum = 0",
        "DELETE FROM frameworks_requirement_pool",
    ],
)
def test_sign_offs_and_requirements_are_refused_to_change_by_the_database(submitted: Company, statement: str) -> None:
    submitted.sign("marcus", submitted.answers("marcus", "reject", "Usage is not recurring."))
    before = list(Signoff.objects.values())

    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert list(Signoff.objects.values()) == before
    assert submitted.requirement("terms", "arr").pool.count() == 3


def test_standing_takes_the_same_queries_for_one_part_and_for_many(
    company: Company, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        company.save("term", f"t{number}", {"label": f"T {number}", "wording": f"Wording {number}."})
    company.submit()
    company.sign("marcus")

    with django_assert_max_num_queries(8):
        assert len(requirements_standing(company.version, AT)) == 46


@pytest.mark.django_db(transaction=True)
def test_twenty_people_signing_at_once_lose_nothing(transactional_db: None) -> None:
    company = Company()
    names = [f"person{number}" for number in range(20)]
    company.people |= {name: person(name, "stakeholder") for name in names}
    company.submit()
    answers = {name: company.answers(name) for name in names}
    failures: list[Exception] = []

    def sign_as(name: str) -> None:
        try:
            sign(
                version=FrameworkVersion.objects.get(pk=company.version.pk),
                decisions=answers[name],
                signer=company.people[name],
                authentication="password",
                authenticated_at=AT,
                at=AT,
            )
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=sign_as, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert Signoff.objects.count() == 40
    for name in ("priya", "marcus", "nadia", "tomas", "carol"):
        company.sign(name)
    assert company.version.state == "approved"
