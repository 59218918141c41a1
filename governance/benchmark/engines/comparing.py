"""Timing the other engines end to end: read from the accounts' table, decide, write assignments and transitions.

Everybody starts from the same stored state and ends with the same tables. Accounts that one of the engines cannot
decide (a value is missing, an exclusion, an override) get whatever it says; on all others they must agree with the
product.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import connection, transaction

from frameworks.models import Dimension, FrameworkVersion, Segment
from governance.benchmark.engines import deciding
from governance.benchmark.engines.rules import FIELDS
from governance.benchmark.evaluating import Evaluating, empty_assignments, vacuum
from governance.benchmark.framework import MOVED_THRESHOLD, THRESHOLD
from governance.benchmark.population import AS_OF, TODAY
from governance.benchmark.report import seconds_of

BATCH = 10_000

_READ = "SELECT id, " + ", ".join(f"{sql} AS {name}" for name, sql in FIELDS.items()) + " FROM accounts_account"
_WRITE = """
WITH differing AS MATERIALIZED (
    SELECT p.account_id, p.dimension_id, p.segment_id, x.account_id IS NULL AS is_new, x.effective_id AS was,
        COALESCE(x.version, 0) + 1 AS version
    FROM placed p LEFT JOIN accounts_assignment x
        ON x.account_id = p.account_id AND x.dimension_id = p.dimension_id
    WHERE x.account_id IS NULL OR x.effective_id IS DISTINCT FROM p.segment_id
),
written AS (
    INSERT INTO accounts_assignment (account_id, dimension_id, computed_id, effective_id, reason, rule_key, missing,
        conflict, is_provisional, is_held, framework_version_id, version, effective_since, changed_at)
    SELECT account_id, dimension_id, segment_id, segment_id, CASE WHEN segment_id IS NULL THEN 'no_match' ELSE
        'matched' END, '', '{}', '{}', false, false, %(version)s, version, %(as_of)s, %(as_of)s FROM differing
    ON CONFLICT (account_id, dimension_id) DO UPDATE SET computed_id = EXCLUDED.computed_id,
        effective_id = EXCLUDED.effective_id, reason = EXCLUDED.reason, version = EXCLUDED.version,
        effective_since = EXCLUDED.effective_since, changed_at = EXCLUDED.changed_at
)
INSERT INTO accounts_transition (account_id, dimension_id, from_segment_id, to_segment_id, reason, cause, rule_key,
    framework_version_id, version, effective_at, epoch)
SELECT account_id, dimension_id, was, segment_id, 'matched', CASE WHEN is_new THEN 'initial' ELSE 'version' END, '',
    %(version)s, version, %(as_of)s, 1 FROM differing
"""


class Engines:
    """The engines over what is stored now, under one cutline. `version_id` is written beside what they decide."""

    def __init__(self, *, cutline: int, version_id: int) -> None:
        self.cutline = cutline
        self.version_id = version_id
        self.dimension_ids = dict(Dimension.objects.values_list("key", "pk"))
        self.segment_ids = dict(Segment.objects.values_list("key", "pk"))

    @property
    def ways(self) -> dict[str, Callable[[], None]]:
        """Name → the whole work of that engine."""
        by_row = {
            "zen_engine": deciding.zen,
            "flagsmith_flag_engine": deciding.flagsmith,
            "json_logic": deciding.json_logic,
            "python_loop": deciding.python_loop,
        }
        ways: dict[str, Callable[[], None]] = {
            name: partial(self._row_by_row, prepare) for name, prepare in by_row.items()
        }
        return ways | {"polars": self._column_by_column}

    def seconds_of(self, name: str) -> float:
        return seconds_of(self.ways[name])

    def _row_by_row(self, prepare: Callable[[int], deciding.Decide]) -> None:
        decide = prepare(self.cutline)
        names = ("id", *FIELDS)
        with transaction.atomic(), connection.cursor() as cursor:
            self._begin(cursor)
            with cursor.copy("COPY placed FROM STDIN") as copy:
                for rows in _rows():
                    for row in rows:
                        facts = dict(zip(names, row, strict=True))
                        for key, segment in decide(facts).items():
                            copy.write_row((row[0], self.dimension_ids[key], self.segment_ids.get(segment or "")))
            self._write(cursor)

    def _column_by_column(self) -> None:
        import polars as pl

        place = deciding.polars_columns(self.cutline)
        with transaction.atomic(), connection.cursor() as cursor:
            self._begin(cursor)
            with connection.cursor() as reader:
                reader.execute(_READ, {"today": TODAY})
                frame = pl.DataFrame(reader.fetchall(), schema=["id", *FIELDS], orient="row", infer_schema_length=None)
            placed = place(frame)
            with cursor.copy("COPY placed FROM STDIN (FORMAT csv)") as copy:
                for key, dimension in self.dimension_ids.items():
                    ids = pl.col(key).replace_strict(self.segment_ids, default=None, return_dtype=pl.Int64)
                    written = placed.select("id", pl.lit(dimension).alias("dimension"), ids.alias("segment"))
                    copy.write(written.write_csv(include_header=False))
            self._write(cursor)

    def _begin(self, cursor: Any) -> None:
        cursor.execute("CREATE TEMP TABLE placed (account_id bigint, dimension_id int, segment_id int) ON COMMIT DROP")

    def _write(self, cursor: Any) -> None:
        cursor.execute("ANALYZE placed")
        cursor.execute(_WRITE, {"version": self.version_id, "as_of": AS_OF})


def _rows() -> Iterator[list[tuple[Any, ...]]]:
    """Every account's fields, through a cursor of the server on a connection of its own."""
    reading = connection.copy()
    try:
        with reading.chunked_cursor() as cursor:
            cursor.execute(_READ, {"today": TODAY})
            while rows := cursor.fetchmany(BATCH):
                yield rows
    finally:
        reading.close()


_COMPLETE = """
SELECT id FROM accounts_account a WHERE arr IS NOT NULL AND employee_count IS NOT NULL AND industry IS NOT NULL
    AND health_score IS NOT NULL AND last_activity_on IS NOT NULL AND customer_since_on IS NOT NULL
    AND contract_end_on IS NOT NULL AND attributes ? 'expansion_opportunity' AND exclusion = ''
    AND NOT EXISTS (SELECT FROM accounts_override o WHERE o.account_id = a.id)
"""


def compare_engines(evaluating: Evaluating) -> list[str]:
    """Time the product and each engine, from nothing and after a moved cutline; returns who decided differently.

    The product's second pass, its guard's figures, its transitions and its distribution are in its time.
    """
    report, differing = evaluating.report, []
    own = _timed(lambda version: evaluating.product(version)[0], evaluating)
    _keep_product()
    report.add("engines_product_first_seconds", own[0])
    report.add("engines_product_moved_seconds", own[1])
    old, new = (
        Engines(cutline=int(Decimal(cutline)), version_id=version.pk)
        for cutline, version in ((THRESHOLD, evaluating.current), (MOVED_THRESHOLD, evaluating.moved))
    )
    for name in old.ways:
        seconds = {old.version_id: partial(old.seconds_of, name), new.version_id: partial(new.seconds_of, name)}
        first, moved = _timed(partial(_engine_seconds, seconds), evaluating)
        report.add(f"engines_{name}_first_ratio", first / own[0])
        report.add(f"engines_{name}_moved_ratio", moved / own[1])
        if wrong := _differing_from_product():
            differing.append(f"{name}: {wrong} segments")
    return differing


def _timed(work: Callable[[FrameworkVersion], float], evaluating: Evaluating) -> tuple[float, float]:
    empty_assignments()
    first = work(evaluating.current)
    vacuum()
    return first, work(evaluating.moved)


def _engine_seconds(seconds: Mapping[int, Callable[[], float]], version: FrameworkVersion) -> float:
    return seconds[version.pk]()


def _keep_product() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS of_product")
        cursor.execute(
            "CREATE UNLOGGED TABLE of_product AS SELECT account_id, dimension_id, effective_id FROM accounts_assignment"
            f" WHERE account_id IN ({_COMPLETE})"
        )


def _differing_from_product() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM of_product p LEFT JOIN accounts_assignment x USING (account_id, dimension_id)"
            " WHERE p.effective_id IS DISTINCT FROM x.effective_id"
        )
        count: int = cursor.fetchone()[0]
    return count
