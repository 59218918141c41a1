"""Saving what the dimension editor holds: several parts of a draft as one act, all of them or none."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import transaction

from frameworks.account_lists import lists_for
from frameworks.content import Content, storage_problems
from frameworks.definition import Bodies, bodies_of
from frameworks.dimension_edit import DimensionEdit, EditedPart, EditProblem, EditRefusedError, judge_edit
from frameworks.errors import InvalidError, StaleEditError, StalePartError
from frameworks.governed import governed
from frameworks.holds import what_hangs_on
from frameworks.models import Contribution, FrameworkVersion, Kind, Part, User
from frameworks.parts.wording import listed
from frameworks.services.access import require_permission
from frameworks.services.drafting import lock_draft, write_contents


def save_dimension(
    *, version: FrameworkVersion, edit: DimensionEdit, actor: User, at: datetime, source: str
) -> list[Part]:
    """Write the parts of a dimension that the edit changed, and take out those it removed.

    A part the editor did not touch stays as it is stored, also when somebody else changed it meanwhile. Saving what
    is stored changes nothing and leaves no trace. Returns the parts written. Raises EditRefusedError with every
    problem and its place, StaleEditError with both texts where somebody was quicker, ConflictError when the version
    has left draft.
    """
    require_permission(actor, "edit_draft", to="edit drafts")
    with transaction.atomic():
        lock_draft(version)
        bodies = bodies_of(version)
        judgement = judge_edit(edit, bodies, lists=lists_for(bodies))
        if judgement.problems:
            raise EditRefusedError(judgement.problems)
        stored = {(part.kind, part.key): part for part in version.parts.select_related("body")}
        contents = judgement.contents
        written = [
            (part, contents[part.id])
            for part in edit.parts
            if contents[part.id].digest not in (part.digest, _digest_of(stored.get(part.id)))
        ]
        removed = [part for part in edit.removed if part.id in stored]
        if held := list(_held(version, removed, judgement.bodies)):
            raise EditRefusedError(held)
        stale = [*_stale(written, stored), *_stale([(part, None) for part in removed], stored)]
        if stale:
            raise StaleEditError(stale)
        if problems := list(storage_problems([content for _, content in written])):
            raise InvalidError(problems)
        for part, content in written:
            with governed("part.saved", actor=actor, target=version, at=at) as act:
                act.before = {"digest": part.digest}
                act.after = {"part": f"{part.kind} {part.key}", "digest": content.digest}
                write_contents(version=version, contents=[content], actor=actor, at=at, source=source)
        for part in removed:
            _remove(version, stored[part.id], actor=actor, at=at, source=source)
    keys = [part.key for part, _ in written]
    return [part for part in version.parts.filter(key__in=keys) if (part.kind, part.key) in contents]


def _digest_of(part: Part | None) -> str:
    return part.body_id if part else ""


def _stale(
    changes: Iterable[tuple[EditedPart, Content | None]], stored: dict[tuple[str, str], Part]
) -> Iterator[StalePartError]:
    for part, content in changes:
        now = stored.get(part.id)
        if _digest_of(now) != part.digest:
            yield StalePartError(
                kind=part.kind,
                key=part.key,
                mine=content.body if content else None,
                theirs=now.body.body if now else None,
                digest=now.body_id if now else None,
            )


def _held(version: FrameworkVersion, removed: Iterable[EditedPart], bodies: Bodies) -> Iterator[EditProblem]:
    """Segments on which something hangs and that leave without a word about where they go."""
    for part in removed:
        dimension, _, short = part.key.partition("/")
        recorded = bodies[Kind.DIMENSION.value, dimension].get("retired", ())
        if part.kind != Kind.SEGMENT or any(entry["segment"] == short for entry in recorded):
            continue
        if hanging := what_hangs_on(version.framework, dimension, short):
            message = f"Say first where {short} goes, with “Merge, split or retire”: {listed(hanging)}."
            yield EditProblem((Kind.DIMENSION.value, dimension), "/segments", message)


def _remove(version: FrameworkVersion, part: Part, *, actor: User, at: datetime, source: str) -> None:
    with governed("part.deleted", actor=actor, target=version, at=at) as act:
        act.before = {"part": f"{part.kind} {part.key}", "digest": part.body_id}
        kind, key = part.kind, part.key
        part.delete()
        Contribution.objects.create(
            version=version, kind=kind, key=key, contributed_by=actor, source=source, contributed_at=at
        )
