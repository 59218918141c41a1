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
    """What the candidate contributes to this account's outcome, as SQL.

    Evaluating again must find what it found before. So `move` only takes away: the rules of another segment do not
    count while its `move` is not true, and it never wins by itself, because the rules are what is asked once the
    account is there. And `stay` is asked only where no rule of the segment is true; unknown, it keeps nobody.
    """
    candidate = d.candidates[place - 1]
    verdict, rank = nested(d, place), d.rank(candidate.segment_key)
    if candidate.kind == CandidateKind.MOVE:
        return "false"
    if candidate.kind == CandidateKind.STAY:
        needed = f"({todays_value(d, candidate.segment_key) or 'false'}) IS NOT TRUE{_beside_fallback(d, place)}"
        if d.body.max_step is not None:
            # A step made on these facts was made without it: the account rests there, and is not kept.
            needed += f" AND paused{d.index} IS NOT TRUE"
        return f"COALESCE(p{d.index} = {rank} AND {needed} AND {verdict}, false)"
    move = _move_place(d, candidate.segment_key)
    if move is None:
        return verdict
    counts = f"p{d.index} IS NULL OR p{d.index} = {rank} OR {verdict} IS NULL OR {own_column(d, move)}"
    return f"CASE WHEN {counts} THEN {verdict} ELSE false END"


def _beside_fallback(d: DimensionPlan, place: int) -> str:
    """Where nothing else could win, the fallback takes a new account: `stay` must not give it another reason then."""
    segment = d.candidates[place - 1].segment_key
    if segment != d.fallback:
        return ""
    others = [n for n, each in enumerate(d.candidates, 1) if each.rule and each.segment_key != segment]
    rules = " OR ".join(f"({contributed(d, n)})" for n in others)
    return f" AND ({rules}) IS DISTINCT FROM false" if rules else " AND false"


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


def true_today(d: DimensionPlan) -> dict[str, str]:
    """Whether some rule of each segment is true today, counting or not, as SQL, in the order they are asked."""
    return {segment: todays_value(d, segment) for segment in _with_rules(d)}


def counting(d: DimensionPlan) -> dict[str, str]:
    """Whether some rule of each segment is true and counts, as SQL, in the order they are asked."""
    return {
        segment: " OR ".join(f"c{d.index}_{place}" for place in rule_places(d, segment)) for segment in _with_rules(d)
    }


def _with_rules(d: DimensionPlan) -> list[str]:
    return list(dict.fromkeys(candidate.segment_key for candidate in d.candidates if candidate.rule))


def _own_rules(d: DimensionPlan, segment: str) -> list[str]:
    return [own_column(d, place) for place in rule_places(d, segment)]


def _move_place(d: DimensionPlan, segment: str) -> int | None:
    found = (n for n, c in enumerate(d.candidates, 1) if c.kind == CandidateKind.MOVE and c.segment_key == segment)
    return next(found, None)
