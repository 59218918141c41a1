"""What the candidates of one dimension say: whether each is asked of an account, and the segments it is nested in.

Where a dimension has `move`, `stay` or nested segments, `r0_1` is the verdict on the first candidate's own criteria
and `c0_1` what it contributes; elsewhere there is only `c0_1`. `p0` is the rank of the stored computed segment.
"""

from accounts.evaluation.plan import DimensionPlan
from frameworks.definition import CandidateKind


def own_column(d: DimensionPlan, place: int) -> str:
    """The column of the verdict on the candidate's own criteria."""
    return f"{'r' if d.is_refined else 'c'}{d.index}_{place}"


def contributed(d: DimensionPlan, place: int) -> str:
    """What the candidate says of this account, as SQL: false where it is not asked."""
    candidate = d.candidates[place - 1]
    verdict, rank = nested(d, place), d.rank(candidate.segment_key)
    if candidate.kind == CandidateKind.MOVE:
        return f"CASE WHEN p{d.index} <> {rank} THEN {verdict} ELSE false END"
    if candidate.kind == CandidateKind.STAY:
        return f"CASE WHEN p{d.index} = {rank} THEN {verdict} ELSE false END"
    if not _has_move(d, candidate.segment_key):
        return verdict
    return f"CASE WHEN p{d.index} IS NULL OR p{d.index} = {rank} THEN {verdict} ELSE false END"


def nested(d: DimensionPlan, place: int) -> str:
    """The candidate's criteria and, for each segment around its own, one of that segment's rules, as SQL.

    A segment without rules asks nothing of those nested in it.
    """
    around = [_own_rules(d, ancestor) for ancestor in d.ancestors[d.candidates[place - 1].segment_key]]
    conditions = [f"({' OR '.join(rules)})" for rules in around if rules]
    return f"({' AND '.join([own_column(d, place), *conditions])})" if conditions else own_column(d, place)


def todays_value(d: DimensionPlan, segment: str) -> str:
    """Whether a rule of the segment is true, asked or not, as SQL; empty where it has none."""
    return " OR ".join(nested(d, place) for place in rule_places(d, segment))


def base_verdict(d: DimensionPlan) -> str:
    """Whether some rule of the base basis is true today, asked or not, as SQL."""
    return " OR ".join(nested(d, place) for place in base_places(d)) or "false"


def base_places(d: DimensionPlan) -> list[int]:
    return [place for place, candidate in enumerate(d.candidates, 1) if candidate.basis == d.body.base]


def rule_places(d: DimensionPlan, segment: str) -> list[int]:
    return [
        place for place, candidate in enumerate(d.candidates, 1) if candidate.rule and candidate.segment_key == segment
    ]


def by_segment(d: DimensionPlan) -> dict[str, str]:
    """Whether some candidate of each segment is true, as SQL, in the order in which they are asked."""
    found: dict[str, list[str]] = {}
    for place, candidate in enumerate(d.candidates, 1):
        found.setdefault(candidate.segment_key, []).append(f"c{d.index}_{place}")
    return {segment: " OR ".join(columns) for segment, columns in found.items()}


def _own_rules(d: DimensionPlan, segment: str) -> list[str]:
    return [own_column(d, place) for place in rule_places(d, segment)]


def _has_move(d: DimensionPlan, segment: str) -> bool:
    return any(c.kind == CandidateKind.MOVE and c.segment_key == segment for c in d.candidates)
