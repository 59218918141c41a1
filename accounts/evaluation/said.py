"""What is said about an outcome: rule key, reason, what is missing, and which segments lost, as SQL."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from accounts.evaluation.outcome import could_win
from accounts.evaluation.parameters import Parameters
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.prior import AS_SAID, PAUSED, PULLED, STEPPED
from accounts.evaluation.verdicts import rule_places, true_today
from accounts.models import Reason
from frameworks.criteria.ast import Node, dimensions_used
from frameworks.criteria.base import Of
from frameworks.criteria.uses import current_reads, history_nodes, metrics_used

HISTORY = "history:"


def rule_sql(d: DimensionPlan, parameters: Parameters) -> str:
    """The key of the candidate that decided, or that pulls where the account stays."""
    rules, n = parameters.text_array(d.rules_by_code()), d.index
    place = f"CASE z{n} WHEN {PULLED} THEN pull{n} ELSE o{n} END" if d.has_moves else f"o{n}"
    return f"({rules})[{place}]"


def reason_sql(d: DimensionPlan, parameters: Parameters, lacking: Mapping[str, str]) -> str:
    """Why the account is where it is."""
    said = f"({parameters.text_array(d.reasons_by_code())})[o{d.index}]"
    history = [f"({condition})" for key, condition in lacking.items() if key.startswith(HISTORY)]
    if history:
        others = [f"({condition})" for key, condition in lacking.items() if not key.startswith(HISTORY)]
        too_little = f"({' OR '.join(history)}) AND NOT ({' OR '.join(others) or 'false'})"
        is_open = f"o{d.index} = {d.code(Reason.MISSING_DATA)}"
        said = f"CASE WHEN {is_open} AND {too_little} THEN '{Reason.INSUFFICIENT_HISTORY.value}' ELSE {said} END"
    if not d.reads_computed:
        return said
    stepping = f"WHEN {PAUSED} THEN '{Reason.STEPPED.value}' WHEN {STEPPED} THEN '{Reason.STEPPED.value}'"
    return f"CASE z{d.index} WHEN {AS_SAID} THEN {said} {stepping} ELSE '{Reason.KEPT.value}' END"


class Compiling(Protocol):
    """What is needed to ask whether something is there: the writer of stages.py."""

    def compiled(self, node: Node, d: DimensionPlan) -> str: ...
    def is_missing(self, key: str, of: Of, d: DimensionPlan) -> str: ...
    def is_unassigned(self, key: str, d: DimensionPlan) -> str: ...


def lacking_of(d: DimensionPlan, writer: Compiling) -> dict[str, str]:
    """What would decide, by key, with the condition under which it is not there, as SQL.

    Attributes and dimensions that a candidate reads which could still win, and `history:` metrics of a condition on
    closed periods that is unknown.
    """
    readers: dict[str, dict[str, list[str]]] = {}
    for place in range(1, d.size + 1):
        open_still = could_win(d, place)
        for key, absent in _reads(d, place, writer):
            readers.setdefault(key, {}).setdefault(absent, []).append(open_still)
    return {
        key: " OR ".join(f"({' OR '.join(dict.fromkeys(places))}) AND {absent}" for absent, places in found.items())
        for key, found in sorted(readers.items())
    }


def _reads(d: DimensionPlan, place: int, writer: Compiling) -> Iterator[tuple[str, str]]:
    """What a candidate and the rules of the segments around its own read, and how each is not there."""
    around = d.ancestors[d.candidates[place - 1].segment_key]
    for each in [place, *(other for segment in around for other in rule_places(d, segment))]:
        root = d.candidates[each - 1].criteria.root
        for key, of in sorted(current_reads(root)):
            yield key, writer.is_missing(key, of, d)
        for key in sorted(dimensions_used(root)):
            yield key, writer.is_unassigned(key, d)
        for node in history_nodes(root):
            for metric, _ in sorted(metrics_used(node)):
                yield HISTORY + metric, f"{writer.compiled(node, d)} IS NULL"


def missing_sql(d: DimensionPlan, parameters: Parameters, lacking: Mapping[str, str]) -> str:
    """What would decide and is not there, where the outcome is open."""
    items = ", ".join(f"CASE WHEN {condition} THEN {parameters.add(key)} END" for key, condition in lacking.items())
    unsure = f"o{d.index} BETWEEN {d.size + 1} AND {2 * d.size} OR o{d.index} = {d.code(Reason.MISSING_DATA)}"
    return _array_where(_as_said(d, unsure), items) if items else "'{}'::text[]"


def losers_sql(d: DimensionPlan, parameters: Parameters) -> str:
    """Segments whose rules are true as well but did not win, as a text array; built only where there is one."""
    verdicts = true_today(d)
    if len(verdicts) < 2:
        return "'{}'::text[]"
    checks = [f"WHEN {d.code(Reason.CONFLICT)} THEN true"]
    for place, candidate in enumerate(d.candidates, 1):
        others = [v for segment, v in verdicts.items() if not d.are_related(segment, candidate.segment_key)]
        lost = " OR ".join(f"({verdict})" for verdict in others)
        if lost:
            checks.append(f"WHEN {place} THEN {lost} WHEN {d.size + place} THEN {lost}")
    items = ", ".join(
        f"CASE WHEN ({verdict}) AND {_has_not_won(d, segment)} THEN {parameters.add(segment)} END"
        for segment, verdict in verdicts.items()
    )
    return _array_where(_as_said(d, f"CASE o{d.index} {' '.join(checks)} END"), items)


def _has_not_won(d: DimensionPlan, segment: str) -> str:
    """Neither the segment, nor one around it or nested in it, is the winner."""
    if not d.reads_computed and not d.is_nested:
        return f"s{d.index} IS DISTINCT FROM {d.segment_ids[segment]}"
    won = [place for place, c in enumerate(d.candidates, 1) if d.are_related(segment, c.segment_key)]
    return f"o{d.index} NOT IN ({', '.join(str(code) for place in won for code in (place, d.size + place))})"


def _as_said(d: DimensionPlan, condition: str) -> str:
    return f"z{d.index} = {AS_SAID} AND ({condition})" if d.reads_computed else condition


def _array_where(condition: str, items: str) -> str:
    return f"CASE WHEN {condition} THEN array_remove(ARRAY[{items}]::text[], NULL) ELSE '{{}}'::text[] END"
