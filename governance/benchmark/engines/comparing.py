"""Timing other ways end to end: read from the accounts' table, decide, write assignments and transitions.

Everybody starts from the same stored state and ends with the same tables. The two scripts have to write exactly the
product's rows. Rule engines say only which segment: on accounts that they can decide (no value is missing, no
exclusion, no override) they must agree with the product.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import connection, transaction

from accounts.models import Account, Assignment, Transition
from frameworks.models import Dimension, FrameworkVersion, Segment
from governance.benchmark.engines import deciding
from governance.benchmark.engines.rules import FIELDS
from governance.benchmark.engines.scripts import PythonScript, Said, polars_script
from governance.benchmark.evaluating import EVENT, SHOWN, Evaluating, empty_assignments, vacuum
from governance.benchmark.framework import MOVED_THRESHOLD, THRESHOLD
from governance.benchmark.population import AS_OF, TODAY
from governance.benchmark.report import seconds_of

BATCH = 10_000
WORKERS = 2
"""Processes of the bulk queue, as an installation has them; polars uses every processor by itself."""
LOOPED = 500
"""Accounts of the loop over model instances: it takes the same time for each, and minutes for all."""

SCRIPTS = ("python_script", "polars_script")
_GONE = "exclusion <> '' OR deleted_at IS NOT NULL AS gone"
_READ = (
    f"SELECT id, {_GONE}, " + ", ".join(f"{sql} AS {name}" for name, sql in FIELDS.items()) + " FROM accounts_account"
)
_PLACED = """
CREATE TEMP TABLE placed (account_id bigint, dimension_id int, computed_id int, effective_id int,
    override_until timestamptz, reason text, rule_key text, missing text[], conflict text[]) ON COMMIT DROP
"""
_COLUMNS = (
    *("account_id", "dimension_id", "computed_id", "effective_id", "without_override_id", "override_until", "reason"),
    *("rule_key", "missing", "conflict", "is_provisional", "is_held", "framework_version_id", "version"),
    *("effective_since", "changed_at"),
)
_INSERT = f"""
    INSERT INTO accounts_assignment ({", ".join(_COLUMNS)})
    SELECT account_id, dimension_id, computed_id, effective_id, without_id, override_until, reason, rule_key, missing,
        conflict, reason = 'provisional', false, %(version)s, version,
        CASE WHEN NOT is_new AND was IS NOT DISTINCT FROM effective_id THEN since ELSE %(as_of)s END, %(as_of)s
    FROM differing"""
_WRITE = f"""
WITH differing AS MATERIALIZED (
    SELECT p.*, x.account_id IS NULL AS is_new, x.effective_id AS was, x.effective_since AS since,
        CASE WHEN p.override_until IS NOT NULL THEN p.computed_id END AS without_id,
        COALESCE(x.version, 0) + 1 AS version
    FROM placed p LEFT JOIN accounts_assignment x
        ON x.account_id = p.account_id AND x.dimension_id = p.dimension_id
    WHERE x.account_id IS NULL OR x.effective_id IS DISTINCT FROM p.effective_id
        OR x.computed_id IS DISTINCT FROM p.computed_id OR x.override_until IS DISTINCT FROM p.override_until
        OR x.without_override_id IS DISTINCT FROM CASE WHEN p.override_until IS NOT NULL THEN p.computed_id END
        OR x.reason <> p.reason OR x.rule_key <> p.rule_key OR x.missing <> p.missing OR x.conflict <> p.conflict
),
added AS ({_INSERT} WHERE is_new),
written AS ({_INSERT} WHERE NOT is_new
    ON CONFLICT (account_id, dimension_id) DO UPDATE SET
        {", ".join(f"{column} = EXCLUDED.{column}" for column in _COLUMNS[2:])}
)
INSERT INTO accounts_transition (account_id, dimension_id, from_segment_id, to_segment_id, reason, cause, rule_key,
    framework_version_id, version, effective_at, epoch)
SELECT account_id, dimension_id, was, effective_id, reason, CASE WHEN is_new THEN 'initial' ELSE 'data' END, rule_key,
    %(version)s, version, %(as_of)s, 1 FROM differing WHERE is_new OR was IS DISTINCT FROM effective_id
"""
_OVERRIDES = """
SELECT account_id, dimension_id, segment_id, COALESCE(ended_at, valid_until) FROM accounts_override
WHERE valid_from <= %(as_of)s AND %(as_of)s < COALESCE(ended_at, valid_until)
"""


class Engines:
    """The other ways over what is stored now, under one cutline. `version_id` is written beside what they decide."""

    def __init__(self, *, cutline: int, version_id: int) -> None:
        self.cutline = cutline
        self.version_id = version_id
        self.dimension_ids = dict(Dimension.objects.values_list("key", "pk"))
        self.segment_ids: dict[str | None, int | None] = {None: None, **dict(Segment.objects.values_list("key", "pk"))}

    @property
    def ways(self) -> dict[str, Callable[[], None]]:
        """Name → the whole work of that way."""
        by_row = {
            "zen_engine": deciding.zen,
            "flagsmith_flag_engine": deciding.flagsmith,
            "json_logic": deciding.json_logic,
            "python_without_reasons": deciding.python_loop,
        }
        engines: dict[str, Callable[[], None]] = {
            name: partial(self._row_by_row, prepare) for name, prepare in by_row.items()
        }
        scripts = {"python_script": self._python_script, "polars_script": self._polars_script}
        return scripts | engines | {"polars_without_reasons": self._column_by_column}

    # --- those that say only which segment

    def _row_by_row(self, prepare: Callable[[int], deciding.Decide]) -> None:
        decide = prepare(self.cutline)
        with self._written() as cursor, cursor.copy("COPY placed FROM STDIN") as copy:
            for pk, _, facts in _rows():
                for key, segment in decide(facts).items():
                    placed = self.segment_ids[segment]
                    reason = "no_match" if placed is None else "matched"
                    copy.write_row((pk, self.dimension_ids[key], placed, placed, None, reason, "", [], []))

    def _column_by_column(self) -> None:
        import polars as pl

        place = deciding.polars_columns(self.cutline)
        with self._written() as cursor:
            placed = place(self._frame())
            with cursor.copy("COPY placed FROM STDIN (FORMAT csv)") as copy:
                for key, dimension in self.dimension_ids.items():
                    ids = self._ids(pl.col(key))
                    reason = pl.when(pl.col(key).is_null()).then(pl.lit("no_match")).otherwise(pl.lit("matched"))
                    nothing = [pl.lit(None).alias("until"), reason.alias("reason"), pl.lit("").alias("rule")]
                    arrays = [pl.lit("{}").alias("missing"), pl.lit("{}").alias("losers")]
                    written = placed.select(
                        "id", pl.lit(dimension).alias("dimension"), ids.alias("c"), ids.alias("e"), *nothing, *arrays
                    )
                    copy.write(written.write_csv(include_header=False))

    # --- those that say everything

    def _python_script(self) -> None:
        decide = PythonScript(self.cutline).decide
        overrides = self._overrides()
        with self._written() as cursor, cursor.copy("COPY placed FROM STDIN") as copy:
            for pk, gone, facts in _rows():
                for row in self._said(pk, gone=gone, facts=facts, over=overrides.get(pk, {}), decide=decide):
                    copy.write_row(row)

    def _said(
        self,
        pk: int,
        *,
        gone: bool,
        facts: dict[str, Any],
        over: Mapping[str, tuple[str, Any]],
        decide: Callable[..., Any],
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of one account, in the order of the columns of `placed`."""
        if gone:
            yield from ((pk, one, None, None, None, "excluded", "", [], []) for one in self.dimension_ids.values())
            return
        said: dict[str, Said] = decide(facts, {key: segment for key, (segment, _) in over.items()})
        for key, (segment, reason, rule, missing, losers) in said.items():
            effective, until = over.get(key, (segment, None))
            ids = (self.segment_ids[segment], self.segment_ids[effective])
            yield (pk, self.dimension_ids[key], *ids, until, reason, rule, missing, losers)

    def _polars_script(self) -> None:
        import polars as pl

        place = polars_script(self.cutline)
        with self._written() as cursor:
            frame = self._frame()
            for key in self.dimension_ids:
                rows = [(pk, *over[key]) for pk, over in self._overrides().items() if key in over]
                columns: dict[str, Any] = {
                    "id": pl.Int64,
                    f"over_{key}": pl.String,
                    f"until_{key}": pl.Datetime(time_zone="UTC"),
                }
                frame = frame.join(pl.DataFrame(rows, schema=columns, orient="row"), on="id", how="left")
            untils = frame.select(f"until_{key}" for key in self.dimension_ids)
            placed = place(frame)
            with cursor.copy("COPY placed FROM STDIN (FORMAT csv)") as copy:
                for key, dimension in self.dimension_ids.items():
                    until = pl.when(~pl.col("gone")).then(untils[f"until_{key}"])
                    ids = [self._ids(pl.col(name)).alias(name) for name in ("computed", "effective")]
                    shown = [until.alias("until"), "reason", "rule", "missing", "losers"]
                    written = placed[key].select("id", pl.lit(dimension).alias("dimension"), *ids, *shown)
                    copy.write(written.write_csv(include_header=False))

    def loop_seconds(self) -> float:
        """One model instance after the other and a save for each dimension, as views are often written."""
        decide = PythonScript(self.cutline).decide
        overrides = self._overrides()
        names = {pk: key for key, pk in self.dimension_ids.items()}

        def work() -> None:
            for account in Account.objects.order_by("pk")[:LOOPED]:
                over = overrides.get(account.pk, {})
                gone = bool(account.exclusion) or account.deleted_at is not None
                with transaction.atomic():
                    for row in self._said(account.pk, gone=gone, facts=_facts(account), over=over, decide=decide):
                        self._save(row, names)

        return seconds_of(work)

    def _save(self, row: tuple[Any, ...], names: Mapping[int, str]) -> None:
        pk, dimension, computed, effective, until, reason, rule, missing, losers = row
        said = {"computed_id": computed, "effective_id": effective, "override_until": until, "reason": reason}
        said |= {"rule_key": rule, "missing": missing, "conflict": losers, "is_provisional": reason == "provisional"}
        said["without_override_id"] = computed if until else None
        stored = Assignment.objects.filter(account_id=pk, dimension_id=dimension).first()
        if stored and all(getattr(stored, name) == value for name, value in said.items()):
            return
        moved = stored is None or stored.effective_id != effective
        version = (stored.version if stored else 0) + 1
        stamps = {"framework_version_id": self.version_id, "version": version, "changed_at": AS_OF}
        if stored is None or moved:
            stamps["effective_since"] = AS_OF
        Assignment.objects.update_or_create(account_id=pk, dimension_id=dimension, defaults={**said, **stamps})
        if moved:
            Transition.objects.create(
                account_id=pk,
                dimension_id=dimension,
                from_segment_id=stored.effective_id if stored else None,
                to_segment_id=effective,
                reason=reason,
                cause="data" if stored else "initial",
                rule_key=rule,
                framework_version_id=self.version_id,
                version=version,
                effective_at=AS_OF,
                epoch=1,
            )

    # --- reading and writing

    def _frame(self) -> Any:
        import polars as pl

        with connection.cursor() as reader:
            reader.execute(_READ, {"today": TODAY})
            return pl.DataFrame(
                reader.fetchall(), schema=["id", "gone", *FIELDS], orient="row", infer_schema_length=None
            )

    def _ids(self, column: Any) -> Any:
        import polars as pl

        known = {key: pk for key, pk in self.segment_ids.items() if key is not None}
        return column.replace_strict(known, default=None, return_dtype=pl.Int64)

    def _overrides(self) -> dict[int, dict[str, tuple[str, Any]]]:
        """Account → dimension → the segment that stands, and until when."""
        dimensions = {pk: key for key, pk in self.dimension_ids.items()}
        segments = {pk: key for key, pk in self.segment_ids.items()}
        found: dict[int, dict[str, Any]] = defaultdict(dict)
        with connection.cursor() as cursor:
            cursor.execute(_OVERRIDES, {"as_of": AS_OF})
            for account, dimension, segment, until in cursor.fetchall():
                found[account][dimensions[dimension]] = (segments[segment], until)
        return found

    @contextmanager
    def _written(self) -> Iterator[Any]:
        """A cursor to fill `placed` by; what differs from the stored rows is written at the end."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_PLACED)
            yield cursor
            cursor.execute("ANALYZE placed")
            cursor.execute(_WRITE, {"version": self.version_id, "as_of": AS_OF})


def _rows() -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Every account's id, whether it is excluded, and its fields, through a cursor of a connection of its own."""
    reading = connection.copy()
    try:
        with reading.chunked_cursor() as cursor:
            cursor.execute(_READ, {"today": TODAY})
            while rows := cursor.fetchmany(BATCH):
                for pk, gone, *values in rows:
                    yield pk, gone, dict(zip(FIELDS, values, strict=True))
    finally:
        reading.close()


def _facts(account: Account) -> dict[str, Any]:
    def days(since: date | None, sign: int) -> int | None:
        return sign * (TODAY - since).days if since else None

    return {
        "arr": account.arr,
        "employees": account.employee_count,
        "industry": account.industry,
        "health": account.health_score,
        "stage": account.stage,
        "since_activity": days(account.last_activity_on, 1),
        "since_start": days(account.customer_since_on, 1),
        "until_end": days(account.contract_end_on, -1),
        "expansion": account.attributes.get("expansion_opportunity"),
    }


# --- comparing

_COMPLETE = """
SELECT id FROM accounts_account a WHERE arr IS NOT NULL AND employee_count IS NOT NULL AND industry IS NOT NULL
    AND health_score IS NOT NULL AND last_activity_on IS NOT NULL AND customer_since_on IS NOT NULL
    AND contract_end_on IS NOT NULL AND attributes ? 'expansion_opportunity' AND exclusion = ''
    AND NOT EXISTS (SELECT FROM accounts_override o WHERE o.account_id = a.id)
"""


def compare_engines(evaluating: Evaluating) -> list[str]:
    """Time the product and each other way, from nothing and after a moved cutline; returns who wrote other rows.

    The product works as it is installed, with two workers. Its first pass and its guard's figures are in its time,
    until the last row is written; the distribution over segments that it counts then is not: nobody else counts one.
    """
    report, differing = evaluating.report, []
    own = _timed(lambda version: evaluating.product(version, workers=WORKERS)[1], evaluating)
    _keep_product()
    report.add("engines_product_first_seconds", own[0])
    report.add("engines_product_moved_seconds", own[1])
    old, new = (
        Engines(cutline=int(Decimal(cutline)), version_id=version.pk)
        for cutline, version in ((THRESHOLD, evaluating.current), (MOVED_THRESHOLD, evaluating.moved))
    )
    for name, begin in old.ways.items():
        first, moved = _timed(_in_turn(old.version_id, begin, new.ways[name]), evaluating)
        report.add(f"engines_{name}_first_ratio", first / own[0])
        report.add(f"engines_{name}_moved_ratio", moved / own[1])
        if wrong := _differing(whole=name in SCRIPTS):
            differing.append(f"{name}: {wrong} rows")
    return differing + _compare_loop(evaluating, old, new, own)


def _compare_loop(evaluating: Evaluating, old: Engines, new: Engines, own: tuple[float, float]) -> list[str]:
    """The loop over model instances: some accounts of all, its time by their share."""
    count = Account.objects.count()
    share = min(LOOPED, count) / count
    by_version = {old.version_id: old.loop_seconds, new.version_id: new.loop_seconds}
    first, moved = _timed(lambda version: by_version[version.pk]() / share, evaluating)
    evaluating.report.add("engines_django_loop_accounts", min(LOOPED, count))
    evaluating.report.add("engines_django_loop_first_ratio", first / own[0])
    evaluating.report.add("engines_django_loop_moved_ratio", moved / own[1])
    wrong = _differing(whole=True, up_to=LOOPED)
    return [f"django_loop: {wrong} rows"] if wrong else []


def _in_turn(
    first_id: int, first: Callable[[], None], moved: Callable[[], None]
) -> Callable[[FrameworkVersion], float]:
    return lambda version: seconds_of(first if version.pk == first_id else moved)


def _timed(work: Callable[[FrameworkVersion], float], evaluating: Evaluating) -> tuple[float, float]:
    empty_assignments()
    first = work(evaluating.current)
    vacuum()
    return first, work(evaluating.moved)


def _keep_product() -> None:
    with connection.cursor() as cursor:
        for name in ("assignment", "transition"):
            cursor.execute(f"DROP TABLE IF EXISTS of_product_{name}")
            cursor.execute(f"CREATE UNLOGGED TABLE of_product_{name} AS SELECT * FROM accounts_{name}")
        cursor.execute("DROP TABLE IF EXISTS complete")
        cursor.execute(f"CREATE UNLOGGED TABLE complete AS {_COMPLETE}")


def _differing(*, whole: bool, up_to: int | None = None) -> int:
    """How many rows are not the product's: every column of assignments and transitions, or only the segment."""
    if not whole:
        return _count(
            "SELECT count(*) FROM of_product_assignment p LEFT JOIN accounts_assignment x USING (account_id,"
            " dimension_id) WHERE p.effective_id IS DISTINCT FROM x.effective_id"
            " AND p.account_id IN (SELECT id FROM complete)"
        )
    within = f"account_id <= {up_to}" if up_to else "true"
    pairs = (
        ("accounts_assignment", "of_product_assignment", SHOWN),
        ("accounts_transition", "of_product_transition", EVENT),
    )
    return sum(
        _count(
            f"SELECT count(*) FROM (SELECT {columns} FROM {one} WHERE {within} EXCEPT ALL"
            f" SELECT {columns} FROM {other} WHERE {within}) AS rows"
        )
        for table, kept, columns in pairs
        for one, other in ((table, kept), (kept, table))
    )


def _count(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        count: int = cursor.fetchone()[0]
    return count
