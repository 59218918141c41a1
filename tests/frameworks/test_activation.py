"""The pointer moves only when everything still holds, and everything is asked again at that moment."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction

from frameworks.errors import ConflictError, NotAllowedError
from frameworks.models import Dimension, Framework, FrameworkVersion, Segment, Signoff
from frameworks.services.activation import activation_blockers, flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.retiring import Leaving, retire_segments
from frameworks.services.review import submit_version
from frameworks.services.signing import withdraw_signoff
from frameworks.signals import version_activated
from governance.models import AuditEntry
from tests.frameworks.making import AT, LATER, Company


@pytest.fixture
def approved(company: Company) -> Company:
    company.submit()
    company.sign_all()
    return company


def trace(company: Company) -> tuple[Any, ...]:
    framework = Framework.objects.get(pk=company.version.framework_id)
    live = Dimension.objects.filter(is_live=True).count()
    states = list(FrameworkVersion.objects.order_by("pk").values_list("state", "activated_at", "superseded_at"))
    return (framework.active_version_id, states, live, AuditEntry.objects.count())


def withdraw(company: Company) -> None:
    withdraw_signoff(
        requirement=company.requirement("terms", "arr"),
        signer=company.nadia,
        reason="Finance has to look again.",
        authentication="password",
        authenticated_at=AT,
        at=AT,
    )


def test_activation_moves_the_pointer_and_brings_names_and_ranks_live(approved: Company) -> None:
    seen: list[Any] = []

    def listen(*, version: FrameworkVersion, actor: Any, at: Any, **kwargs: Any) -> None:
        seen.append((version.pk, actor, at))

    version_activated.connect(listen)
    try:
        flip_active_version(version=approved.version, actor=approved.priya, at=LATER)
    finally:
        version_activated.disconnect(listen)

    framework = Framework.objects.get(pk=approved.version.framework_id)
    version = FrameworkVersion.objects.get(pk=approved.version.pk)
    assert framework.active_version == version
    assert (version.state, version.activated_at, version.standing) == ("activated", LATER, "Active")
    assert list(Dimension.objects.values_list("key", "name", "is_live")) == [("tier", "Customer Tier", True)]
    assert list(Segment.objects.values_list("key", "name", "rank", "is_live")) == [
        ("enterprise", "Enterprise", 1, True),
        ("smb", "SMB", 2, True),
    ]
    assert seen == [(version.pk, approved.priya, LATER)]
    assert AuditEntry.objects.filter(action="version.activated").count() == 1


def test_next_version_supersedes_the_active_one_and_retires_what_it_drops(approved: Company) -> None:
    first = approved.version
    flip_active_version(version=first, actor=approved.priya, at=AT)
    approved.version = start_draft(framework=first.framework, actor=approved.ravi, at=AT)
    retire_segments(
        version=approved.version,
        dimension="tier",
        leaving=Leaving(["smb"], ["enterprise"], "One motion serves both."),
        digest=approved.part("dimension", "tier").body_id,
        actor=approved.ravi,
        at=AT,
        source="page",
    )
    approved.save("dimension", "tier", {**approved.body("dimension", "tier"), "label": "Tier"})
    approved.submit()
    approved.sign_all()

    flip_active_version(version=approved.version, actor=approved.priya, at=LATER)

    first.refresh_from_db()
    assert (first.standing, first.superseded_at) == ("Superseded", LATER)
    live = Segment.objects.order_by("key").values_list("key", "is_live")
    assert list(live) == [("enterprise", True), ("smb", False)]
    assert Dimension.objects.get().name == "Tier"


def take_role(company: Company) -> None:
    company.tomas.groups.clear()


def deactivate(company: Company) -> None:
    company.nadia.is_active = False
    company.nadia.save()


def move_base(company: Company) -> None:
    other = FrameworkVersion.objects.create(
        framework=company.version.framework, number=7, author=company.ravi, state="activated"
    )
    Framework.objects.filter(pk=company.version.framework_id).update(active_version=other)


def reopen_by_sql(company: Company) -> None:
    # As the application itself never does: a missing sign-off with the state forced to approved.
    FrameworkVersion.objects.filter(pk=company.version.pk).update(state="approved")


def withdraw_and_force(company: Company) -> None:
    withdraw(company)
    reopen_by_sql(company)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (withdraw, "in review, not approved"),
        (withdraw_and_force, "Still to sign: Nadia"),
        (take_role, "Tomas can no longer sign for RevOps"),
        (deactivate, "Nadia can no longer sign for Stakeholder"),
        (move_base, "v7 is active now"),
    ],
)
def test_activation_with_a_gate_not_passed_is_refused_with_every_reason(
    approved: Company, spoil: Callable[[Company], Any], said: str
) -> None:
    spoil(approved)
    before = trace(approved)

    with pytest.raises(ConflictError, match=said) as caught:
        flip_active_version(version=approved.version, actor=approved.priya, at=AT)

    version = FrameworkVersion.objects.get(pk=approved.version.pk)
    assert caught.value.reasons == activation_blockers(version, AT) != []
    assert trace(approved) == before


def test_activation_with_missing_sign_offs_is_refused_though_the_state_says_approved(company: Company) -> None:
    company.submit()
    company.sign("marcus")
    reopen_by_sql(company)
    before = trace(company)

    with pytest.raises(ConflictError) as caught:
        flip_active_version(version=company.version, actor=company.priya, at=AT)

    assert "Terms: ARR: 1 of 3 signed. Still to sign: Nadia, Priya." in caught.value.reasons
    assert "Playbooks: 0 of 1 signed. Still to sign: Carol." in caught.value.reasons
    assert trace(company) == before


def test_activation_by_person_without_permission_is_refused(approved: Company) -> None:
    before = trace(approved)

    with pytest.raises(NotAllowedError):
        flip_active_version(version=approved.version, actor=approved.marcus, at=AT)

    assert trace(approved) == before


def test_activation_twice_conflicts(approved: Company) -> None:
    flip_active_version(version=approved.version, actor=approved.priya, at=AT)
    before = trace(approved)

    with pytest.raises(ConflictError, match="active, not approved"):
        flip_active_version(version=approved.version, actor=approved.priya, at=LATER)

    assert trace(approved) == before


def test_second_draft_meets_the_stale_base(approved: Company) -> None:
    flip_active_version(version=approved.version, actor=approved.priya, at=AT)
    framework = approved.version.framework
    first, second = (start_draft(framework=framework, actor=approved.ravi, at=AT) for _ in range(2))
    submit_version(version=first, actor=approved.ravi, at=AT)
    flip_active_version(version=first, actor=approved.priya, at=AT + timedelta(days=1))
    for state in ("in_review", "approved"):
        FrameworkVersion.objects.filter(pk=second.pk).update(state=state)

    with pytest.raises(ConflictError, match="v1 is active now"):
        flip_active_version(version=second, actor=approved.priya, at=AT + timedelta(days=2))

    assert Framework.objects.get(pk=framework.pk).active_version == first


def test_version_that_was_active_is_refused_to_reopen_by_the_database(approved: Company) -> None:
    flip_active_version(version=approved.version, actor=approved.priya, at=AT)

    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE frameworks_frameworkversion SET state = 'draft' WHERE id = %s", [approved.version.pk])

    assert FrameworkVersion.objects.get(pk=approved.version.pk).state == "activated"


def test_second_version_under_way_is_refused_by_the_database(approved: Company) -> None:
    with pytest.raises(Error), transaction.atomic():
        FrameworkVersion.objects.create(
            framework=approved.version.framework, number=9, author=approved.ravi, state="in_review"
        )

    assert FrameworkVersion.objects.count() == 1


def test_reject_leaves_the_active_version_serving(approved: Company) -> None:
    flip_active_version(version=approved.version, actor=approved.priya, at=AT)
    first = approved.version
    approved.version = start_draft(framework=first.framework, actor=approved.ravi, at=AT)
    approved.save("term", "arr", {"label": "ARR", "wording": "Yearly value of invoiced subscriptions."})
    approved.submit()

    approved.sign("marcus", approved.answers("marcus", "reject", "No.", code="terms")[1:])

    assert Framework.objects.get(pk=first.framework_id).active_version == first
    assert Signoff.objects.filter(decision="reject").count() == 1
