"""How the columns of a file become attributes of accounts: the mapping, as people write it in YAML.

The mapping states what a reader could only guess: the form of numbers and dates, which cells mean "missing",
which column names the account. docs/imports.md describes every key with examples.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from accounts.intake.errors import MappingError

NumberFormat = Literal["plain", "1,234.56", "1.234,56", "1 234,56"]
DateFormat = Literal["YYYY-MM-DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY"]
Grain = Literal["fiscal_year", "fiscal_quarter", "month"]
Encoding = Literal["utf-8", "utf-16", "windows-1252", "iso-8859-1", "shift_jis"]

MAX_MAPPED = 60
FIELDS = ("name", "domain", "currency")


def _exact(value: object) -> object:
    """YAML reads 0.001 as a float; its shortest text is what the person wrote."""
    return str(value) if isinstance(value, float) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnRule(_Strict):
    """What one column is: an attribute or a field of the account, and how its cells are written."""

    attribute: str = ""
    field: Literal["", "name", "domain", "currency"] = ""
    number_format: NumberFormat = "plain"
    multiply: Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, allow_inf_nan=False)] = Decimal(1)
    date_format: DateFormat = "YYYY-MM-DD"
    missing: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_one(self) -> "ColumnRule":
        if bool(self.attribute) == bool(self.field):
            raise ValueError("name either an attribute or a field")
        return self

    @property
    def key(self) -> str:
        return self.attribute or self.field


class Period(_Strict):
    """The column that says which period a row describes, and how the company cuts its year."""

    column: str
    grain: Grain = "fiscal_year"
    fiscal_year_end: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")] = "12-31"


class ImportMapping(_Strict):
    """A whole mapping. Column headers are compared exactly, after trimming."""

    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    external_id: str
    columns: dict[str, ColumnRule]
    ignore: tuple[str, ...] = ()
    ignore_unknown: bool = False
    constants: dict[str, str] = Field(default_factory=dict)
    period: Period | None = None
    observations: tuple[str, ...] = ()
    allow: tuple[Literal["new_accounts"], ...] = ()
    missing: tuple[str, ...] = ()
    blank: Literal["leave", "clear"] = "leave"
    delimiter: Literal["", ",", ";", "\t", "|"] = ""
    encoding: Encoding = "utf-8"

    @field_validator("allow", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("constants", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return {key: str(text) for key, text in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _fits_together(self) -> "ImportMapping":
        for message in _contradictions(self):
            raise ValueError(message)
        return self

    @property
    def allows_new_accounts(self) -> bool:
        return "new_accounts" in self.allow

    @property
    def headers(self) -> set[str]:
        """Every header the mapping knows what to do with."""
        named = {self.external_id, *self.columns, *self.ignore}
        return named | ({self.period.column} if self.period else set())


def _contradictions(mapping: ImportMapping) -> list[str]:
    keys = [rule.key for rule in mapping.columns.values()]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    found = []
    if twice:
        found.append(f"two columns set {', '.join(twice)}")
    if both := sorted(set(keys) & set(mapping.constants)):
        found.append(f"{', '.join(both)} is both a column and a constant")
    if len(keys) + len(mapping.constants) > MAX_MAPPED:
        found.append(f"a mapping names at most {MAX_MAPPED} attributes")
    if mapping.allows_new_accounts and "name" not in keys:
        found.append("new accounts need a column that sets the field “name”")
    if mapping.observations and mapping.period is None:
        found.append("observations need a period")
    if unmapped := sorted(set(mapping.observations) - set(keys)):
        found.append(f"observations name {', '.join(unmapped)}, which no column sets")
    return found


def parse_mapping(content: Any) -> ImportMapping:
    """The mapping in `content` (what YAML or JSON gave). Raises MappingError naming every problem's place."""
    if not isinstance(content, dict):
        raise MappingError(["The mapping must be a list of keys and values, such as “source: crm”."])
    try:
        return ImportMapping.model_validate(content)
    except ValidationError as error:
        raise MappingError(_in_words(error)) from error


def load_mapping(path: Path) -> ImportMapping:
    """The mapping in a YAML file. Raises MappingError; OSError when there is no such file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingError([f"{path.name} is not YAML: {error}"]) from error
    return parse_mapping(content)


def dump_mapping(mapping: ImportMapping) -> dict[str, Any]:
    """As JSON keeps it; `parse_mapping` reads it back."""
    return mapping.model_dump(mode="json", exclude_defaults=True)


def _in_words(error: ValidationError) -> list[str]:
    return [f"{_place(item['loc'])}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors()]


def _place(location: tuple[int | str, ...]) -> str:
    return " › ".join(str(step) for step in location) or "mapping"
