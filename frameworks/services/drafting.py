"""Writing drafts: new frameworks and versions, one part at a time, ASSUMED and CONFIRMED."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from frameworks.account_lists import lists_for
from frameworks.content import Content, PartId, RefusedContentError, checked, checked_all, storage_problems
from frameworks.definition import Definition, bodies_of
from frameworks.errors import ConflictError, FrozenVersionError, InvalidError, NotAllowedError, StalePartError
from frameworks.exchange.templates import TemplateError, load_template
from frameworks.governed import governed
from frameworks.models import (
    Confirmation,
    Contribution,
    Framework,
    FrameworkVersion,
    Kind,
    Part,
    PartBody,
    User,
)
from frameworks.naming import names_of
from frameworks.parts.naming import own_label, phrased
from frameworks.querysets import assumed, policies_written_by
from frameworks.removed_policies import RemovedPolicy, removed_policies
from frameworks.rules_together import clashes_of_dimension, clashes_of_segment
from frameworks.services.access import require_permission
from frameworks.services.catalog import ensure_identities
from frameworks.transitions import UNDER_WAY

State = FrameworkVersion.State
Source = Contribution.Source
EVIDENCE_CHARACTERS = 10
# A rule names attributes and dimensions, a derived attribute those it is made of; dimensions are told apart by name.
_READS_OTHERS = frozenset({Kind.SEGMENT.value, Kind.DATA_SOURCE.value, Kind.DIMENSION.value})
_CLASHES = {Kind.SEGMENT.value: clashes_of_segment, Kind.DIMENSION.value: clashes_of_dimension}


def create_framework(
    *, name: str, slug: str, template: str | None, actor: User, at: datetime, source: str = Source.PAGE
) -> FrameworkVersion:
    """A framework with the draft v0 made of the template's parts, everything ASSUMED.

    `template` None starts with the name alone. Raises InvalidError (name, slug, unknown template).
    """
    require_permission(actor, "edit_draft", to="start a framework")
    framework = new_framework(name, slug)
    contents = checked_all(_first_bodies(framework.name, template))
    return found_framework(framework, contents=contents, template=template, actor=actor, at=at, source=source)


def new_framework(name: str, slug: str) -> Framework:
    """A framework that is not saved yet. Raises InvalidError where name or slug cannot be."""
    framework = Framework(name=name.strip(), slug=slug)
    if slug == "new":
        raise InvalidError(["The address “new” is taken by a page: choose another one."])
    try:
        framework.full_clean(exclude=["active_version"])
    except ValidationError as error:
        raise InvalidError(error.messages) from error
    return framework


def found_framework(
    framework: Framework, *, contents: Sequence[Content], template: str | None, actor: User, at: datetime, source: str
) -> FrameworkVersion:
    """Save a new framework with these contents as its draft v0. The caller has asked for the permission."""
    with governed("framework.created", actor=actor, target=framework, at=at) as act:
        framework.save()
        version = FrameworkVersion.objects.create(framework=framework, number=0, author=actor)
        write_contents(version=version, contents=contents, actor=actor, at=at, source=source)
        act.after = {"template": template or "", "parts": str(len(contents))}
    return version


def _first_bodies(name: str, template: str | None) -> dict[PartId, Mapping[str, Any]]:
    meta = (Kind.META.value, "meta")
    bodies: dict[PartId, Mapping[str, Any]] = {meta: {}}
    if template:
        try:
            bodies |= {(kind, key): body for kind, key, body in load_template(template).parts}
        except TemplateError as error:
            raise InvalidError([str(error)]) from error
    company = settings.COMPANY_NAME or bodies[meta].get("company") or name
    bodies[meta] = {**bodies[meta], "name": name, "company": company}
    return bodies


def start_draft(*, framework: Framework, actor: User, at: datetime) -> FrameworkVersion:
    """The next version as a draft with the parts of the active one.

    Where nothing was ever active, it starts from the newest version, if that came to its end.
    Raises ConflictError while that version can still be worked on.
    """
    require_permission(actor, "edit_draft", to="start a draft")
    with transaction.atomic():
        framework = Framework.objects.select_for_update(of=("self",), no_key=True).get(pk=framework.pk)
        newest = framework.versions.order_by("-number").select_related("framework")[0]
        source = framework.active_version or newest
        if not framework.active_version and newest.state in {State.DRAFT, State.WITHDRAWN, *UNDER_WAY}:
            raise ConflictError(f"Version {newest.number} is not finished yet: continue with that one.")
        version = FrameworkVersion(
            framework=framework, number=newest.number + 1, base_version=framework.active_version, author=actor
        )
        with governed("version.drafted", actor=actor, target=version, at=at) as act:
            version.save()
            copies = source.parts.order_by("pk").values_list("kind", "key", "body_id")
            Part.objects.bulk_create(
                [Part(version=version, kind=kind, key=key, body_id=body) for kind, key, body in copies]
            )
            act.after = {"number": str(version.number), "from": str(source.number)}
    return version


def save_part(
    *,
    version: FrameworkVersion,
    kind: str,
    key: str,
    body: object,
    expected_digest: str | None,
    actor: User,
    at: datetime,
    source: str,
) -> Part:
    """Write one part of a draft. `expected_digest` is the body digest the editor started from, None for a new part.

    Saving what is stored already changes nothing and leaves no trace. Raises StalePartError when somebody was
    quicker, InvalidError with every problem, ConflictError when the version has left draft.
    """
    require_permission(actor, "edit_draft", to="edit drafts")
    with transaction.atomic():
        lock_draft(version)
        surroundings = _surroundings(version, (kind, key))
        content = checked(kind, key, body, surroundings)
        _refuse_clashes(content, surroundings)
        part = version.parts.select_related("body").filter(kind=kind, key=key).first()
        if part and part.body_id == content.digest:
            return part
        _refuse_stale(part, kind, key, content, expected_digest)
        if problems := list(storage_problems([content])):
            raise InvalidError(problems)
        with governed("part.saved", actor=actor, target=version, at=at) as act:
            act.before = {"digest": part.body_id if part else ""}
            act.after = {"part": f"{kind} {key}", "digest": content.digest}
            write_contents(version=version, contents=[content], actor=actor, at=at, source=source)
    return version.parts.select_related("body").get(kind=kind, key=key)


def delete_part(
    *, version: FrameworkVersion, kind: str, key: str, expected_digest: str, actor: User, at: datetime, source: str
) -> None:
    """Take a part out of a draft; other versions keep it. Raises StalePartError when somebody changed it."""
    require_permission(actor, "edit_draft", to="edit drafts")
    with transaction.atomic():
        lock_draft(version)
        part = version.parts.select_related("body").filter(kind=kind, key=key).first()
        if part is None or part.body_id != expected_digest:
            theirs, digest = (part.body.body, part.body_id) if part else (None, None)
            raise StalePartError(kind=kind, key=key, mine=None, theirs=theirs, digest=digest)
        with governed("part.deleted", actor=actor, target=version, at=at) as act:
            act.before = {"part": f"{kind} {key}", "digest": part.body_id}
            part.delete()
            Contribution.objects.create(
                version=version, kind=kind, key=key, contributed_by=actor, source=source, contributed_at=at
            )


def write_contents(
    *, version: FrameworkVersion, contents: Sequence[Content], actor: User, at: datetime, source: str
) -> None:
    """Put checked contents into a draft that the caller has locked, with contributions and identity rows."""
    PartBody.objects.bulk_create([content.row() for content in contents], ignore_conflicts=True)
    Part.objects.bulk_create(
        [Part(version=version, kind=each.kind, key=each.key, body_id=each.digest) for each in contents],
        update_conflicts=True,
        unique_fields=["version", "kind", "key"],
        update_fields=["body", "updated_at"],
    )
    Contribution.objects.bulk_create(
        Contribution(
            version=version,
            kind=each.kind,
            key=each.key,
            body_id=each.digest,
            contributed_by=actor,
            source=source,
            contributed_at=at,
        )
        for each in contents
    )
    ensure_identities(framework=version.framework, contents=contents)


def confirm_parts(
    *, version: FrameworkVersion, parts: Sequence[Part], evidence: str, actor: User, at: datetime
) -> list[Confirmation]:
    """Say of these exact bodies that they are CONFIRMED, and how one knows; of a policy that left, that it may leave.

    `parts` are as the person saw them: a body changed meanwhile raises ConflictError. Parts confirmed already
    are left as they are. Raises InvalidError without evidence, NotAllowedError for whoever changed the policy or took
    it out.
    """
    require_permission(actor, "confirm_part", to="confirm parts")
    evidence = evidence.strip()
    if sum(character.isprintable() and not character.isspace() for character in evidence) < EVIDENCE_CHARACTERS:
        raise InvalidError([f"Say how you know, in {EVIDENCE_CHARACTERS} characters at least."])
    with transaction.atomic():
        lock_draft(version)
        seen = {(part.kind, part.key): part.body_id for part in parts}
        today = {(part.kind, part.key): part.body_id for part in version.parts.filter(key__in=[p.key for p in parts])}
        removed = {(Kind.POLICY.value, each.key): each for each in removed_policies(version)}
        today |= {part: each.digest for part, each in removed.items()}
        changed = [part for part, digest in seen.items() if today.get(part) != digest]
        if changed:
            names = names_of(version, changed)
            said = ", ".join(names.phrase_of(*part) for part in changed)
            raise ConflictError(f"Changed since you opened the page: {said}. Nothing was confirmed.")
        states = {(part.kind, part.key): Confirmation.State.CONFIRMED for part in assumed_parts(version)}
        states |= {part: Confirmation.State.REMOVED for part, each in removed.items() if not each.is_confirmed}
        rows = [
            Confirmation(
                framework=version.framework,
                kind=kind,
                key=key,
                body_id=digest,
                state=states[kind, key],
                evidence=evidence,
                confirmed_by=actor,
                printed_name=actor.name,
                confirmed_at=at,
            )
            for (kind, key), digest in seen.items()
            if (kind, key) in states
        ]
        if not rows:
            return []
        _refuse_own_policies(version, rows, actor)
        _refuse_own_removals([removed[row.kind, row.key] for row in rows if (row.kind, row.key) in removed], actor)
        with governed("parts.confirmed", actor=actor, target=version, at=at, reason=evidence) as act:
            act.after = _said_of(rows)
            return Confirmation.objects.bulk_create(rows)


def _said_of(rows: Sequence[Confirmation]) -> dict[str, list[str]]:
    """What the audit log keeps: parts that were confirmed, and apart from them policies that may leave."""
    gone = [f"{row.kind} {row.key}" for row in rows if row.state == Confirmation.State.REMOVED]
    stays = [f"{row.kind} {row.key}" for row in rows if row.state != Confirmation.State.REMOVED]
    return {"parts": stays, **({"removed": gone} if gone else {})}


def _refuse_own_removals(removed: Sequence[RemovedPolicy], actor: User) -> None:
    own = [each.phrase for each in removed if each.was_removed_by(actor)]
    if own:
        raise NotAllowedError(f"You took the {', '.join(own)} out yourself: a second person confirms it.")


def _refuse_own_policies(version: FrameworkVersion, rows: Sequence[Confirmation], actor: User) -> None:
    """A policy in force changes by two people: whoever wrote the new text does not confirm it."""
    wrote = policies_written_by(actor, version)
    own = [
        phrased(row.kind, own_label(row.kind, row.key))
        for row in rows
        if row.kind == Kind.POLICY and (row.key, row.body_id) in wrote
    ]
    if own:
        raise NotAllowedError(f"You changed the {', '.join(own)} yourself: a second person confirms it.")


def assumed_parts(version: FrameworkVersion) -> list[Part]:
    """The parts of a version that nobody has confirmed in their wording of today."""
    return list(assumed(version.parts.all()).order_by("pk"))


def lock_draft(version: FrameworkVersion) -> None:
    """Lock the version's row until the transaction ends. Raises FrozenVersionError when it has left draft."""
    version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
    if version.state != State.DRAFT:
        raise FrozenVersionError(
            f"Version {version.number} is {version.is_now}: its parts are frozen."
            " Ask for changes, or start a new draft."
        )


def _surroundings(version: FrameworkVersion, part: PartId) -> Definition:
    """What a rule or a derived attribute may refer to, and a dimension be called like; nothing for the other kinds."""
    bodies = bodies_of(version) if part[0] in _READS_OTHERS else {}
    return Definition(bodies, lists=lists_for(bodies) if part[0] == Kind.SEGMENT else None)


def _refuse_clashes(content: Content, surroundings: Definition) -> None:
    """A rule or a name may be right by itself and not go with those that are there."""
    if clashes_of := _CLASHES.get(content.kind):
        bodies = {**surroundings.bodies, (content.kind, content.key): content.body}
        if issues := [clash.issue for clash in clashes_of(bodies, content.key)]:
            raise RefusedContentError(content.key, issues)


def _refuse_stale(part: Part | None, kind: str, key: str, content: Content, expected_digest: str | None) -> None:
    stored = part.body_id if part else None
    if stored != expected_digest:
        theirs = part.body.body if part else None
        raise StalePartError(kind=kind, key=key, mine=content.body, theirs=theirs, digest=stored)
