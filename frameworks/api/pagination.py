"""Keyset pages: rows after the last one seen, in a total order, found by an index.

A cursor is opaque to the client and signed; it belongs to one resource, one set of filters and one user. What
it carries inside is up to the resource.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from django.core import signing
from django.db.models import Field, Func, Model, QuerySet
from django.db.models.expressions import Expression, Value
from django.db.models.fields import BooleanField

from frameworks.api.errors import ProblemError, refused

LIMIT_DEFAULT: Final = 100
LIMIT_MOST: Final = 500
CURSOR_CHARACTERS: Final = 1024
CURSOR_LIFE: Final = timedelta(days=90)
RESYNC: Final = (
    "GET /api/v1/assignments/changes/head and keep the cursor.",
    "GET /api/v1/assignments, all pages, and replace what you hold.",
    "GET /api/v1/assignments/changes from the kept cursor, as always.",
)
_SALT: Final = "cutline.api.cursor"


@dataclass(frozen=True)
class Binding:
    """What a cursor belongs to."""

    resource: str
    user_id: int | None
    filters: Mapping[str, Any]

    @property
    def digest(self) -> str:
        text = json.dumps([self.resource, self.user_id, self.filters], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_cursor(binding: Binding, position: Sequence[Any]) -> str:
    return signing.dumps([binding.digest, *position], salt=_SALT)


def read_cursor(binding: Binding, text: str) -> list[Any]:
    """The position inside. Raises ProblemError: 400 when it is not ours or of something else, 410 when too old."""
    if len(text) > CURSOR_CHARACTERS or not text.isascii():
        raise _invalid()
    try:
        digest, *position = signing.loads(text, salt=_SALT, max_age=CURSOR_LIFE)
    except signing.SignatureExpired:
        raise expired("The cursor is more than 90 days old.") from None
    except (signing.BadSignature, ValueError):
        raise _invalid() from None
    if digest != binding.digest:
        raise _invalid()
    return list(position)


def _invalid() -> ProblemError:
    detail = "This is not a cursor of this list with these filters."
    return refused("invalid_cursor", detail, place="cursor", place_kind="parameter", kind="invalid-cursor")


def expired(detail: str) -> ProblemError:
    """410 with the way back: `resync` names the steps in their order."""
    problem = refused("cursor_expired", detail, place="cursor", place_kind="parameter", kind="cursor-expired")
    problem.more["resync"] = list(RESYNC)
    return problem


class After(Func):
    """`(a, b) > (x, y)` as one row comparison, which an index on (a, b) answers without sorting."""

    output_field = BooleanField()

    def __init__(self, columns: Sequence[Expression], values: Sequence[Expression]) -> None:
        self.width = len(columns)
        super().__init__(*columns, *values)

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        compiled = [compiler.compile(source) for source in self.source_expressions]
        sides = [", ".join(sql for sql, _ in part) for part in (compiled[: self.width], compiled[self.width :])]
        return f"({sides[0]}) > ({sides[1]})", [value for _, values in compiled for value in values]


def after(queryset: QuerySet[Any], order: Sequence[str], position: Sequence[Any]) -> QuerySet[Any]:
    """Rows that come after `position` in the ascending order of the named columns."""
    model: type[Model] = queryset.model
    fields = [cast("Field[Any, Any]", model._meta.get_field(name)) for name in order]
    columns = [field.get_col(model._meta.db_table, field) for field in fields]
    values = [Value(field.to_python(at), output_field=field) for field, at in zip(fields, position, strict=True)]
    return queryset.filter(After(columns, values))


@dataclass(frozen=True)
class Page:
    """One page of rows; `next_cursor` is None on the last."""

    rows: list[Any]
    next_cursor: str | None

    def as_json(self, data: Any, **more: Any) -> dict[str, Any]:
        page = {"next_cursor": self.next_cursor, "has_more": self.next_cursor is not None}
        return {"data": data, "page": page | more}


def read_page(
    queryset: QuerySet[Any], *, order: Sequence[str], binding: Binding, cursor: str | None, limit: int
) -> Page:
    """The rows after the cursor. `order` must end in something unique, all of it columns of the queryset's model."""
    ordered = queryset.order_by(*order)
    if cursor is not None:
        ordered = after(ordered, order, read_cursor(binding, cursor))
    rows = list(ordered[: limit + 1])
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    return Page(rows[:limit], write_cursor(binding, [_plain(getattr(last, name)) for name in order]))


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else value.isoformat()
