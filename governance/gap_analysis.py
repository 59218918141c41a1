"""The gap between how a company segments its accounts today and what a version of its framework needs.

A query, typed for whoever prints it: the page, the CSV and the document. Nothing is stored; the answer is of `at`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from math import ceil

from django.db.models import Count, F, Func
from django.urls import reverse

from accounts.evaluation.said import HISTORY
from accounts.models import Assignment, Reason
from accounts.quality import segmented_accounts
from accounts.querysets import in_segment
from frameworks.definition import bodies_of
from frameworks.models import Framework, FrameworkVersion
from frameworks.templatetags.cutline import share as percent
from governance.field_inventory import Inventory, InventoryRow, inventory_from
from governance.intake_targets import QuestionState, Targets
from governance.models import CurrentField, IntakeForm

NOBODY = "RevOps"
"""Who owns a gap whose data source names nobody."""


class Priority(StrEnum):
    """High: it decides a segment, or leaves accounts Unassigned. Medium: rules or people count on it. Low: the rest."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class GapKind(StrEnum):
    """What kind of thing is missing."""

    MISSING = "missing"
    UNDER_LIMIT = "under_limit"
    STALE = "stale"
    UNASSIGNED = "unassigned"
    NO_SOURCE = "no_source"
    NO_COUNTERPART = "no_counterpart"
    COUNTERPART_GONE = "counterpart_gone"
    UNANSWERED = "unanswered"
    ANSWER_GONE = "answer_gone"


KIND_LABELS: Mapping[GapKind, str] = {
    GapKind.MISSING: "Attribute is not there",
    GapKind.UNDER_LIMIT: "Too few accounts have it",
    GapKind.STALE: "Too old",
    GapKind.UNASSIGNED: "Leaves accounts Unassigned",
    GapKind.NO_SOURCE: "No data source",
    GapKind.NO_COUNTERPART: "No counterpart",
    GapKind.COUNTERPART_GONE: "Counterpart is gone",
    GapKind.UNANSWERED: "Question not answered",
    GapKind.ANSWER_GONE: "Answer is gone",
}
PRIORITIES = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)


@dataclass(frozen=True)
class Gap:
    """One thing that is missing. `segments` and `dimensions` are labels of what depends on it.

    `accounts` are Unassigned today because of it, over all dimensions, each counted once; `url` is where it is seen.
    """

    kind: GapKind
    subject: str
    text: str
    priority: Priority
    action: str
    owner: str
    segments: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    decides: tuple[str, ...] = ()
    accounts: int = 0
    url: str = ""

    @property
    def kind_label(self) -> str:
        return KIND_LABELS[self.kind]


@dataclass(frozen=True)
class GapAnalysis:
    """The gaps of one framework against one version, highest priority first."""

    framework: Framework
    version: FrameworkVersion | None
    at: datetime
    intake: IntakeForm | None
    inventory: Inventory
    current: tuple[CurrentField, ...]
    questions: tuple[QuestionState, ...]
    gaps: tuple[Gap, ...]
    unassigned: int
    """Accounts that are Unassigned in some dimension because data is missing."""

    @cached_property
    def by_priority(self) -> dict[Priority, int]:
        counted = Counter(gap.priority for gap in self.gaps)
        return {priority: counted[priority] for priority in PRIORITIES}

    @property
    def answered(self) -> int:
        return sum(state.is_answered for state in self.questions)


def gap_analysis_of(framework: Framework, version: FrameworkVersion | None, at: datetime) -> GapAnalysis:
    """Compare today's segmentation and data with what the version needs. A fixed number of queries.

    `version` None: only what the intake says is compared, with nothing.
    """
    bodies = bodies_of(version) if version else {}
    inventory = inventory_from(version, bodies, at)
    intake = IntakeForm.objects.with_content().filter(framework=framework).order_by("-opened_at", "-pk").first()
    targets = Targets(framework, version)
    current = tuple(intake.current_fields.all()) if intake else ()
    questions = tuple(targets.states(intake.questions.all())) if intake else ()
    unassigned, lacking = _unassigned_for(framework, at)
    found = [
        *_data_gaps(inventory, lacking, version),
        *_field_gaps(current, targets, intake),
        *_question_gaps(questions, intake),
    ]
    found.sort(key=lambda gap: (PRIORITIES.index(gap.priority), -gap.accounts, -len(gap.segments), gap.subject))
    return GapAnalysis(framework, version, at, intake, inventory, current, questions, tuple(found), unassigned)


def _unassigned_for(framework: Framework, at: datetime) -> tuple[int, dict[str, int]]:
    """Accounts that are Unassigned for missing data: in all, and by the attribute that is missing. Two queries."""
    rows = in_segment(Assignment.objects.filter(dimension__framework=framework), None, at).filter(
        reason__in=(Reason.MISSING_DATA, Reason.INSUFFICIENT_HISTORY), account__in=segmented_accounts().values("pk")
    )
    total: int = rows.aggregate(accounts=Count("account_id", distinct=True))["accounts"]
    named = rows.annotate(lacks=Func(F("missing"), function="unnest")).order_by().values("lacks")
    counted: dict[str, int] = {}
    for lacks, accounts in named.annotate(accounts=Count("account_id", distinct=True)).values_list("lacks", "accounts"):
        key = lacks.removeprefix(HISTORY)
        counted[key] = max(counted.get(key, 0), accounts)
    return total, counted


# --- data


def _data_gaps(inventory: Inventory, lacking: Mapping[str, int], version: FrameworkVersion | None) -> Iterator[Gap]:
    """Of each attribute that rules read: that it is not there, not known of enough accounts, too old, from nowhere."""
    for row in inventory.used:
        if row.is_derived:
            continue  # It lacks what its inputs lack, and they are listed.
        accounts = lacking.get(row.key, 0)
        if not row.has_part or row.fill is None or (row.total and not row.fill.populated):
            yield _missing(inventory, row, accounts, version)
            continue
        if row.is_under:
            yield _under(inventory, row, accounts)
        elif row.is_stale:
            yield _stale(inventory, row, accounts)
        elif accounts:
            yield _leaves_unassigned(inventory, row, accounts)
        if not row.has_source:
            yield _no_source(inventory, row, version)


def _gap_of(
    inventory: Inventory,
    row: InventoryRow,
    kind: GapKind,
    text: str,
    action: str,
    *,
    accounts: int = 0,
    url: str | None = None,
) -> Gap:
    """Of an attribute; without a `url` of its own it leads to the accounts that lack a value."""
    labels = inventory.labels
    segments = tuple(labels.get(key, key) for key in row.readers)
    decides = tuple(labels.get(key, key) for key in row.decides)
    return Gap(
        kind=kind,
        subject=row.label,
        text=text,
        action=action,
        owner=row.owner or NOBODY,
        priority=Priority.HIGH if decides or accounts else Priority.MEDIUM,
        segments=segments,
        dimensions=tuple(dict.fromkeys(label.partition(" / ")[0] for label in segments)),
        decides=decides,
        accounts=accounts,
        url=row.lacking_url if url is None else url,
    )


def _missing(inventory: Inventory, row: InventoryRow, accounts: int, version: FrameworkVersion | None) -> Gap:
    if not row.has_part:
        text = f"Rules read {row.key}, and the framework has no data source of that name."
        action = "Add the data source, or take the condition out of the rules."
        return _gap_of(inventory, row, GapKind.MISSING, text, action, accounts=accounts, url=_sources_url(version))
    where = f" from {row.system}" if row.system else ""
    text = f"No account has a value for {row.label}."
    action = f"Bring {row.label}{where} into the accounts: by import, by the API, or by enrichment."
    return _gap_of(inventory, row, GapKind.MISSING, text, action, accounts=accounts)


def _under(inventory: Inventory, row: InventoryRow, accounts: int) -> Gap:
    text = (
        f"{row.label} is known for {percent(row.share)} of {row.total:,} accounts, less than {percent(row.limit)};"
        f" {row.missing:,} have none."
    )
    needed = _needed(row.limit, row.total, row.fill.populated if row.fill else 0)
    action = f"Enrich at least {needed:,} more accounts, a test batch of 50 to 100 first."
    return _gap_of(inventory, row, GapKind.UNDER_LIMIT, text, action, accounts=accounts)


def _needed(limit: Decimal, total: int, populated: int) -> int:
    """Accounts that still need a value for the limit to be met; a part of an account is a whole one."""
    return max(0, ceil(limit * total) - populated)


def _stale(inventory: Inventory, row: InventoryRow, accounts: int) -> Gap:
    old = row.fill.stale if row.fill else 0
    text = (
        f"{old:,} of {row.total:,} accounts have a value of {row.label} that is older than {row.freshness_days} days:"
        f" for rules it is missing, so only {percent(row.usable_share)} have one."
    )
    action = (
        f"Refresh it from {row.system}{f' ({row.refresh})' if row.refresh else ''}." if row.system else "Refresh it."
    )
    return _gap_of(inventory, row, GapKind.STALE, text, action, accounts=accounts)


def _leaves_unassigned(inventory: Inventory, row: InventoryRow, accounts: int) -> Gap:
    """Enough accounts have it for the limit; those that do not are in no segment."""
    noun = "account is" if accounts == 1 else "accounts are"
    text = (
        f"{row.label} is known for {percent(row.usable_share)} of {row.total:,} accounts, and {accounts:,} {noun}"
        " Unassigned without it."
    )
    action = f"Ask {row.system or 'its source'} for those accounts first."
    return _gap_of(inventory, row, GapKind.UNASSIGNED, text, action, accounts=accounts)


def _no_source(inventory: Inventory, row: InventoryRow, version: FrameworkVersion | None) -> Gap:
    text = f"Nobody says which system {row.label} comes from."
    action = "Name its system, its owner and how often it is refreshed in the data source map."
    return _gap_of(inventory, row, GapKind.NO_SOURCE, text, action, url=_sources_url(version))


def _sources_url(version: FrameworkVersion | None) -> str:
    if version is None:
        return ""
    return reverse("frameworks:version_data_sources", args=[version.framework.slug, version.number])


# --- what segments accounts today


def _field_gaps(current: Sequence[CurrentField], targets: Targets, intake: IntakeForm | None) -> Iterator[Gap]:
    for field in current:
        kind, key = field.counterpart_kind, field.counterpart_key
        gone = targets.gone_from(kind, key) if kind else ""
        if kind and not gone:
            continue
        what = f"{field.get_type_display()} {field.name} in {field.system}"
        if gone:
            text = f"{what} was to go over into {targets.label(kind, key)}, which is no longer in {gone}."
        else:
            text = f"{what} ({field.get_fate_display().lower()}) has no counterpart in the framework."
        yield Gap(
            kind=GapKind.COUNTERPART_GONE if gone else GapKind.NO_COUNTERPART,
            subject=field.name,
            text=text,
            priority=_field_priority(field),
            action=_field_action(field),
            owner=field.owner or (intake.owner.name if intake else NOBODY),
            url=reverse("governance:field_edit", args=[targets.framework.slug, field.uuid]),
        )


def _field_priority(field: CurrentField) -> Priority:
    """A workflow that loses what it runs on stops; what is kept goes on beside the framework."""
    if field.fate == CurrentField.Fate.KEPT:
        return Priority.LOW
    is_running = field.type == CurrentField.Type.WORKFLOW and field.fate == CurrentField.Fate.REPLACED
    return Priority.HIGH if is_running else Priority.MEDIUM


def _field_action(field: CurrentField) -> str:
    if field.fate == CurrentField.Fate.KEPT:
        return "Say which dimension or attribute it stands beside, so that people know which of the two counts."
    if field.fate == CurrentField.Fate.REPLACED:
        return "Name the dimension or attribute that takes its place, or draft one."
    return "Decide whether it is kept or replaced, and by what."


# --- business questions


def _question_gaps(questions: Sequence[QuestionState], intake: IntakeForm | None) -> Iterator[Gap]:
    for state in questions:
        if state.is_answered or intake is None:
            continue
        gone = state.gone
        if gone:
            names = ", ".join(f"{answer.label}, no longer in {answer.gone_from}" for answer in gone)
            text = f"It was answered by {names}."
        else:
            text = "Nothing in the framework or on a page is named as its answer."
        yield Gap(
            kind=GapKind.ANSWER_GONE if gone else GapKind.UNANSWERED,
            subject=state.question.text,
            text=text,
            priority=Priority.HIGH if gone else Priority.MEDIUM,
            action="Name the dimension, segment, definition or page that answers it, or draft what is missing.",
            owner=intake.owner.name,
            url=reverse("governance:question_detail", args=[intake.framework.slug, state.question.uuid]),
        )
