"""What the written and the read form of a framework agree on."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

FORMAT: Final = "cutline-framework/1"
MAX_CHARACTERS: Final = 4_000_000

# Fields of a segment that are criteria themselves, beside those of its rules.
CRITERIA_FIELDS: Final = ("move", "stay")

PartId = tuple[str, str]


def criteria_places(body: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Where criteria stand in the body of a segment, and what stands there."""
    rules = body.get("rules")
    for place, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, Mapping) and "criteria" in rule:
            yield ("rules", place, "criteria"), rule["criteria"]
    for name in CRITERIA_FIELDS:
        if name in body:
            yield (name,), body[name]


def with_criteria(body: Mapping[str, Any], path: tuple[str | int, ...], criteria: Any) -> dict[str, Any]:
    """The body with other criteria at `path`, as `criteria_places` names it."""
    if len(path) == 1:
        return {**body, str(path[0]): criteria}
    rules = list(body["rules"])
    rules[int(path[1])] = {**rules[int(path[1])], "criteria": criteria}
    return {**body, "rules": rules}
