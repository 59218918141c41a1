"""What people had asked for a segment that a new version retired or gave other rules, and each of them told why.

A request or an override of a retired segment is closed or carried on; an override of one whose rules changed goes on,
and people look again whether it should.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.urls import reverse

from accounts.models import Assignment, Override
from accounts.services.overrides import SettledOverrides, overrides_on
from frameworks.comparison import segments_with_other_rules
from frameworks.governed import governed
from frameworks.mapping import Succession, Successions
from frameworks.models import FrameworkVersion, Segment, User
from frameworks.parts.wording import listed
from frameworks.templatetags.cutline import day
from governance.models import OverrideRequest
from governance.services.telling import tell_people
from governance.transitions import check_transition

State = OverrideRequest.State
RECONFIRM_WITHIN = timedelta(days=14)
"""So long after a split the overrides that it ended wait to be asked for again, and those to be looked at wait."""


def close_retired_requests(*, version: FrameworkVersion, known: Successions, at: datetime) -> list[OverrideRequest]:
    """Close open requests for a segment that the version now in force does not have, and tell who asked."""
    rows = OverrideRequest.objects.open().filter(dimension__framework=version.framework, segment__is_live=False)
    related = ("account", "dimension", "segment", "requested_by")
    closed = list(rows.select_for_update(of=("self",)).select_related(*related).order_by("pk"))
    for request in closed:
        check_transition(request, State.LAPSED)
        reason = _gone(request.segment, known.get(request.dimension.key, {}).get(request.segment.key))
        with governed("override.request_lapsed", actor=None, target=request, at=at, reason=reason) as act:
            act.before = {"state": request.state}
            request.state, request.state_reason, request.version = State.LAPSED, reason, request.version + 1
            request.save(update_fields=["state", "state_reason", "version", "updated_at"])
            act.after = {"state": request.state}
        place = reverse("governance:request_detail", args=[request.uuid])
        text = f"You asked that {request.account.name} counts as {request.segment.name}. {reason}"
        tell_people([request.requested_by], f"{request.account.name}: your request is closed", text, place, at=at)
    return closed


def _gone(segment: Segment, succession: Succession | None) -> str:
    if succession is None:
        return f"{segment.name} is not in the version in force any more."
    names = Segment.objects.filter(dimension=segment.dimension, key__in=succession.into).order_by("rank")
    into = listed(names.values_list("name", flat=True))
    return f"{into} took the place of {segment.name}: ask again, if the rules do not say it by themselves."


def overrides_to_reconfirm(at: datetime) -> QuerySet[Override, Any]:
    """Overrides that a split ended within RECONFIRM_WITHIN and that nobody has asked for again, oldest first.

    `computed_name` is the segment that the rules give now.
    """
    same = {"account": OuterRef("account"), "dimension": OuterRef("dimension")}
    asked = OverrideRequest.objects.filter(**same, requested_at__gte=OuterRef("ended_at"))
    newer = Override.objects.filter(**same, created_at__gte=OuterRef("ended_at"))
    computed = Assignment.objects.filter(**same).values("computed__name")[:1]
    ended = {"ended_at__gt": at - RECONFIRM_WITHIN, "ended_at__lte": at, "valid_until__gt": at}
    rows = Override.objects.filter(ending=Override.Ending.LAPSED, dimension__is_live=True, **ended)
    rows = rows.filter(~Exists(asked), ~Exists(newer)).annotate(computed_name=Subquery(computed))
    return rows.select_related("account", "segment", "created_by").order_by("ended_at", "pk")


def follow_carried(settled: SettledOverrides) -> None:
    """Let the requests behind carried overrides point to the rows that go on: they are looked at and revoked there."""
    for override in settled.carried:
        OverrideRequest.objects.filter(override=override.carried_from).update(override=override)


def tell_settled(version: FrameworkVersion, settled: SettledOverrides, again: Iterable[Override], at: datetime) -> None:
    """Tell who asked for an override, who granted it and whose account it is what became of it; one message each.

    `again` are those that go on and should be looked at.
    """
    lines: dict[User, list[str]] = defaultdict(list)
    for override in settled.carried:
        text = f"{override.account.name}: its override goes on as {override.segment.name} until {_day(override)}."
        _add(lines, override, text)
    for override in settled.ended:
        text = (
            f"{override.account.name}: its override to {override.segment.name} ended."
            f" Ask again if it should go on; CS Ops finds it in the inbox for {RECONFIRM_WITHIN.days} days."
        )
        _add(lines, override, text)
    for override in again:
        text = (
            f"{override.account.name}: the rules of {override.segment.name} changed, and its override to it goes on"
            f" until {_day(override)}. Look whether it is still right; CS Ops finds it in the inbox for"
            f" {RECONFIRM_WITHIN.days} days."
        )
        _add(lines, override, text)
    place = reverse("frameworks:version_detail", args=[version.framework.slug, version.number])
    for person, texts in lines.items():
        subject = f"{version.framework.name}: overrides under version {version.number}"
        tell_people([person], subject, "\n".join(texts), place, at=at)


def with_other_rules(version: FrameworkVersion, at: datetime) -> list[Override]:
    """Overrides that go on although their segment has other rules with the version that has just come into force."""
    changed = segments_with_other_rules(version.base_version, version)
    return list(overrides_on(framework=version.framework, segments=changed, at=at)) if changed else []


def overrides_to_look_at(at: datetime) -> Iterator[tuple[Override, FrameworkVersion]]:
    """Overrides whose segment got other rules within RECONFIRM_WITHIN, with the version that brought them."""
    lately = {"activated_at__gt": at - RECONFIRM_WITHIN, "activated_at__lte": at, "base_version__isnull": False}
    related = ("framework", "base_version")
    for version in FrameworkVersion.objects.filter(**lately).select_related(*related).order_by("activated_at"):
        changed = segments_with_other_rules(version.base_version, version)
        if changed and version.activated_at:
            rows = overrides_on(framework=version.framework, segments=changed, at=version.activated_at)
            yield from ((row, version) for row in rows.filter(valid_until__gt=at, segment__is_live=True))


def _day(override: Override) -> str:
    return day(override.valid_until)


def _add(lines: dict[User, list[str]], override: Override, text: str) -> None:
    request = OverrideRequest.objects.filter(override=override).select_related("requested_by").first()
    asked = request.requested_by if request else None
    account = override.account
    for person in dict.fromkeys([asked, override.created_by, account.csm, account.ae]):
        if person is not None:
            lines[person].append(text)
