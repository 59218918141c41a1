"""Frameworks as code: a version as a file, what a file would change, and a draft made of it; never more than that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import transaction

from frameworks.account_lists import known_lists, list_findings
from frameworks.checks.findings import Finding, with_waivers
from frameworks.checks.slot import engine_checks
from frameworks.checks.static import static_findings
from frameworks.content import Content, storage_problems
from frameworks.coverage import manifest_of
from frameworks.criteria.text import print_text, scope_warnings
from frameworks.definition import Bodies, Definition, bodies_of
from frameworks.errors import ConflictError, InvalidError
from frameworks.exchange.format import PartId, criteria_places
from frameworks.exchange.reading import FileError, FrameworkFile, read_contents, read_file
from frameworks.exchange.writing import write_framework
from frameworks.governed import governed
from frameworks.models import Contribution, Framework, FrameworkVersion, Part, User
from frameworks.parts import combine_digests
from frameworks.parts.diff import PartChange, diff_parts
from frameworks.services.access import require_permission
from frameworks.services.drafting import found_framework, new_framework, write_contents

State = FrameworkVersion.State
_Changed = Mapping[PartId, str | None]


def export_version(version: FrameworkVersion) -> str:
    """The version as a framework file (docs/framework-as-code.md)."""
    return write_framework(slug=version.framework.slug, exported=manifest_of(version).digest, bodies=bodies_of(version))


@dataclass(frozen=True)
class FilePlan:
    """What a file says beside what there is.

    `base` is the version that the file was made from; without that knowledge the active one, or the newest.
    `framework` None: the file would start a new one.
    """

    file: FrameworkFile
    framework: Framework | None
    base: FrameworkVersion | None
    contents: Sequence[Content]

    @cached_property
    def bodies(self) -> dict[PartId, Mapping[str, Any]]:
        return {(content.kind, content.key): content.body for content in self.contents}

    @cached_property
    def changes(self) -> list[PartChange]:
        """The typed differences from `base`, in reading order."""
        return diff_parts(bodies_of(self.base) if self.base else {}, self.bodies)

    @cached_property
    def unclear(self) -> list[tuple[str, str, list[str]]]:
        """Rules whose text can be read in two ways: where (segment and place), how it was taken, and why."""
        return list(_unclear(self.file.bodies, self.bodies))

    def findings(self, at: datetime) -> list[Finding]:
        """What the checks find in the file, errors first, each warning with its waiver; no accounts are looked at.

        Raises InvalidError for rules that cannot be evaluated.
        """
        definition, checks = Definition(self.bodies), engine_checks()
        found = [*static_findings(definition), *list_findings(self.bodies, known_lists())]
        found += checks.of_rules(definition, at) if checks else []
        return with_waivers(found, definition.waivers)

    @property
    def digest(self) -> str:
        """The manifest digest that a version with this content has."""
        return combine_digests((content.kind, content.key, content.digest) for content in self.contents)

    @property
    def overtaken_by(self) -> FrameworkVersion | None:
        """The active version, where the file was made from one that it has replaced: its changes would be undone."""
        active = self.framework.active_version if self.framework else None
        if active is None or self.base is None or active.pk in (self.base.pk, self.base.base_version_id):
            return None
        return active


def _unclear(written: Mapping[PartId, Any], read: Bodies) -> Iterator[tuple[str, str, list[str]]]:
    definition = Definition(read)
    for (kind, key), body in written.items():
        documents = dict(criteria_places(read[kind, key])) if kind == "segment" else {}
        for path, text in criteria_places(body) if documents else ():
            if isinstance(text, str) and (warnings := scope_warnings(text)):
                root = definition.criteria_of(key.partition("/")[0], documents[path]).root
                where = f"{key}, {'/'.join(str(step) for step in path)}"
                yield where, print_text(root), list(dict.fromkeys(warning.message for warning in warnings))


def plan_file(text: str) -> FilePlan:
    """Read a file against what is stored; nothing is written. Raises FileError or InvalidError with every problem."""
    return _plan_of(read_file(text))


def _plan_of(file: FrameworkFile) -> FilePlan:
    framework = Framework.objects.select_related("active_version").filter(slug=file.framework).first()
    base = _base_of(framework, file.exported) if framework else None
    contents = read_contents(file, bodies_of(base) if base else {})
    _refuse_unstorable(file, contents)
    return FilePlan(file, framework, base, contents)


def _refuse_unstorable(file: FrameworkFile, contents: list[Content]) -> None:
    problems = [file.problem("/parts", "storage", problem) for problem in storage_problems(contents)]
    if ("meta", "meta") not in file.bodies:
        problems.append(file.problem("/parts", "missing", "The part about the framework (meta) is needed."))
    if problems:
        raise FileError(problems)


def _base_of(framework: Framework, exported: str) -> FrameworkVersion | None:
    """The version whose content the file was made from: the active one first, then the newest of the others."""
    versions = list(framework.versions.order_by("-number").select_related("framework", "base_version"))
    versions.sort(key=lambda version: version.pk != framework.active_version_id)
    made_from = (version for version in versions if exported and _digest_of(version) == exported)
    return next(made_from, versions[0] if versions else None)


def _digest_of(version: FrameworkVersion) -> str:
    """Kept at submit; a draft may have changed since, so its own is computed."""
    is_kept = version.manifest_digest and version.state != State.DRAFT
    return version.manifest_digest if is_kept else manifest_of(version).digest


def apply_file(
    *, text: str, actor: User, at: datetime, source: str, framework: str | None = None
) -> tuple[FrameworkVersion, bool]:
    """The draft that says what the file says, and whether it was made now: the same file again makes no second one.

    A new framework starts with its draft v0, unless `framework` names the one that the file must be of. Raises
    FileError or InvalidError for the file, NotAllowedError, ConflictError when another version became active since
    the file was exported. Nothing is half-written.
    """
    require_permission(actor, "apply_file", to="make drafts of files")
    file = read_file(text)
    if framework is not None and file.framework != framework:
        raise FileError([file.problem("/framework", "other", f"This is a file of {file.framework}, not {framework}.")])
    with transaction.atomic():
        locked = Framework.objects.select_for_update(of=("self",), no_key=True).filter(slug=file.framework).first()
        plan = _plan_of(file)
        if locked is None:
            return _found(plan, actor, at, source), True
        if (active := plan.overtaken_by) is not None:
            raise ConflictError(
                f"The file was made from v{plan.base.number if plan.base else 0}, and v{active.number} is active since:"
                " what that changed would be undone. Export it and carry your change over."
            )
        known = _known(locked, plan.digest)
        return (known, False) if known else (_draft(locked, plan, actor, at, source), True)


def _known(framework: Framework, digest: str) -> FrameworkVersion | None:
    """The active version or one not ended yet that has exactly this content."""
    ended = (State.ACTIVATED, State.REJECTED, State.WITHDRAWN)
    working = [*framework.versions.exclude(state__in=ended).order_by("-number").select_related("framework")]
    if framework.active_version is not None:
        working.append(framework.active_version)
    return next((version for version in working if _digest_of(version) == digest), None)


def _found(plan: FilePlan, actor: User, at: datetime, source: str) -> FrameworkVersion:
    try:
        framework = new_framework(str(plan.bodies["meta", "meta"]["name"]), plan.file.framework)
    except InvalidError as error:
        raise FileError([plan.file.problem("/framework", "invalid", problem) for problem in error.problems]) from error
    return found_framework(framework, contents=plan.contents, template=None, actor=actor, at=at, source=source)


def _draft(framework: Framework, plan: FilePlan, actor: User, at: datetime, source: str) -> FrameworkVersion:
    newest = framework.versions.order_by("-number")[0].number
    active = framework.active_version
    version = FrameworkVersion(framework=framework, number=newest + 1, base_version=active, author=actor)
    before = dict(_digests(active)) if active else {}
    after = {(content.kind, content.key): content.digest for content in plan.contents}
    with governed("version.imported", actor=actor, target=version, at=at) as act:
        version.save()
        # With their texts of before, so that every part keeps its place: the file's are written over them.
        stays = [(part, digest) for part, digest in before.items() if part in after]
        Part.objects.bulk_create(
            [Part(version=version, kind=kind, key=key, body_id=digest) for (kind, key), digest in stays]
        )
        changed = [each for each in plan.contents if before.get((each.kind, each.key)) != each.digest]
        write_contents(version=version, contents=changed, actor=actor, at=at, source=source)
        gone = [part for part in before if part not in after]
        _note_removals(version, gone, actor, at, source)
        differing = {(each.kind, each.key): each.digest for each in changed} | dict.fromkeys(gone)
        _carry_contributions(version, plan.base, differing)
        act.after = {"number": str(version.number), "changed": str(len(changed)), "removed": str(len(gone))}
    return version


def _digests(version: FrameworkVersion) -> list[tuple[PartId, str]]:
    rows = version.parts.order_by("pk").values_list("kind", "key", "body_id")
    return [((kind, key), digest) for kind, key, digest in rows]


def _note_removals(version: FrameworkVersion, gone: Sequence[PartId], actor: User, at: datetime, source: str) -> None:
    Contribution.objects.bulk_create(
        Contribution(version=version, kind=kind, key=key, contributed_by=actor, source=source, contributed_at=at)
        for kind, key in gone
    )


def _carry_contributions(version: FrameworkVersion, made_from: FrameworkVersion | None, changed: _Changed) -> None:
    """Whoever wrote in an earlier draft what this file brings contributed to this version too.

    Else a draft could be signed by its writers, once it was exported and applied by somebody else. Of the version
    that the file was made from every contribution to a changed part counts, of other drafts those of the same body.
    """
    since = version.base_version.number if version.base_version else -1
    drafts = {"version__framework": version.framework_id, "version__number__gt": since}
    written = Contribution.objects.filter(**drafts).exclude(version=version).order_by("pk")
    Contribution.objects.bulk_create(
        Contribution(
            version=version,
            kind=each.kind,
            key=each.key,
            body_id=each.body_id,
            contributed_by_id=each.contributed_by_id,
            source=each.source,
            contributed_at=each.contributed_at,
        )
        for each in written
        if (each.kind, each.key) in changed
        and ((made_from and each.version_id == made_from.pk) or each.body_id == changed[each.kind, each.key])
    )


def only_framework() -> Framework:
    """The one framework there is. Raises InvalidError naming them where there are several, or none."""
    found = list(Framework.objects.select_related("active_version").order_by("slug")[:20])
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidError(["There is no framework yet."])
    raise InvalidError([f"Say which framework: {', '.join(framework.slug for framework in found)}."])


def framework_named(slug: str | None) -> Framework:
    """The framework with that address, or the only one there is. Raises InvalidError."""
    if not slug:
        return only_framework()
    framework = Framework.objects.select_related("active_version").filter(slug=slug).first()
    if framework is None:
        known = ", ".join(Framework.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise InvalidError([f"There is no framework {slug}.{f' There are: {known}.' if known else ''}"])
    return framework


def version_named(framework: Framework, name: str | None) -> FrameworkVersion:
    """A version by number, "active" or "draft" (the newest); by default the active one, else the newest.

    Raises InvalidError.
    """
    versions = framework.versions.order_by("-number").select_related("framework", "base_version")
    if not name:
        found = framework.active_version or versions.first()
    elif name == "active":
        found = framework.active_version
    elif name == "draft":
        found = versions.filter(state=State.DRAFT).first()
    else:
        number = name.removeprefix("v")
        found = versions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    if found is None:
        raise InvalidError([f"{framework.slug} has no version {name or 'yet'}."])
    return found
