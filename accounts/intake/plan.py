"""A mapping put to one file: which cell of a row goes where, in the order of the staging table."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accounts.intake.errors import FileProblem, FileRefusedError, MappingError
from accounts.intake.mapping import ColumnRule, ImportMapping
from accounts.intake.targets import Target
from frameworks.criteria.text_keys import matching_key

CURRENCY = re.compile(r"[A-Z]{3}")

NOT_IMPORTABLE = frozenset({"id", "uuid", "segment", "segments", "override", "overrides", "locked", "assignment"})
"""Headers of what people and rules decide here. A file that has them is refused unless they are named to be ignored."""


@dataclass(frozen=True, slots=True)
class StagedColumn:
    """The cells under one header. `number` names its staging columns (r0, k0, v0), `index` is its place in a row."""

    number: int
    index: int
    header: str
    rule: ColumnRule
    target: Target
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StagedConstant:
    """A value every account gets that has none. Numbered after the columns."""

    number: int
    value: str
    target: Target


@dataclass(frozen=True, slots=True)
class ImportPlan:
    mapping: ImportMapping
    headers: tuple[str, ...]
    external_index: int
    period_index: int | None
    columns: tuple[StagedColumn, ...]
    constants: tuple[StagedConstant, ...]
    ignored: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def parts(self) -> tuple[StagedColumn | StagedConstant, ...]:
        return (*self.columns, *self.constants)

    @property
    def key_columns(self) -> tuple[StagedColumn, ...]:
        return tuple(column for column in self.columns if column.target.has_key)

    @property
    def observed_metrics(self) -> tuple[StagedColumn, ...]:
        return tuple(column for column in self.columns if column.target.key in self.mapping.observations)


def make_plan(mapping: ImportMapping, headers: list[str], targets: Mapping[str, Target]) -> ImportPlan:
    """Raises MappingError for what the mapping names and accounts do not have; FileRefusedError for the columns."""
    _check_targets(mapping, targets)
    _check_columns(mapping, headers)
    present = [(header, rule) for header, rule in mapping.columns.items() if header in headers]
    columns = tuple(
        StagedColumn(
            number=number,
            index=headers.index(header),
            header=header,
            rule=rule,
            target=targets[rule.key],
            missing=_spellings((*mapping.missing, *rule.missing)),
        )
        for number, (header, rule) in enumerate(present)
    )
    return ImportPlan(
        mapping=mapping,
        headers=tuple(headers),
        external_index=headers.index(mapping.external_id),
        period_index=headers.index(mapping.period.column) if mapping.period else None,
        columns=columns,
        constants=tuple(
            StagedConstant(number, value.strip(), targets[key])
            for number, (key, value) in enumerate(mapping.constants.items(), start=len(columns))
        ),
        ignored=tuple(header for header in headers if header not in mapping.headers - set(mapping.ignore)),
        absent=tuple(header for header in mapping.columns if header not in headers),
    )


def _spellings(tokens: Iterable[str]) -> tuple[str, ...]:
    """Tokens as they may be written: "N/A", "n/a"."""
    return tuple(sorted({form for token in tokens for form in (token, token.lower(), token.upper()) if token}))


def _check_targets(mapping: ImportMapping, targets: Mapping[str, Target]) -> None:
    named = [(f"columns › {header}", rule.key) for header, rule in mapping.columns.items()]
    named += [(f"constants › {key}", key) for key in mapping.constants]
    problems = [f"{place}: {_unknown(key)}" for place, key in named if key not in targets]
    problems += [
        f"constants › {key}: {problem}"
        for key, value in mapping.constants.items()
        if key in targets and (problem := _constant_problem(targets[key], value.strip()))
    ]
    problems += [
        f"observations › {key}: only numbers can be observed"
        for key in mapping.observations
        if key in targets and not targets[key].is_number
    ]
    if problems:
        raise MappingError(problems)


def _unknown(key: str) -> str:
    if key in NOT_IMPORTABLE:
        return f"“{key}” is decided here and cannot be imported (not_importable)"
    return f"accounts have no attribute “{key}”"


def _constant_problem(target: Target, value: str) -> str:
    if target.data_type == "currency" and not CURRENCY.fullmatch(value):
        return f"“{value}” is no currency code of three capital letters"
    if target.choices and value not in target.choices:
        return f"“{value}” is none of {', '.join(target.choices)}"
    if target.data_type not in ("text", "choice", "currency"):
        return "a constant sets a text, a choice or the currency"
    return "" if 0 < len(value) <= target.max_length else f"needs 1 to {target.max_length} characters"


def _check_columns(mapping: ImportMapping, headers: list[str]) -> None:
    needed = [mapping.external_id, *([mapping.period.column] if mapping.period else [])]
    problems = [
        FileProblem("missing_column", f"The file has no column “{header}”.", line=1, column=header)
        for header in needed
        if header not in headers
    ]
    unknown = [header for header in headers if header not in mapping.headers]
    refused = [header for header in unknown if matching_key(header) in NOT_IMPORTABLE]
    problems += [
        FileProblem(
            "not_importable",
            f"The column “{header}” is decided here and cannot be imported. Leave it out, or name it under “ignore”.",
            line=1,
            column=header,
        )
        for header in refused
    ]
    if not mapping.ignore_unknown:
        problems += [
            FileProblem(
                "unknown_column",
                f"The mapping does not know the column “{header}”. Map it, or ignore it explicitly.",
                line=1,
                column=header,
            )
            for header in unknown
            if header not in refused
        ]
    if problems:
        raise FileRefusedError(problems)
