"""What the staged texts are worth, decided set-wise: typed values, refused cells, repeated rows, known accounts.

Each block of `import_raw` (texts) is added to `import_checked`, one row each, with v0… the typed value (NULL: leave
as it is), `bad` the refused cells, `cleared` the numbers of cleared columns, `account_id` of the account the row is
about.
Column names are numbers of our own; every text of a person's is a quoted literal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from accounts.intake.cells import CLEAR, explain_cell
from accounts.intake.plan import ImportPlan, StagedColumn, StagedConstant
from accounts.intake.reading import RowProblem
from accounts.intake.staging import RAW
from accounts.intake.targets import Target
from accounts.models import Account, AccountIdentifier

CHECKED = "import_checked"
BAD = "import_bad"
REPEATED = "import_repeated"

ACCOUNTS = Account._meta.db_table
IDENTIFIERS = AccountIdentifier._meta.db_table

_CHUNK = 2_000


def literal(value: Any) -> str:
    """A value as SQL text. Statements here carry no parameters: CREATE TABLE AS takes none."""
    return sql.Literal(value).as_string(connection.connection)


def text_array(values: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(literal(value) for value in values)}]::text[]"


# Texts to typed values

# Patterns have no bounds and capture nothing: PostgreSQL matches those three times faster. Lengths are tested apart.
_WHOLE = {
    "plain": "[0-9]+",
    "1,234.56": "(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)",
    "1.234,56": r"(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+)",
    "1 234,56": "(?:[0-9]+|[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+)",
}
_POINT = {"plain": r"\.", "1,234.56": r"\.", "1.234,56": ",", "1 234,56": ","}
_MAX_NUMBER_LENGTH = 40
_DATES = {
    # Shape, and the places of year, month and day: substr(text, start, length).
    "YYYY-MM-DD": (r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", (1, 6, 9)),
    "DD/MM/YYYY": (r"^(0[1-9]|[12][0-9]|3[01])/(0[1-9]|1[0-2])/(19|20|21)[0-9]{2}$", (7, 4, 1)),
    "MM/DD/YYYY": (r"^(0[1-9]|1[0-2])/(0[1-9]|[12][0-9]|3[01])/(19|20|21)[0-9]{2}$", (7, 1, 4)),
    "DD.MM.YYYY": (r"^(0[1-9]|[12][0-9]|3[01])\.(0[1-9]|1[0-2])\.(19|20|21)[0-9]{2}$", (7, 4, 1)),
}
# Most days of most files: they need no look at the length of the month.
_PLAIN_DAY = r"^20[0-9][0-9]-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])$"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])$"


def _parsed(column: StagedColumn) -> str:
    """t<n> as its type, NULL where it has not the form. Patterns come first, so that no cast can fail."""
    text, target = f"t{column.number}", column.target
    if target.is_number:
        return _parsed_number(text, column)
    if target.data_type == "date":
        return _parsed_date(text, column.rule.date_format)
    if target.data_type == "datetime":
        shape = _DATES["YYYY-MM-DD"][0].removesuffix("$") + "[T ]" + _CLOCK
        valid = f"{_parsed_date(f'left({text}, 10)', 'YYYY-MM-DD')} IS NOT NULL"
        return f"CASE WHEN {text} ~ {literal(shape)} AND {valid} THEN {text}::timestamptz END"
    if target.data_type == "boolean":
        yes, no = text_array(("true", "yes", "1")), text_array(("false", "no", "0"))
        return f"CASE WHEN lower({text}) = ANY({yes}) THEN true WHEN lower({text}) = ANY({no}) THEN false END"
    if target.data_type == "currency":
        return f"CASE WHEN {text} ~ '^[A-Za-z]{{3}}$' THEN upper({text}) END"
    if target.choices:
        return f"CASE WHEN lower({text}) = ANY({text_array(target.choices)}) THEN lower({text}) END"
    return f"CASE WHEN char_length({text}) <= {target.max_length} THEN {text} END"


def _parsed_number(text: str, column: StagedColumn) -> str:
    """t<n> as numeric, times its factor. How many decimals it has is decided by `_within_bounds`."""
    rule, target = column.rule, column.target
    form, factor = rule.number_format, f" * {literal(rule.multiply)}" if rule.multiply != 1 else ""
    fraction = f"(?:{_POINT[form]}[0-9]+)?" if target.scale or factor else ""
    pattern = f"^-?{_WHOLE[form]}{fraction}$"
    number = {
        "plain": text,
        "1,234.56": f"replace({text}, ',', '')",
        "1.234,56": f"translate({text}, ',.', '.')",
        "1 234,56": f"translate({text}, {literal(', ' + chr(0xA0) + chr(0x202F))}, '.')",
    }[form]
    fits = f"{text} ~ {literal(pattern)} AND char_length({text}) <= {_MAX_NUMBER_LENGTH}"
    return f"CASE WHEN {fits} THEN ({number})::numeric{factor} END"


def _parsed_date(text: str, form: str) -> str:
    """make_date raises on the 30th of February, so the length of the month is looked at first."""
    shape, (year, month, day) = _DATES[form]
    y, m, d = (f"substr({text}, {at}, {size})::int" for at, size in ((year, 4), (month, 2), (day, 2)))
    leap = f"({y} % 4 = 0 AND ({y} % 100 <> 0 OR {y} % 400 = 0))"
    fits = f"({d} <= 28 OR ({d} = 29 AND ({m} <> 2 OR {leap})) OR ({d} = 30 AND {m} <> 2) OR {m} IN (1,3,5,7,8,10,12))"
    plain = f"WHEN {text} ~ {literal(_PLAIN_DAY)} THEN {text}::date " if form == "YYYY-MM-DD" else ""
    return f"CASE {plain}WHEN {text} ~ {literal(shape)} THEN CASE WHEN {fits} THEN make_date({y}, {m}, {d}) END END"


def _within_bounds(column: StagedColumn) -> str:
    """c<n>, NULL where it does not fit what it is stored in. Nothing is rounded to fit. Cheap: written out twice."""
    value, target = f"c{column.number}", column.target
    if not target.is_number:
        return value
    tests = [f"abs({value}) < 1e{target.digits}"]
    if target.minimum is not None:
        tests.append(f"{value} >= {target.minimum}")
    if target.maximum is not None:
        tests.append(f"{value} <= {target.maximum}")
    if column.rule.multiply != 1:
        tests.append(f"scale(trim_scale({value})) <= {target.scale}")
    elif target.scale:
        # As written: three decimals after a point are as likely a thousand, so "1.000" is no money.
        tests.append(f"scale({value}) <= {target.scale}")
    return f"CASE WHEN {' AND '.join(tests)} THEN {value} END"


def _stored(value: str, target: Target) -> str:
    """A checked value in the type it is compared and stored in; the JSON of accounts keeps decimals as strings."""
    if target.column:
        return f"({value})::bigint" if target.data_type == "integer" else value
    if target.data_type == "integer":
        return f"to_jsonb(({value})::bigint)"
    if target.data_type in ("decimal", "money"):
        return f"to_jsonb(trim_scale({value})::text)"
    if target.data_type == "datetime":
        return f"""to_jsonb(to_char(({value}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""
    return f"to_jsonb({value}{'::text' if target.data_type == 'date' else ''})"


# The statement


class Checker:
    """Checks one block after the other with one statement, and counts the cells that had something in them."""

    def __init__(self, cursor: CursorWrapper, plan: ImportPlan) -> None:
        self.cursor, self.plan = cursor, plan
        self.given = [0] * len(plan.columns)
        self._counts = f"SELECT 0{''.join(f', count(r{column.number})' for column in plan.columns)} FROM {RAW}"
        cursor.execute(f"DROP TABLE IF EXISTS {CHECKED}")
        cursor.execute(f"CREATE TEMPORARY TABLE {CHECKED} AS {_checked_rows(plan, has_clear=False)} WITH NO DATA")

    def check_block(self, *, has_clear: bool) -> None:
        self.cursor.execute(f"INSERT INTO {CHECKED} {_checked_rows(self.plan, has_clear=has_clear)}")
        self.cursor.execute(self._counts)
        _, *given = self.cursor.fetchone()
        self.given = [before + now for before, now in zip(self.given, given, strict=True)]

    def finish(self) -> None:
        # Nothing analyses temporary tables by itself, and the planner would take this one for small.
        self.cursor.execute(f"ANALYZE {CHECKED} (line, external_id, account_id)")


def _checked_rows(plan: ImportPlan, *, has_clear: bool) -> str:
    """Each stage is fenced by OFFSET 0: flattened, every pattern would be matched again wherever its value is used.

    The account is found by one probe of the identifiers' unique index a row: blocks come in the order of the file,
    mostly that of the ids, so the pages stay in memory; a join would hash all identifiers for every block.
    """
    period = ["period", "period_end"] if plan.period_index is not None else []
    clears = [column for column in plan.columns if has_clear or plan.mapping.blank == "clear"]
    texts = ", ".join(["*", *(f"{_text(c, has_clear=has_clear)} AS t{c.number}" for c in plan.columns)])
    fence = " OFFSET 0" if clears or any(column.missing for column in plan.columns) else ""
    account = (
        f"(SELECT i.account_id FROM {IDENTIFIERS} i WHERE i.external_id = s.external_id"
        f" AND i.source = {literal(plan.mapping.source)}) AS account_id"
    )
    parsed = ", ".join(["*", account, *(f"{_parsed(c)} AS c{c.number}" for c in plan.columns)])
    final = ["line", "external_id", *period, "account_id"]
    final += [f"{_bad(plan, clears)} AS bad", f"{_cleared(clears, plan)} AS cleared"]
    # A cell that says "missing" or asks to clear has a text, and so a key, but no value.
    final += [f"CASE WHEN c{c.number} IS NOT NULL THEN k{c.number} END AS k{c.number}" for c in plan.key_columns]
    final += [f"{_stored(_within_bounds(c), c.target)} AS v{c.number}" for c in plan.columns]
    final += [f"{_constant(part)} AS v{part.number}" for part in plan.constants]
    return f"SELECT {', '.join(final)} FROM (SELECT {parsed} FROM (SELECT {texts} FROM {RAW}{fence}) s OFFSET 0) s"


def _text(column: StagedColumn, *, has_clear: bool) -> str:
    """The cell, NULL where it says "missing" or asks to clear."""
    absent = [*column.missing, *([CLEAR] if has_clear else [])]
    if not absent:
        return f"r{column.number}"
    return f"CASE WHEN r{column.number} <> ALL({text_array(absent)}) THEN r{column.number} END"


def _constant(part: StagedConstant) -> str:
    value = f"{literal(part.value)}::text"
    return value if part.target.column else f"to_jsonb({value})"


def _asks_to_clear(column: StagedColumn, plan: ImportPlan) -> str:
    token = f"r{column.number} = {literal(CLEAR)}"
    return f"({token} OR r{column.number} IS NULL)" if plan.mapping.blank == "clear" else f"({token})"


def _bad(plan: ImportPlan, clears: list[StagedColumn]) -> str:
    """Number and text of each refused cell ("3:1k"); NULL for a good row, found without building the array."""
    tests = {c.number: f"t{c.number} IS NOT NULL AND {_within_bounds(c)} IS NULL" for c in plan.columns}
    for column in clears:
        if column.target.is_required:
            tests[column.number] = f"({tests[column.number]}) OR r{column.number} = {literal(CLEAR)}"
    if not tests:
        return "NULL::text[]"
    anything = " OR ".join(f"({test})" for test in tests.values())
    each = ", ".join(f"CASE WHEN {test} THEN '{n}:' || left(r{n}, 200) END" for n, test in tests.items())
    return f"CASE WHEN {anything} THEN array_remove(ARRAY[{each}], NULL) END"


def _cleared(clears: list[StagedColumn], plan: ImportPlan) -> str:
    clearable = [column for column in clears if not column.target.is_required]
    if not clearable:
        return "NULL::smallint[]"
    anything = " OR ".join(_asks_to_clear(column, plan) for column in clearable)
    each = ", ".join(f"CASE WHEN {_asks_to_clear(c, plan)} THEN {c.number}::smallint END" for c in clearable)
    return f"CASE WHEN {anything} THEN array_remove(ARRAY[{each}], NULL) END"


# Rows that are not applied


@dataclass
class Checked:
    """What the checks found. `missing` counts cells that say "missing" by attribute, `rejected` rows."""

    rejected: int = 0
    collapsed: int = 0
    missing: dict[str, int] = field(default_factory=dict)


def settle_rows(cursor: CursorWrapper, plan: ImportPlan, given: list[int]) -> Checked:
    """Take refused, repeated and unknown rows out of `import_checked` and list them in `import_bad`.

    `given` counts the cells of each column that had something in them.
    """
    checked = Checked()
    cursor.execute(f"DROP TABLE IF EXISTS {BAD}")
    cursor.execute(
        f"CREATE TEMPORARY TABLE {BAD} (line integer, external_id text, code text, number smallint, received text)"
    )
    if _count_values(cursor, plan, given, checked):
        cursor.execute(
            f"INSERT INTO {BAD} SELECT line, external_id, NULL, split_part(cell, ':', 1)::smallint,"
            f" substr(cell, strpos(cell, ':') + 1) FROM {CHECKED}, unnest(bad) cell WHERE bad IS NOT NULL"
        )
    _settle_repeated(cursor, plan, checked)
    _list_unknown(cursor, plan)
    take_out_bad(cursor)
    return checked


def count_bad(cursor: CursorWrapper) -> int:
    """Rows listed in `import_bad`, however many reasons each has."""
    cursor.execute(f"SELECT count(DISTINCT line) FROM {BAD}")
    return int(cursor.fetchone()[0])


def take_out_bad(cursor: CursorWrapper) -> None:
    """Rows listed in `import_bad` are not applied."""
    if count_bad(cursor):
        cursor.execute(f"DELETE FROM {CHECKED} WHERE line IN (SELECT line FROM {BAD})")


def _count_values(cursor: CursorWrapper, plan: ImportPlan, given: list[int], checked: Checked) -> int:
    """Rows with a refused cell; on the way, how many cells of each attribute say "missing"."""
    values = "".join(f", count(v{column.number})" for column in plan.columns)
    cursor.execute(f"SELECT count(bad), count(cleared){values} FROM {CHECKED}")
    bad, cleared, *kept = cursor.fetchone()
    lost = [0] * len(plan.columns)
    if bad or cleared:
        cursor.execute(
            f"SELECT n, count(*) FROM (SELECT unnest(cleared) AS n FROM {CHECKED} UNION ALL"
            f" SELECT split_part(unnest(bad), ':', 1)::smallint FROM {CHECKED}) s GROUP BY n"
        )
        for number, count in cursor.fetchall():
            lost[number] = count
    for column, had, has, gone in zip(plan.columns, given, kept, lost, strict=True):
        if plan.mapping.blank == "leave" and had - has - gone > 0:
            checked.missing[column.target.key] = had - has - gone
    return int(bad)


def _settle_repeated(cursor: CursorWrapper, plan: ImportPlan, checked: Checked) -> None:
    """An account twice (in one period): once when all rows say the same, not at all when they differ."""
    period = ["period"] if plan.period_index is not None else []
    # An account may have two external ids in one source: rows are of one account before they are of one id.
    same = ["coalesce(account_id, 0)", "CASE WHEN account_id IS NULL THEN external_id END", *period]
    values = ", ".join(["bad", "cleared", *(f"v{column.number}" for column in plan.columns)])
    cursor.execute(f"DROP TABLE IF EXISTS {REPEATED}")
    cursor.execute(
        f"CREATE TEMPORARY TABLE {REPEATED} AS"
        f" SELECT array_agg(line ORDER BY line) AS lines FROM {CHECKED} GROUP BY {', '.join(same)} HAVING count(*) > 1"
    )
    cursor.execute(f"SELECT count(*) FROM {REPEATED}")
    if not cursor.fetchone()[0]:
        return
    verdict = (
        f"SELECT lines, (SELECT count(DISTINCT ROW({values})::text) FROM {CHECKED} c WHERE c.line = ANY(g.lines))"
        f" AS variants FROM {REPEATED} g"
    )
    cursor.execute(f"CREATE INDEX ON {CHECKED} (line)")
    cursor.execute(
        f"INSERT INTO {BAD} SELECT c.line, c.external_id, 'conflict_in_file', NULL, array_to_string(lines, ', ')"
        f" FROM ({verdict}) g JOIN {CHECKED} c ON c.line = ANY(g.lines) WHERE variants > 1"
    )
    cursor.execute(
        f"DELETE FROM {CHECKED} c USING ({verdict}) g"
        " WHERE variants = 1 AND c.line = ANY(g.lines[2:]) AND c.bad IS NULL"
    )
    checked.collapsed = cursor.rowcount


def _list_unknown(cursor: CursorWrapper, plan: ImportPlan) -> None:
    if not plan.mapping.allows_new_accounts:
        refusal = f"'unknown_account', NULL, external_id FROM {CHECKED} WHERE account_id IS NULL"
    else:
        name = next(part for part in plan.parts if part.target.key == "name")
        missing = f"account_id IS NULL AND v{name.number} IS NULL AND bad IS NULL"
        refusal = f"'required', NULL, '' FROM {CHECKED} WHERE {missing}"
    cursor.execute(f"INSERT INTO {BAD} SELECT line, external_id, {refusal}")


_ROW_MESSAGES = {
    "conflict_in_file": "The file has this account more than once with different values, in lines {received}.",
    "required": "A new account needs a name.",
    "deleted_account": "This account was deleted.",
    "unknown_account": "No account has this external id, and the mapping does not allow new accounts.",
}


def rejected_cells(cursor: CursorWrapper, plan: ImportPlan, *, limit: int) -> Iterator[RowProblem]:
    """What `import_bad` lists, in words, in the order of the file; the first `limit`."""
    cursor.execute(
        f"SELECT line, external_id, code, number, received FROM {BAD} ORDER BY line, number LIMIT {int(limit)}"
    )
    while rows := cursor.fetchmany(_CHUNK):
        for line, external_id, code, number, received in rows:
            if code:
                yield RowProblem(line, code, _ROW_MESSAGES[code].format(received=received), external_id)
            else:
                column = plan.columns[number]
                error = explain_cell(received, column)
                yield RowProblem(line, error.code, str(error), external_id, column.header, received)


def drop_tables(cursor: CursorWrapper) -> None:
    """Connections are kept; their temporary tables must not be."""
    cursor.execute(f"DROP TABLE IF EXISTS {RAW}, {CHECKED}, {BAD}, {REPEATED}")
