"""Reads of frameworks that more than one service or page needs."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from frameworks.models import (
    Comment,
    Confirmation,
    Contribution,
    Delegation,
    Framework,
    FrameworkVersion,
    Kind,
    Mention,
    Part,
    Requirement,
    User,
)
from frameworks.transitions import UNDER_WAY


def with_signing_rights(users: QuerySet[User]) -> QuerySet[User, Any]:
    """Annotates `may_sign` (by one of their roles, never as a superuser) and `role_names`."""
    permission = Permission.objects.filter(
        codename="sign_version", content_type__app_label="frameworks", group__user=OuterRef("pk")
    )
    names = ArrayAgg("groups__name", filter=Q(groups__isnull=False), default=Value([]))
    return users.annotate(may_sign=Exists(permission), role_names=names)


def able_to_help() -> QuerySet[User]:
    """Who can do something where nobody can sign: change the sign-off policy, or give roles. By name."""
    rights = Q(groups__permissions__codename__in=("edit_draft", "change_user")) | Q(is_superuser=True)
    people = User.objects.filter(rights, is_active=True, is_service=False)
    return User.objects.filter(pk__in=people.values("pk")).order_by("name", "pk")


def contributor_ids(version: FrameworkVersion) -> set[int]:
    """Who wrote or changed anything in this version, its author included."""
    written = Contribution.objects.filter(version=version).values_list("contributed_by_id", flat=True)
    return {version.author_id, *written.distinct()}


def assumed(parts: QuerySet[Part]) -> QuerySet[Part]:
    """The parts whose body of today nobody has confirmed. A waiver is a decision, not an input to be validated."""
    # Asked part by part, by its index: as an anti-join it is a little faster, until the tables' statistics are old.
    of_it = {"kind": OuterRef("kind"), "key": OuterRef("key"), "body": OuterRef("body")}
    said = Confirmation.objects.filter(
        ~Q(state=Confirmation.State.REMOVED), framework=OuterRef("version__framework"), **of_it
    ).order_by("-pk")
    newest = Coalesce(Subquery(said.values("state")[:1]), Value(Confirmation.State.ASSUMED.value))
    inputs = parts.exclude(kind=Kind.WAIVER).annotate(confirmation=newest)
    return inputs.exclude(confirmation=Confirmation.State.CONFIRMED)


def policies_written_by(user: User, version: FrameworkVersion) -> set[tuple[str, str]]:
    """Key and body digest of every policy this person wrote into a draft that changes what is in force.

    Nothing for a draft without a base: there is no policy in force to change yet.
    """
    if version.base_version_id is None:
        return set()
    rows = Contribution.objects.filter(
        version__framework=version.framework_id, version__base_version__isnull=False, kind=Kind.POLICY
    )
    return {(key, body) for key, body in rows.filter(contributed_by=user).values_list("key", "body_id") if body}


def delegations_in_force(at: datetime) -> QuerySet[Delegation]:
    """Delegations under which somebody may sign at that moment."""
    return Delegation.objects.filter(valid_from__lte=at, valid_until__gt=at, ended_at=None)


def asked_of(user: User, at: datetime) -> QuerySet[Requirement]:
    """Requirements of versions that are open for signing whose signers include the user, answered or not.

    Also those of people in whose place the user may sign at that moment.
    """
    signers = [user.pk, *delegations_in_force(at).filter(delegate=user).values_list("delegator_id", flat=True)]
    is_open = Q(version__state=FrameworkVersion.State.IN_REVIEW) | Q(
        version__state=FrameworkVersion.State.ACTIVATED,
        version__is_emergency=True,
        version__ratified_at=None,
        version__superseded_at=None,
    )
    return (
        Requirement.objects.filter(is_open, round=F("version__round"))
        .filter(Exists(Requirement.pool.through.objects.filter(requirement=OuterRef("pk"), user__in=signers)))
        .select_related("version__framework")
        .order_by("version", "position", "part_key")
    )


def with_counts(frameworks: QuerySet[Framework]) -> QuerySet[Framework, Any]:
    """Annotates `version_count` and `open_number`, the version in review, approved or scheduled."""
    under_way = FrameworkVersion.objects.filter(framework=OuterRef("pk"), state__in=UNDER_WAY)
    return frameworks.select_related("active_version").annotate(
        version_count=Count("versions", distinct=True),
        open_number=Subquery(under_way.values("number")[:1]),
        draft_number=Subquery(
            FrameworkVersion.objects.filter(framework=OuterRef("pk"), state=FrameworkVersion.State.DRAFT)
            .order_by("-number")
            .values("number")[:1]
        ),
    )


def threads_on(version: FrameworkVersion) -> QuerySet[Comment]:
    """Threads that concern a version, oldest first: its own, and those of the versions it comes from.

    A thread that was open when the version was drafted is carried over by being read, until somebody resolves it.
    """
    carried = Q(version__in=ancestors(version)) & (Q(resolved_at__isnull=True) | Q(resolved_at__gt=version.created_at))
    return Comment.objects.filter(
        Q(version=version) | carried, framework=version.framework_id, thread__isnull=True
    ).order_by("pk")


def ancestors(version: FrameworkVersion) -> list[int]:
    """The versions (ids) that a version comes from, the nearest first; one query.

    A draft from a time when nothing was in force has no base: it went on from the version before it.
    """
    rows = FrameworkVersion.objects.filter(framework=version.framework_id).order_by("number")
    came_from: dict[int, int | None] = {}
    before = None
    for pk, base in rows.values_list("pk", "base_version"):
        came_from[pk], before = base or before, pk
    found: list[int] = []
    at = came_from.get(version.pk)
    while at is not None and at not in found:
        found.append(at)
        at = came_from[at]
    return found


def with_replies(threads: QuerySet[Comment]) -> QuerySet[Comment]:
    """Everything that a page shows of threads, in a fixed number of queries."""
    replies = Comment.objects.select_related("author", "version").prefetch_related("mentions__person").order_by("pk")
    return threads.select_related("author", "version", "resolved_by").prefetch_related(
        "mentions__person", Prefetch("replies", queryset=replies)
    )


def mentions_waiting_for(user: User) -> QuerySet[Mention]:
    """Where this person was named and has neither noted it nor answered, in threads that are still open."""
    return waiting_mentions().filter(person=user)


def waiting_mentions() -> QuerySet[Mention]:
    """Where anybody was named who has neither noted it nor answered, in threads that are still open."""
    is_open = Q(comment__thread__isnull=True, comment__resolved_at__isnull=True) | Q(
        comment__thread__isnull=False, comment__thread__resolved_at__isnull=True
    )
    return Mention.objects.filter(is_open, noted_at__isnull=True).order_by("pk")


def confirmations_of(version: FrameworkVersion, kind: str, key: str) -> list[Confirmation]:
    """What was said of a part, newest first; `is_current` where it was said of the body of today."""
    body = version.parts.filter(kind=kind, key=key).values("body")[:1]
    said = Confirmation.objects.filter(framework=version.framework_id, kind=kind, key=key)
    said = said.exclude(state=Confirmation.State.REMOVED)
    return list(said.annotate(is_current=Q(body=Subquery(body))).order_by("-pk")[:20])
