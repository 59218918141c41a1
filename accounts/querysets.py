"""Reads of accounts and assignments that more than one service, page or resource needs.

No read of a segment goes past `current_segment`: an override that has just run out counts no longer, whether or
not the sweeper has been there.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Case, Count, F, Q, QuerySet, When

from accounts.models import Account, AccountIdentifier, Assignment
from accounts.models.account import LISTED
from frameworks.models import AccountList, Framework, Segment, User


def is_overridden(at: datetime) -> Q:
    """Assignments that an override decides at `at`."""
    return Q(override_until__gt=at)


def current_segment(at: datetime) -> Case:
    """The segment id that counts at `at`, null when Unassigned: `effective`, or what comes after an override.

    For queries on Assignment: `.annotate(current_segment=current_segment(at))`.
    """
    return Case(When(override_until__lte=at, then=F("without_override_id")), default=F("effective_id"))


def with_current_segment(assignments: QuerySet[Assignment], at: datetime) -> QuerySet[Assignment, Any]:
    """Annotates `current_segment`, a segment id."""
    return assignments.annotate(current_segment=current_segment(at))


def in_segment(assignments: QuerySet[Assignment], segment_id: int | None, at: datetime) -> QuerySet[Assignment]:
    """Assignments whose current segment is this one; None asks for the Unassigned."""
    # Spelled out instead of comparing the CASE, so that the index on `effective` answers the usual half.
    over = Q(override_until__lte=at)
    wanted = {"effective_id": segment_id} if segment_id is not None else {"effective__isnull": True}
    later = {"without_override_id": segment_id} if segment_id is not None else {"without_override__isnull": True}
    running = Q(override_until__isnull=True) | is_overridden(at)
    return assignments.filter((running & Q(**wanted)) | (over & Q(**later)))


def visible_accounts(user: User) -> QuerySet[Account]:
    """Accounts the user may see: everyone who may log in sees all but the deleted and the merged ones."""
    if not user.is_active:
        return Account.objects.none()
    return Account.objects.filter(LISTED)


def with_entries(lists: QuerySet[AccountList], user: User) -> QuerySet[AccountList, Any]:
    """Annotates `entry_count`: how many accounts the user may see are on each list."""
    visible = Q(entries__account__in=visible_accounts(user).values("pk"))
    return lists.select_related("owner").annotate(entry_count=Count("entries", filter=visible))


def external_ids(account_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """Account id → source → external id. Of several ids in one source the first by text is given."""
    found: dict[int, dict[str, str]] = {}
    rows = AccountIdentifier.objects.filter(account_id__in=list(account_ids)).order_by("source", "external_id")
    for account_id, source, external_id in rows.values_list("account_id", "source", "external_id"):
        found.setdefault(account_id, {}).setdefault(source, external_id)
    return found


def segment_keys(segment_ids: Iterable[int | None]) -> dict[int | None, str | None]:
    """Segment id → key; Unassigned is None on both sides."""
    wanted = {pk for pk in segment_ids if pk is not None}
    keys: dict[int | None, str | None] = {None: None}
    keys.update(Segment.objects.filter(pk__in=wanted).values_list("pk", "key"))
    return keys


def framework_slugs() -> dict[int, str]:
    """Framework id → slug."""
    return dict(Framework.objects.values_list("pk", "slug"))


# Rows carry the moment their transaction's work began, and become visible when it commits. Before this many
# seconds ago nobody who is still to write read the clock: no task runs longer than 60 s, no request than 30.
_MARGIN_SECONDS = 90

_WATERMARK = """
SELECT least(
    now() - make_interval(secs => %(margin)s),
    (SELECT min(xact_start) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid())
        - make_interval(secs => %(margin)s),
    (SELECT min(as_of) FROM accounts_assignmentrun WHERE state IN ('planned', 'evaluated', 'held', 'applying'))
)
"""


def watermark() -> datetime:
    """Every change stamped before this moment is committed: reading up to here misses none.

    Runs stamp what they write with the moment they are of, which may be long ago; hence the third bound.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WATERMARK, {"margin": _MARGIN_SECONDS})
        moment: datetime = cursor.fetchone()[0]
    return moment
