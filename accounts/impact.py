"""What a version would change, in figures: from pass 1 of a run, before anything is written.

Read from what the run recorded: how many accounts with how much ARR go from which segment to which, and its movers.
All accounts count, not only customers, because all of them are assigned. ARR is added up as it is stored.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q

from accounts.models import AssignmentRun, Override
from accounts.services.overrides import successor_of
from frameworks.comparison import segments_with_other_rules
from frameworks.definition import Definition, definition_of
from frameworks.mapping import Succession, Successions, successions_of
from frameworks.models import Dimension, Segment

NAMED = 100
"""Movers that are written down by name in each dimension, the largest ARR first."""
BOOKS = 50

Figures = dict[str, Any]
Cell = tuple[int, Decimal]


def figures_of(run: AssignmentRun) -> Figures:
    """The figures of an evaluated run as `VersionImpact` keeps them; every decimal is text.

    `segments`: "dimension/segment" ("dimension/" is Unassigned) → accounts and arr after, before, entering and
    leaving. `matrix`: dimension → from → to → accounts and arr of what moves; `mapped` those of them that only follow
    the mapping of a merged, split or retired segment, which no other figure counts as moving. `moving`: accounts that
    move anywhere. `movers`: by name, largest first. `overrides`: what becomes of those that are not over, and
    `override_fates` by name, but for those that simply go on. `books`: movers by CSM.
    """
    definition = definition_of(run.framework_version)
    names = _Names(run, definition)
    known = successions_of(run.framework_version, definition)
    pairs = names.pairs(known)
    fates = list(_override_fates(run, definition, known))
    new = {} if run.is_initial else _new(run, names)
    moves = {key: list(_moves_of(run, names, key)) for key in definition.dimensions}
    before = _distribution(names)
    return {
        "accounts": run.accounts,
        "first": run.is_initial,
        "segments": {
            f"{key}/{segment}": row
            for key in definition.dimensions
            for segment, row in _segments(definition, key, before.get(key, {}), moves[key], new.get(key, {}))
        },
        "matrix": {key: _matrix(moves[key]) for key in definition.dimensions},
        "mapped": {key: _matrix(_mapped(moves[key], known.get(key, {}))) for key in definition.dimensions},
        "moving": _moving(run, pairs),
        "movers": [] if run.is_initial else _movers(run, names, pairs),
        "books": [] if run.is_initial else _books(run, pairs),
        "overrides": {fate: sum(each["fate"] == fate for each in fates) for fate in FATES},
        "override_fates": [each for each in fates if each["fate"] != "carried"][:NAMED],
    }


class _Names:
    """Keys of the version's dimensions and of every segment that is or was in them, by id."""

    def __init__(self, run: AssignmentRun, definition: Definition) -> None:
        rows = Dimension.objects.filter(framework=run.framework, key__in=definition.dimensions)
        self.dimensions = dict(rows.values_list("pk", "key"))
        found = Segment.objects.filter(dimension__in=self.dimensions).values_list("pk", "key")
        self.segments: dict[int | None, str] = {None: "", **dict(found)}

    def segment(self, written: str) -> str:
        return self.segments[int(written) if written else None]

    def pairs(self, known: Successions) -> tuple[list[int], list[int]]:
        """From and to, by id, of the moves that only follow a mapping."""
        found = []
        for dimension, key in self.dimensions.items():
            ids = dict(Segment.objects.filter(dimension=dimension).values_list("key", "pk")) if known.get(key) else {}
            for retired, each in known.get(key, {}).items():
                found += [(ids[retired], ids[short]) for short in each.into if retired in ids]
        return [was for was, _ in found], [now for _, now in found]


def _moves_of(run: AssignmentRun, names: _Names, dimension: str) -> Iterator[tuple[str, str, Cell]]:
    """From, to, and how many accounts with how much ARR; those that only change their reason are left out."""
    for pk, key in names.dimensions.items():
        if key != dimension:
            continue
        for was, by_to in run.moves.get(str(pk), {}).items():
            for now, accounts in by_to.items():
                if was != now or run.is_initial:
                    arr = Decimal(run.moved_arr.get(str(pk), {}).get(was, {}).get(now, 0))
                    yield names.segment(was), names.segment(now), (accounts, arr)


_DISTRIBUTION = """
SELECT x.dimension_id, x.effective_id, count(*), COALESCE(sum(a.arr), 0)
FROM accounts_assignment x JOIN accounts_account a ON a.id = x.account_id
WHERE x.dimension_id = ANY(%s) GROUP BY 1, 2
"""


def _distribution(names: _Names) -> dict[str, dict[str, Cell]]:
    with connection.cursor() as cursor:
        cursor.execute(_DISTRIBUTION, [list(names.dimensions)])
        rows = cursor.fetchall()
    found: dict[str, dict[str, Cell]] = defaultdict(dict)
    for dimension, segment, accounts, arr in rows:
        found[names.dimensions[dimension]][names.segments.get(segment, "")] = (accounts, arr)
    return found


_NEW = """
SELECT m.dimension_id, m.to_segment_id, count(*), COALESCE(sum(a.arr), 0)
FROM accounts_runmove m JOIN accounts_account a ON a.id = m.account_id
    LEFT JOIN accounts_assignment x ON x.account_id = m.account_id AND x.dimension_id = m.dimension_id
WHERE m.run_id = %s AND m.from_segment_id IS NULL AND x.account_id IS NULL GROUP BY 1, 2
"""


def _new(run: AssignmentRun, names: _Names) -> dict[str, dict[str, Cell]]:
    """By dimension and segment, accounts that have no assignment yet: they come from nowhere, not from Unassigned."""
    found: dict[str, dict[str, Cell]] = defaultdict(dict)
    for dimension, segment, accounts, arr in _rows(_NEW, run.pk):
        if dimension in names.dimensions:
            found[names.dimensions[dimension]][names.segments[segment]] = (accounts, arr)
    return found


def _segments(
    definition: Definition,
    dimension: str,
    before: Mapping[str, Cell],
    moves: list[tuple[str, str, Cell]],
    new: Mapping[str, Cell],
) -> Iterator[tuple[str, Figures]]:
    arrived = _sum(cell for segment, cell in new.items() if segment)
    retired = [segment for segment in before if segment not in definition.segment_keys[dimension] and segment]
    for segment in (*definition.dimensions[dimension].segments, *retired, ""):
        entering = _sum(cell for was, now, cell in moves if now == segment)
        # Of a first assignment everybody comes from nowhere, and nobody leaves Unassigned.
        leaving = _sum(cell for was, now, cell in moves if was == segment and before)
        if not segment and before:
            leaving = (leaving[0] - arrived[0], leaving[1] - arrived[1])
            entering = _sum(iter([entering, new.get("", (0, Decimal(0)))]))
        was = before.get(segment, (0, Decimal(0)))
        # What people changed since the run looked is in `was` alone: no figure may fall below nothing by it.
        after = (max(was[0] + entering[0] - leaving[0], 0), max(was[1] + entering[1] - leaving[1], Decimal(0)))
        told = {"before": was, "entering": entering, "leaving": leaving}
        yield segment, _cell(after) | {name: _cell(cell) for name, cell in told.items()}


def _sum(cells: Iterator[Cell]) -> Cell:
    found = list(cells)
    return sum(accounts for accounts, _ in found), sum((arr for _, arr in found), Decimal(0))


def _cell(cell: Cell) -> Figures:
    return {"accounts": cell[0], "arr": f"{cell[1]:f}"}


def _matrix(moves: list[tuple[str, str, Cell]]) -> Figures:
    found: Figures = {}
    for was, now, cell in moves:
        found.setdefault(was, {})[now] = _cell(cell)
    return found


_REALLY = """m.run_id = %s AND m.from_segment_id IS DISTINCT FROM m.to_segment_id AND NOT EXISTS (
    SELECT 1 FROM unnest(%s::int[], %s::int[]) AS p(was, now)
    WHERE p.was = m.from_segment_id AND p.now = m.to_segment_id)"""
_MOVING = f"""
SELECT count(*), COALESCE(sum(a.arr), 0) FROM accounts_account a WHERE a.id IN (
    SELECT m.account_id FROM accounts_runmove m WHERE {_REALLY})
"""
_MOVERS = f"""
SELECT uuid, name, dimension_id, from_segment_id, to_segment_id, reason, arr, csm FROM (
    SELECT a.uuid, a.name, m.dimension_id, m.from_segment_id, m.to_segment_id, m.reason, a.arr, u.name AS csm,
        row_number() OVER (PARTITION BY m.dimension_id ORDER BY a.arr DESC NULLS LAST, a.id) AS place
    FROM accounts_runmove m JOIN accounts_account a ON a.id = m.account_id
        LEFT JOIN frameworks_user u ON u.id = a.csm_id
    WHERE {_REALLY} AND m.dimension_id = ANY(%s)
) AS ranked WHERE place <= %s ORDER BY dimension_id, place
"""
_BOOKS = f"""
SELECT u.name, count(*), COALESCE(sum(a.arr), 0)
FROM accounts_account a JOIN frameworks_user u ON u.id = a.csm_id
WHERE a.id IN (
    SELECT m.account_id FROM accounts_runmove m WHERE {_REALLY})
GROUP BY u.id, u.name ORDER BY 2 DESC, u.name LIMIT %s
"""


def _rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


Pairs = tuple[list[int], list[int]]


def _moving(run: AssignmentRun, pairs: Pairs) -> Figures:
    """Accounts that change their segment in any dimension, each once."""
    ((accounts, arr),) = _rows(_MOVING, run.pk, *pairs)
    return _cell((accounts, arr))


def _movers(run: AssignmentRun, names: _Names, pairs: Pairs) -> list[Figures]:
    return [
        {
            "account": str(uuid),
            "name": name,
            "dimension": names.dimensions[dimension],
            "from": names.segments[was],
            "to": names.segments[now],
            "reason": reason,
            "arr": None if arr is None else f"{arr:f}",
            "csm": csm or "",
        }
        for uuid, name, dimension, was, now, reason, arr, csm in _rows(
            _MOVERS, run.pk, *pairs, list(names.dimensions), NAMED
        )
    ]


def _books(run: AssignmentRun, pairs: Pairs) -> list[Figures]:
    rows = _rows(_BOOKS, run.pk, *pairs, BOOKS)
    return [{"csm": name, **_cell((accounts, arr))} for name, accounts, arr in rows]


def _mapped(moves: list[tuple[str, str, Cell]], known: Mapping[str, Succession]) -> list[tuple[str, str, Cell]]:
    return [(was, now, cell) for was, now, cell in moves if was in known and now in known[was].into]


FATES = ("carried", "mapped", "reconfirm", "ask_again", "lapsing")
"""What becomes of an override: its segment means the same; it goes on with a successor; its segment's rules changed, so
it goes on and people are asked to look at it; it ends because nobody named a successor of a split; it ends because its
segment is gone."""


def _override_fates(run: AssignmentRun, definition: Definition, known: Successions) -> Iterator[Figures]:
    """Every override that is not over, by account name."""
    changed = segments_with_other_rules(run.framework.active_version, run.framework_version)
    rows = Override.objects.filter(dimension__framework=run.framework, valid_until__gt=run.as_of)
    rows = rows.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=run.as_of))
    for override in rows.select_related("dimension", "segment", "origin", "account").order_by("account__name", "pk"):
        dimension, segment = override.dimension.key, override.segment.key
        succession = known.get(dimension, {}).get(segment)
        to = successor_of(override, succession)
        yield {
            "account": str(override.account.uuid),
            "name": override.account.name,
            "dimension": dimension,
            "from": segment,
            "to": to or "",
            "until": override.valid_until.isoformat(),
            "fate": _fate(dimension, segment, definition, changed) if succession is None else _mapped_fate(to),
        }


def _mapped_fate(to: str | None) -> str:
    return "mapped" if to else "ask_again"


def _fate(dimension: str, segment: str, definition: Definition, changed: Collection[str]) -> str:
    if segment not in definition.segment_keys.get(dimension, ()):
        return "lapsing"
    return "reconfirm" if f"{dimension}/{segment}" in changed else "carried"
