"""From what the rules give to what counts: a move that waits for a person, an override in force, an exclusion."""

from accounts.evaluation.parameters import Parameters, over
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.prior import id_of_rank
from frameworks.mapping import Succession


def with_segments(query: str, dimensions: list[DimensionPlan], parameters: Parameters) -> str:
    """The query with computed and effective segment, the end of an override, and the keys others read."""
    columns = [column for d in dimensions for column in _segments(d, parameters)]
    query = over(query, columns, "".join(_override_join(d) for d in dimensions))
    return over(query, [key for d in dimensions for key in _keys(d, parameters)])


def uncovered(d: DimensionPlan) -> str:
    """The column of the segment that counts where no override does."""
    return f"{'h' if d.is_reviewed else 's'}{d.index}"


def _segments(d: DimensionPlan, parameters: Parameters) -> list[str]:
    n = d.index
    if d.reads_prior:
        computed = id_of_rank(d, f"f{n}", parameters)
    else:
        computed = f"({parameters.add([d.segment_ids[key] for key in d.segments_by_code()])}::int[])[o{n}]"
    counted = computed
    if d.is_reviewed:
        counted = f"CASE WHEN held{n} THEN {id_of_rank(d, f'q{n}', parameters)} ELSE {computed} END"
    columns = [
        f"{computed} AS s{n}",
        f'CASE WHEN NOT "accounts_account".is_excluded THEN COALESCE({_overriding(d)}, {counted}) END AS e{n}',
        # One that ends early, while an evaluation with an older `as_of` still counts it, ends then.
        f'CASE WHEN NOT "accounts_account".is_excluded{_counts(d)} THEN {_end(d)} END AS u{n}',
    ]
    return [*columns, f"{counted} AS h{n}"] if d.is_reviewed else columns


def _overriding(d: DimensionPlan) -> str:
    """The segment an override gives. Of a retired one, as it will be carried at the activation: null if it will not."""
    segment = f"v{d.index}.segment_id"
    cases = " ".join(f"WHEN {pk} THEN {_carried(d, each)}" for pk, each in d.retired.items())
    return f"CASE {segment} {cases} ELSE {segment} END" if cases else segment


def _carried(d: DimensionPlan, succession: Succession) -> str:
    to = "NULL" if succession.carries_to is None else str(d.segment_ids[succession.carries_to])
    if not succession.is_return:
        return to
    origins = ", ".join(str(d.segment_ids[short]) for short in succession.into)
    return f"CASE WHEN v{d.index}.origin_id IN ({origins}) THEN v{d.index}.origin_id ELSE {to} END"


def _counts(d: DimensionPlan) -> str:
    return f" AND {_overriding(d)} IS NOT NULL" if d.retired else ""


def _end(d: DimensionPlan) -> str:
    return f"COALESCE(v{d.index}.ended_at, v{d.index}.valid_until)"


def _override_join(d: DimensionPlan) -> str:
    """An override in force counts before the rules, an exclusion before the override."""
    n = d.index
    return (
        f' LEFT JOIN accounts_override v{n} ON v{n}.account_id = "accounts_account".id'
        f" AND v{n}.dimension_id = {d.dimension_id} AND v{n}.valid_from <= %(as_of)s"
        f" AND %(as_of)s < {_end(d)} AND {{overrides:v{n}}}"
    )


def _keys(d: DimensionPlan, parameters: Parameters) -> list[str]:
    keys = [("e", "k", d.is_read), ("s", "j", d.is_computed_read)]
    return [f"{_key_of(d, column, parameters)} AS {name}{d.index}" for column, name, is_read in keys if is_read]


def _key_of(d: DimensionPlan, column: str, parameters: Parameters) -> str:
    cases = " ".join(f"WHEN {pk} THEN {parameters.add(key)}" for key, pk in d.segment_ids.items())
    # An override may still name a segment this version has retired: none of the listed, but not Unassigned.
    return f"CASE {column}{d.index} {cases} WHEN {column}{d.index} THEN '' END"
