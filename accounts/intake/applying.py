"""From checked rows to accounts: what would change, and changing it, in one transaction.

Only accounts that differ are written. Which attributes differ is a bit mask a row, made once while comparing;
provenance, counts and observed instants are read from it. Rows are locked in the order of their ids before they
are written, so that two imports, or an import and a person, never wait for each other in a circle.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

from accounts.intake.cells import text_key
from accounts.intake.checking import ACCOUNTS, BAD, CHECKED, IDENTIFIERS, literal, take_out_bad, text_array
from accounts.intake.plan import ImportPlan, StagedColumn, StagedConstant
from accounts.intake.series import keep_series
from accounts.models import Cause, MetricObservation, PendingEvaluation
from accounts.relevance import attributes_read, concerns

CURRENT = "import_current"
CHANGES = "import_changes"
NEW = "import_new"
PROVENANCE = "import_provenance"
TOUCHED = "import_touched"
OBSERVED = "import_observed"
HISTORY = "import_history"

OBSERVATIONS = MetricObservation._meta.db_table
MARKS = PendingEvaluation._meta.db_table

WHOLE_TABLE = 100_000
"""From so many changed accounts on, the table is locked instead of each row: a lock a row is a write a row."""

CONFIRM_AFTER = timedelta(days=30)
"""A value seen again unchanged counts as seen anew when it was last seen this long ago (it would go stale)."""

_DELETED = -1
"""The mask of a row about an account that is gone."""

Part = StagedColumn | StagedConstant


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where and when the values come from; `import_id` is the Import's uuid."""

    source: str
    import_id: str
    at: datetime

    def as_json(self) -> dict[str, str]:
        return {"source": self.source, "import": self.import_id, "at": self.at.isoformat()}


@dataclass
class Effect:
    """What applying does, in accounts; `attributes` counts changed values by attribute."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    observations: int = 0
    attributes: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""


# What would change


def find_current(cursor: CursorWrapper, plan: ImportPlan) -> None:
    """`import_current`, with periods: each account's newest row, unless something newer is stored already.

    Without periods every row speaks of the present, and `import_checked` itself is read.
    """
    cursor.execute(f"DROP TABLE IF EXISTS {CURRENT}")
    period = plan.mapping.period
    if period is None:
        return
    newer = (
        f"SELECT FROM {OBSERVATIONS} o WHERE o.account_id = c.account_id AND o.grain = {literal(period.grain)}"
        f" AND o.metric = ANY({text_array(plan.mapping.observations)}) AND o.period_end_on > c.period_end"
    )
    cursor.execute(
        f"CREATE TEMPORARY TABLE {CURRENT} AS SELECT DISTINCT ON (external_id) * FROM {CHECKED} c"
        f" WHERE NOT EXISTS ({newer}) ORDER BY external_id, period_end DESC"
    )
    cursor.execute(f"ANALYZE {CURRENT}")


def _current(plan: ImportPlan) -> str:
    return CHECKED if plan.mapping.period is None else CURRENT


def find_changes(cursor: CursorWrapper, plan: ImportPlan, stamp: Stamp) -> Effect:
    """`import_changes`: accounts that differ, and in what; counts of everything, nothing written.

    Rows about deleted accounts are found on the way and moved to `import_bad`.
    """
    find_current(cursor, plan)
    cursor.execute(f"DROP TABLE IF EXISTS {CHANGES}")
    cursor.execute(_changes_table(plan, stamp))
    cursor.execute(
        f"WITH gone AS (DELETE FROM {CHANGES} WHERE mask = {_DELETED} RETURNING line, external_id)"
        f" INSERT INTO {BAD} SELECT line, external_id, 'deleted_account', NULL, external_id FROM gone"
    )
    if cursor.rowcount:
        take_out_bad(cursor)
        find_current(cursor, plan)
    cursor.execute(f"ANALYZE {CHANGES} (account_id, mask, line)")
    effect = _count_effect(cursor, plan)
    _count_attributes(cursor, plan, effect)
    return effect


def _changes_table(plan: ImportPlan, stamp: Stamp) -> str:
    """One hash join of the accounts with the rows, both read once."""
    mask = " | ".join(
        f"CASE WHEN {_differs(part, stamp)} THEN {1 << part.number}::bigint ELSE 0 END" for part in plan.parts
    )
    return (
        f"CREATE TEMPORARY TABLE {CHANGES} AS SELECT * FROM (SELECT a.id AS account_id, a.version AS seen,"
        f" CASE WHEN a.deleted_at IS NULL THEN ({mask or '0::bigint'}) ELSE {_DELETED} END AS mask,"
        f" c.line, c.external_id FROM {_current(plan)} c JOIN {ACCOUNTS} a ON a.id = c.account_id OFFSET 0) s"
        " WHERE mask <> 0"
    )


def _stored(part: Part) -> str:
    return f"a.{part.target.column}" if part.target.column else f"a.attributes->{literal(part.target.key)}"


def _differs(part: Part, stamp: Stamp) -> str:
    stored, value = _stored(part), f"c.v{part.number}"
    if isinstance(part, StagedConstant):
        empty = f"{stored} IS NULL OR {stored} = ''" if part.target.column else f"{stored} IS NULL"
        return f"({empty})"
    tests = [f"({value} IS NOT NULL AND {value} IS DISTINCT FROM {stored})"]
    if part.target.is_observed:
        limit = literal(stamp.at - CONFIRM_AFTER)
        tests.append(f"({value} IS NOT NULL AND {stored}_observed_at < {limit})")
    if not part.target.is_required:
        tests.append(f"(c.cleared @> ARRAY[{part.number}]::smallint[] AND {stored} IS NOT NULL)")
    return " OR ".join(tests)


def _count_effect(cursor: CursorWrapper, plan: ImportPlan) -> Effect:
    """The fingerprint is of accounts, their versions and what differs: equal again only if nothing happened."""
    cursor.execute(
        f"SELECT count(*), coalesce(bit_xor(hashtextextended(concat_ws(':', account_id, seen, mask), 0)), 0)"
        f" FROM {CHANGES}"
    )
    updated, changed_hash = cursor.fetchone()
    cursor.execute(
        "SELECT count(*) FILTER (WHERE account_id IS NULL), count(*),"
        " coalesce(bit_xor(hashtextextended(external_id, 0)) FILTER (WHERE account_id IS NULL), 0)"
        f" FROM {_current(plan)}"
    )
    created, accounts, new_hash = cursor.fetchone()
    return Effect(
        created=created,
        updated=updated,
        unchanged=accounts - created - updated,
        fingerprint=f"{created}-{updated}-{changed_hash:x}-{new_hash:x}",
    )


def _count_attributes(cursor: CursorWrapper, plan: ImportPlan, effect: Effect) -> None:
    cursor.execute(f"SELECT mask, count(*) FROM {CHANGES} GROUP BY mask")
    for mask, count in cursor.fetchall():
        for part in plan.parts:
            if mask & (1 << part.number):
                effect.attributes[part.target.key] = effect.attributes.get(part.target.key, 0) + count


# Changing it


def apply_changes(cursor: CursorWrapper, plan: ImportPlan, stamp: Stamp, effect: Effect) -> Effect:
    """Write accounts, identifiers, observations and marks; `effect` is what `find_changes` said, outside or inside
    the transaction this is called in. What happened in between is found out under the locks and taken into account.
    """
    # A plan cached while a table was empty is kept for the session and is a thousand times too slow for a full one.
    cursor.execute("DISCARD PLANS")
    for table in (TOUCHED, OBSERVED, HISTORY):
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.execute(f"CREATE TEMPORARY TABLE {table} (account_id bigint)")
    while _match_new(cursor, plan, effect) or _lock_changed(cursor, plan, effect):
        effect = find_changes(cursor, plan, stamp)
    if effect.updated:
        _update_accounts(cursor, plan, stamp)
    if effect.created:
        _create_accounts(cursor, plan, stamp)
    effect.observations = sum(_add_observations(cursor, plan, column, stamp) for column in plan.observed_metrics)
    if effect.observations:
        _keep_series(cursor, plan, stamp)
    _mark(cursor, stamp)
    return effect


def _match_new(cursor: CursorWrapper, plan: ImportPlan, effect: Effect) -> int:
    """Rows whose account somebody created meanwhile. Imports of one source take turns from here on."""
    if not effect.created:
        return 0
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"import:{plan.mapping.source}"])
    cursor.execute(
        f"UPDATE {CHECKED} c SET account_id = i.account_id FROM {IDENTIFIERS} i"
        f" WHERE c.account_id IS NULL AND i.source = {literal(plan.mapping.source)} AND i.external_id = c.external_id"
    )
    return int(cursor.rowcount)


def _lock_changed(cursor: CursorWrapper, plan: ImportPlan, effect: Effect) -> int:
    """Lock what will be written, in the order of ids; how many accounts changed since they were compared.

    Accounts stay locked, so that looking again ends. Observations are written of accounts that do not change, too.
    """
    concerned = f"{CHANGES} c"
    if plan.observed_metrics:
        named = f"SELECT DISTINCT account_id FROM {CHECKED} WHERE account_id IS NOT NULL"
        concerned = f"(SELECT n.account_id, seen FROM ({named}) n LEFT JOIN {CHANGES} USING (account_id)) c"
    lock = " ORDER BY a.id FOR NO KEY UPDATE OF a"
    if effect.updated + (effect.unchanged if plan.observed_metrics else 0) > WHOLE_TABLE:
        cursor.execute(f"LOCK TABLE {ACCOUNTS} IN SHARE ROW EXCLUSIVE MODE")
        lock = ""
    cursor.execute(
        "WITH locked AS MATERIALIZED ("
        f"SELECT a.version, c.seen FROM {ACCOUNTS} a JOIN {concerned} ON c.account_id = a.id{lock}"
        ") SELECT count(*) FROM locked WHERE version <> seen"
    )
    return int(cursor.fetchone()[0])


def _update_accounts(cursor: CursorWrapper, plan: ImportPlan, stamp: Stamp) -> None:
    """Only columns that change somewhere are named; accounts and rows are each read once, into hash joins."""
    cursor.execute(f"SELECT DISTINCT mask FROM {CHANGES}")
    masks = [mask for (mask,) in cursor.fetchall()]
    _fill_provenance(cursor, plan, stamp, masks)
    changed = [part for part in plan.parts if any(mask & (1 << part.number) for mask in masks)]
    sets = [assignment for part in changed for assignment in _assignments(part, stamp)]
    own = [part for part in changed if not part.target.column]
    if own:
        sets.append(f"attributes = {_merged('attributes', own, _value)}")
        if texts := [part for part in own if part.target.has_key]:
            sets.append(f"attribute_keys = {_merged('attribute_keys', texts, _key)}")
    sets += [
        "provenance = a.provenance || p.provenance",
        "version = a.version + 1",
        f"updated_at = {literal(stamp.at)}",
    ]
    cursor.execute(
        f"UPDATE {ACCOUNTS} a SET {', '.join(sets)} FROM {CHANGES} m JOIN {PROVENANCE} p USING (mask)"
        f" JOIN {_current(plan)} c USING (line) WHERE a.id = m.account_id"
    )
    cursor.execute(f"INSERT INTO {TOUCHED} SELECT account_id FROM {CHANGES} WHERE mask & {_read_mask(plan)} <> 0")


def _read_mask(plan: ImportPlan) -> int:
    """The bits of the attributes that can move an account; a changed phone number owes no evaluation."""
    read = attributes_read()
    return sum(1 << part.number for part in plan.parts if concerns({part.target.key}, read))


def _fill_provenance(cursor: CursorWrapper, plan: ImportPlan, stamp: Stamp, masks: list[int]) -> None:
    """One row a combination of changed attributes: a small table to join, instead of building JSON a row."""
    cursor.execute(f"DROP TABLE IF EXISTS {PROVENANCE}")
    cursor.execute(f"CREATE TEMPORARY TABLE {PROVENANCE} (mask bigint, provenance jsonb)")
    with cursor.copy(f"COPY {PROVENANCE} FROM STDIN") as copy:
        for mask in masks:
            copy.write_row((mask, json.dumps(_provenance_of(mask, plan, stamp.as_json()))))
    cursor.execute(f"ANALYZE {PROVENANCE}")


def _provenance_of(mask: int, plan: ImportPlan, stamp: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    return {part.target.key: stamp for part in plan.parts if mask & (1 << part.number)}


def _is_changed(part: Part) -> str:
    return f"(m.mask & {1 << part.number}) <> 0"


def _assignments(part: Part, stamp: Stamp) -> list[str]:
    """SET clauses of one attribute; its bit says whether the file's value (NULL: cleared) replaces the stored one."""
    target, changed = part.target, _is_changed(part)
    if not target.column:
        return []
    column = target.column
    sets = [f"{column} = CASE WHEN {changed} THEN c.v{part.number} ELSE a.{column} END"]
    if target.has_key:
        sets.append(f"{column}_key = CASE WHEN {changed} THEN {_key(part)} ELSE a.{column}_key END")
    if target.is_observed:
        sets.append(
            f"{column}_observed_at = CASE WHEN {changed} THEN {literal(stamp.at)} ELSE a.{column}_observed_at END"
        )
    return sets


def _key(part: Part) -> str:
    if isinstance(part, StagedConstant):
        return f"{literal(text_key(part.value))}::text"
    key = f"c.k{part.number}"
    return f"coalesce({key}, '')" if part.target.key == "name" else key


def _value(part: Part) -> str:
    return f"c.v{part.number}"


def _merged(column: str, own: list[Part], new: Callable[[Part], str]) -> str:
    """The JSON with changed values put in and cleared ones taken out; no null is left in it."""
    pairs = ", ".join(
        f"{literal(part.target.key)}, CASE WHEN {_is_changed(part)} THEN to_jsonb({new(part)})"
        f" ELSE a.{column}->{literal(part.target.key)} END"
        for part in own
    )
    keys = text_array(part.target.key for part in own)
    return f"(a.{column} - {keys}) || jsonb_strip_nulls(jsonb_build_object({pairs}))"


def _built(own: list[Part], new: Callable[[Part], str]) -> str:
    pairs = ", ".join(f"{literal(part.target.key)}, {new(part)}" for part in own)
    return f"jsonb_strip_nulls(jsonb_build_object({pairs}))"


# New accounts


def _create_accounts(cursor: CursorWrapper, plan: ImportPlan, stamp: Stamp) -> None:
    """Ids are drawn first, so that accounts and identifiers can both be inserted set-wise.

    Neither is sorted: the rows come in the order in which the ids were drawn, but for what a hash join mixes.
    """
    mask = " | ".join(
        f"CASE WHEN c.v{part.number} IS NOT NULL THEN {1 << part.number}::bigint ELSE 0 END" for part in plan.parts
    )
    cursor.execute(f"DROP TABLE IF EXISTS {NEW}")
    cursor.execute(
        f"CREATE TEMPORARY TABLE {NEW} AS SELECT nextval(pg_get_serial_sequence('{ACCOUNTS}', 'id')) AS new_id,"
        f" ({mask or '0::bigint'}) AS mask, line, external_id FROM {_current(plan)} c WHERE account_id IS NULL"
    )
    cursor.execute(f"ANALYZE {NEW} (new_id, mask, line)")
    cursor.execute(f"SELECT DISTINCT mask FROM {NEW}")
    _fill_provenance(cursor, plan, stamp, [mask for (mask,) in cursor.fetchall()])
    columns = _new_values(plan, stamp)
    cursor.execute(
        f"INSERT INTO {ACCOUNTS} ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
        f" FROM {_current(plan)} c JOIN {NEW} n USING (line) JOIN {PROVENANCE} p USING (mask)"
    )
    cursor.execute(
        f"INSERT INTO {IDENTIFIERS} (account_id, source, external_id)"
        f" SELECT new_id, {literal(plan.mapping.source)}, external_id FROM {NEW}"
    )
    cursor.execute(f"INSERT INTO {TOUCHED} SELECT new_id FROM {NEW}")
    if plan.observed_metrics:
        cursor.execute(
            f"UPDATE {CHECKED} k SET account_id = n.new_id FROM {NEW} n"
            " WHERE n.external_id = k.external_id AND k.account_id IS NULL"
        )


def _new_values(plan: ImportPlan, stamp: Stamp) -> dict[str, str]:
    """Column → SQL of a new account; what the file does not say has the model's defaults."""
    at = literal(stamp.at)
    values = {
        "id": "n.new_id",
        "uuid": "gen_random_uuid()",
        "domain": "''",
        "stage": "'customer'",
        "exclusion": "''",
        "currency": "'USD'",
        "attributes": "'{}'::jsonb",
        "attribute_keys": "'{}'::jsonb",
        "provenance": "p.provenance",
        "version": "1",
        "created_at": at,
        "updated_at": at,
    }
    for part in plan.parts:
        values |= _new_value(part, values, at)
    own = [part for part in plan.parts if not part.target.column]
    if own:
        values["attributes"] = _built(own, _value)
        if texts := [part for part in own if part.target.has_key]:
            values["attribute_keys"] = _built(texts, _key)
    return values


def _new_value(part: Part, defaults: Mapping[str, str], at: str) -> dict[str, str]:
    target, value = part.target, f"c.v{part.number}"
    if not target.column:
        return {}
    default = defaults.get(target.column)
    found = {target.column: f"coalesce({value}, {default})" if default else value}
    if target.has_key:
        found[f"{target.column}_key"] = _key(part)
    if target.is_observed:
        found[f"{target.column}_observed_at"] = f"CASE WHEN {value} IS NOT NULL THEN {at} END"
    return found


# History and work owed


def _add_observations(cursor: CursorWrapper, plan: ImportPlan, column: StagedColumn, stamp: Stamp) -> int:
    """Append what the newest row of the same account, metric and period does not already say.

    One probe of observation_newest a row; the index has the account first, so it reads a handful of rows each.
    """
    period = plan.mapping.period
    if period is None:
        return 0
    metric, grain = literal(column.target.key), literal(period.grain)
    cursor.execute(
        f"WITH added AS (INSERT INTO {OBSERVATIONS}"
        " (account_id, metric, grain, period, period_end_on, value, is_closed, source, recorded_at)"
        f" SELECT c.account_id, {metric}, {grain}, c.period, c.period_end, c.v{column.number},"
        f" c.period_end < {literal(stamp.at.date())}, {literal(stamp.source)}, {literal(stamp.at)}"
        f" FROM {CHECKED} c LEFT JOIN LATERAL (SELECT o.value FROM {OBSERVATIONS} o WHERE o.account_id = c.account_id"
        f" AND o.metric = {metric} AND o.grain = {grain} AND o.period = c.period ORDER BY o.id DESC LIMIT 1) o ON true"
        f" WHERE c.v{column.number} IS NOT NULL AND c.account_id IS NOT NULL"
        f" AND o.value IS DISTINCT FROM c.v{column.number}::numeric(24, 4)"
        f" ORDER BY c.account_id, c.period_end RETURNING account_id),"
        f" observed AS (INSERT INTO {OBSERVED} SELECT DISTINCT account_id FROM added)"
        " SELECT count(*) FROM added"
    )
    return int(cursor.fetchone()[0])


def _keep_series(cursor: CursorWrapper, plan: ImportPlan, stamp: Stamp) -> None:
    """What rules read of the history; accounts of which only that changed get a new version."""
    period = plan.mapping.period
    grain = literal(period.grain if period else "")
    metrics = text_array(column.target.key for column in plan.observed_metrics)
    cursor.execute(f"ANALYZE {OBSERVED}")
    concerned = f"SELECT account_id, metric, {grain} AS grain FROM {OBSERVED}, unnest({metrics}) AS m(metric)"
    keep_series(cursor, concerned, into=HISTORY)
    cursor.execute(
        f"WITH others AS (SELECT account_id FROM {HISTORY} EXCEPT SELECT account_id FROM {TOUCHED}),"
        f" bumped AS (UPDATE {ACCOUNTS} a SET version = version + 1, updated_at = {literal(stamp.at)}"
        " FROM others WHERE a.id = others.account_id)"
        f" INSERT INTO {TOUCHED} SELECT account_id FROM others"
    )


def _mark(cursor: CursorWrapper, stamp: Stamp) -> None:
    """Owe each written account an evaluation, and those under it: rules may read the facts of an ultimate parent."""
    cursor.execute(
        f"INSERT INTO {MARKS} (account_id, cause, marked_at)"
        f" SELECT account_id, {literal(Cause.DATA.value)}, {literal(stamp.at)} FROM {TOUCHED}"
    )
    cursor.execute(f"ANALYZE {TOUCHED}")
    cursor.execute(
        f"INSERT INTO {MARKS} (account_id, cause, marked_at)"
        f" SELECT a.id, {literal(Cause.DATA.value)}, {literal(stamp.at)}"
        f" FROM {ACCOUNTS} a JOIN {TOUCHED} t ON a.ultimate_parent_id = t.account_id"
        f" WHERE NOT EXISTS (SELECT FROM {TOUCHED} o WHERE o.account_id = a.id)"
    )


def drop_tables(cursor: CursorWrapper) -> None:
    """Connections are kept; their temporary tables must not be."""
    cursor.execute(f"DROP TABLE IF EXISTS {CURRENT}, {CHANGES}, {NEW}, {PROVENANCE}, {TOUCHED}, {OBSERVED}, {HISTORY}")
