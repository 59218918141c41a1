"""A version's dimensions, ready to be written as SQL: in topological order, with the ids of their identity rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from accounts.models import Reason
from frameworks.criteria.ast import dimensions_used
from frameworks.definition import Candidate, CandidateKind, Definition
from frameworks.mapping import Succession, Successions, successions, successions_of
from frameworks.models import Dimension, FrameworkVersion
from frameworks.parts.dimension import Dimension as DimensionBody

# Outcomes that name no candidate, in the order of their codes.
UNPLACED = (Reason.FALLBACK, Reason.NO_MATCH, Reason.MISSING_DATA, Reason.CONFLICT, Reason.EXCLUDED)


@dataclass(frozen=True)
class DimensionPlan:
    """One dimension; `index` numbers its columns. Ranks are 1 for the highest segment, as in the body's list.

    `is_read` and `is_computed_read`: other dimensions read its effective or its computed segment. `retired` are ids of
    segments it no longer has, with what took their place; `successors` are keys of such segments with the only one that
    did.
    """

    index: int
    level: int
    dimension_id: int
    key: str
    body: DimensionBody
    segment_ids: Mapping[str, int]
    candidates: list[Candidate]
    ancestors: Mapping[str, tuple[str, ...]]
    is_read: bool = False
    is_computed_read: bool = False
    retired: Mapping[int, Succession] = field(default_factory=dict)
    successors: Mapping[str, str | None] = field(default_factory=dict)

    # --- settings

    @property
    def hit_policy(self) -> str:
        return self.body.hit_policy

    @property
    def fallback(self) -> str | None:
        return self.body.fallback

    @property
    def is_exclusive(self) -> bool:
        """Two true segments are a conflict."""
        return self.hit_policy in ("unique", "manual_review")

    @property
    def is_provisional_allowed(self) -> bool:
        return self.body.undetermined_higher == "provisional"

    @cached_property
    def has_asking(self) -> bool:
        """Some candidate is asked of some accounts only."""
        return any(candidate.kind != CandidateKind.RULE for candidate in self.candidates)

    @cached_property
    def has_moves(self) -> bool:
        return any(candidate.kind == CandidateKind.MOVE for candidate in self.candidates)

    @cached_property
    def is_nested(self) -> bool:
        return any(self.ancestors.values())

    @property
    def is_refined(self) -> bool:
        """The verdict on a candidate is more than that on its own criteria."""
        return self.has_asking or self.is_nested

    @property
    def reads_computed(self) -> bool:
        """What the account's computed segment was before decides as well."""
        return self.has_asking or self.body.min_dwell_days is not None or self.body.max_step is not None

    @property
    def is_reviewed(self) -> bool:
        return "review" in (self.body.upgrade, self.body.downgrade)

    @property
    def reads_prior(self) -> bool:
        return self.reads_computed or self.is_reviewed

    # --- segments

    @property
    def ranked(self) -> list[str]:
        return list(self.body.segments)

    def rank(self, segment: str) -> int:
        return self.body.segments.index(segment) + 1

    def are_related(self, one: str, other: str) -> bool:
        """The same segment, or one nested in the other."""
        return one == other or one in self.ancestors[other] or other in self.ancestors[one]

    def place_of(self, segment: str | None) -> int | None:
        """The id of a segment by its key, or of the only one that took its place; None for none such."""
        short = self.successors.get(segment or "", segment)
        return self.segment_ids.get(short or "")

    def merged_ids(self) -> dict[int, int]:
        """Retired segment → the one segment that took its place: for an account the same place under another name."""
        return {pk: self.segment_ids[each.only] for pk, each in self.retired.items() if each.only}

    def mapped_moves(self) -> list[tuple[int, int]]:
        """From and to of the moves that the mapping alone makes: between a retired segment and a successor."""
        return [(pk, self.segment_ids[short]) for pk, each in self.retired.items() for short in each.into]

    # --- codes

    @property
    def size(self) -> int:
        return len(self.candidates)

    def code(self, outcome: str) -> int:
        """The code of an outcome that names no candidate."""
        return 2 * self.size + 1 + UNPLACED.index(Reason(outcome))

    def segments_by_code(self) -> list[str]:
        """For the codes that place an account; other codes lie behind the end, where SQL reads NULL."""
        keys = [candidate.segment_key for candidate in self.candidates] * 2
        return [*keys, self.fallback] if self.fallback else keys

    def rules_by_code(self) -> list[str]:
        keys = [candidate.key for candidate in self.candidates] * 2
        return [*keys, *[""] * len(UNPLACED)]

    def reasons_by_code(self) -> list[str]:
        placed = [Reason.MATCHED] * self.size + [Reason.PROVISIONAL] * self.size
        return [str(reason.value) for reason in (*placed, *UNPLACED)]


def plan_dimensions(version: FrameworkVersion, definition: Definition) -> list[DimensionPlan]:
    """The dimensions in topological order, with the ids of their identity rows."""
    rows = Dimension.objects.filter(framework_id=version.framework_id).prefetch_related("segments")
    return ordered_dimensions(
        definition,
        {row.key: (row.pk, {segment.key: segment.pk for segment in row.segments.all()}) for row in rows},
        successions_of(version, definition),
    )


def ordered_dimensions(
    definition: Definition,
    identities: Mapping[str, tuple[int, Mapping[str, int]]],
    known: Successions | None = None,
) -> list[DimensionPlan]:
    """The dimensions in topological order; `identities` has each one's id and those of its segments, by key.

    `known` says what took the place of retired segments; by itself, what the definition records.
    """
    known = successions(definition) if known is None else known
    candidates = {key: definition.candidates(key) for key in definition.dimensions}
    reads = {key: _dimensions_read(found) for key, found in candidates.items()}
    levels = topological_levels(reads)
    plans = []
    for index, key in enumerate(sorted(definition.dimensions, key=lambda key: (levels[key], identities[key][0]))):
        body, (dimension_id, ids) = definition.dimensions[key], identities[key]
        plans.append(
            DimensionPlan(
                index=index,
                level=levels[key],
                dimension_id=dimension_id,
                key=key,
                body=body,
                segment_ids={short: ids[short] for short in body.segments},
                candidates=candidates[key],
                ancestors=definition.ancestors(key),
                retired={ids[short]: each for short, each in known.get(key, {}).items() if short in ids},
                successors={short: each.only for short, each in known.get(key, {}).items()},
            )
        )
    return _with_readers(plans, reads)


def _with_readers(plans: list[DimensionPlan], reads: Mapping[str, Iterable[str]]) -> list[DimensionPlan]:
    computed = {key for plan in plans if plan.body.basis_of == "computed" for key in reads[plan.key]}
    effective = {key for plan in plans if plan.body.basis_of is None for key in reads[plan.key]}
    return [replace(p, is_read=p.key in effective, is_computed_read=p.key in computed) for p in plans]


def _dimensions_read(candidates: Iterable[Candidate]) -> frozenset[str]:
    return frozenset(key for candidate in candidates for key in dimensions_used(candidate.criteria.root))


def topological_levels(reads: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Level 0 reads no other dimension, level n only lower ones. Raises ValueError naming a cycle."""
    levels: dict[str, int] = {}

    def visit(key: str, path: tuple[str, ...]) -> int:
        if key in path:
            raise ValueError(f"Dimensions read each other in a circle: {' → '.join((*path[path.index(key) :], key))}")
        if key not in levels:
            levels[key] = max((visit(other, (*path, key)) + 1 for other in reads.get(key, ())), default=0)
        return levels[key]

    for key in sorted(reads):
        visit(key, ())
    return levels
