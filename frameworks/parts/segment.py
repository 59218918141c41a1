"""The `segment` part: one value of a dimension, and the rules that put an account there.

Its key is `dimension/segment`. Criteria documents are kept as given; `frameworks.criteria` judges them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from frameworks.parts.base import (
    COSMETIC,
    OPERATIONAL,
    SEGMENT_KEY,
    SEMANTIC,
    Basis,
    Label,
    OptionalText,
    PartSchema,
    Piece,
    Slug,
    distinct,
    distinct_by,
    refused_key,
)
from frameworks.parts.errors import Issue, PartError


def _has_root(document: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(document.get("root"), dict) or not isinstance(document.get("schema"), str):
        raise PydanticCustomError("criteria", 'A criteria document has a "schema" and a "root".')
    return document


Criteria = Annotated[dict[str, Any], AfterValidator(_has_root)]


class Rule(Piece):
    """One way into the segment: criteria on one basis."""

    identity = "key"

    key: Slug
    basis: Basis
    criteria: Criteria
    note: Annotated[OptionalText, COSMETIC] = ""


def _colour(value: str) -> str:
    if value and not re.fullmatch("#[0-9a-f]{6}", value):
        raise PydanticCustomError("color", "Write a colour as #rrggbb in lower case.")
    return value


class Segment(PartSchema):
    """A segment. `api_name` is its value in the CRM's picklist; a segment without rules takes no account
    by itself (only as fallback or by override).

    A nested segment names its `parent`, a segment of the same dimension whose rules must hold as well. `move` is
    asked instead of the rules of accounts that are in another segment, `stay` beside the rules of those that are in
    this one. `anti_icp` are keys of account lists: an account on one is flagged, never excluded.
    """

    kind: ClassVar[str] = "segment"

    label: Annotated[Label, COSMETIC]
    dimension: Annotated[Slug, SEMANTIC]
    description: Annotated[OptionalText, COSMETIC] = ""
    api_name: Annotated[OptionalText, OPERATIONAL] = ""
    color: Annotated[str, AfterValidator(_colour), COSMETIC] = ""
    rules: Annotated[list[Rule], Field(max_length=50), AfterValidator(distinct_by("key")), SEMANTIC] = []
    parent: Annotated[Slug | None, SEMANTIC] = None
    move: Annotated[Criteria | None, SEMANTIC] = None
    stay: Annotated[Criteria | None, SEMANTIC] = None
    anti_icp: Annotated[list[Slug], AfterValidator(distinct), OPERATIONAL] = []

    @model_validator(mode="after")
    def _rules_are_not_called_as_criteria_are(self) -> Segment:
        """Outcomes name what decided as segment/rule, segment/move or segment/stay."""
        for name in ("move", "stay"):
            if getattr(self, name) and any(rule.key == name for rule in self.rules):
                raise PydanticCustomError(
                    "rule_key", "Call the rule {name} something else: this segment has {name} criteria.", {"name": name}
                )
        return self

    def documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every criteria document of the segment with its JSON pointer."""
        for position, rule in enumerate(self.rules):
            yield f"/rules/{position}/criteria", rule.criteria
        for name, document in (("move", self.move), ("stay", self.stay)):
            if document is not None:
                yield f"/{name}", document

    def check_key(self, key: str) -> None:
        if not re.fullmatch(SEGMENT_KEY, key) or key.split("/")[0] != self.dimension:
            raise refused_key(f"The key of this segment is {self.dimension}/…, not {key!r}.")
        if self.parent == key.split("/")[1]:
            raise PartError([Issue("/parent", "parent", "A segment cannot be nested in itself.")])


def criteria_nodes(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every node of a criteria document, parents first, in written order."""
    waiting = [document.get("root")]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Mapping):
            continue
        yield node
        items = node.get("items")
        children = [*items] if isinstance(items, list) else []
        waiting.extend(reversed([*children, node.get("item")]))


def attributes_used(segment: Segment) -> set[str]:
    """The keys of the attributes that the criteria of `segment` look at."""
    return {
        node["attribute"]
        for _, document in segment.documents()
        for node in criteria_nodes(document)
        if isinstance(node.get("attribute"), str)
    }
