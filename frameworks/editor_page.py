"""What the dimension editor's page starts with: the parts, the words for every field, and the addresses it asks."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from pydantic import TypeAdapter

from frameworks.checks.slot import engine_checks
from frameworks.criteria.vocabulary import node_forms
from frameworks.definition import Bodies, Definition, bodies_of
from frameworks.dimension_edit import STATEFUL, DimensionEdit, EditedPart, Judgement, RuleSaid, judge_edit
from frameworks.errors import InvalidError
from frameworks.finding_rows import ShownFinding, shown_finding
from frameworks.models import AccountList, FrameworkVersion, Kind, User
from frameworks.parts.base import Basis
from frameworks.parts.dimension import Dimension
from frameworks.parts.policy import LimitsPolicy
from frameworks.parts.segment import Segment
from frameworks.templatetags.cutline import word_diff

MOST_SEGMENTS = 5
# What the page draws by itself; every other field of a dimension gets a control from its type.
_OWN_CONTROLS = frozenset({"label", "question", "segments", "basis_order", "retired"})
_SETTINGS = {
    "hit_policy": "When several segments are true",
    "undetermined_higher": "When a higher one is unknown",
    "fallback": "When nothing matches",
    "base_basis": "Basis that decides first",
    "upgrade": "Move up",
    "downgrade": "Move down",
    "min_dwell_days": "Stays at least, days",
    "max_step": "Ranks per move, at most",
    "basis_of": "Other dimensions are read as",
}
_CHOICES = {
    ("hit_policy", "basis_precedence"): "First basis, then precedence",
    ("hit_policy", "ranked"): "Highest in precedence wins",
    ("hit_policy", "unique"): "Nobody wins: Unassigned",
    ("hit_policy", "raise_only"): "Base decides, others may raise",
    ("hit_policy", "manual_review"): "Nobody wins: a person decides",
    ("undetermined_higher", "provisional"): "Assign, marked provisional",
    ("undetermined_higher", "unassigned"): "Leave Unassigned",
    ("upgrade", "auto"): "At once",
    ("upgrade", "review"): "After a review",
    ("upgrade", "notify"): "At once, and tell",
    ("downgrade", "auto"): "At once",
    ("downgrade", "review"): "After a review",
    ("downgrade", "notify"): "At once, and tell",
    ("basis_of", ""): "In force, overrides included",
    ("base_basis", ""): "Firmographic",
    ("basis_of", "computed"): "Computed by rules",
}


class EditorPage:
    """One dimension of one version, for one person."""

    def __init__(self, version: FrameworkVersion, key: str, user: User) -> None:
        self.version = version
        self.key = key
        self.bodies: Bodies = bodies_of(version)
        self.parts = {(part.kind, part.key): part.body_id for part in version.parts.all()}
        self.may_edit = version.state == FrameworkVersion.State.DRAFT and user.has_perm("frameworks.edit_draft")

    @property
    def body(self) -> Mapping[str, Any]:
        return self.bodies[Kind.DIMENSION.value, self.key]

    @property
    def label(self) -> str:
        return str(self.body.get("label", self.key))

    def tabs(self) -> list[dict[str, Any]]:
        """Every dimension of the version, with the number of its segments."""
        return [
            {
                "label": body.get("label", key),
                "url": self._url("frameworks:dimension_edit", key),
                "count": len(body.get("segments", ())),
                "is_current": key == self.key,
            }
            for (kind, key), body in sorted(self.bodies.items())
            if kind == Kind.DIMENSION
        ]

    def _url(self, name: str, key: str | None = None) -> str:
        place = {"slug": self.version.framework.slug, "number": self.version.number, "key": key or self.key}
        return reverse(name, kwargs=place)

    def data(self) -> dict[str, Any]:
        """Everything the editor's program needs, as JSON."""
        shorts = [str(short) for short in self.body.get("segments", ())]
        base, label = self._base()
        return {
            "mayEdit": self.may_edit,
            "version": self.version.number,
            "dimension": {
                "key": self.key,
                "digest": self.parts[Kind.DIMENSION.value, self.key],
                "body": {name: value for name, value in self.body.items() if name != "segments"},
            },
            "segments": [self._segment(short) for short in shorts],
            "base": {"label": label, "segments": self._base_segments(base)},
            "said": said_of(self.judged()),
            "vocabulary": vocabulary_of(self.bodies, self.key),
            "settings": setting_forms(),
            "stateful": list(STATEFUL),
            "hasParent": "parent" in Segment.model_fields,
            "bases": list(Basis.__args__),  # type: ignore[attr-defined]
            "currency": _currency(self.bodies),
            "mostSegments": _most_segments(self.bodies),
            "urls": {
                "check": self._url("frameworks:dimension_check"),
                "save": self._url("frameworks:dimension_save"),
                "back": self._url_of_version(),
                **{name: self._url(f"accounts:{view}") for name, view in LIVE.items()},
            },
        }

    def _url_of_version(self) -> str:
        place = {"slug": self.version.framework.slug, "number": self.version.number}
        return f"{reverse('frameworks:version_detail', kwargs=place)}?part=dimension/{self.key}"

    def _segment(self, short: str) -> dict[str, Any]:
        key = f"{self.key}/{short}"
        return {
            "key": short,
            "digest": self.parts.get((Kind.SEGMENT.value, key), ""),
            "playbook": self.parts.get((Kind.PLAYBOOK.value, key), ""),
            "body": self.bodies.get((Kind.SEGMENT.value, key), {"label": short, "dimension": self.key}),
        }

    def judged(self) -> Judgement:
        """The stored parts, judged like an edit that changes nothing."""
        ids = [(Kind.DIMENSION.value, self.key)]
        ids += [(Kind.SEGMENT.value, f"{self.key}/{short}") for short in self.body.get("segments", ())]
        parts = [EditedPart(*part, self.parts[part], dict(self.bodies[part])) for part in ids if part in self.bodies]
        return judge_edit(DimensionEdit(self.key, tuple(parts)), self.bodies)

    def findings(self) -> list[ShownFinding]:
        """What follows from the stored rules of this dimension alone; nothing while they cannot be read."""
        checks = engine_checks()
        if checks is None:
            return []
        try:
            found = checks.of_dimension(Definition(self.bodies), self.key, timezone.now())
        except InvalidError:
            return []
        return [shown_finding(each) for each in found]

    def _base(self) -> tuple[Bodies, str]:
        """What the draft is compared with: the version in force, or the draft as it is stored."""
        active = self.version.framework.active_version
        if active and active.pk != self.version.pk:
            bodies = bodies_of(active)
            if (Kind.DIMENSION.value, self.key) in bodies:
                return bodies, "today"
        return self.bodies, "saved"

    def _base_segments(self, base: Bodies) -> dict[str, Any]:
        lead = f"{self.key}/"
        return {
            key.removeprefix(lead): body
            for (kind, key), body in base.items()
            if kind == Kind.SEGMENT and key.startswith(lead)
        }


LIVE = {
    "preview": "dimension_preview",
    "stretches": "dimension_stretches",
    "findings": "dimension_findings",
    "choices": "dimension_choices",
    "histogram": "attribute_histogram",
}
"""Names by which the page asks a higher app for figures: it has the accounts."""


def _currency(bodies: Bodies) -> str:
    return str(bodies.get((Kind.META.value, "meta"), {}).get("currency") or "USD")


def _most_segments(bodies: Bodies) -> int:
    policy = Definition(bodies).policy("limits")
    return policy.max_segments_per_dimension if isinstance(policy, LimitsPolicy) else MOST_SEGMENTS


def said_of(judgement: Judgement, before: Judgement | None = None) -> dict[str, Any]:
    """Rules in all their forms and every problem, for the page; sentences with what changed since `before`."""
    return {
        "rules": {
            short: {place: _said(said, _rule_before(before, short, place)) for place, said in rules.items()}
            for short, rules in judgement.rules.items()
        },
        "problems": [
            {
                "kind": problem.part[0],
                "segment": problem.part[1].partition("/")[2],
                "pointer": problem.pointer,
                "node": problem.node_id,
                "message": problem.message,
                "line": problem.line,
                "column": problem.column,
            }
            for problem in judgement.problems
        ],
    }


def _rule_before(before: Judgement | None, short: str, place: str) -> RuleSaid | None:
    return before.rules.get(short, {}).get(place) if before else None


def _said(said: RuleSaid, before: RuleSaid | None) -> dict[str, Any]:
    pieces = diff_pieces(before.sentence, said.sentence) if before else [["", said.sentence]]
    told = {"criteria": said.criteria, "text": said.text, "sentence": said.sentence, "pieces": pieces}
    return told | ({"unclear": list(said.unclear)} if said.unclear else {})


_MARKED = re.compile(r"<(del|ins)>(.*?)</\1>", re.S)


def diff_pieces(before: str, after: str) -> list[list[str]]:
    """A word diff as pieces of plain text with "del", "ins" or nothing, so that no page puts markup into itself."""
    marked, found, end = str(word_diff(before, after)), [], 0
    for match in _MARKED.finditer(marked):
        found += [["", html.unescape(marked[end : match.start()])], [match.group(1), html.unescape(match.group(2))]]
        end = match.end()
    return [piece for piece in [*found, ["", html.unescape(marked[end:])]] if piece[1]]


def vocabulary_of(bodies: Bodies, dimension: str) -> dict[str, Any]:
    """Attributes and other dimensions a rule of `dimension` may look at, and every operator with its fields."""
    attributes = Definition(bodies).attributes
    return {
        "attributes": [
            {
                "key": key,
                "label": each.label,
                "type": each.data_type,
                "unit": each.currency or each.unit,
                "scale": each.scale,
                "minimum": None if each.minimum is None else str(each.minimum),
                "choices": each.choices,
            }
            for key, each in sorted(attributes.items(), key=lambda pair: pair[1].label.casefold())
        ],
        "dimensions": [
            {"key": key, "label": str(body.get("label", key)), "segments": _named_segments(bodies, key, body)}
            for (kind, key), body in sorted(bodies.items())
            if kind == Kind.DIMENSION and key != dimension
        ],
        "lists": [[each.key, each.label] for each in AccountList.objects.filter(is_live=True).order_by("label")],
        "forms": node_forms(),
    }


def _named_segments(bodies: Bodies, key: str, body: Mapping[str, Any]) -> list[list[str]]:
    return [
        [short, str(bodies.get((Kind.SEGMENT.value, f"{key}/{short}"), {}).get("label", short))]
        for short in body.get("segments", ())
    ]


def setting_forms() -> list[dict[str, Any]]:
    """One control per setting of a dimension, from the part's own schema."""
    return [_setting(name) for name in Dimension.model_fields if name not in _OWN_CONTROLS]


def _setting(name: str) -> dict[str, Any]:
    info = Dimension.model_fields[name]
    schema = TypeAdapter(info.rebuild_annotation()).json_schema()
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    schema = {**schema, **options[0]} if options else schema
    default = info.get_default(call_default_factory=True, validated_data={})
    form: dict[str, Any] = {"name": name, "label": _SETTINGS.get(name, name.replace("_", " ").capitalize())}
    form["default"] = default
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if name == "fallback":
        return {**form, "kind": "segment", "empty": "Unassigned"}
    if choices:
        words = [[c, _CHOICES.get((name, c), str(c).replace("_", " ").capitalize())] for c in choices]
        if default is None:
            words.insert(0, ["", _CHOICES.get((name, ""), "As usual")])
        return {**form, "kind": "choice", "options": words}
    if schema.get("type") == "integer":
        return {**form, "kind": "integer", "min": schema.get("minimum"), "max": schema.get("maximum")}
    return {**form, "kind": "switch" if schema.get("type") == "boolean" else "text"}
