"""Bringing a draft onto the version that became active meanwhile: three-way, part by part.

What only the active version changed follows it; what only the draft changed stays; where both changed the same
part, a person chooses. A part that ends as it was keeps its digest, so its sign-offs keep counting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.models import Contribution, Framework, FrameworkVersion, Part, User
from frameworks.naming import names_of
from frameworks.services.access import require_permission
from frameworks.services.review import forget_way
from frameworks.transitions import UNDER_WAY, check_transition

State = FrameworkVersion.State
PartId = tuple[str, str]
MINE, THEIRS = "mine", "theirs"


@dataclass(frozen=True)
class Conflict:
    """A part that the draft and the active version both changed. A digest is None where the part is not there."""

    kind: str
    key: str
    base: str | None
    mine: str | None
    theirs: str | None

    @property
    def id(self) -> PartId:
        return (self.kind, self.key)


@dataclass(frozen=True)
class RebasePlan:
    """What a rebase would do. `followed`: part → the active version's digest, None where it is gone there."""

    onto: FrameworkVersion
    followed: Mapping[PartId, str | None]
    kept: tuple[PartId, ...]
    conflicts: tuple[Conflict, ...]


def plan_rebase(version: FrameworkVersion) -> RebasePlan | None:
    """How a draft or a version under way would follow the active one; None when it is based on it already."""
    onto = version.framework.active_version
    is_open = version.state == State.DRAFT or version.state in UNDER_WAY
    if onto is None or version.base_version_id == onto.pk or not is_open:
        return None
    base = _digests(version.base_version) if version.base_version else {}
    mine, theirs = _digests(version), _digests(onto)
    followed: dict[PartId, str | None] = {}
    kept, conflicts = [], []
    for part in sorted({*base, *mine, *theirs}):
        was, here, there = base.get(part), mine.get(part), theirs.get(part)
        if here == there:
            continue
        if here == was:
            followed[part] = there
        elif there == was:
            kept.append(part)
        else:
            conflicts.append(Conflict(*part, was, here, there))
    return RebasePlan(onto, followed, tuple(kept), tuple(conflicts))


def _digests(version: FrameworkVersion) -> dict[PartId, str]:
    return {(kind, key): body for kind, key, body in version.parts.values_list("kind", "key", "body_id")}


def rebase_version(
    *,
    version: FrameworkVersion,
    onto: FrameworkVersion,
    choices: Mapping[PartId, tuple[str, str]],
    actor: User,
    at: datetime,
    source: str = Contribution.Source.PAGE,
) -> FrameworkVersion:
    """Make the active version the base and put the version into a new draft round.

    `onto` is the active version the person saw; `choices` say for each conflict "mine" or "theirs", with the
    digest of theirs that was shown ("" where the part is gone). Raises ConflictError when either is not today's,
    InvalidError naming the conflicts without a choice.
    """
    require_permission(actor, "edit_draft", to="rebase a draft")
    with transaction.atomic():
        framework = Framework.objects.select_for_update(of=("self",), no_key=True).get(pk=version.framework_id)
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        version.framework = framework
        plan = plan_rebase(version)
        if plan is None or plan.onto.pk != onto.pk:
            raise ConflictError(f"{framework.active_version} is active now: look at the conflicts again.")
        taken = _taken(version, plan, choices)
        with governed("version.rebased", actor=actor, target=version, at=at) as act:
            act.before = {"base": str(version.base_version or ""), "state": version.state}
            _into_draft(version, plan.onto)
            _write(version, {**plan.followed, **taken})
            _note_choices(version, taken, actor, at, source)
            act.after = {"base": str(plan.onto), "followed": str(len(plan.followed)), "kept": str(len(plan.kept))}
            act.after["chosen"] = [f"{each.kind} {each.key}: {choices[each.id][0]}" for each in plan.conflicts]
    return version


def _taken(
    version: FrameworkVersion, plan: RebasePlan, choices: Mapping[PartId, tuple[str, str]]
) -> dict[PartId, str | None]:
    """The conflicts that are settled with the active version's text."""
    chosen = {part for part, (side, _) in choices.items() if side in (MINE, THEIRS)}
    names = names_of(version, [each.id for each in plan.conflicts])
    left = [each.id for each in plan.conflicts if each.id not in chosen]
    if left:
        raise InvalidError([f"Choose one text: {names.phrase_of(*part)}." for part in left])
    for each in plan.conflicts:
        if choices[each.id][1] != (each.theirs or ""):
            name = names.title_of(*each.id)
            raise ConflictError(f"{name} changed again since you opened the page. Nothing was rebased.")
    return {each.id: each.theirs for each in plan.conflicts if choices[each.id][0] == THEIRS}


def _into_draft(version: FrameworkVersion, onto: FrameworkVersion) -> None:
    if version.state != State.DRAFT:
        check_transition(version, State.DRAFT)
        version.state, version.state_reason = State.DRAFT, f"Rebased onto {onto}."
        forget_way(version)
    version.base_version = onto
    version.save(
        update_fields=[
            *("state", "state_reason", "scheduled_for", "scheduled_by", "is_emergency", "emergency_reason"),
            *("base_version", "updated_at"),
        ]
    )


def _write(version: FrameworkVersion, parts: Mapping[PartId, str | None]) -> None:
    for (kind, key), digest in parts.items():
        if digest is None:
            version.parts.filter(kind=kind, key=key).delete()
    Part.objects.bulk_create(
        [Part(version=version, kind=kind, key=key, body_id=body) for (kind, key), body in parts.items() if body],
        update_conflicts=True,
        unique_fields=["version", "kind", "key"],
        update_fields=["body", "updated_at"],
    )


def _note_choices(
    version: FrameworkVersion, taken: Mapping[PartId, str | None], actor: User, at: datetime, source: str
) -> None:
    """Choosing between two texts is a contribution; following what others signed is none."""
    Contribution.objects.bulk_create(
        Contribution(
            version=version, kind=kind, key=key, body_id=body, contributed_by=actor, source=source, contributed_at=at
        )
        for (kind, key), body in taken.items()
    )
