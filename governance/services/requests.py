"""Asking for an override, deciding it, taking it back, and ending what was granted.

Every function is one governed transaction that locks the request first. What may happen is in
`governance.transitions`, who may do it in `governance.approval`; here the facts are collected for both.
"""

import unicodedata
from datetime import datetime

from dateutil.relativedelta import relativedelta
from django.db import IntegrityError, transaction

from accounts.models import Account, Override
from accounts.services.overrides import end_override, grant_override, overlap_message, overlapping_overrides
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import Act, governed
from frameworks.models import Dimension, Segment, User
from frameworks.parts.policy import OverridesPolicy
from frameworks.roles import roles_of
from frameworks.templatetags.cutline import day
from governance import approval
from governance.models import Decision, OverrideRequest
from governance.services.eligibility import (
    awaited_role,
    computed_segment,
    decision_refusals,
    overrides_policy,
    person_facts,
    reason_codes,
    request_refusals,
)
from governance.transitions import check_transition

MONTHS_AT_MOST = 12
CHARACTERS_AT_LEAST = 15
# Letters by category, but drawn as nothing: Hangul fillers and the empty Braille pattern.
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")

Verdict = Decision.Verdict
State = OverrideRequest.State


def visible_characters(text: str) -> int:
    """How many characters of a text can be seen: no spaces, controls, marks, zero-width or blank ones."""
    return sum(unicodedata.category(sign)[0] not in "CMZ" and sign not in BLANK for sign in text)


def request_override(
    *,
    account: Account,
    dimension: Dimension,
    segment: Segment,
    reason_code: str,
    reason: str,
    valid_from: datetime,
    valid_until: datetime,
    evidence: str = "",
    actor: User,
    at: datetime,
) -> OverrideRequest:
    """Ask that the account counts as `segment` for a while. What to tell besides: `request_warnings`.

    A start in the past means now. Raises NotAllowedError, InvalidError with every problem, or ConflictError
    naming the override or the open request that is in the way.
    """
    request = OverrideRequest(
        account=account,
        dimension=dimension,
        segment=segment,
        computed=computed_segment(account, dimension),
        reason_code=reason_code,
        reason=reason.strip(),
        evidence=evidence.strip(),
        valid_from=max(valid_from, at),
        valid_until=valid_until,
        requested_by=actor,
        requested_at=at,
    )
    with governed("override.requested", actor=actor, target=request, at=at, reason=request.reason) as act:
        _refuse(request_refusals(actor, account))
        problems = _problems(request, at)
        if problems:
            raise InvalidError(problems)
        _refuse_overlap(request)
        _insert(request)
        act.after = {
            "account": str(account.uuid),
            "dimension": dimension.key,
            "segment": segment.key,
            "computed": request.computed.key if request.computed else None,
            "from": request.valid_from.isoformat(),
            "until": request.valid_until.isoformat(),
        }
    return request


def _refuse(reasons: list[str]) -> None:
    if reasons:
        raise NotAllowedError(" ".join(reasons))


def _problems(request: OverrideRequest, at: datetime) -> list[str]:
    policy = overrides_policy(request.dimension.framework)
    least = policy.min_reason_characters if policy else CHARACTERS_AT_LEAST
    checks = {
        "This account was deleted or merged.": bool(request.account.deleted_at or request.account.merged_into_id),
        "This account is excluded from segmentation, so no override can count.": bool(request.account.exclusion),
        "This dimension is not in the active version.": not request.dimension.is_live,
        "This segment is not in the active version.": not request.segment.is_live,
        "This segment is of another dimension.": request.segment.dimension_id != request.dimension_id,
        f"Give a reason of at least {least} visible characters.": visible_characters(request.reason) < least,
    }
    found = [problem for problem, applies in checks.items() if applies]
    return found + _period_problems(request, policy, at)


def _period_problems(request: OverrideRequest, policy: OverridesPolicy | None, at: datetime) -> list[str]:
    codes = reason_codes(request.dimension.framework)
    if request.reason_code not in codes:
        return [f"The reason code is one of: {', '.join(codes)}."]
    if request.valid_until <= at:
        return ["The end lies in the past."]
    if request.valid_until <= request.valid_from:
        return ["The end must be after the start."]
    if request.valid_until > request.valid_from + relativedelta(months=MONTHS_AT_MOST):
        return [f"An override lasts {MONTHS_AT_MOST} months at most."]
    days = policy.max_days_by_reason[request.reason_code] if policy else None
    if days is not None and request.valid_until > request.valid_from + relativedelta(days=days):
        return [f"For the reason “{codes[request.reason_code]}” the policy allows {days} days at most."]
    return []


def _refuse_overlap(request: OverrideRequest) -> None:
    first = overlapping_overrides(
        account=request.account,
        dimension=request.dimension,
        valid_from=request.valid_from,
        valid_until=request.valid_until,
    ).first()
    if first:
        raise ConflictError(overlap_message(first))


def _insert(request: OverrideRequest) -> None:
    """The unique constraint decides who was first; the loser learns which request it lost to."""
    try:
        with transaction.atomic():
            request.save(force_insert=True)
    except IntegrityError as error:
        first = OverrideRequest.objects.open().filter(account=request.account, dimension=request.dimension).first()
        if first is None:
            raise
        raise ConflictError(
            f"{first.requested_by} asked for {first.segment.name} on {day(first.requested_at)} already"
            f" (request {first.uuid}); it is not decided yet."
        ) from error


def decide_override(
    *,
    request: OverrideRequest,
    verdict: str,
    reason: str,
    actor: User,
    at: datetime,
    expected_version: int | None = None,
) -> Decision:
    """Approve or reject; the last approval that is needed grants the override.

    `expected_version` is the version the decider saw. Raises ConflictError when the request is decided, was
    changed, is over or another override holds the time; NotAllowedError with the reasons; InvalidError for a
    rejection without words. The returned decision's `request` is up to date.
    """
    action = "override.approved" if verdict == Verdict.APPROVE else "override.rejected"
    with governed(action, actor=actor, target=request, at=at, reason=reason.strip()) as act:
        locked = _lock(request)
        _refuse_stale(locked, verdict, at, expected_version)
        _refuse(decision_refusals(locked, actor, verdict))
        if verdict == Verdict.REJECT and not visible_characters(reason):
            raise InvalidError(["Say why not."])
        decision = _record(locked, verdict, reason.strip(), actor, at)
        _carry_out(locked, decision, act, actor, at)
    return decision


def _lock(request: OverrideRequest) -> OverrideRequest:
    locked: OverrideRequest = (
        OverrideRequest.objects.select_for_update(of=("self",))
        .select_related("account", "dimension__framework", "segment", "computed", "requested_by", "override")
        .get(pk=request.pk)
    )
    return locked


def _refuse_stale(request: OverrideRequest, verdict: str, at: datetime, expected_version: int | None) -> None:
    check_transition(request, State.APPROVED if verdict == Verdict.APPROVE else State.REJECTED)
    if expected_version is not None and expected_version != request.version:
        raise ConflictError("This request was changed since you opened it. Look at it again.")
    if request.valid_until <= at:
        raise ConflictError(f"The time asked for ended on {day(request.valid_until)}.")
    if verdict == Verdict.APPROVE and not request.segment.is_live:
        raise ConflictError(f"{request.segment.name} is no longer in the active version.")


def _record(request: OverrideRequest, verdict: str, reason: str, actor: User, at: datetime) -> Decision:
    return Decision.objects.create(
        request=request,
        request_version=request.version,
        verdict=verdict,
        reason=reason,
        requested_by_id=request.requested_by_id,
        decided_by=actor,
        printed_name=actor.name,
        role=", ".join(role.label for role in roles_of(actor)),
        decided_at=at,
    )


def _carry_out(request: OverrideRequest, decision: Decision, act: Act, actor: User, at: datetime) -> None:
    act.before = {"state": request.state}
    awaits = awaited_role(request) if decision.verdict == Verdict.APPROVE else None
    if awaits:
        act.after = {"state": request.state, "awaits": awaits.value}
        return
    if decision.verdict == Verdict.APPROVE:
        request.override = grant_override(
            account=request.account,
            dimension=request.dimension,
            segment=request.segment,
            valid_from=request.valid_from,
            valid_until=request.valid_until,
            reason=request.reason,
            actor=actor,
            at=at,
        )
    _move(request, State.APPROVED if decision.verdict == Verdict.APPROVE else State.REJECTED)
    act.after = {"state": request.state, "override": str(request.override.uuid) if request.override else None}


def _move(request: OverrideRequest, to: str) -> None:
    request.state = to
    request.version += 1
    request.save(update_fields=["state", "state_reason", "version", "override", "updated_at"])


def withdraw_request(*, request: OverrideRequest, actor: User, at: datetime, reason: str = "") -> OverrideRequest:
    """Take an open request back; only whoever asked can. Raises NotAllowedError or ConflictError."""
    with governed("override.withdrawn", actor=actor, target=request, at=at, reason=reason.strip()) as act:
        locked = _lock(request)
        if locked.requested_by_id != actor.pk:
            raise NotAllowedError("Only whoever asked for an override withdraws the request.")
        check_transition(locked, State.WITHDRAWN)
        act.before = {"state": locked.state}
        _move(locked, State.WITHDRAWN)
        act.after = {"state": locked.state}
    return locked


def revoke_override(*, override: Override, reason: str, actor: User, at: datetime) -> Override:
    """End an override before its time, with a reason. Raises NotAllowedError, InvalidError or ConflictError."""
    with governed("override.revoked", actor=actor, target=override, at=at, reason=reason.strip()) as act:
        person = person_facts(actor, "governance.decide_override")
        if not person.is_active or person.is_service or approval.rejection_refusals(person):
            raise NotAllowedError("Your role may not revoke overrides.")
        if visible_characters(reason) < CHARACTERS_AT_LEAST:
            raise InvalidError([f"Give a reason of at least {CHARACTERS_AT_LEAST} visible characters."])
        ended = end_override(
            override=override, ending=Override.Ending.REVOKED, reason=reason.strip(), actor=actor, at=at
        )
        act.before = {"until": ended.valid_until.isoformat()}
        act.after = {"ended": at.isoformat()}
    return ended


def time_out_requests(at: datetime) -> int:
    """Close open requests whose time is over, each in a transaction of its own; returns how many."""
    lapsed = OverrideRequest.objects.lapsed(at).order_by("pk").values_list("pk", flat=True)
    return sum(_time_out(pk, at) for pk in list(lapsed))


def _time_out(pk: int, at: datetime) -> bool:
    with transaction.atomic():
        # Somebody who is deciding it right now holds the row; the next sweep sees what came of it.
        lapsed = OverrideRequest.objects.lapsed(at).select_for_update(skip_locked=True, of=("self",))
        request = lapsed.filter(pk=pk).first()
        if request is None:
            return False
        with governed("override.timed_out", actor=None, target=request, at=at) as act:
            act.before = {"state": request.state}
            _move(request, State.TIMED_OUT)
            act.after = {"state": request.state}
    return True
