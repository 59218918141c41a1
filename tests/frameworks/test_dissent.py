"""Approved over dissent: only where the policy says so, by its role, in writing; and the No stays printed."""

from datetime import timedelta
from typing import Any, cast

import pytest
from django.db import Error, connection, transaction

from frameworks.attested import attested_digest
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.models import FrameworkVersion, Requirement, Signoff
from frameworks.parts import PartError, level_digests, parse_part
from frameworks.services.activation import activation_blockers, flip_active_version
from frameworks.services.overruling import overrule_dissent, withdraw_overruling
from frameworks.services.review import request_changes
from frameworks.standing import requirements_standing
from governance.models import AuditEntry
from tests.frameworks.making import AT, POLICY, Company
from tests.frameworks.making import person as make_person
from tests.frameworks.pages import text, url

WHY = "The board decided on this wording in its meeting."
NO = "We count signed contracts, not subscriptions."


def allowing(role: str | None = "executive") -> dict[str, Any]:
    first, *others = cast(list[dict[str, Any]], POLICY["requirements"])
    return {**POLICY, "requirements": [{**first, **({"dissent_role": role} if role else {})}, *others]}


def disputed(company: Company, role: str | None = "executive") -> Company:
    """In review; Marcus says No to ARR and everybody else Yes to everything."""
    company.save("policy", "signoff", allowing(role))
    company.submit()
    arr = company.requirement("terms", "arr")
    for name in ("priya", "nadia", "tomas", "carol"):
        company.sign(name)
    answers = company.answers("marcus")
    company.sign(
        "marcus",
        [each._replace(decision="reject", reason=NO) if each.requirement_id == arr.pk else each for each in answers],
    )
    company.version.refresh_from_db()
    return company


@pytest.fixture
def dispute(company: Company) -> Company:
    return disputed(company)


def arr(company: Company) -> Requirement:
    return company.requirement("terms", "arr")


def standing(company: Company) -> Any:
    return next(each for each in requirements_standing(company.version, AT) if each.requirement == arr(company))


def overrule(company: Company, name: str = "priya", **changes: Any) -> Signoff:
    given: dict[str, Any] = {
        "requirement": arr(company),
        "expected_digest": standing(company).digest,
        "reason": WHY,
        "signer": company.people[name],
        "authentication": "password",
        "authenticated_at": AT,
        "at": AT,
    }
    return overrule_dissent(**(given | changes))


def test_policy_without_the_switch_keeps_its_digests() -> None:
    assert level_digests("policy", allowing(None)) == level_digests("policy", POLICY)
    assert level_digests("policy", allowing())["semantic"] != level_digests("policy", POLICY)["semantic"]


@pytest.mark.parametrize("changed", [{"kinds": ["term", "segment"]}, {"per": "set"}])
def test_only_definitions_signed_one_by_one_can_be_approved_over_dissent(changed: dict[str, Any]) -> None:
    body = allowing()
    body["requirements"][0] |= changed

    with pytest.raises(PartError, match="Only definitions"):
        parse_part("policy", "signoff", body)


def test_nothing_is_activated_over_a_no_by_default(company: Company) -> None:
    disputed(company, role=None)

    with pytest.raises(NotAllowedError, match="lets nobody approve over a No"):
        overrule(company)

    assert any("Marcus said No" in blocker for blocker in activation_blockers(company.version, AT))
    assert not Signoff.objects.filter(decision="overrule").exists()


def test_executive_approves_over_dissent_and_the_version_is_approved(dispute: Company) -> None:
    assert dispute.version.state == "in_review"

    row = overrule(dispute)

    dispute.version.refresh_from_db()
    now = standing(dispute)
    assert (dispute.version.state, now.is_met, now.is_disputed) == ("approved", True, False)
    assert [given.printed_name for given in now.rejections] == ["Marcus"]
    assert (row.meaning, row.reason, row.signer) == ("over dissent", WHY, dispute.priya)
    assert "over the dissent of Marcus" in row.statement
    entry = AuditEntry.objects.get(action="version.dissent_overruled")
    assert entry.after["dissent"] == [f"Marcus: {NO}"]


def test_version_approved_over_dissent_is_activated(dispute: Company) -> None:
    overrule(dispute)
    dispute.version.refresh_from_db()

    framework = flip_active_version(version=dispute.version, actor=dispute.priya, at=AT)

    assert framework.active_version == dispute.version


def test_executives_own_answer_still_counts_after_the_overruling(dispute: Company) -> None:
    overrule(dispute)

    assert standing(dispute).answer_of(dispute.priya.pk).decision == "approve"


def test_newer_no_is_not_covered(dispute: Company) -> None:
    overrule(dispute)
    last = Signoff.objects.get(decision="reject")
    Signoff.objects.bulk_create([copy_of(last, signer=dispute.nadia, printed_name="Nadia")])

    now = standing(dispute)

    assert (now.is_met, now.is_disputed) == (False, True)


def copy_of(signoff: Signoff, **changes: Any) -> Signoff:
    fields = {field.name: getattr(signoff, field.name) for field in Signoff._meta.concrete_fields}
    for name in ("id", "uuid"):
        del fields[name]
    return Signoff(**(fields | changes))


def test_other_wording_asks_everybody_again(dispute: Company) -> None:
    overrule(dispute)
    request_changes(version=dispute.version, actor=dispute.priya, at=AT, reason="Reword it after all.")
    dispute.save("term", "arr", {"label": "ARR", "wording": "Another wording.", "owner": "Finance"})
    dispute.submit()

    now = standing(dispute)

    assert (now.overruled_by, now.approvals, now.rejections) == (None, (), ())


def test_overruling_goes_on_counting_in_the_next_round_while_nothing_changes(dispute: Company) -> None:
    overrule(dispute)
    request_changes(version=dispute.version, actor=dispute.priya, at=AT, reason="Another term needs work.")
    dispute.save("term", "account", {"label": "Account", "wording": "A company we sell to."})
    dispute.submit()

    assert standing(dispute).is_met


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nadia", "Only Executive"),
        ("tomas", "Only Executive"),
        ("marcus", "said No yourself"),
        ("ravi", "wrote or changed parts"),
    ],
)
def test_others_cannot_approve_over_dissent(dispute: Company, name: str, message: str) -> None:
    count = Signoff.objects.count()

    with pytest.raises(NotAllowedError, match=message):
        overrule(dispute, name)

    assert Signoff.objects.count() == count
    assert FrameworkVersion.objects.get(pk=dispute.version.pk).state == "in_review"


def test_executive_who_said_no_cannot_approve_over_it(dispute: Company) -> None:
    dispute.marcus.groups.add(dispute.priya.groups.get(name="executive"))

    with pytest.raises(NotAllowedError, match="said No yourself"):
        overrule(dispute, "marcus")

    assert not standing(dispute).is_met


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"reason": "Because."}, InvalidError, "15 characters"),
        ({"expected_digest": "0" * 64}, StaleSignoffError, "ARR|arr"),
        ({"authenticated_at": AT - timedelta(minutes=6)}, NotAllowedError, "Confirm who you are again"),
        ({"authentication": "token"}, NotAllowedError, "API tokens cannot sign"),
    ],
)
def test_incomplete_overruling_is_refused(
    dispute: Company, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    count = Signoff.objects.count()

    with pytest.raises(error, match=message):
        overrule(dispute, **changes)

    assert Signoff.objects.count() == count


def test_undisputed_term_has_nothing_to_approve_over(dispute: Company) -> None:
    overrule(dispute)

    with pytest.raises(ConflictError, match="Nobody disputes"):
        overrule(dispute)

    assert Signoff.objects.filter(decision="overrule").count() == 1


def test_overruling_ends_with_the_role_of_its_signer(dispute: Company) -> None:
    overrule(dispute)

    dispute.priya.groups.set([dispute.marcus.groups.get(name="stakeholder")])

    assert standing(dispute).is_disputed


# --- SQL


def row_by_sql(company: Company, signer: str) -> None:
    """A row past the service, as the application's role would write it."""
    last = Signoff.objects.get(decision="reject")
    person = company.people[signer]
    with transaction.atomic():
        copy_of(
            last, signer=person, printed_name=person.name, decision="overrule", meaning="over dissent", reason=WHY
        ).save(force_insert=True)


@pytest.mark.parametrize("name", ["nadia", "tomas", "ravi", "marcus"])
def test_database_refuses_an_overruling_by_others(dispute: Company, name: str) -> None:
    dispute.marcus.groups.add(dispute.priya.groups.get(name="executive"))
    dispute.ravi.groups.add(dispute.priya.groups.get(name="executive"))

    with pytest.raises(Error):
        row_by_sql(dispute, name)

    assert not Signoff.objects.filter(decision="overrule").exists()


def test_database_refuses_an_overruling_that_no_policy_allows(company: Company) -> None:
    disputed(company, role=None)

    with pytest.raises(Error, match="Only the role that the policy names"):
        row_by_sql(company, "priya")


def move_by_sql(company: Company, state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE frameworks_frameworkversion SET state = %s WHERE id = %s", [state, company.version.pk])


def test_database_refuses_to_activate_over_a_no(dispute: Company) -> None:
    move_by_sql(dispute, "approved")

    with pytest.raises(Error, match="Not everybody signed"), transaction.atomic():
        move_by_sql(dispute, "activated")

    assert FrameworkVersion.objects.get(pk=dispute.version.pk).state == "approved"


def test_overruling_is_written_once(dispute: Company) -> None:
    row = overrule(dispute)

    with pytest.raises(Error, match="written once"), transaction.atomic():
        Signoff.objects.filter(pk=row.pk).update(reason="Other words than these were said.")


# --- taking it back


def take_back(company: Company, name: str = "priya", **changes: Any) -> Signoff:
    given: dict[str, Any] = {
        "requirement": arr(company),
        "reason": "Marcus showed us the contracts.",
        "signer": company.people[name],
        "authentication": "password",
        "authenticated_at": AT,
        "at": AT,
    }
    return withdraw_overruling(**(given | changes))


def written(company: Company) -> tuple[int, int, str]:
    state = FrameworkVersion.objects.get(pk=company.version.pk).state
    return Signoff.objects.count(), AuditEntry.objects.count(), state


def test_approval_over_dissent_is_taken_back_and_the_no_counts_again(dispute: Company) -> None:
    overrule(dispute)

    row = take_back(dispute)

    dispute.version.refresh_from_db()
    now = standing(dispute)
    assert (dispute.version.state, now.is_disputed, now.overruled_by) == ("in_review", True, None)
    assert (row.decision, row.meaning) == ("withdraw", "over dissent")
    entry = AuditEntry.objects.get(action="version.overruling_withdrawn")
    assert (entry.before["because"], entry.reason) == (WHY, "Marcus showed us the contracts.")
    assert entry.after["signoffs"] == attested_digest([row])
    # Priya's own Yes to the definition was never taken back, and it can be approved over again.
    assert dispute.priya.pk in {given.signer_id for given in now.approvals}
    overrule(dispute)
    assert standing(dispute).is_met


def test_approval_that_was_taken_back_lets_nothing_into_force_by_sql(dispute: Company) -> None:
    overrule(dispute)
    take_back(dispute)
    move_by_sql(dispute, "approved")

    with pytest.raises(Error, match="Not everybody signed"), transaction.atomic():
        move_by_sql(dispute, "activated")

    assert FrameworkVersion.objects.get(pk=dispute.version.pk).state == "approved"


@pytest.mark.parametrize(
    ("name", "changes", "error", "words"),
    [
        ("marcus", {}, NotAllowedError, "Only whoever approved over the No, or the role Executive"),
        ("nadia", {}, NotAllowedError, "takes it back"),
        ("priya", {"reason": "  "}, InvalidError, "Say why"),
        ("priya", {"authenticated_at": AT - timedelta(minutes=6)}, NotAllowedError, "Confirm who you are again"),
        ("priya", {"authentication": "token"}, NotAllowedError, "API tokens cannot sign"),
    ],
)
def test_taking_it_back_is_refused(
    dispute: Company, name: str, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    overrule(dispute)
    before = written(dispute)

    with pytest.raises(error, match=words):
        take_back(dispute, name, **changes)

    assert written(dispute) == before
    assert standing(dispute).overruled_by


def test_there_is_nothing_to_take_back_twice_or_before_it_was_given(dispute: Company) -> None:
    with pytest.raises(ConflictError, match="nothing to take back"):
        take_back(dispute)
    overrule(dispute)
    take_back(dispute)

    with pytest.raises(ConflictError, match="nothing to take back"):
        take_back(dispute)


def test_nothing_is_taken_back_once_the_version_is_in_force(dispute: Company) -> None:
    overrule(dispute)
    dispute.version.refresh_from_db()
    flip_active_version(version=dispute.version, actor=dispute.priya, at=AT)
    before = written(dispute)

    with pytest.raises(ConflictError, match="nothing is taken back now"):
        take_back(dispute)

    assert written(dispute) == before


def test_another_executive_takes_it_back(dispute: Company) -> None:
    overrule(dispute)
    dispute.people["bo"] = make_person("bo", "executive")

    take_back(dispute, "bo")

    assert standing(dispute).is_disputed


# --- pages


def test_page_offers_it_to_the_executive_and_prints_the_dissent_everywhere(dispute: Company, login: Any) -> None:
    page = login(dispute.priya)
    term = url(dispute, "term_detail", key="arr")
    form = text(page.get(term))

    answer = page.post(
        url(dispute, "signing_overrule", requirement=arr(dispute).pk),
        {"digest": standing(dispute).digest, "reason": WHY, "password": "correct horse"},
    )

    assert "I approve the definition of ARR" in form
    assert answer.status_code == 302
    for address in (
        term,
        url(dispute, "version_alignment"),
        url(dispute, "version_detail"),
        url(dispute, "signing_manifest"),
        f"{url(dispute, 'version_detail')}?part=term/arr",
    ):
        shown = text(page.get(address))
        assert NO in shown, address
    assert "Approved over this dissent by Priya" in text(page.get(term))
    assert "Approved over this dissent by Priya" in text(page.get(url(dispute, "version_alignment")))
    assert "Over the dissent of Marcus" in text(page.get(url(dispute, "version_detail")))
    assert "Approved over dissent" in text(page.get(url(dispute, "signing_manifest")))


def test_page_takes_it_back(dispute: Company, login: Any) -> None:
    overrule(dispute)
    term, address = (
        url(dispute, "term_detail", key="arr"),
        url(dispute, "overruling_withdraw", requirement=arr(dispute).pk),
    )
    page = login(dispute.priya)
    offered, others = text(page.get(term)), text(login(dispute.nadia).get(term))
    refused = login(dispute.nadia).post(address, {"reason": "Why not.", "password": "correct horse"})
    unproven = login(dispute.priya).post(address, {"reason": "Why not.", "password": "wrong"})
    assert standing(dispute).overruled_by
    page = login(dispute.priya)
    done = page.post(address, {"reason": "Marcus is right.", "password": "correct horse"})

    assert ("Take it back" in offered, "Take it back" in others) == (True, False)
    assert (refused.status_code, unproven.status_code, done.status_code) == (403, 403, 302)
    assert standing(dispute).is_disputed
    assert "Approve over dissent" in text(page.get(term))


@pytest.mark.parametrize(("name", "password"), [("nadia", "correct horse"), ("priya", "wrong")])
def test_page_refuses_others_and_those_who_prove_nothing(
    dispute: Company, login: Any, name: str, password: str
) -> None:
    answer = login(dispute.people[name]).post(
        url(dispute, "signing_overrule", requirement=arr(dispute).pk),
        {"digest": standing(dispute).digest, "reason": WHY, "password": password},
    )

    assert answer.status_code == 403
    assert not Signoff.objects.filter(decision="overrule").exists()


def test_page_tells_others_that_the_policy_allows_it(dispute: Company, login: Any) -> None:
    shown = text(login(dispute.nadia).get(url(dispute, "term_detail", key="arr")))

    assert "Only Executive" in shown
    assert "I approve the definition" not in shown
