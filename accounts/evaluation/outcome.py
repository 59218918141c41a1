"""From the verdicts of one dimension's candidates to an outcome code, as SQL.

Codes of a dimension with K candidates, in the order in which they are asked, from 1:
1…K matched · K+1…2K provisional · 2K+1 fallback · 2K+2 no match · 2K+3 missing data · 2K+4 conflict · 2K+5 excluded.
"""

from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.verdicts import base_places, base_verdict, counting, nested
from accounts.models import Reason


def outcome_sql(d: DimensionPlan) -> str:
    """The outcome code of one dimension from its candidates' booleans, as one CASE."""
    otherwise = d.code(Reason.FALLBACK if d.fallback else Reason.NO_MATCH)
    missing = d.code(Reason.MISSING_DATA)
    lines = [f'WHEN "accounts_account".is_excluded THEN {d.code(Reason.EXCLUDED)}']
    if d.hit_policy == "raise_only":
        base = base_verdict(d)
        lines += [f"WHEN ({base}) IS NULL THEN {missing}", f"WHEN NOT ({base}) THEN {otherwise}"]
    if d.is_exclusive:
        lines += [f"WHEN {pair} THEN {d.code(Reason.CONFLICT)}" for pair in _true_pairs(d)]
    for place in range(1, d.size + 1):
        rivals, unsure = _unknown_rivals(d, place), d.size + place if d.is_provisional_allowed else missing
        result = f"CASE WHEN {rivals} THEN {unsure} ELSE {place} END" if rivals else str(place)
        lines.append(f"WHEN c{d.index}_{place} THEN {result}")
    unknown = " OR ".join(f"c{d.index}_{place} IS NULL" for place in range(1, d.size + 1))
    if unknown:
        lines.append(f"WHEN {unknown} THEN {missing}")
    return f"CASE {' '.join(lines)} ELSE {otherwise} END"


def _unknown_rivals(d: DimensionPlan, place: int) -> str:
    """Candidates that could still win over the one at `place`, as SQL; empty when none can.

    None of its own segment, nor of those around it: these lose to it.
    """
    reach = range(1, d.size + 1) if d.is_exclusive else range(1, place)
    own = d.candidates[place - 1].segment_key
    beaten = {own, *d.ancestors[own]}
    return " OR ".join(
        f"c{d.index}_{other} IS NULL" for other in reach if d.candidates[other - 1].segment_key not in beaten
    )


def could_win(d: DimensionPlan, place: int) -> str:
    """The candidate at `place` is unknown, and nothing that is true keeps it from winning, as SQL."""
    unknown = _could_win(d, place)
    if d.hit_policy != "raise_only":
        return unknown
    # While the base is unknown, only what could make it true decides.
    base = base_verdict(d)
    deciding = f" OR ({base}) IS NULL AND {nested(d, place)} IS NULL" if place in base_places(d) else ""
    return f"(({base}) IS TRUE AND {unknown}{deciding})"


def _could_win(d: DimensionPlan, place: int) -> str:
    places = [(other, _leaves_open(d, other, place)) for other in range(1, d.size + 1) if other != place]
    while places and places[-1][1]:
        places.pop()
    if not places:
        return f"c{d.index}_{place} IS NULL"
    # The first that is true would be the winner.
    cases = " ".join(f"WHEN c{d.index}_{other} THEN {could}" for other, could in places)
    return f"(c{d.index}_{place} IS NULL AND CASE {cases} ELSE true END)"


def _leaves_open(d: DimensionPlan, winner: int, place: int) -> bool:
    """With the candidate `winner` the first that is true, the one at `place` would still matter."""
    won, own = d.candidates[winner - 1].segment_key, d.candidates[place - 1].segment_key
    return won != own and own not in d.ancestors[won] and (d.is_exclusive or winner > place)


def _true_pairs(d: DimensionPlan) -> list[str]:
    verdicts = counting(d)
    segments = list(verdicts)
    pairs = []
    for position, one in enumerate(segments):
        others = [verdicts[other] for other in segments[position + 1 :] if not d.are_related(one, other)]
        if others:
            pairs.append(f"(({verdicts[one]}) AND ({' OR '.join(others)}))")
    return pairs
