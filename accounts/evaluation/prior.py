"""What an account's stored row has to say about its next segment: stay, dwell, steps, and moves that wait for a person.

Columns of dimension 0, each only where its settings need it:
`p0` rank of the stored computed segment, null where the account is Unassigned, new, or its segment retired or split ·
`q0` rank of the segment that counted, overrides aside · `since0` since when the computed segment is what it is ·
`paused0` the last step was made on these facts under this version · `waits0` it waits for a person already ·
`freed0` the segment a person let it go to ·
`t0` rank by today's verdicts · `pull0` the place of the `move` that pulls without being met · `z0` what comes of it ·
`f0` the final rank · `held0`.

An account in a segment that was merged or retired into another counts as being in that one: it goes on staying,
dwelling and waiting there. A split names no one place, so its accounts are placed as if they were new.
"""

from accounts.evaluation.parameters import Parameters
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.verdicts import base_verdict, todays_value
from accounts.models import Reason
from frameworks.definition import CandidateKind

AS_SAID, PULLED, PAUSED, DWELLING, STEPPED = range(5)


def prior_join(d: DimensionPlan) -> str:
    """The stored row beside the account; `{prior:0}` is the condition on its key range."""
    n = d.index
    return (
        f' LEFT JOIN accounts_assignment prior{n} ON prior{n}.account_id = "accounts_account".id'
        f" AND prior{n}.dimension_id = {d.dimension_id} AND {{prior:{n}}}"
    )


def prior_columns(d: DimensionPlan, version_id: int) -> list[str]:
    """What the levels need of the stored row."""
    n, columns = d.index, []
    if d.reads_computed:
        columns.append(f"{_rank_of(d, f'prior{n}.computed_id')} AS p{n}")
    if d.body.min_dwell_days is not None:
        columns.append(f"COALESCE(prior{n}.computed_since, prior{n}.effective_since) AS since{n}")
    if d.body.max_step is not None:
        columns.append(
            f"(prior{n}.reason = '{Reason.STEPPED.value}' AND prior{n}.framework_version_id = {version_id}"
            f" AND prior{n}.decided_with = accounts_account.version) AS paused{n}"
        )
    if d.is_reviewed:
        counted = (
            f"CASE WHEN prior{n}.override_until IS NULL THEN prior{n}.effective_id"
            f" ELSE prior{n}.without_override_id END"
        )
        columns += [f"{_rank_of(d, f'({counted})')} AS q{n}", f"{today_id(d, f'prior{n}.released_id')} AS freed{n}"]
        columns.append(f"prior{n}.is_held AS waits{n}")
    return columns


def _rank_of(d: DimensionPlan, expression: str) -> str:
    ranks = {pk: d.rank(key) for key, pk in d.segment_ids.items()}
    ranks |= {pk: d.rank(each.only) for pk, each in d.retired.items() if each.only}
    return f"CASE {expression} {' '.join(f'WHEN {pk} THEN {rank}' for pk, rank in ranks.items())} END"


def today_id(d: DimensionPlan, expression: str) -> str:
    """The id of a stored segment (as SQL), or of the one that took its place."""
    cases = " ".join(f"WHEN {old} THEN {new}" for old, new in d.merged_ids().items())
    return f"CASE {expression} {cases} ELSE {expression} END" if cases else expression


# --- the selects between outcome code and segment


def pull_columns(d: DimensionPlan, parameters: Parameters) -> list[str]:
    """The rank that today's verdicts give and, where nothing wins, the `move` whose segment would."""
    n = d.index
    ranks = parameters.add([d.rank(key) for key in d.segments_by_code()])
    columns = [f"({ranks}::int[])[o{n}] AS {'t' if d.reads_computed else 'f'}{n}"]
    if d.has_moves:
        open_codes = ", ".join(str(d.code(r)) for r in (Reason.FALLBACK, Reason.NO_MATCH, Reason.MISSING_DATA))
        # Without its base a dimension places nobody: nothing pulls then, as nothing would take a new account.
        based = f" AND ({base_verdict(d)})" if d.hit_policy == "raise_only" else ""
        columns.append(f"CASE WHEN o{n} IN ({open_codes}){based} THEN {_pulling_sql(d)} END AS pull{n}")
    return columns


def _pulling_sql(d: DimensionPlan) -> str:
    """The place of the first `move` whose segment's rules are true today, as SQL."""
    cases = [
        f"WHEN p{d.index} <> {d.rank(candidate.segment_key)} AND ({today}) THEN {place}"
        for place, candidate in enumerate(d.candidates, 1)
        if candidate.kind == CandidateKind.MOVE and (today := todays_value(d, candidate.segment_key))
    ]
    return f"CASE {' '.join(cases)} END" if cases else "NULL::int"


def decision_sql(d: DimensionPlan, zone: str) -> str:
    """What comes of today's verdicts for an account that has a segment already."""
    n, lines = d.index, [f"WHEN p{d.index} IS NULL THEN {AS_SAID}"]
    if d.has_moves:
        lines.append(f"WHEN pull{n} IS NOT NULL THEN {PULLED}")
    lines.append(f"WHEN t{n} IS NULL OR t{n} = p{n} THEN {AS_SAID}")
    dwelling = is_dwelling(d, zone)
    if d.body.max_step is not None:
        lines.append(f"WHEN paused{n}{f' AND {dwelling}' if dwelling else ''} THEN {PAUSED}")
    if dwelling:
        lines.append(f"WHEN {dwelling} THEN {DWELLING}")
    if d.body.max_step is not None:
        lines.append(f"WHEN abs(t{n} - p{n}) > {d.body.max_step} THEN {STEPPED}")
    return f"CASE {' '.join(lines)} ELSE {AS_SAID} END"


def is_dwelling(d: DimensionPlan, zone: str) -> str:
    """Today, in the framework's zone, is less than `min_dwell_days` days after the day of the last change."""
    if d.body.min_dwell_days is None:
        return ""
    today, began = (f"({moment} AT TIME ZONE {zone})::date" for moment in ("%(as_of)s::timestamptz", f"since{d.index}"))
    return f"{today} < {began} + {d.body.min_dwell_days}"


def dwell_end_day_sql(d: DimensionPlan, zone: str) -> str:
    """The day on which an account that dwells on its way may go on; null for all others."""
    n, days = d.index, d.body.min_dwell_days
    began, today = (f"({moment} AT TIME ZONE {zone})::date" for moment in (f"since{n}", "%(as_of)s::timestamptz"))
    waiting = f"WHEN z{n} IN ({PAUSED}, {DWELLING}) THEN {began} + {days}"
    return f"CASE {waiting} WHEN z{n} = {STEPPED} THEN {today} + {days} END"


def final_rank_sql(d: DimensionPlan) -> str:
    """The rank after staying, dwelling and stepping."""
    n = d.index
    stays = f"CASE z{n} WHEN {AS_SAID} THEN t{n}"
    if d.body.max_step is not None:
        stays += f" WHEN {STEPPED} THEN p{n} + sign(t{n} - p{n})::int * {d.body.max_step}"
    return f"{stays} ELSE p{n} END"


def held_sql(d: DimensionPlan, parameters: Parameters) -> str:
    """Whether the account stays where it counts until a person has looked at the move.

    While data are missing nobody knows where it would go: it goes on waiting, or a gap would get past the person.
    """
    n = d.index
    goes_on = f"f{n} IS NULL AND o{n} = {d.code(Reason.MISSING_DATA)} AND waits{n} AND freed{n} IS NULL"
    beyond = {"upgrade": f"f{n} < q{n}", "downgrade": f"f{n} > q{n}"}
    reviewed = " OR ".join(beyond[name] for name in beyond if getattr(d.body, name) == "review")
    return (
        f"COALESCE((({reviewed}) AND freed{n} IS DISTINCT FROM {id_of_rank(d, f'f{n}', parameters)}"
        f' OR {goes_on} AND q{n} IS NOT NULL) AND NOT "accounts_account".is_excluded, false)'
    )


def id_of_rank(d: DimensionPlan, rank: str, parameters: Parameters) -> str:
    """The segment's id, as SQL, of a rank given as SQL."""
    return f"({parameters.add([d.segment_ids[key] for key in d.ranked])}::int[])[{rank}]"
