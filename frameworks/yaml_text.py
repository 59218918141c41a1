"""Part bodies as YAML for people: read strictly, written so that it reads back the same."""

from typing import Any

import yaml

from frameworks.errors import InvalidError

MAX_CHARACTERS = 200_000


class _Loader(yaml.SafeLoader):
    """No aliases (a few lines of them can unfold to gigabytes), and no name twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", self.get_mark())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def read_yaml(text: str) -> Any:
    """The value written in `text`. Raises InvalidError naming line and column."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidError([f"The text is longer than {MAX_CHARACTERS:,} characters."])
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidError([f"{place}{error.problem}."]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidError([f"This is not YAML: {error}"]) from error


def write_yaml(body: Any) -> str:
    """A body as YAML, in its own order of fields."""
    return str(yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))
