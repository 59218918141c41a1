"""Why a file, or the description of its columns, is refused as a whole."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from frameworks.errors import InvalidError


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One reason, with its place: `line` of the file, `byte_offset` from its start (0-based), or `column` header."""

    code: str
    message: str
    line: int | None = None
    byte_offset: int | None = None
    column: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


class FileRefusedError(InvalidError):
    """The file cannot be imported; nothing of it was. `details` are the FileProblems."""

    def __init__(self, details: FileProblem | Iterable[FileProblem]) -> None:
        self.details = [details] if isinstance(details, FileProblem) else list(details)
        super().__init__(detail.message for detail in self.details)

    @property
    def code(self) -> str:
        return self.details[0].code


class MappingError(InvalidError):
    """The mapping is not one; every problem names its place in the mapping."""


class FileTooLargeError(FileRefusedError):
    """A limit of rows, bytes or columns is passed (413); the message names the limit."""
