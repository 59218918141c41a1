"""Overrides as facts: an account counts as another segment from one moment until another.

Who asked and who agreed is known above; here an override starts, ends, and owes the account an evaluation.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Account, Assignment, Cause, Override
from accounts.services.marking import mark_accounts
from accounts.signals import override_ended
from frameworks.errors import ConflictError
from frameworks.governed import governed
from frameworks.mapping import Succession, Successions
from frameworks.models import Dimension, Framework, Segment, User
from frameworks.parts.wording import listed
from frameworks.templatetags.cutline import day

CAUSES: dict[str, Cause] = {
    Override.Ending.EXPIRED: Cause.OVERRIDE_EXPIRED,
    Override.Ending.REVOKED: Cause.OVERRIDE_REVOKED,
    Override.Ending.MOOT: Cause.OVERRIDE_MOOT,
    Override.Ending.LAPSED: Cause.VERSION,
    Override.Ending.MAPPED: Cause.MAPPING,
    Override.Ending.RENEWED: Cause.OVERRIDE_EXPIRED,
}


def overrides_in_force(at: datetime) -> QuerySet[Override]:
    """Overrides that count at `at`, by the clock alone."""
    return Override.objects.filter(valid_from__lte=at, valid_until__gt=at).filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=at)
    )


def overlapping_overrides(
    *, account: Account, dimension: Dimension, valid_from: datetime, valid_until: datetime
) -> QuerySet[Override]:
    """Overrides of the account in the dimension that share a moment with [valid_from, valid_until)."""
    return (
        Override.objects.filter(account=account, dimension=dimension, valid_from__lt=valid_until)
        .annotate(ends_at=Coalesce("ended_at", "valid_until"))
        .filter(ends_at__gt=valid_from)
        .exclude(ends_at=F("valid_from"))
        .select_related("segment")
        .order_by("valid_from")
    )


def grant_override(
    *,
    account: Account,
    dimension: Dimension,
    segment: Segment,
    valid_from: datetime,
    valid_until: datetime,
    reason: str,
    actor: User,
    at: datetime,
) -> Override:
    """Let the account count as `segment` from `valid_from` (not before `at`) until `valid_until`.

    Raises ConflictError naming the override that holds that time already.
    """
    start = max(valid_from, at)
    override = Override(
        account=account,
        dimension=dimension,
        segment=segment,
        valid_from=start,
        valid_until=valid_until,
        reason=reason,
        created_by=actor,
        created_at=at,
        started_at=at if start <= at else None,
    )
    with governed("override.granted", actor=actor, target=override, at=at, reason=reason) as act:
        _save_unless_overlapping(override)
        act.after = {"segment": segment.key, "from": start.isoformat(), "until": valid_until.isoformat()}
        if override.started_at:
            mark_accounts(account_ids=[account.pk], cause=Cause.OVERRIDE_STARTED, at=at)
    return override


def _save_unless_overlapping(override: Override) -> None:
    """The exclusion constraint decides; asking first would miss the one that commits meanwhile."""
    try:
        with transaction.atomic():
            override.save(force_insert=True)
    except IntegrityError as error:
        first = overlapping_overrides(
            account=override.account,
            dimension=override.dimension,
            valid_from=override.valid_from,
            valid_until=override.valid_until,
        ).first()
        if first is None:
            raise
        raise ConflictError(overlap_message(first)) from error


def overlap_message(override: Override) -> str:
    """ "It counts as Enterprise by override 1f0c… from … until …": the first override, named."""
    return (
        f"This account counts as {override.segment.name} by override {override.uuid}"
        f" from {day(override.valid_from)} until {day(override.valid_until)}."
    )


def end_override(*, override: Override, ending: str, reason: str, actor: User | None, at: datetime) -> Override:
    """End an override before its time; one that has not begun never will. Raises ConflictError when it has ended."""
    with governed(f"override.{ending}", actor=actor, target=override, at=at, reason=reason) as act:
        locked = Override.objects.select_for_update(of=("self",)).get(pk=override.pk)
        if locked.ended_at is not None or locked.valid_until <= at:
            ended = locked.ended_at or locked.valid_until
            raise ConflictError(f"This override ended on {day(ended)}.")
        act.before = {"until": locked.valid_until.isoformat()}
        # A range that ends before it begins is none: an override that never began ends where it would begin.
        _end(locked, ending=ending, ended_at=max(at, locked.valid_from), at=at)
        act.after = {"ended": at.isoformat()}
    return locked


def _end(override: Override, *, ending: str, ended_at: datetime, at: datetime) -> None:
    override.ended_at, override.ending = ended_at, ending
    override.save(update_fields=["ended_at", "ending"])
    mark_accounts(account_ids=[override.account_id], cause=CAUSES[ending], at=at)
    override_ended.send(sender=Override, override=override)


def sweep_overrides(at: datetime) -> tuple[int, int]:
    """Let the assignments follow the clock: (started, expired). Often nothing, so it asks cheaply first.

    Each expiry is a transaction and an audit entry of its own; another sweeper's rows are left to it.
    """
    due = Q(valid_from__lte=at, started_at__isnull=True, ended_at__isnull=True)
    over = Q(valid_until__lte=at, ended_at__isnull=True)
    expired = [
        pk for pk in Override.objects.filter(over).order_by("pk").values_list("pk", flat=True) if _expire(pk, at)
    ]
    started = _start(due, at) if Override.objects.filter(due).exists() else 0
    return started, len(expired)


def _start(due: Q, at: datetime) -> int:
    with transaction.atomic():
        overrides = list(Override.objects.select_for_update(skip_locked=True).filter(due).order_by("pk"))
        mark_accounts(account_ids=[row.account_id for row in overrides], cause=Cause.OVERRIDE_STARTED, at=at)
        Override.objects.filter(pk__in=[row.pk for row in overrides]).update(started_at=at)
    return len(overrides)


def _expire(pk: int, at: datetime) -> bool:
    with transaction.atomic():
        override = (
            Override.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(pk=pk, ended_at__isnull=True)
            .first()
        )
        if override is None:
            return False
        with governed("override.expired", actor=None, target=override, at=at) as act:
            _end(override, ending=Override.Ending.EXPIRED, ended_at=override.valid_until, at=at)
            act.after = {"ended": override.valid_until.isoformat()}
    return True


@dataclass(frozen=True)
class SettledOverrides:
    """Overrides whose segment left with a new version: the rows that go on with a successor, and those that ended."""

    carried: list[Override]
    ended: list[Override]


def settle_overrides(*, framework: Framework, known: Successions, at: datetime) -> SettledOverrides:
    """Carry overrides whose segment is not in the version that has just come into force to its successor.

    `known` are that version's successions. An override of a split that names no successor ends, and so does one whose
    segment left without one: `ended` are those whose people have to be told.
    """
    gone = Q(segment__is_live=False) | Q(dimension__is_live=False)
    rows = Override.objects.filter(gone, dimension__framework=framework, ended_at__isnull=True, valid_until__gt=at)
    related = ("segment", "dimension", "account", "origin", "created_by")
    settled = SettledOverrides([], [])
    for override in rows.select_for_update(of=("self",)).select_related(*related).order_by("pk"):
        succession = known.get(override.dimension.key, {}).get(override.segment.key)
        to = successor_of(override, succession)
        if to is None:
            settled.ended.append(_lapse(override, succession, at))
        else:
            settled.carried.append(_carry(override, to, at))
    return settled


def overrides_on(*, framework: Framework, segments: Collection[str], at: datetime) -> QuerySet[Override]:
    """Overrides that point to one of these segments ("tier/smb"), were granted before that moment and are not over."""
    named = Q(pk__in=[])
    for dimension, _, segment in (key.partition("/") for key in sorted(segments)):
        named |= Q(dimension__key=dimension, segment__key=segment)
    rows = Override.objects.filter(named, dimension__framework=framework, created_at__lt=at, ended_at__isnull=True)
    related = ("account__csm", "account__ae", "segment", "dimension", "created_by")
    return rows.filter(valid_until__gt=at).select_related(*related).order_by("pk")


def successor_of(override: Override, succession: Succession | None) -> str | None:
    """The segment that an override of a retired one goes on with; None where nobody said so.

    Going back to an older version, it returns to the segment that it was granted for.
    """
    if succession is None:
        return None
    if succession.is_return and override.origin and override.origin.key in succession.into:
        return override.origin.key
    return succession.carries_to


def _carry(override: Override, to: str, at: datetime) -> Override:
    """The override ends and goes on in a row of its own, so that its past keeps the old segment's name.

    The two meet and never overlap; one that has not begun leaves an empty range behind.
    """
    segment = Segment.objects.get(dimension=override.dimension, key=to)
    begins = max(at, override.valid_from)
    reason = f"{override.segment.name} is not in the version in force: {segment.name} has taken its place."
    with governed("override.carried", actor=None, target=override, at=at, reason=reason) as act:
        act.before = {"segment": override.segment.key}
        override.ended_at, override.ending = begins, Override.Ending.MAPPED
        override.save(update_fields=["ended_at", "ending"])
        carried = Override.objects.create(
            account=override.account,
            dimension=override.dimension,
            segment=segment,
            valid_from=begins,
            valid_until=override.valid_until,
            reason=override.reason,
            created_by=override.created_by,
            created_at=at,
            started_at=at if begins <= at else None,
            carried_from=override,
            origin=override.origin or override.segment,
        )
        mark_accounts(account_ids=[override.account_id], cause=CAUSES[Override.Ending.MAPPED], at=at)
        act.after = {"segment": segment.key, "override": str(carried.uuid)}
    return carried


def _lapse(override: Override, succession: Succession | None, at: datetime) -> Override:
    reason = f"{override.segment.name} is not in the version in force."
    if succession is not None:
        names = Segment.objects.filter(dimension=override.dimension, key__in=succession.into)
        into = listed(names.order_by("rank").values_list("name", flat=True))
        reason = f"{override.segment.name} was split into {into}: somebody has to say which this account is to be."
    with governed("override.lapsed", actor=None, target=override, at=at, reason=reason) as act:
        _end(override, ending=Override.Ending.LAPSED, ended_at=max(at, override.valid_from), at=at)
        act.after = {"ended": at.isoformat()}
    return override


def close_moot_overrides(account_ids: Collection[int], at: datetime) -> int:
    """Close overrides in force whose rule has come to give the same segment; returns how many.

    For the caller that has just written the assignments of these accounts, in its transaction.
    """
    computed = Assignment.objects.filter(account_id=OuterRef("account_id"), dimension_id=OuterRef("dimension_id"))
    with transaction.atomic():
        agreeing = list(
            # Locked rows are being ended by somebody; waiting for them while holding evaluation locks could deadlock.
            overrides_in_force(at)
            .select_for_update(skip_locked=True, of=("self",))
            .filter(account_id__in=account_ids, ended_at__isnull=True, started_at__isnull=False)
            .annotate(by_rule=Subquery(computed.values("computed_id")[:1]))
            .filter(segment_id=F("by_rule"))
            .order_by("pk")
        )
        for override in agreeing:
            reason = "The rule gives this segment."
            with governed("override.moot", actor=None, target=override, at=at, reason=reason) as act:
                _end(override, ending=Override.Ending.MOOT, ended_at=at, at=at)
                act.after = {"ended": at.isoformat()}
    return len(agreeing)
