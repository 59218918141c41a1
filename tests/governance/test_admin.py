"""The admin decides through services only: dialogs that post, no forms, no deletes, no lookups past the filters."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.models import Account, Override
from frameworks.admin_base import BaseAdmin
from frameworks.models import User
from frameworks.roles import Role
from governance.models import ApiToken, AuditEntry, Decision, OverrideRequest
from governance.navigation import ADMIN_SECTIONS, admin_sections
from governance.services.tokens import issue_token
from tests.governance.makers import AT, ask, make_account

State = OverrideRequest.State


@pytest.fixture(autouse=True)
def today() -> Any:
    with time_machine.travel(AT + timedelta(hours=1), tick=False):
        yield


@pytest.fixture
def sign_in(client: Client) -> Callable[[User], Client]:
    def as_person(user: User) -> Client:
        client.force_login(user)
        return client

    return as_person


def dialog(request: OverrideRequest, act: str) -> str:
    return f"/admin/governance/overriderequest/{request.pk}/{act}/"


def filled(request: OverrideRequest, reason: str = "Fits the policy.") -> dict[str, Any]:
    return {"_form_submitted": "True", "reason": reason, "expected_version": request.version}


def unchanged(request: OverrideRequest) -> bool:
    request.refresh_from_db()
    return (request.state, request.version, Decision.objects.count()) == (State.SUBMITTED, 1, 0)


# The base


def test_every_model_of_the_admin_stands_on_our_base():
    strangers = [model for model, model_admin in admin.site._registry.items() if not isinstance(model_admin, BaseAdmin)]

    assert strangers == []


def test_every_model_of_the_admin_has_its_place_in_the_sidebar():
    placed = [label for entries in ADMIN_SECTIONS.values() for label in entries]

    assert sorted(placed) == sorted(model._meta.label_lower for model in admin.site._registry)


def test_sidebar_of_the_admin_shows_what_the_person_may_see(rf, people, request_by_leah):
    request = rf.get("/admin/")
    request.user = people.dana

    sections = {section["title"]: section["items"] for section in admin_sections(request)}

    assert list(sections) == ["Decide", "Frameworks", "Accounts", "Watch"]
    assert (sections["Decide"][0]["title"], sections["Decide"][0]["badge"]) == ("Override requests", "1")
    assert [item["title"] for item in sections["Watch"]] == ["Heartbeats"]


def test_nobody_deletes_anything(rf, people):
    request = rf.get("/")
    request.user = people.root

    assert not [
        model for model, model_admin in admin.site._registry.items() if model_admin.has_delete_permission(request)
    ]


def test_only_people_are_added_and_changed_by_forms(rf, people):
    request = rf.get("/")
    request.user = people.root

    addable = {model for model, each in admin.site._registry.items() if each.has_add_permission(request)}
    changeable = {model for model, each in admin.site._registry.items() if each.has_change_permission(request)}

    assert (addable, changeable) == ({User}, {User})


def test_every_page_of_the_admin_opens_for_a_superuser(sign_in, people, request_by_leah, model):
    browser = sign_in(people.root)

    for registered in admin.site._registry:
        meta = registered._meta
        answer = browser.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"))
        assert answer.status_code == 200, registered
        row = registered._default_manager.first()
        if row:
            page = browser.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]))
            assert page.status_code == 200, registered


@pytest.mark.parametrize(
    "path",
    [
        "/admin/frameworks/user/?password__startswith=argon2",
        "/admin/accounts/account/?csm__password__startswith=a",
        "/admin/governance/apitoken/?digest__startswith=a",
        "/admin/governance/overriderequest/?requested_by__password__contains=a",
        "/admin/governance/auditentry/?actor__email=a",
    ],
)
def test_lookup_past_the_filters_is_refused(sign_in, people, path):
    assert sign_in(people.root).get(path).status_code == 400


def test_filters_themselves_work(sign_in, people, request_by_leah, model):
    browser = sign_in(people.dana)
    base = "/admin/governance/overriderequest/"

    for query in ("state__exact=submitted", "age=3", f"dimension__id__exact={model.tier.pk}", "q=Castellan"):
        assert browser.get(f"{base}?{query}").status_code == 200


def test_person_who_is_not_staff_is_sent_to_the_log_in(sign_in, people):
    assert sign_in(people.leah).get("/admin/governance/overriderequest/").status_code == 302


@pytest.mark.parametrize(
    "path", ["/admin/governance/auditentry/", "/admin/governance/apitoken/", "/admin/frameworks/user/"]
)
def test_staff_without_the_permission_see_nothing_there(sign_in, people, path):
    assert sign_in(people.dana).get(path).status_code == 403


@pytest.mark.parametrize(
    "path", ["overriderequest/x/change/", "overriderequest/x/approve/", "overriderequest/0/reject/"]
)
def test_address_that_names_no_row_is_not_found(sign_in, people, path):
    assert sign_in(people.dana).get(f"/admin/governance/overriderequest/{path}").status_code in (302, 404)


# Deciding


def test_dialog_shows_what_will_happen_and_changes_nothing(sign_in, people, request_by_leah):
    answer = sign_in(people.dana).get(dialog(request_by_leah, "approve"), {"_form_submitted": "True", "reason": "x"})

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Castellan Freight" in page
    assert "csrfmiddlewaretoken" in page
    assert unchanged(request_by_leah)


def test_detail_page_shows_facts_rule_and_standing(sign_in, people, request_by_leah):
    page = sign_in(people.dana).get(f"/admin/governance/overriderequest/{request_by_leah.pk}/change/").content.decode()

    for words in ("Waits for CS Ops.", "86,400.00 USD", "Smb (Matches the rule)", "Signed a group-wide rollout."):
        assert words in page
    assert dialog(request_by_leah, "approve") in page


def test_approval_in_the_dialog_grants_the_override(sign_in, people, request_by_leah):
    answer = sign_in(people.dana).post(dialog(request_by_leah, "approve"), filled(request_by_leah))

    request_by_leah.refresh_from_db()
    assert answer.status_code == 302
    assert (request_by_leah.state, Override.objects.count()) == (State.APPROVED, 1)
    assert Decision.objects.get().decided_by == people.dana


def test_approval_over_htmx_leaves_the_dialog(sign_in, people, request_by_leah):
    answer = sign_in(people.dana).post(
        dialog(request_by_leah, "approve"), filled(request_by_leah), headers={"HX-Request": "true"}
    )

    assert answer.headers["HX-Redirect"].endswith(f"{request_by_leah.pk}/change/")


def test_rejection_without_words_stays_in_the_dialog(sign_in, people, request_by_leah):
    answer = sign_in(people.dana).post(dialog(request_by_leah, "reject"), filled(request_by_leah, " "))

    assert answer.status_code == 200
    assert unchanged(request_by_leah)


def test_post_without_the_csrf_token_is_refused(people, request_by_leah):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people.dana)

    assert browser.post(dialog(request_by_leah, "approve"), filled(request_by_leah)).status_code == 403
    assert unchanged(request_by_leah)


def test_own_request_cannot_be_approved_in_the_dialog(sign_in, people, account, model):
    own = ask(account, model, people.dana)
    answer = sign_in(people.dana).post(dialog(own, "approve"), filled(own), follow=True)

    assert "You asked for this override" in answer.content.decode()
    assert unchanged(own)


def test_superuser_cannot_approve_own_request_in_the_dialog(sign_in, people, account, model):
    people.root.groups.set(Group.objects.filter(name=Role.CS_OPS))
    own = ask(account, model, people.root)
    sign_in(people.root).post(dialog(own, "approve"), filled(own))

    assert unchanged(own)


def test_role_lost_between_page_and_post_is_403(sign_in, people, request_by_leah):
    browser = sign_in(people.dana)
    assert browser.get(dialog(request_by_leah, "approve")).status_code == 200
    people.dana.groups.clear()

    assert browser.post(dialog(request_by_leah, "approve"), filled(request_by_leah)).status_code == 403
    assert unchanged(request_by_leah)


def test_stale_dialog_decides_nothing(sign_in, people, request_by_leah):
    stale = filled(request_by_leah)
    OverrideRequest.objects.filter(pk=request_by_leah.pk).update(version=2)

    answer = sign_in(people.dana).post(dialog(request_by_leah, "approve"), stale, follow=True)

    assert "was changed since you opened it" in answer.content.decode()
    assert not Decision.objects.exists()


@pytest.mark.parametrize("path", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_raw_post_to_a_form_changes_no_request(sign_in, people, request_by_leah, path):
    answer = sign_in(people.root).post(
        f"/admin/governance/overriderequest/{path.format(pk=request_by_leah.pk)}",
        {"state": "approved", "requested_by": people.root.pk, "account": request_by_leah.account_id},
    )

    assert answer.status_code == 403
    assert unchanged(request_by_leah)
    assert OverrideRequest.objects.count() == 1


def test_list_editable_post_changes_no_request(sign_in, people, request_by_leah):
    sign_in(people.root).post(
        "/admin/governance/overriderequest/",
        {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": request_by_leah.pk, "form-0-state": "approved"},
    )

    assert unchanged(request_by_leah)


# In bulk


def select(requests: list[OverrideRequest], act: str, **more: Any) -> dict[str, Any]:
    return {"action": f"{act}_selected", "_selected_action": [row.pk for row in requests], **more}


def test_bulk_action_first_shows_and_changes_nothing(sign_in, people, request_by_leah):
    answer = sign_in(people.dana).post("/admin/governance/overriderequest/", select([request_by_leah], "approve"))

    assert "Approve 1 requests?" in answer.content.decode()
    assert unchanged(request_by_leah)


def test_bulk_approval_decides_others_and_refuses_and_reports_own(sign_in, people, model):
    others = [ask(make_account(model, None, f"Account {n}"), model, people.owen) for n in range(20)]
    own = ask(make_account(model, None, "Mine"), model, people.dana)
    everything = [*others, own]
    seen = [f"{row.pk}:{row.version}" for row in everything]

    answer = sign_in(people.dana).post(
        "/admin/governance/overriderequest/",
        select(everything, "approve", confirmed="yes", reason="All fit.", seen=seen),
        follow=True,
    )

    page = answer.content.decode()
    assert "20 of 21 requests decided." in page
    assert "Mine as Mid_Market: You asked for this override" in page
    assert OverrideRequest.objects.filter(state=State.APPROVED).count() == 20
    own.refresh_from_db()
    assert own.state == State.SUBMITTED
    assert AuditEntry.objects.filter(action="override.approved").count() == 20


def test_bulk_action_without_the_role_is_not_offered(sign_in, people, request_by_leah):
    sign_in(people.ravi).post(
        "/admin/governance/overriderequest/", select([request_by_leah], "approve", confirmed="yes", reason="Mine now.")
    )

    assert unchanged(request_by_leah)


# Overrides and tokens


def test_override_is_revoked_in_its_dialog(sign_in, people, request_by_leah):
    browser = sign_in(people.dana)
    browser.post(dialog(request_by_leah, "approve"), filled(request_by_leah))
    override = Override.objects.get()

    browser.get(f"/admin/accounts/override/{override.pk}/revoke/")
    override.refresh_from_db()
    assert override.ended_at is None
    browser.post(
        f"/admin/accounts/override/{override.pk}/revoke/",
        {"_form_submitted": "True", "reason": "The rollout was cancelled."},
    )
    override.refresh_from_db()
    assert override.ending == Override.Ending.REVOKED


def test_token_is_shown_once_when_issued(sign_in, people):
    browser = sign_in(people.ravi)
    answer = browser.post(
        "/admin/governance/apitoken/issue/",
        {
            "_form_submitted": "True",
            "owner": people.sync.pk,
            "name": "CRM",
            "scopes": ["accounts:write"],
            "days": 30,
            "networks": "10.0.0.0/8",
        },
    )

    token = ApiToken.objects.get()
    text = answer.content.decode().split('data-token value="')[1].split('"')[0]
    assert text.startswith("cut_")
    assert "no-store" in answer.headers["Cache-Control"]
    assert (token.user, token.cidrs, token.created_by) == (people.sync, ["10.0.0.0/8"], people.ravi)
    page = browser.get(f"/admin/governance/apitoken/{token.pk}/change/").content.decode()
    assert text not in page


def test_token_is_revoked_in_its_dialog(sign_in, people):
    token, _ = issue_token(
        owner=people.sync,
        name="CRM",
        scopes=["accounts:read"],
        expires_at=AT + timedelta(days=9),
        actor=people.ravi,
        at=AT,
    )

    sign_in(people.ravi).post(
        f"/admin/governance/apitoken/{token.pk}/revoke/", {"_form_submitted": "True", "reason": "It leaked."}
    )

    token.refresh_from_db()
    assert token.expiry == AT + timedelta(hours=1)


# People


def person_form(person: User, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "email": person.email,
        "name": person.name,
        "title": person.title,
        "groups": [group.pk for group in person.groups.all()],
        **{name: "on" for name in ("is_active", "is_staff", "is_superuser", "is_service") if getattr(person, name)},
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def test_role_is_given_to_another_and_audited(sign_in, people):
    role = Group.objects.get(name=Role.CS_OPS)
    answer = sign_in(people.ravi).post(
        f"/admin/frameworks/user/{people.leah.pk}/change/", person_form(people.leah, groups=[role.pk])
    )

    entry = AuditEntry.objects.get()
    assert answer.status_code == 302
    assert list(people.leah.groups.all()) == [role]
    assert (entry.action, entry.before["roles"], entry.after["roles"]) == ("person.changed", ["csm"], ["cs_ops"])


def test_own_roles_cannot_be_changed(sign_in, people):
    role = Group.objects.get(name=Role.CS_OPS)
    sign_in(people.ravi).post(
        f"/admin/frameworks/user/{people.ravi.pk}/change/", person_form(people.ravi, groups=[role.pk], name="Ravi P.")
    )

    people.ravi.refresh_from_db()
    assert people.ravi.name == "Ravi P."
    assert [group.name for group in people.ravi.groups.all()] == [Role.REVOPS]


def test_superuser_right_cannot_be_given_by_others(sign_in, people):
    sign_in(people.ravi).post(
        f"/admin/frameworks/user/{people.dana.pk}/change/", person_form(people.dana, is_superuser="on")
    )

    people.dana.refresh_from_db()
    assert not people.dana.is_superuser


def test_superuser_cannot_be_changed_by_others(sign_in, people):
    answer = sign_in(people.ravi).post(
        f"/admin/frameworks/user/{people.root.pk}/change/", person_form(people.root, name="Renamed")
    )

    people.root.refresh_from_db()
    assert (answer.status_code, people.root.name) == (403, "Root")


def test_superuser_right_given_by_a_superuser_is_audited(sign_in, people):
    sign_in(people.root).post(
        f"/admin/frameworks/user/{people.dana.pk}/change/", person_form(people.dana, is_superuser="on")
    )

    people.dana.refresh_from_db()
    assert people.dana.is_superuser
    assert AuditEntry.objects.get().after["superuser"] is True


def test_new_person_has_no_password(sign_in, people):
    sign_in(people.ravi).post(
        "/admin/frameworks/user/add/", {"email": "new@example.com", "name": "New Person", "is_active": "on"}
    )

    person = User.objects.get(email="new@example.com")
    assert not person.has_usable_password()
    assert AuditEntry.objects.get().action == "person.added"


def test_service_account_cannot_be_staff(sign_in, people):
    answer = sign_in(people.ravi).post(
        f"/admin/frameworks/user/{people.sync.pk}/change/", person_form(people.sync, is_staff="on")
    )

    people.sync.refresh_from_db()
    assert "cannot open the admin" in answer.content.decode()
    assert not people.sync.is_staff


def test_person_is_deactivated_not_deleted(sign_in, people):
    browser = sign_in(people.ravi)
    assert browser.post(f"/admin/frameworks/user/{people.leah.pk}/delete/", {"post": "yes"}).status_code == 403

    browser.post(f"/admin/frameworks/user/{people.leah.pk}/change/", person_form(people.leah, is_active=None))

    people.leah.refresh_from_db()
    assert not people.leah.is_active


def test_password_link_is_mailed_by_post_only(sign_in, people, mailoutbox):
    browser = sign_in(people.ravi)
    path = f"/admin/frameworks/user/{people.leah.pk}/send_link/"

    browser.get(path)
    assert mailoutbox == []
    browser.post(path, {"_form_submitted": "True"})
    assert [mail.to for mail in mailoutbox] == [[people.leah.email]]


def test_account_page_of_the_admin_shows_segments(sign_in, people, account):
    page = sign_in(people.dana).get(f"/admin/accounts/account/{account.pk}/change/").content.decode()

    assert "Customer Tier: Smb (rules: Smb)" in page
    assert Account.objects.count() == 1
