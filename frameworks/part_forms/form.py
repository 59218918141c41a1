"""The form of one part: as a view needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import QueryDict

from frameworks.part_forms.nodes import Options, Tree, build
from frameworks.part_forms.reading import change_rows, read_body
from frameworks.parts.base import PartSchema
from frameworks.parts.errors import Issue, PartError
from frameworks.parts.policy import POLICIES
from frameworks.parts.registry import SCHEMAS, parse_part

FIXED_KEYS = {"meta": "meta"}


def schema_of(kind: str, key: str) -> type[PartSchema]:
    """The schema that a part of this kind and key has: each policy has its own. Raises KeyError."""
    return POLICIES[key] if kind == "policy" else SCHEMAS[kind]


@dataclass
class PartForm:
    """`digest` is the body the editor started from, empty for a new part; `key` is as typed."""

    kind: str
    key: str
    digest: str
    body: dict[str, Any]
    options: Options = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    key_errors: list[str] = field(default_factory=list)
    is_rearranged: bool = False

    @classmethod
    def posted(cls, kind: str, key: str, data: QueryDict, options: Options) -> PartForm:
        """What a browser sent. A new part's key is made from its label where none was given."""
        body = read_body(schema_of(kind, key), data)
        typed = key or str(data.get("key", "")).strip() or key_from(str(body.get("label", "")))
        form = cls(kind, typed, str(data.get("digest", "")), body, options)
        form.is_rearranged = change_rows(schema_of(kind, key), body, data)
        return form

    def check(self) -> bool:
        """Whether the schema takes it; what it refuses stands at the fields afterwards."""
        try:
            parse_part(self.kind, self.key, self.body)
        except PartError as error:
            self.key_errors = [issue.message for issue in error.issues if issue.code == "key"]
            self.issues = [issue for issue in error.issues if issue.code != "key"]
        return not (self.issues or self.key_errors)

    @cached_property
    def tree(self) -> Tree:
        tree = build(schema_of(self.kind, self.key), self.body, options=self.options, issues=self.issues)
        tree.problems += self.problems
        return tree

    @property
    def error_count(self) -> int:
        return self.tree.error_count + len(self.key_errors)


def key_from(label: str) -> str:
    """A key for a new part: "Net revenue retention" gives net_revenue_retention."""
    return re.sub("[^a-z0-9]+", "_", label.lower()).strip("_")[:63]


def options_of(bodies: Mapping[tuple[str, str], str], roles: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """What fields offer: labels of parts by (kind, key), and roles."""
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for (kind, key), label in bodies.items():
        by_kind.setdefault(kind, []).append((key, label))
    return {
        "UsedBy.attributes": by_kind.get("data_source", []),
        "UsedBy.dimensions": by_kind.get("dimension", []),
        "UsedBy.segments": by_kind.get("segment", []),
        "Action.role": list(roles.items()),
        "Pool.role": list(roles.items()),
        "Requirement.dissent_role": list(roles.items()),
    }
