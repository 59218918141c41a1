"""Frameworks to start from: YAML files with every part, kept in `frameworks/framework_templates/`.

A file has `title`, `description` and `parts`: kind → key → body. Criteria are written without node ids; they
are numbered here, in reading order, because ids are for the editor and no concern of who writes a template.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from frameworks.parts.base import SLUG
from frameworks.parts.errors import Issue, PartError
from frameworks.parts.registry import KINDS, parse_part, to_body

DIRECTORY = Path(__file__).resolve().parent.parent / "framework_templates"


@dataclass(frozen=True)
class Template:
    """A framework to start from; `parts` are (kind, key, body) in reading order, every body checked."""

    slug: str
    title: str
    description: str
    parts: tuple[tuple[str, str, dict[str, Any]], ...]


class TemplateError(LookupError):
    """There is no such template, or its file is not one; the message names the place."""


class _Loader(yaml.SafeLoader):
    """YAML as everybody expects it: a name that occurs twice is a mistake, not the last one wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)


def list_templates() -> list[Template]:
    """Every template, by title."""
    found = (load_template(path.stem) for path in DIRECTORY.glob("*.yaml"))
    return sorted(found, key=lambda template: template.title)


@functools.cache
def load_template(slug: str) -> Template:
    """The template of that name. Raises TemplateError. Its bodies are shared: copy before changing one."""
    path = DIRECTORY / f"{slug}.yaml"
    if not re.fullmatch(SLUG, slug) or not path.is_file():
        raise TemplateError(f"There is no template {slug!r}.")
    return read_template(slug, path.read_text(encoding="utf-8"))


def read_template(slug: str, text: str) -> Template:
    """A template from the text of its file. Raises TemplateError naming the line or the part."""
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise TemplateError(f"{slug}: {error}") from error
    if not isinstance(content, dict) or content.keys() != {"title", "description", "parts"}:
        raise TemplateError(f"{slug}: a template has a title, a description and parts.")
    return Template(slug, content["title"], content["description"], tuple(_parts(slug, content["parts"])))


def _parts(slug: str, by_kind: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if not isinstance(by_kind, dict) or not all(isinstance(parts, dict) for parts in by_kind.values()):
        raise TemplateError(f"{slug}: parts are kind, then key, then body.")
    if by_kind.keys() - set(KINDS):
        raise TemplateError(f"{slug}: no kind of part: {', '.join(map(str, by_kind.keys() - set(KINDS)))}.")
    for kind in KINDS:
        for key, body in by_kind.get(kind, {}).items():
            yield kind, str(key), _checked(slug, kind, str(key), body)


def _checked(slug: str, kind: str, key: str, body: Any) -> dict[str, Any]:
    try:
        return to_body(parse_part(kind, key, _numbered_rules(body) if kind == "segment" else body))
    except PartError as error:
        issues = [Issue(f"/{kind}/{key}{issue.pointer}", issue.code, issue.message) for issue in error.issues]
        raise TemplateError(f"{slug}: {PartError(issues)}") from error


def _numbered_rules(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    numbered = {name: _numbered_criteria(body[name]) for name in ("move", "stay") if name in body}
    if isinstance(body.get("rules"), list):
        numbered["rules"] = [_numbered_rule(rule) for rule in body["rules"]]
    return {**body, **numbered}


def _numbered_rule(rule: Any) -> Any:
    if not isinstance(rule, dict) or "criteria" not in rule:
        return rule
    return {**rule, "criteria": _numbered_criteria(rule["criteria"])}


def _numbered_criteria(criteria: Any) -> Any:
    if not isinstance(criteria, dict):
        return criteria
    return {**criteria, "root": _numbered(criteria.get("root"), itertools.count(1))}


def _numbered(node: Any, numbers: Iterator[int]) -> Any:
    if not isinstance(node, dict):
        return node
    copied = {"id": f"n{next(numbers)}", **node}
    if isinstance(node.get("items"), list):
        copied["items"] = [_numbered(item, numbers) for item in node["items"]]
    if "item" in node:
        copied["item"] = _numbered(node["item"], numbers)
    return copied
