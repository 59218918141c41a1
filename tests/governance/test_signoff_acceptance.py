"""What agreement has to survive, each point on every way in that there is: page, API, admin, ORM, SQL.

The services behind the pages have tables of their own: an edit voids exactly what it touches, a no-op save and a
label edit void nothing (tests/frameworks/test_signing.py), a rebase voids nothing (test_rebasing.py), figures
outside the tolerance are asked again (test_impact_binding.py), delegates (test_delegation.py), a stale page gets
409 with the difference (test_pages.py). Time that passes by itself is in test_signoff_lifecycle.py.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import Error, connection, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from frameworks.errors import ConflictError, InvalidError
from frameworks.models import Framework, FrameworkVersion, Part, PartBody, Signoff, User
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import assumed_parts, delete_part, start_draft
from frameworks.services.review import policy_problems, submit_version
from frameworks.services.signing import sign
from frameworks.standing import requirements_standing
from governance.models import AuditEntry
from governance.services.inbox import waiting_for
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import AT, Company, person
from tests.frameworks.pages import text, url

PASSWORD = "correct horse"


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture
def submitted(company: Company) -> Company:
    company.submit()
    return company


@pytest.fixture
def approved(submitted: Company) -> Company:
    submitted.sign_all()
    return submitted


def trace() -> tuple[Any, ...]:
    """What a refusal must leave as it was."""
    versions = list(FrameworkVersion.objects.order_by("pk").values_list("state", "round", "manifest_digest"))
    pointers = list(Framework.objects.values_list("active_version"))
    parts = list(Part.objects.order_by("pk").values_list("pk", "body_id"))
    return versions, pointers, parts, list(Signoff.objects.values_list("pk")), AuditEntry.objects.count()


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post_answers(client: Client, company: Company, *, wanted: str = "yes") -> Any:
    """Open the sign-off page, answer all of it and sign with the password."""
    html = client.get(url(company, "signing")).content.decode()
    form = dict(re.findall(r'name="((?:digest|seen)-\d+|impact)" value="([0-9a-f]*)"', html))
    form |= {f"answer-{number}": wanted for number in re.findall(r'data-term="(\d+)"', html)}
    return client.post(url(company, "signing"), {**form, "password": PASSWORD})


# Who signs


def make_author(company: Company) -> User:
    return company.ravi


def make_contributor(company: Company) -> User:
    """Asked by the policy, but wrote a part."""
    company.nadia.groups.add(Group.objects.get(name="architect"))
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Nadia's text."}, actor=company.nadia)
    return company.nadia


def make_superuser(company: Company) -> User:
    return person("root", is_superuser=True, is_staff=True)


SIGNERS = pytest.mark.parametrize("make_signer", [make_author, make_contributor, make_superuser])


def with_pool(company: Company) -> None:
    """The policy asks Priya and Marcus, so that a contributor among the stakeholders leaves enough."""
    policy = company.body("policy", "signoff")
    lines = [{**line, "minimum": 1} if line["code"] == "terms" else line for line in policy["requirements"]]
    company.save("policy", "signoff", {**policy, "requirements": lines})


@SIGNERS
def test_page_refuses_who_is_not_independent_with_the_reason(
    company: Company, make_signer: Callable[[Company], User]
) -> None:
    with_pool(company)
    signer = make_signer(company)
    company.submit()
    asked = company.requirement("terms", "arr")
    digest = next(each.digest for each in requirements_standing(company.version, AT) if each.requirement == asked)
    before = trace()

    form = {f"digest-{asked.pk}": digest, f"answer-{asked.pk}": "yes", "password": PASSWORD, "impact": ""}
    response = browser(signer).post(url(company, "signing"), form)

    assert response.status_code == 403
    assert re.search("wrote or changed parts|None of your roles|signed by Stakeholder", text(response))
    assert trace() == before


@SIGNERS
def test_orm_and_sql_refuse_who_is_not_independent(
    company: Company,
    make_signer: Callable[[Company], User],
    application_role: Callable[[], AbstractContextManager[None]],
) -> None:
    with_pool(company)
    signer = make_signer(company)
    company.submit()
    row = company.sign("priya")[0]
    before = trace()

    with pytest.raises(Error), application_role():
        Signoff.objects.create(
            **{
                field.attname: getattr(row, field.attname)
                for field in Signoff._meta.fields
                if field.name not in ("id", "uuid", "signer")
            },
            signer=signer,
        )

    assert trace() == before


@pytest.mark.parametrize("owner", ["author", "stakeholder", "program"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_token_signs_and_governs_nothing(submitted: Company, owner: str, method: str) -> None:
    people = {"author": submitted.ravi, "stakeholder": submitted.priya}
    service = people.get(owner) or make_service()
    User.objects.filter(pk=service.pk).update(is_service=True)
    service.refresh_from_db()
    api = Api(make_token(service, "frameworks:read"), Client())
    place = f"/api/v1/framework-versions/{submitted.version.uuid}"
    before = trace()

    for path in (place, f"{place}/sign", f"{place}/activate", f"{place}/parts"):
        assert api.send(method, path, {"state": "activated"}).status_code in (404, 405)
    headers = {"Authorization": f"Bearer {api.token}"}
    assert Client().post(url(submitted, "signing"), {"password": PASSWORD}, headers=headers).status_code == 302

    assert trace() == before


def test_admin_neither_signs_nor_changes_what_was_signed(submitted: Company) -> None:
    submitted.sign("marcus")
    client = browser(make_superuser(submitted))
    before = trace()
    before_entries = before[:-1]

    for model in ("signoff", "requirement", "part", "frameworkversion", "framework"):
        row = {"signoff": Signoff, "part": Part, "frameworkversion": FrameworkVersion, "framework": Framework}.get(
            model
        )
        key = row.objects.first().pk if row else submitted.requirement("terms", "arr").pk  # type: ignore[attr-defined]
        listing = reverse(f"admin:frameworks_{model}_changelist")
        assert client.post(reverse(f"admin:frameworks_{model}_add"), {"state": "activated"}).status_code == 403
        assert client.post(reverse(f"admin:frameworks_{model}_change", args=[key]), {"state": "x"}).status_code == 403
        assert client.post(reverse(f"admin:frameworks_{model}_delete", args=[key]), {"post": "yes"}).status_code == 403
        client.post(listing, {"action": "delete_selected", "_selected_action": [key], "post": "yes"})
        client.post(listing, {"form-TOTAL_FORMS": "1", "form-0-id": key, "form-0-state": "activated", "_save": "x"})

    assert trace()[:-1] == before_entries


# Frozen versions


def test_frozen_part_is_refused_by_page_and_named(approved: Company) -> None:
    part = approved.part("term", "arr")
    client = browser(approved.ravi)
    before = trace()

    address = url(approved, "part_edit", kind="term", key="arr")
    form = {"digest": part.body_id, "key": "arr", "text": "label: ARR\nwording: Another.\n"}
    edited = client.post(f"{address}?as=text", form)
    deleted = client.post(url(approved, "part_delete", kind="term", key="arr"), {"digest": part.body_id})

    assert (edited.status_code, deleted.status_code) == (409, 409)
    assert "frozen" in text(edited)
    assert trace() == before


ORM: list[Callable[[Company], Any]] = [
    lambda company: company.part("term", "arr").delete(),
    lambda company: Part.objects.filter(version=company.version).delete(),
    lambda company: Part.objects.filter(key="arr").update(body=PartBody.objects.exclude(kind="term")[0]),
    lambda company: Part.objects.create(
        version=company.version, kind="term", key="new", body=PartBody.objects.all()[0]
    ),
    lambda company: Part.objects.bulk_create(
        [Part(version=company.version, kind="term", key="arr", body=PartBody.objects.all()[0])],
        update_conflicts=True,
        unique_fields=["version", "kind", "key"],
        update_fields=["body"],
    ),
    lambda company: PartBody.objects.update(body={}),
    lambda company: company.version.delete(),
]


@pytest.mark.parametrize("change", ORM)
def test_frozen_version_is_refused_by_the_database(
    approved: Company,
    change: Callable[[Company], Any],
    application_role: Callable[[], AbstractContextManager[None]],
) -> None:
    before = trace()

    with pytest.raises((Error, ProtectedError)), transaction.atomic():
        change(approved)
    with pytest.raises((Error, ProtectedError)), application_role():
        change(approved)

    assert trace() == before


# Activation

SPOILS: dict[str, Callable[[Company], Any]] = {
    "Tomas can no longer sign for RevOps": lambda company: company.tomas.groups.clear(),
    "Nadia can no longer sign for Stakeholder": lambda company: User.objects.filter(pk=company.nadia.pk).update(
        is_active=False
    ),
}


@pytest.mark.parametrize("said", SPOILS)
def test_role_removed_before_activation_blocks_on_the_page(approved: Company, said: str) -> None:
    SPOILS[said](approved)
    before = trace()

    place = reverse("governance:activate_version", args=["main", approved.version.number])
    response = browser(approved.priya).post(place)

    assert response.status_code == 409
    assert said in text(response)
    assert trace() == before


@pytest.mark.parametrize("state", ["in_review", "approved", "scheduled", "activated"])
def test_sql_cannot_put_an_unsigned_version_in_force(
    submitted: Company, state: str, application_role: Callable[[], AbstractContextManager[None]]
) -> None:
    submitted.sign("marcus")
    if state != "in_review":
        FrameworkVersion.objects.filter(pk=submitted.version.pk).update(state="approved")
    before = trace()

    with pytest.raises(Error, match=r"emergency only|Not everybody signed"), application_role():
        FrameworkVersion.objects.filter(pk=submitted.version.pk).update(state="activated")
    with pytest.raises(Error, match="that was not superseded can be in force"), application_role():
        Framework.objects.update(active_version=submitted.version)

    assert trace() == before


def test_sql_cannot_put_a_superseded_version_back_in_force(approved: Company) -> None:
    first = approved.version
    flip_active_version(version=first, actor=approved.priya, at=AT)
    second = start_draft(framework=first.framework, actor=approved.ravi, at=AT)
    submit_version(version=second, actor=approved.ravi, at=AT)
    flip_active_version(version=second, actor=approved.priya, at=AT)

    with pytest.raises(Error, match="superseded"), transaction.atomic():
        Framework.objects.update(active_version=first)

    assert Framework.objects.get().active_version == second


def test_signature_taken_back_keeps_sql_from_activating(approved: Company) -> None:
    client = browser(approved.nadia)
    asked = approved.requirement("terms", "arr")
    taken = client.post(
        url(approved, "signing_withdraw", requirement=asked.pk), {"reason": "Look again.", "password": PASSWORD}
    )
    assert taken.status_code == 302
    FrameworkVersion.objects.filter(pk=approved.version.pk).update(state="approved")

    with pytest.raises(Error, match="Not everybody signed: Terms arr"), transaction.atomic():
        FrameworkVersion.objects.filter(pk=approved.version.pk).update(state="activated")

    assert FrameworkVersion.objects.get().state == "approved"


def test_reject_on_the_page_leaves_the_active_version_serving(approved: Company) -> None:
    first = approved.version
    flip_active_version(version=first, actor=approved.priya, at=AT)
    approved.version = start_draft(framework=first.framework, actor=approved.ravi, at=AT)
    approved.save("term", "arr", {**approved.body("term", "arr"), "wording": "Another."})
    approved.submit()

    response = browser(approved.priya).post(url(approved, "version_reject"), {"reason": "Not this year."})

    approved.version.refresh_from_db()
    assert response.status_code == 302
    assert (approved.version.state, approved.version.state_reason) == ("rejected", "Priya: Not this year.")
    assert Framework.objects.get().active_version == first


# Policy


def changed_policy(company: Company) -> dict[str, Any]:
    body = company.body("policy", "signoff")
    return {**body, "requirements": [{**line, "minimum": 1} for line in body["requirements"]]}


def test_changed_policy_is_confirmed_by_a_second_person(
    approved: Company, application_role: Callable[[], AbstractContextManager[None]]
) -> None:
    flip_active_version(version=approved.version, actor=approved.priya, at=AT)
    approved.version = start_draft(framework=approved.version.framework, actor=approved.ravi, at=AT)
    part = approved.save("policy", "signoff", changed_policy(approved))
    form = {"part": f"policy/signoff@{part.body_id}", "evidence": "Agreed in the council."}
    before = trace()

    own = browser(approved.ravi).post(url(approved, "parts_confirm"), form)
    with pytest.raises(InvalidError, match="The sign-off policy was changed"):
        submit_version(version=approved.version, actor=approved.ravi, at=AT)
    with pytest.raises(Error, match="second person"), application_role():
        approved.version.framework.confirmations.create(
            kind="policy",
            key="signoff",
            body_id=part.body_id,
            state="confirmed",
            evidence="x",
            confirmed_by=approved.ravi,
            printed_name="Ravi",
            confirmed_at=AT,
        )

    assert own.status_code == 403
    assert "a second person confirms it" in text(own)
    assert trace() == before
    assert browser(approved.tomas).post(url(approved, "parts_confirm"), form).status_code == 302
    assert submit_version(version=approved.version, actor=approved.ravi, at=AT).round == 1


LIMITS = {
    "policy": "limits",
    "max_dimensions": 5,
    "max_segments_per_dimension": 5,
    "max_segments_in_all": 15,
    "warn_segment_accounts": 0,
    "min_segment_accounts": 0,
    "min_populated": "0",
}


@pytest.fixture
def without_limits(company: Company) -> Company:
    """A version with a policy more is in force, and Ravi took that policy out of the next draft."""
    company.save("policy", "limits", LIMITS)
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    take_out(company, company.ravi)
    return company


def take_out(company: Company, actor: User, at: datetime = AT) -> None:
    digest = company.part("policy", "limits").body_id
    delete_part(
        version=company.version,
        kind="policy",
        key="limits",
        expected_digest=digest,
        actor=actor,
        at=at,
        source="page",
    )


def removal_form(company: Company) -> dict[str, str]:
    digest = company.part("policy", "limits", company.version.base_version).body_id
    return {"part": f"policy/limits@{digest}", "evidence": "Agreed in the council."}


def test_removed_policy_is_confirmed_by_a_second_person(
    without_limits: Company, application_role: Callable[[], AbstractContextManager[None]]
) -> None:
    company, form, before = without_limits, removal_form(without_limits), trace()

    own = browser(company.ravi).post(url(company, "parts_confirm"), form)
    with pytest.raises(InvalidError, match="The limits policy was taken out: a second person has to confirm that"):
        submit_version(version=company.version, actor=company.ravi, at=AT)
    with pytest.raises(Error, match="second person"), application_role():
        company.version.framework.confirmations.create(
            kind="policy",
            key="limits",
            body_id=form["part"].partition("@")[2],
            state="removed",
            evidence="x",
            confirmed_by=company.ravi,
            printed_name="Ravi",
            confirmed_at=AT,
        )

    assert own.status_code == 403
    assert "You took the limits policy out yourself" in text(own)
    assert trace() == before
    assert browser(company.tomas).post(url(company, "parts_confirm"), form).status_code == 302
    assert submit_version(version=company.version, actor=company.ravi, at=AT).round == 1
    entry = AuditEntry.objects.filter(action="parts.confirmed").latest("pk")
    assert entry.after == {"parts": [], "removed": ["policy limits"]}


def test_refused_confirmation_keeps_what_was_typed_and_ticked(without_limits: Company) -> None:
    company, form, before = without_limits, removal_form(without_limits), trace()
    company.save("term", "arr", {"label": "ARR", "wording": "Another."})
    term = f"term/arr@{company.part('term', 'arr').body_id}"
    before = trace()

    address, both = url(company, "parts_confirm"), [form["part"], term]
    short = browser(company.tomas).post(address, {**form, "evidence": "No"})
    own = browser(company.ravi).post(address, {"part": both, "evidence": "Agreed in the council."})

    for answer, status, said in ((short, 422, "in 10 characters at least"), (own, 403, "out yourself")):
        assert (answer.status_code, said in text(answer)) == (status, True)
        assert b"data-dialog-opened" in answer.content
    assert re.search(r">\s*No</textarea>", short.content.decode())
    assert f'value="{form["part"]}" checked' in short.content.decode()
    assert f'value="{term}" checked' not in short.content.decode()
    assert f'value="{term}" checked' in own.content.decode()
    assert trace() == before


def test_removal_is_asked_about_on_the_draft_and_in_the_inbox_of_a_second_person(without_limits: Company) -> None:
    company = without_limits

    titles = {name: [item.title for item in waiting_for(company.people[name], AT)] for name in ("ravi", "tomas")}
    page = text(browser(company.tomas).get(url(company, "version_detail")))
    own_page = text(browser(company.ravi).get(url(company, "version_detail")))

    asked = "Confirm that the limits policy leaves v1 of Customer segmentation"
    assert asked in titles["tomas"]
    assert asked not in titles["ravi"]
    assert "The limits policy was taken out: a second person has to confirm that." in page
    assert "Confirm 1 removal" in page
    assert "yours: a second person confirms it" not in page
    assert "yours: a second person confirms it" in own_page
    browser(company.tomas).post(url(company, "parts_confirm"), removal_form(company))
    assert asked not in [item.title for item in waiting_for(company.tomas, AT)]
    history = text(browser(company.tomas).get(url(company, "version_history")))
    assert "confirmed the removal of limits policy. “Agreed in the council.”" in history


def test_removal_confirmed_once_does_not_count_when_the_policy_came_back_and_is_removed_again(
    without_limits: Company,
) -> None:
    company = without_limits
    browser(company.tomas).post(url(company, "parts_confirm"), removal_form(company))
    later = timezone.now() + timedelta(days=1)
    assert policy_problems(company.version) == []

    company.save("policy", "limits", LIMITS)
    assert policy_problems(company.version) == []
    assert "limits" not in {part.key for part in assumed_parts(company.version)}
    take_out(company, company.ravi, later)

    assert policy_problems(company.version) == ["The limits policy was taken out: a second person has to confirm that."]


def test_policy_changed_in_a_later_draft_leaves_the_open_round_as_it_was(submitted: Company) -> None:
    before = [(each.code, each.minimum) for each in submitted.version.requirements.order_by("pk")]
    first = submitted.version
    submitted.sign_all()
    flip_active_version(version=first, actor=submitted.priya, at=AT)
    submitted.version = start_draft(framework=first.framework, actor=submitted.ravi, at=AT)
    submitted.save("policy", "signoff", changed_policy(submitted))

    assert [(each.code, each.minimum) for each in first.requirements.order_by("pk")] == before


# People


def delete_by_sql(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DELETE FROM frameworks_user WHERE id = %s", [user.pk])


def test_deleting_a_person_is_refused_and_their_signatures_stay_printable(approved: Company) -> None:
    root = browser(make_superuser(approved))
    with pytest.raises(ProtectedError), transaction.atomic():
        approved.marcus.delete()
    with pytest.raises(Error), transaction.atomic():
        delete_by_sql(approved.marcus)
    deleted = root.post(reverse("admin:frameworks_user_delete", args=[approved.marcus.pk]), {"post": "yes"})

    User.objects.filter(pk=approved.marcus.pk).update(is_active=False, name="Somebody else", email="gone@x.example")
    printed = text(browser(approved.leah).get(url(approved, "signing_manifest")))

    assert deleted.status_code == 403
    assert "Marcus" in printed
    assert "Somebody else" not in printed


# At once


def at_once(work: list[Callable[[], Any]]) -> list[Exception]:
    """Everything at the same moment, each in a thread with a connection of its own."""
    failures: list[Exception] = []
    gate = Barrier(len(work))

    def run(act: Callable[[], Any]) -> None:
        try:
            gate.wait()
            act()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=[act]) for act in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.django_db(transaction=True)
def test_fifty_people_signing_at_once_lose_nothing(transactional_db: None) -> None:
    company = Company()
    names = [f"person{number}" for number in range(50)]
    company.people |= {name: person(name, "stakeholder") for name in names}
    company.submit()
    answers = {name: company.answers(name) for name in names}

    def signing_as(name: str) -> Callable[[], Any]:
        return lambda: sign(
            version=FrameworkVersion.objects.get(pk=company.version.pk),
            decisions=answers[name],
            signer=company.people[name],
            authentication="password",
            authenticated_at=AT,
            at=AT,
        )

    failures = at_once([signing_as(name) for name in names])

    assert failures == []
    assert Signoff.objects.count() == 100
    company.sign_all()
    assert company.version.state == "approved"


@pytest.mark.django_db(transaction=True)
def test_two_drafts_that_race_for_review_conflict(transactional_db: None) -> None:
    company = Company()
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    drafts = [start_draft(framework=company.version.framework, actor=company.ravi, at=AT) for _ in range(2)]
    for draft in drafts:
        company.version = draft
        company.save("term", "arr", {**company.body("term", "arr"), "wording": f"Of {draft}."})
        company.confirm()

    failures = at_once(
        [
            lambda pk=draft.pk: submit_version(  # type: ignore[misc]
                version=FrameworkVersion.objects.get(pk=pk), actor=company.ravi, at=AT
            )
            for draft in drafts
        ]
    )

    assert [type(error) for error in failures] == [InvalidError]
    assert "one version is reviewed at a time" in str(failures[0])
    assert sorted(FrameworkVersion.objects.values_list("state", flat=True)) == ["activated", "draft", "in_review"]


@pytest.mark.django_db(transaction=True)
def test_two_activations_at_once_have_one_winner(transactional_db: None) -> None:
    company = Company()
    company.submit()
    company.sign_all()

    failures = at_once(
        [
            lambda: flip_active_version(
                version=FrameworkVersion.objects.get(pk=company.version.pk), actor=company.priya, at=AT
            )
        ]
        * 5
    )

    assert [type(error) for error in failures] == [ConflictError] * 4
    assert AuditEntry.objects.filter(action="version.activated").count() == 1


def test_reading_any_of_the_pages_changes_nothing(approved: Company) -> None:
    client = browser(approved.priya)
    before = trace()

    for name in ("version_detail", "signing", "signing_manifest", "version_rebase", "version_recertify"):
        assert client.get(url(approved, name)).status_code == 200
    for name in ("version_schedule", "version_unschedule", "version_rollback", "version_submit"):
        assert client.get(url(approved, name)).status_code == 405
    assert client.get(reverse("governance:activate_in_emergency", args=["main", 0])).status_code == 405
    assert client.get(reverse("frameworks:delegations")).status_code == 200

    assert trace() == before


def test_page_signs_the_figures_it_showed(submitted: Company) -> None:
    response = post_answers(browser(submitted.marcus), submitted)

    assert response.status_code == 302
    assert {row.printed_name for row in Signoff.objects.all()} == {"Marcus"}
