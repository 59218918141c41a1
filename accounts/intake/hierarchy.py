"""Who stands above an account and under it: walking the hierarchy, and keeping `ultimate_parent` right.

A merged account's place is taken by the one it was merged into: whoever has it as a parent is under that one.
"""

from collections.abc import Iterable

from django.db import connection

_LOCK_CLASS = 7203


def lock_hierarchy() -> None:
    """Changes of the hierarchy take turns: two that are fine alone can make a circle together."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCK_CLASS])


def steps_above(account_ids: Iterable[int]) -> dict[int, int]:
    """Account id → the next one above, for these accounts and everything above them."""
    with connection.cursor() as cursor:
        cursor.execute(_ABOVE + " SELECT id, above FROM up WHERE above IS NOT NULL", [list(account_ids)])
        return dict(cursor.fetchall())


def keep_ultimate_parents(account_ids: Iterable[int]) -> list[int]:
    """Set `ultimate_parent` of these accounts and of everything under them; ids of those it changed.

    There must be no circle.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(account_ids)])
        return [row[0] for row in cursor.fetchall()]


_ABOVE = """
WITH RECURSIVE up AS (
    SELECT id, COALESCE(merged_into_id, parent_id) AS above FROM accounts_account WHERE id = ANY(%s)
    UNION
    SELECT a.id, COALESCE(a.merged_into_id, a.parent_id) FROM accounts_account a JOIN up ON a.id = up.above
)
"""

# UNION, not UNION ALL: it ends also where a circle was stored.
_KEEP = """
WITH RECURSIVE under AS (
    SELECT id FROM accounts_account WHERE id = ANY(%s)
    UNION
    SELECT a.id FROM under JOIN accounts_account a ON a.parent_id = under.id OR a.merged_into_id = under.id
),
up AS (
    SELECT id, id AS node FROM under
    UNION
    SELECT up.id, COALESCE(a.merged_into_id, a.parent_id)
    FROM up JOIN accounts_account a ON a.id = up.node WHERE COALESCE(a.merged_into_id, a.parent_id) IS NOT NULL
),
tops AS (
    SELECT up.id, NULLIF(up.node, up.id) AS top
    FROM up JOIN accounts_account a ON a.id = up.node WHERE COALESCE(a.merged_into_id, a.parent_id) IS NULL
),
locked AS MATERIALIZED (
    SELECT a.id, tops.top FROM accounts_account a JOIN tops ON tops.id = a.id
    WHERE a.ultimate_parent_id IS DISTINCT FROM tops.top ORDER BY a.id FOR NO KEY UPDATE OF a
)
UPDATE accounts_account a SET ultimate_parent_id = locked.top FROM locked WHERE a.id = locked.id RETURNING a.id
"""
