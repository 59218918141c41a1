"""Frameworks to start from: YAML files kept in `frameworks/framework_templates/`.

A file has `title`, `method`, `description`, `when`, `needs` and `parts` in the format of a framework file
(docs/framework-as-code.md). `uses` names parts of other templates, by template, kind and pattern of keys, that
stand here as they stand there; a part of the file's own with the same key takes their place.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path
from typing import Any, Final

from frameworks.errors import InvalidError
from frameworks.exchange.format import MAX_CHARACTERS, PartId
from frameworks.exchange.reading import FrameworkFile, file_of, read_contents
from frameworks.parts import KINDS
from frameworks.parts.base import SLUG
from frameworks.yaml_text import MarkedYaml, read_marked_yaml

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "framework_templates"
_TEXTS: Final = ("title", "method", "description", "when", "needs")


@dataclass(frozen=True)
class Template:
    """A framework to start from; `parts` are (kind, key, body) in reading order, every body checked.

    `method` names how it divides accounts, `when` says for whom it is, `needs` which data it lives on.
    """

    slug: str
    title: str
    method: str
    description: str
    when: str
    needs: str
    parts: tuple[tuple[str, str, dict[str, Any]], ...]

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        return {key: body for of, key, body in self.parts if of == kind}


class TemplateError(LookupError):
    """There is no such template, or its file is not one; the message names the place."""


def list_templates() -> list[Template]:
    """Every template, the simplest first."""
    found = (load_template(path.stem) for path in DIRECTORY.glob("*.yaml"))
    return sorted(found, key=lambda template: (len(template.of_kind("segment")), template.title))


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
        marked = read_marked_yaml(text, most=MAX_CHARACTERS)
        _check_header(slug, marked.value)
        contents = read_contents(_file(slug, marked), {})
    except InvalidError as error:
        raise TemplateError(f"{slug}: {error}") from error
    parts = sorted(contents, key=lambda content: KINDS.index(content.kind))
    said = {name: str(marked.value.get(name, "")) for name in _TEXTS}
    return Template(slug=slug, **said, parts=tuple((part.kind, part.key, dict(part.body)) for part in parts))


def _check_header(slug: str, value: Any) -> None:
    known = {*_TEXTS, "uses", "parts"}
    if not isinstance(value, dict) or not {"title", "description", "parts"} <= value.keys() <= known:
        raise TemplateError(f"{slug}: a template has a title, a description and parts.")


def _file(slug: str, marked: MarkedYaml) -> FrameworkFile:
    own = file_of(marked)
    bodies: dict[PartId, Any] = {}
    for other, by_kind in (marked.value.get("uses") or {}).items():
        shared = _bodies_of(other)
        for kind, patterns in by_kind.items():
            for pattern in patterns:
                found = {part: body for part, body in shared.items() if part[0] == kind and fnmatch(part[1], pattern)}
                if not found:
                    raise TemplateError(f"{slug}: {other} has no {kind} {pattern}.")
                bodies |= found
    return FrameworkFile("", "", bodies | dict(own.bodies), own.places)


@functools.cache
def _bodies_of(slug: str) -> Mapping[PartId, Any]:
    """The parts that stand in the file itself."""
    return file_of(read_marked_yaml((DIRECTORY / f"{slug}.yaml").read_text(encoding="utf-8"))).bodies
