"""Asking for overrides and deciding them: rules, conflicts, races, and the ways around that must not exist."""

import threading
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Account, Cause, Override, PendingEvaluation
from accounts.services.overrides import close_moot_overrides, grant_override, sweep_overrides
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import Dimension, Framework, Segment, User
from frameworks.roles import Role
from governance.models import AuditEntry, Decision, OverrideRequest
from governance.services.eligibility import eligible_deciders, request_warnings
from governance.services.requests import (
    decide_override,
    request_override,
    revoke_override,
    time_out_requests,
    visible_characters,
    withdraw_request,
)
from tests.governance.makers import AT, REASON, ask, make_account, make_framework, make_person

State = OverrideRequest.State
LATER = AT + timedelta(hours=1)


def decide(request: OverrideRequest, actor: User, verdict: str = "approve", **changes: Any) -> Decision:
    wanted: dict[str, Any] = {"request": request, "verdict": verdict, "actor": actor, "at": LATER}
    return decide_override(**({"reason": "Fits the policy."} | wanted | changes))


def granted(request: OverrideRequest, actor: User) -> Override:
    override = decide(request, actor).request.override
    assert override is not None
    return override


def newest_entry() -> AuditEntry:
    return AuditEntry.objects.latest("seq")


def undecided(request: OverrideRequest) -> bool:
    request.refresh_from_db()
    return (request.state, request.version, Decision.objects.count(), Override.objects.count()) == (
        State.SUBMITTED,
        1,
        0,
        0,
    )


# Asking


def test_request_by_own_csm_is_open_and_audited(request_by_leah, people):
    entry = AuditEntry.objects.get()

    assert request_by_leah.state == State.SUBMITTED
    assert request_by_leah.computed.key == "smb"
    assert (entry.action, entry.actor, entry.object_id) == (
        "override.requested",
        people.leah,
        str(request_by_leah.uuid),
    )
    assert entry.after["segment"] == "mid_market"


def test_request_for_another_book_is_refused(account, model, people):
    with pytest.raises(NotAllowedError, match="own book"):
        ask(account, model, people.jonas)

    assert not OverrideRequest.objects.exists()


def test_request_by_deal_desk_reaches_every_book(account, model, people):
    assert ask(account, model, people.owen).requested_by == people.owen


def test_request_by_auditor_is_refused(account, model, people):
    with pytest.raises(NotAllowedError, match="role"):
        ask(account, model, people.ines)

    assert not OverrideRequest.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"valid_until": AT - timedelta(days=1)}, "past"),
        ({"valid_from": AT + timedelta(days=80)}, "after the start"),
        ({"valid_until": AT + timedelta(days=367)}, "12 months"),
        ({"reason_code": "contract", "valid_until": AT + timedelta(days=91)}, "90 days"),
        ({"reason_code": "whim"}, "one of: contract, strategic"),
        ({"reason": "x"}, "15 visible"),
        ({"reason": " " * 40}, "15 visible"),
        ({"reason": "a" + "\u200b" * 40}, "15 visible"),
    ],
)
def test_request_with_bad_values_is_refused_in_words(account, model, people, changes, words):
    with pytest.raises(InvalidError, match=words):
        ask(account, model, people.leah, **changes)

    assert not OverrideRequest.objects.exists()
    assert not AuditEntry.objects.exists()


def test_request_names_every_problem(account, model, people):
    account.deleted_at = AT
    model.mid_market.is_live = False

    with pytest.raises(InvalidError) as refused:
        ask(account, model, people.leah, reason="x")

    assert len(refused.value.problems) == 3


def test_request_for_segment_of_another_framework_is_refused(account, model, people):
    other = Framework.objects.create(slug="other", name="Other")
    dimension = Dimension.objects.create(framework=other, key="tier", name="Tier", is_live=True)
    segment = Segment.objects.create(dimension=dimension, key="gold", name="Gold", rank=1, is_live=True)

    with pytest.raises(InvalidError, match="another dimension"):
        ask(account, model, people.leah, segment=segment)

    assert not OverrideRequest.objects.exists()


def test_request_for_computed_segment_is_taken_with_a_warning(account, model, people):
    request = ask(account, model, people.leah, segment=model.smb)

    assert "already" in request_warnings(request)[0]


def test_request_that_nobody_can_decide_says_so(account, model, people):
    User.objects.filter(pk=people.dana.pk).update(is_active=False)

    request = ask(account, model, people.leah)

    assert eligible_deciders(request) == []
    assert "Nobody can decide" in request_warnings(request)[0]


def test_second_open_request_conflicts_and_names_the_first(request_by_leah, account, model, people):
    with pytest.raises(ConflictError, match=str(request_by_leah.uuid)):
        ask(account, model, people.owen)

    assert OverrideRequest.objects.count() == 1


def test_request_over_a_running_override_conflicts_and_names_it(account, model, people):
    first = grant_override(
        account=account,
        dimension=model.tier,
        segment=model.enterprise,
        valid_from=AT,
        valid_until=AT + timedelta(days=10),
        reason=REASON,
        actor=people.dana,
        at=AT,
    )

    with pytest.raises(ConflictError, match=str(first.uuid)):
        ask(account, model, people.leah)

    assert ask(account, model, people.leah, valid_from=AT + timedelta(days=10)).state == State.SUBMITTED


def test_visible_characters_count_neither_spaces_nor_invisible_ones():
    assert visible_characters("ab c\u200b\u3164\u2800\n\u0301é") == 4


# Deciding


def test_approval_grants_the_override_and_marks_the_account(request_by_leah, people, account, model):
    decision = decide(request_by_leah, people.dana, expected_version=1)

    override = Override.objects.get()
    assert (decision.request.state, decision.request.version, decision.request.override) == (
        State.APPROVED,
        2,
        override,
    )
    assert (decision.printed_name, decision.role, decision.requested_by) == ("Dana Whitfield", "CS Ops", people.leah)
    assert (override.segment, override.valid_from, override.started_at) == (model.mid_market, LATER, LATER)
    assert PendingEvaluation.objects.get().cause == Cause.OVERRIDE_STARTED
    assert [entry.action for entry in AuditEntry.objects.order_by("seq")] == ["override.requested", "override.approved"]
    assert newest_entry().after["joined"] == ["override.granted"]


def test_rejection_needs_words(request_by_leah, people):
    with pytest.raises(InvalidError, match="Say why not"):
        decide(request_by_leah, people.dana, "reject", reason=" ")

    assert undecided(request_by_leah)


def test_rejection_grants_nothing(request_by_leah, people):
    decide(request_by_leah, people.dana, "reject")

    request_by_leah.refresh_from_db()
    assert request_by_leah.state == State.REJECTED
    assert not Override.objects.exists()


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_requester_cannot_decide(account, model, people, verdict):
    request = ask(account, model, people.dana)

    with pytest.raises(NotAllowedError, match="somebody else"):
        decide(request, people.dana, verdict)

    assert undecided(request)


def test_account_owner_cannot_decide(account, model, people):
    Account.objects.filter(pk=account.pk).update(ae=people.dana)
    request = ask(account, model, people.leah)

    with pytest.raises(NotAllowedError, match="own this account"):
        decide(request, people.dana)

    assert undecided(request)


@pytest.mark.parametrize("who", ["leah", "ines", "ravi", "root", "sync"])
def test_person_without_the_role_cannot_decide(account, model, people, who):
    request = ask(account, model, people.owen)

    with pytest.raises(NotAllowedError):
        decide(request, getattr(people, who))

    assert undecided(request)


def test_superuser_cannot_decide_own_request(account, model, person):
    boss = person("Boss", Role.CS_OPS, is_superuser=True)
    request = ask(account, model, boss)

    with pytest.raises(NotAllowedError, match="You asked"):
        decide(request, boss)

    assert undecided(request)


def test_service_account_with_the_role_cannot_decide(request_by_leah, person):
    robot = person("Robot", Role.CS_OPS, is_service=True)

    with pytest.raises(NotAllowedError, match="Programs"):
        decide(request_by_leah, robot)

    assert undecided(request_by_leah)


def test_deactivated_person_cannot_decide(request_by_leah, people):
    User.objects.filter(pk=people.dana.pk).update(is_active=False)

    with pytest.raises(NotAllowedError, match="deactivated"):
        decide(request_by_leah, people.dana)

    assert undecided(request_by_leah)


def test_role_taken_away_counts_before_the_decision(request_by_leah, people):
    assert people.dana.has_perm("governance.decide_override")
    people.dana.groups.clear()

    with pytest.raises(NotAllowedError):
        decide(request_by_leah, people.dana)

    assert undecided(request_by_leah)


@pytest.mark.parametrize("first", ["approve", "reject"])
def test_decided_request_is_not_decided_again(request_by_leah, people, person, first):
    decide(request_by_leah, people.dana, first)
    other = person("Second Ops", Role.CS_OPS)

    with pytest.raises(ConflictError, match="already"):
        decide(request_by_leah, other)

    assert Decision.objects.count() == 1


def test_stale_version_conflicts(request_by_leah, people):
    OverrideRequest.objects.filter(pk=request_by_leah.pk).update(version=2)

    with pytest.raises(ConflictError, match="changed since"):
        decide(request_by_leah, people.dana, expected_version=1)

    assert not Decision.objects.exists()


def test_request_whose_time_is_over_cannot_be_decided(request_by_leah, people):
    with pytest.raises(ConflictError, match="ended on"):
        decide(request_by_leah, people.dana, at=AT + timedelta(days=71))

    assert undecided(request_by_leah)


def test_segment_retired_meanwhile_cannot_be_approved(request_by_leah, people, model):
    Segment.objects.filter(pk=model.mid_market.pk).update(is_live=False)

    with pytest.raises(ConflictError, match="no longer"):
        decide(request_by_leah, people.dana)

    assert undecided(request_by_leah)


def test_approval_over_another_override_conflicts_and_leaves_no_decision(request_by_leah, account, model, people):
    first = grant_override(
        account=account,
        dimension=model.tier,
        segment=model.enterprise,
        valid_from=AT,
        valid_until=AT + timedelta(days=10),
        reason=REASON,
        actor=people.ravi,
        at=AT,
    )

    with pytest.raises(ConflictError, match=str(first.uuid)):
        decide(request_by_leah, people.dana)

    request_by_leah.refresh_from_db()
    assert request_by_leah.state == State.SUBMITTED
    assert not Decision.objects.exists()


# Two people


@pytest.fixture
def large_request(account: Account, model: SimpleNamespace, people: SimpleNamespace) -> OverrideRequest:
    Account.objects.filter(pk=account.pk).update(arr=Decimal(250_000))
    return ask(account, model, people.leah)


def test_large_account_needs_cs_ops_then_deal_desk(large_request, people):
    first = decide(large_request, people.dana)
    assert (first.request.state, Override.objects.count()) == (State.SUBMITTED, 0)

    second = decide(large_request, people.owen)
    assert (second.request.state, Override.objects.count()) == (State.APPROVED, 1)


def test_two_tiers_need_two_people(account, model, people):
    request = ask(account, model, people.leah, segment=model.enterprise)

    assert decide(request, people.dana).request.state == State.SUBMITTED


def test_deal_desk_cannot_go_first(large_request, people):
    with pytest.raises(NotAllowedError, match="CS Ops"):
        decide(large_request, people.owen)

    assert undecided(large_request)


def test_deal_desk_may_veto_any(request_by_leah, people):
    assert decide(request_by_leah, people.owen, "reject").request.state == State.REJECTED


def test_one_person_with_both_roles_counts_once(large_request, person):
    both = person("Both Hats", Role.CS_OPS, Role.DEAL_DESK)
    decide(large_request, both)

    with pytest.raises(NotAllowedError, match="somebody else"):
        decide(large_request, both)

    assert Decision.objects.count() == 1
    assert not Override.objects.exists()


# Taking back, revoking, time


def test_withdrawal_by_the_requester_closes_the_request(request_by_leah, people):
    assert withdraw_request(request=request_by_leah, actor=people.leah, at=LATER).state == State.WITHDRAWN

    with pytest.raises(ConflictError):
        decide(request_by_leah, people.dana)
    assert not Override.objects.exists()


def test_withdrawal_by_another_is_refused(request_by_leah, people):
    with pytest.raises(NotAllowedError):
        withdraw_request(request=request_by_leah, actor=people.dana, at=LATER)

    assert undecided(request_by_leah)


def test_revocation_ends_the_override_and_marks_the_account(request_by_leah, people, account):
    override = granted(request_by_leah, people.dana)
    PendingEvaluation.objects.all().delete()

    ended = revoke_override(override=override, reason="The rollout was cancelled.", actor=people.owen, at=LATER)

    assert (ended.ending, ended.ended_at) == (Override.Ending.REVOKED, LATER)
    assert PendingEvaluation.objects.get().cause == Cause.OVERRIDE_REVOKED
    with pytest.raises(ConflictError, match="ended"):
        revoke_override(override=override, reason="The rollout was cancelled.", actor=people.owen, at=LATER)


def test_revocation_by_the_csm_is_refused(request_by_leah, people):
    override = granted(request_by_leah, people.dana)

    with pytest.raises(NotAllowedError):
        revoke_override(override=override, reason="The rollout was cancelled.", actor=people.leah, at=LATER)

    override.refresh_from_db()
    assert override.ended_at is None


def test_future_override_starts_and_ends_by_the_sweeper(account, model, people):
    start, end = AT + timedelta(days=1), AT + timedelta(days=2)
    request = ask(account, model, people.leah, valid_from=start, valid_until=end)
    override = granted(request, people.dana)
    assert (override.started_at, PendingEvaluation.objects.count()) == (None, 0)

    assert sweep_overrides(AT) == (0, 0)
    assert sweep_overrides(start) == (1, 0)
    assert sweep_overrides(start) == (0, 0)
    assert sweep_overrides(end + timedelta(seconds=20)) == (0, 1)

    override.refresh_from_db()
    assert (override.started_at, override.ended_at, override.ending) == (start, end, Override.Ending.EXPIRED)
    causes = list(PendingEvaluation.objects.values_list("cause", flat=True))
    assert causes == [Cause.OVERRIDE_STARTED, Cause.OVERRIDE_EXPIRED]
    assert newest_entry().action == "override.expired"


def test_override_that_never_began_can_be_revoked(account, model, people):
    request = ask(account, model, people.leah, valid_from=AT + timedelta(days=1))
    override = granted(request, people.dana)

    revoke_override(override=override, reason="The rollout was cancelled.", actor=people.owen, at=LATER)

    assert sweep_overrides(AT + timedelta(days=1)) == (0, 0)


def test_override_closes_as_moot_when_the_rule_agrees(request_by_leah, people, account, model):
    override = granted(request_by_leah, people.dana)
    assert close_moot_overrides([account.pk], LATER) == 0
    account.assignments.update(computed=model.mid_market)

    assert close_moot_overrides([account.pk], LATER) == 1

    override.refresh_from_db()
    assert (override.ending, override.ended_at) == (Override.Ending.MOOT, LATER)
    assert newest_entry().action == "override.moot"


def test_open_request_times_out_when_its_time_is_over(request_by_leah):
    assert time_out_requests(AT) == 0
    assert time_out_requests(AT + timedelta(days=71)) == 1

    request_by_leah.refresh_from_db()
    assert request_by_leah.state == State.TIMED_OUT


# Ways around the service


def test_own_decision_by_orm_is_refused_by_the_database(request_by_leah, people):
    with pytest.raises(IntegrityError, match="decision_not_by_requester"), transaction.atomic():
        Decision.objects.create(
            request=request_by_leah,
            request_version=1,
            verdict="approve",
            requested_by=people.leah,
            decided_by=people.leah,
            printed_name="Leah Kim",
            role="CSM",
            decided_at=AT,
        )

    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE governance_decision SET verdict = 'reject'",
        "DELETE FROM governance_decision",
        "TRUNCATE governance_decision",
        "UPDATE governance_auditentry SET reason = 'x'",
        "DELETE FROM governance_auditentry",
        "DELETE FROM governance_overriderequest",
        "DELETE FROM governance_audithead",
        "DELETE FROM accounts_override",
    ],
)
def test_evidence_is_kept_from_the_application_role(request_by_leah, people, application_role, statement):
    decide(request_by_leah, people.dana)

    with pytest.raises(Exception, match=r"permission denied|is refused"), application_role():
        connection.cursor().execute(statement)

    assert (Decision.objects.count(), AuditEntry.objects.count(), OverrideRequest.objects.count()) == (1, 2, 1)


def test_own_decision_by_sql_as_the_application_role_is_refused(request_by_leah, people, application_role):
    insert = """INSERT INTO governance_decision (uuid, request_id, request_version, verdict, reason, requested_by_id,
        decided_by_id, printed_name, role, decided_at)
        VALUES (gen_random_uuid(), %s, 1, 'approve', '', %s, %s, 'Leah', 'CSM', now())"""

    with pytest.raises(IntegrityError, match="decision_not_by_requester"), application_role():
        connection.cursor().execute(insert, [request_by_leah.pk, people.leah.pk, people.leah.pk])

    assert not Decision.objects.exists()


# At once


@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_decisions_have_one_winner():
    ravi = make_person("Ravi Patel", Role.REVOPS)
    leah = make_person("Leah Kim", Role.CSM)
    deciders = [make_person(f"Ops {number}", Role.CS_OPS) for number in range(50)]
    model = make_framework(ravi)
    request = ask(make_account(model, leah), model, leah)
    outcomes: list[str] = []
    # The embedded server has 100 connections for everyone; deciders queue for these twelve.
    turns, together = threading.Semaphore(12), threading.Barrier(50)

    def decide_in_thread(actor: User, verdict: str) -> None:
        together.wait()
        with turns:
            try:
                decide(request, actor, verdict)
                outcomes.append("won")
            except ConflictError:
                outcomes.append("conflict")
            except Exception as error:  # any other outcome must show in the assertion below
                outcomes.append(repr(error))
            finally:
                connection.close()

    threads = [
        threading.Thread(target=decide_in_thread, args=(actor, "approve" if place % 2 else "reject"))
        for place, actor in enumerate(deciders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["conflict"] * 49 + ["won"]
    assert Decision.objects.count() == 1
    assert Override.objects.count() == Decision.objects.filter(verdict="approve").count()
    seqs = list(AuditEntry.objects.order_by("seq").values_list("seq", flat=True))
    assert seqs == [1, 2]


def test_request_override_reads_no_clock(account, model, people):
    request = request_override(
        account=account,
        dimension=model.tier,
        segment=model.mid_market,
        reason_code="strategic",
        reason=REASON,
        valid_from=AT - timedelta(days=3),
        valid_until=AT + timedelta(days=3),
        actor=people.leah,
        at=AT,
    )

    assert (request.valid_from, request.requested_at) == (AT, AT)
