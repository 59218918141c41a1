"""Merging, splitting and retiring segments of a draft: where accounts, overrides, playbook and lists of each go.

Both acts are an edit of the dimension, so everything the dimension editor checks is checked here: rules that ask for a
segment that leaves, nesting, circles, and texts that somebody else saved meanwhile.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, count
from typing import Any

from django.db import transaction

from frameworks.definition import Bodies, bodies_of
from frameworks.dimension_edit import DimensionEdit, EditedPart, EditRefusedError, judge_edit
from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, Kind, User
from frameworks.part_forms.form import key_from
from frameworks.parts.dimension import RECONFIRM
from frameworks.services.access import require_permission
from frameworks.services.drafting import lock_draft, save_part
from frameworks.services.editing import save_dimension

Body = dict[str, Any]
_SIDES = (Kind.SEGMENT.value, Kind.PLAYBOOK.value)


@dataclass(frozen=True)
class Leaving:
    """Segments that leave, and what takes their place.

    `into` are segments of the draft; `new_label` names one more that is made of the rules of those that leave.
    `overrides` is one of the successors or "reconfirm", empty for what follows from their number. With `takes_over` a
    successor that has no playbook of its own gets that of the first that leaves, and their anti-ICP lists. With
    `rules_go_along` one successor that is there already takes whom those that leave took; of a split, and without, the
    rules of the others place the accounts, or leave them Unassigned.
    """

    segments: Sequence[str]
    into: Sequence[str]
    reason: str
    new_label: str = ""
    overrides: str = ""
    takes_over: bool = True
    rules_go_along: bool = True

    @property
    def adds_rules(self) -> bool:
        """Whether one successor that is there already gets the rules of those that leave."""
        return self.rules_go_along and len(self.into) == 1 and not self.new_label


def retire_segments(
    *, version: FrameworkVersion, dimension: str, leaving: Leaving, digest: str, actor: User, at: datetime, source: str
) -> None:
    """Take segments out of a draft and record where they go; `digest` is the dimension's body as it was shown.

    Raises InvalidError or EditRefusedError naming what is in the way, ConflictError when the dimension was changed or
    the version has left draft.
    """
    require_permission(actor, "edit_draft", to="merge, split or retire segments")
    with transaction.atomic():
        lock_draft(version)
        draft = _Draft(version, dimension)
        draft.refuse_stale(digest)
        successors = _successors(draft, leaving)
        with governed("segments.retired", actor=actor, target=version, at=at, reason=leaving.reason.strip()) as act:
            act.before = {"segments": [f"{dimension}/{short}" for short in leaving.segments]}
            edit = draft.edit_without(leaving, successors)
            save_dimension(version=version, edit=edit, actor=actor, at=at, source=source)
            if leaving.takes_over:
                for short in successors:
                    _take_over_playbook(draft, leaving.segments, short, actor=actor, at=at, source=source)
            act.after = {"into": [f"{dimension}/{short}" for short in successors]}


def bodies_without(*, version: FrameworkVersion, dimension: str, leaving: Leaving) -> Bodies:
    """The parts as they would be if these segments left; nothing is written, and no reason is needed.

    Raises InvalidError or EditRefusedError naming what is in the way.
    """
    draft = _Draft(version, dimension)
    asked = replace(leaving, reason=leaving.reason.strip() or "–")
    judgement = judge_edit(draft.edit_without(asked, _successors(draft, asked)), draft.bodies)
    if judgement.problems:
        raise EditRefusedError(judgement.problems)
    return judgement.bodies


def _successors(draft: "_Draft", leaving: Leaving) -> list[str]:
    """The keys of what takes their place; a new one last. Raises InvalidError naming everything that is wrong."""
    new = key_from(leaving.new_label)
    there = set(draft.body["segments"])
    known = there | draft.gone
    checks = {
        "Say which segments leave.": not leaving.segments,
        "Say where they go.": not (leaving.into or new),
        "Say why.": not leaving.reason.strip(),
        "A segment cannot take its own place.": bool({*leaving.segments} & {*leaving.into}),
        "A segment that leaves is neither in this draft nor in the version before.": bool({*leaving.segments} - known),
        "What takes their place is a segment of this draft.": bool({*leaving.into} - there),
        f"There is or was a segment {new} already: choose another name, or tick it.": new in known,
    }
    problems = [problem for problem, applies in checks.items() if applies]
    successors = [*leaving.into, *([new] if new else [])]
    if leaving.overrides not in ("", RECONFIRM, *successors):
        problems.append("Overrides go to one of the successors, or are to be reconfirmed.")
    if problems:
        raise InvalidError(problems)
    return successors


class _Draft:
    """One dimension of a draft that is locked, and of its base."""

    def __init__(self, version: FrameworkVersion, key: str) -> None:
        self.version, self.key = version, key
        self.bodies: Bodies = bodies_of(version)
        rows = version.parts.values_list("kind", "key", "body_id")
        self.digests: Mapping[tuple[str, str], str] = {(kind, key): digest for kind, key, digest in rows}
        self.base: Bodies = bodies_of(version.base_version) if version.base_version else {}
        self.place = (Kind.DIMENSION.value, key)
        if self.place not in self.bodies:
            raise InvalidError([f"This version has no dimension {key}."])
        self.body: Mapping[str, Any] = self.bodies[self.place]

    @property
    def gone(self) -> set[str]:
        """Segments of the base version that the draft has no more."""
        return set(self.base.get(self.place, {}).get("segments", ())) - set(self.body["segments"])

    def refuse_stale(self, digest: str) -> None:
        if digest != self.digests[self.place]:
            raise ConflictError("Somebody changed this dimension since you opened the page. Look at it again.")

    def segment(self, short: str) -> Mapping[str, Any]:
        """The segment's body, from the base where the draft has it no more."""
        part = (Kind.SEGMENT.value, f"{self.key}/{short}")
        return self.bodies.get(part) or self.base.get(part) or {}

    def playbook(self, short: str) -> Mapping[str, Any] | None:
        part = (Kind.PLAYBOOK.value, f"{self.key}/{short}")
        return self.bodies.get(part) or self.base.get(part)

    # --- edits

    def edit_without(self, leaving: Leaving, successors: list[str]) -> DimensionEdit:
        """The dimension without the segments that leave, its record, and what the successors take over."""
        ranked = [short for short in self.body["segments"] if short not in leaving.segments]
        new = successors[-1] if leaving.new_label else ""
        if new:
            first = [place for place, short in enumerate(self.body["segments"]) if short in leaving.segments]
            before = self.body["segments"][: first[0]] if first else self.body["segments"]
            ranked.insert(sum(short in ranked for short in before), new)
        segments = {short: dict(self.segment(short)) for short in ranked if short != new}
        if new:
            segments[new] = self._made_of(leaving)
        if leaving.adds_rules:
            heir = segments[successors[0]]
            heir["rules"] = self._rules_of(leaving.segments, heir.get("rules", ()))
        self._follow(segments, leaving, successors)
        entries = [_entry(short, leaving, successors) for short in leaving.segments]
        kept = [each for each in self.body.get("retired", ()) if each["segment"] not in leaving.segments]
        body = {**self.body, "segments": ranked, "retired": [*kept, *entries]}
        if body.get("fallback") in leaving.segments and len(successors) == 1:
            body["fallback"] = successors[0]
        return self._edit(body, {short: segments[short] for short in ranked}, leaving.segments)

    def _made_of(self, leaving: Leaving) -> Body:
        """A new segment that takes whom any of those that leave took."""
        rules = self._rules_of(leaving.segments, ())
        body: Body = {"label": leaving.new_label.strip(), "dimension": self.key, "rules": rules}
        parents = {self.segment(short).get("parent") for short in leaving.segments}
        if len(parents) == 1 and (parent := parents.pop()):
            body["parent"] = parent
        return body

    def _rules_of(self, segments: Iterable[str], own: Iterable[Body]) -> list[Body]:
        """A successor's own rules and after them those of these segments, each under a name of its own."""
        rules = [*own]
        for short in segments:
            for rule in self.segment(short).get("rules", ()):
                rules.append({**rule, "key": _free_key(rule["key"], short, {each["key"] for each in rules})})
        return rules

    def _follow(self, segments: dict[str, Body], leaving: Leaving, successors: list[str]) -> None:
        """Nesting follows a single successor; anti-ICP lists go to every successor that has none."""
        for short, body in segments.items():
            if body.get("parent") in leaving.segments and len(successors) == 1 and short != successors[0]:
                body["parent"] = successors[0]
        lists = dict.fromkeys(key for short in leaving.segments for key in self.segment(short).get("anti_icp", ()))
        for short in successors if leaving.takes_over and lists else ():
            segments[short].setdefault("anti_icp", [*lists])

    def edit_with(self, short: str) -> DimensionEdit:
        """The dimension with a segment of the base version back at its place, and without its entry."""
        ranked = [*self.body["segments"]]
        order = self.base[self.place]["segments"]
        before = order[: order.index(short)]
        ranked.insert(max((ranked.index(each) + 1 for each in before if each in ranked), default=0), short)
        kept = [each for each in self.body.get("retired", ()) if each["segment"] != short]
        body = {**self.body, "segments": ranked, "retired": kept}
        segments = {each: dict(self.segment(each)) for each in ranked}
        for heir in self._heirs_of_rules(short):
            segments[heir]["rules"] = self._own_rules(heir, short)
        return self._edit(body, segments, ())

    def _heirs_of_rules(self, short: str) -> list[str]:
        """The successor that took this segment's rules along, if it is still there."""
        retired: list[Body] = list(self.body.get("retired", ()))
        entry = next((each for each in retired if each["segment"] == short), {})
        return [each for each in entry.get("into", ()) if entry.get("rules") and each in self.body["segments"]]

    def _own_rules(self, heir: str, short: str) -> list[Body]:
        """The successor's rules without those it took along, as far as nobody has changed them since."""
        before = self.base.get((Kind.SEGMENT.value, f"{self.key}/{heir}"), {}).get("rules", [])
        taken = [_nameless(rule) for rule in self.segment(short).get("rules", ())]
        rules = self.segment(heir).get("rules", ())
        return [rule for rule in rules if rule in before or _nameless(rule) not in taken]

    def _edit(self, body: Body, segments: Mapping[str, Body], removed: Iterable[str]) -> DimensionEdit:
        body = {name: value for name, value in body.items() if value not in (None, [])}
        parts = [EditedPart(*self.place, self.digests[self.place], body)]
        for short, each in segments.items():
            part = (Kind.SEGMENT.value, f"{self.key}/{short}")
            parts.append(EditedPart(*part, self.digests.get(part, ""), each))
        return DimensionEdit(self.key, tuple(parts), tuple(self._taken_out(removed)))

    def _taken_out(self, removed: Iterable[str]) -> Iterator[EditedPart]:
        for short in removed:
            for kind in _SIDES:
                part = (kind, f"{self.key}/{short}")
                if part in self.digests:
                    yield EditedPart(*part, self.digests[part], None)


def _nameless(rule: Mapping[str, Any]) -> Body:
    return {name: value for name, value in rule.items() if name != "key"}


def _free_key(key: str, segment: str, taken: Collection[str]) -> str:
    """The rule's key, or one that says which segment it came from; numbered where that is taken too."""
    wanted = f"{segment}_{key}"[:60]
    numbered = (f"{wanted}_{number}" for number in count(2))
    return next(each for each in chain([key, wanted], numbered) if each not in taken)


def _entry(short: str, leaving: Leaving, successors: list[str]) -> Body:
    entry = {"segment": short, "into": successors, "reason": leaving.reason.strip()}
    said = {"overrides": leaving.overrides, "rules": "taken_over" if leaving.adds_rules else ""}
    return entry | {name: value for name, value in said.items() if value}


def _take_over_playbook(
    draft: _Draft, segments: Sequence[str], to: str, *, actor: User, at: datetime, source: str
) -> None:
    body = next((found for short in segments if (found := draft.playbook(short))), None)
    if body is None or (Kind.PLAYBOOK.value, f"{draft.key}/{to}") in draft.digests:
        return
    _save_playbook(draft, to, body, actor=actor, at=at, source=source)


def _save_playbook(
    draft: _Draft, short: str, body: Mapping[str, Any], *, actor: User, at: datetime, source: str
) -> None:
    save_part(
        version=draft.version,
        kind=Kind.PLAYBOOK,
        key=f"{draft.key}/{short}",
        body=body,
        expected_digest=None,
        actor=actor,
        at=at,
        source=source,
    )


def restore_segment(
    *, version: FrameworkVersion, dimension: str, segment: str, digest: str, actor: User, at: datetime, source: str
) -> None:
    """Bring a segment of the base version back into the draft, with its playbook, and forget where it went.

    Rules that went along to its successor leave that again.

    Raises InvalidError for a segment that did not leave, ConflictError as `retire_segments`.
    """
    require_permission(actor, "edit_draft", to="bring a segment back")
    with transaction.atomic():
        lock_draft(version)
        draft = _Draft(version, dimension)
        draft.refuse_stale(digest)
        if segment not in draft.gone:
            raise InvalidError([f"{segment} did not leave with this draft."])
        with governed("segments.restored", actor=actor, target=version, at=at) as act:
            save_dimension(version=version, edit=draft.edit_with(segment), actor=actor, at=at, source=source)
            playbook = draft.base.get((Kind.PLAYBOOK.value, f"{dimension}/{segment}"))
            if playbook is not None and (Kind.PLAYBOOK.value, f"{dimension}/{segment}") not in draft.digests:
                _save_playbook(draft, segment, playbook, actor=actor, at=at, source=source)
            act.after = {"segment": f"{dimension}/{segment}"}
