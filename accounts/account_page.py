"""What the page of one account shows, each piece read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.db.utils import DataError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import Truncator

from accounts import timeline
from accounts.account_list import ListedDimension, listed_dimensions
from accounts.attributes import CORE_ATTRIBUTES
from accounts.evaluation.engine import active_plans
from accounts.evaluation.explain import DimensionExplanation, VerdictNode, explain_account
from accounts.evaluation.ladder import ladders
from accounts.evaluation.nearest import next_up
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.said import HISTORY
from accounts.evaluation.seen import stale_words
from accounts.evaluation.stages import FrameworkPlan
from accounts.history import MetricHistory, metric_histories
from accounts.models import Account, Assignment, ListEntry, Override, PendingEvaluation, Reason, Signal
from accounts.querysets import with_current_segment
from accounts.services.overrides import overrides_in_force
from accounts.verdict_tree import rules_shown, source_words
from accounts.way_up import WayUp, way_up
from frameworks.criteria.english import sentence, value_text
from frameworks.criteria.types import AttributeType, LiteralError, parse_literal
from frameworks.models import AccountList, Dimension, Segment
from frameworks.parts.playbook import Action, Playbook
from frameworks.roles import Role
from frameworks.templatetags.cutline import DASH, day, money, number

BANNER = "account.banner"
"""Slot under the account's name: what governs it now, such as an override with its decision. Subject: Account."""
SIDE = "account.side"
"""Slot in the right column: requests and tasks. Subject: Account."""

BECAUSE_CHARACTERS = 72
SIGNALS = 10


@dataclass(frozen=True)
class SegmentRow:
    """One line of "Segments today". `computed` is what the rules say where an override or a hold says otherwise.

    `unwanted_by` are the anti-ICP lists of the segment that the account is on: it is flagged, and stays.
    """

    key: str
    label: str
    segment: Segment | None
    ranks: int
    since: datetime | None
    because: str
    note: str = ""
    computed: str = ""
    is_chosen: bool = False
    unwanted_by: tuple[AccountList, ...] = ()


@dataclass(frozen=True)
class ValueRow:
    """One value of the account, where it comes from and how old it is."""

    label: str
    value: str
    source: str
    observed_at: datetime | None
    stale: str = ""


@dataclass(frozen=True)
class PlaybookOf:
    """What one current segment makes people do for the account."""

    dimension: str
    segment: Segment
    playbook: Playbook
    tasks: list[tuple[Action, str, str]]


class AccountPage:
    """Everything about one account at one moment.

    `chosen` is the key of the dimension to explain; `is_brief` leaves only the checks that decide.
    """

    def __init__(self, account: Account, *, chosen: str, is_brief: bool, is_whole_timeline: bool, at: datetime) -> None:
        self.account = account
        self.at = at
        self.is_brief = is_brief
        self._chosen = chosen
        self._events = timeline.MOST if is_whole_timeline else timeline.SHOWN

    # --- where it is

    @cached_property
    def dimensions(self) -> list[ListedDimension]:
        return listed_dimensions()

    @cached_property
    def plans(self) -> list[FrameworkPlan]:
        return active_plans()

    @cached_property
    def _plan_by_dimension(self) -> dict[int, FrameworkPlan]:
        return {d.dimension_id: plan for plan in self.plans for d in plan.dimensions}

    @cached_property
    def _assignments(self) -> dict[int, Any]:
        rows: QuerySet[Assignment, Any] = with_current_segment(Assignment.objects.filter(account=self.account), self.at)
        return {row.dimension_id: row for row in rows}

    @cached_property
    def overrides(self) -> list[Override]:
        """In force now, by the clock."""
        rows = overrides_in_force(self.at).filter(account=self.account)
        return list(rows.select_related("dimension", "segment", "created_by"))

    @cached_property
    def is_pending(self) -> bool:
        """An evaluation is owed: what is stored may be behind the data."""
        return PendingEvaluation.objects.filter(account=self.account).exists()

    @cached_property
    def segments(self) -> list[SegmentRow]:
        return [self._segment_row(listed) for listed in self.dimensions]

    def _segment_row(self, listed: ListedDimension) -> SegmentRow:
        row = self._assignments.get(listed.dimension.pk)
        shared: dict[str, Any] = {
            "key": listed.dimension.key,
            "label": listed.dimension.name,
            "ranks": len(listed.live),
            "is_chosen": self.explanation is not None and self.explanation.dimension_id == listed.dimension.pk,
        }
        if row is None:
            return SegmentRow(**shared, segment=None, since=None, because="Not evaluated yet")
        is_overridden = row.override_until is not None and row.override_until > self.at
        has_expired = row.override_until is not None and not is_overridden
        computed = listed.segments.get(row.computed_id)
        is_held = row.is_held and not is_overridden
        note = "Override" if is_overridden else "Held" if is_held else "Provisional" if row.is_provisional else ""
        segment = listed.segments.get(row.current_segment)
        return SegmentRow(
            **shared,
            segment=segment,
            since=row.override_until if has_expired else row.effective_since,
            because=_rules_say(row, computed) if is_overridden or is_held else self._because(row, computed),
            note=note,
            computed=computed.name if computed else "Unassigned",
            unwanted_by=self._unwanted_by(listed.dimension, segment),
        )

    def _unwanted_by(self, dimension: Dimension, segment: Segment | None) -> tuple[AccountList, ...]:
        plan = next((plan for plan in self.plans if plan.framework_id == dimension.framework_id), None)
        bodies = plan.definition.segments.get(dimension.key, {}) if plan else {}
        body = bodies.get(segment.key) if segment else None
        return tuple(entry.list for entry in self.lists if body and entry.list.key in body.anti_icp)

    def _because(self, row: Any, computed: Segment | None) -> str:
        plan = self._plan_by_dimension.get(row.dimension_id)
        reason = Reason(row.reason)
        if plan is None or row.framework_version_id != plan.version_id:
            return str(reason.label)
        d = next(each for each in plan.dimensions if each.dimension_id == row.dimension_id)
        return reason_words(plan, d, reason, row.rule_key, row.missing, self._list_labels)

    @cached_property
    def _list_labels(self) -> dict[str, str]:
        return dict(AccountList.objects.values_list("key", "label"))

    @property
    def zone(self) -> ZoneInfo:
        """Where the days of the active framework begin and end."""
        return self.plans[0].definition.zone if self.plans else ZoneInfo("UTC")

    # --- why

    @cached_property
    def _explained(self) -> list[DimensionExplanation] | None:
        try:
            return explain_account(account=self.account, at=self.at)
        except DataError:
            return None

    @property
    def explanations(self) -> list[DimensionExplanation]:
        return self._explained or []

    @property
    def is_unreadable(self) -> bool:
        """A value of the account cannot be read as what the version says it is."""
        return self._explained is None

    @cached_property
    def explanation(self) -> DimensionExplanation | None:
        """The dimension that the address asks for, else the overridden one, else the first."""
        overridden = {override.dimension_id for override in self.overrides}
        wanted = (
            [each for each in self.explanations if each.key == self._chosen]
            or [each for each in self.explanations if each.dimension_id in overridden]
            or self.explanations
        )
        return wanted[0] if wanted else None

    @property
    def explains_rules_alone(self) -> bool:
        """What is explained is only what the rules say: an override counts instead, or the move waits for a person."""
        if self.explanation is None:
            return False
        row = self._assignments.get(self.explanation.dimension_id)
        is_held = row is not None and row.is_held
        return is_held or self.explanation.dimension_id in {override.dimension_id for override in self.overrides}

    @property
    def is_ahead(self) -> bool:
        """The rules say something else now than when the stored segment was computed."""
        return self.explanation is not None and self._is_behind(self.explanation)

    def _is_behind(self, why: DimensionExplanation) -> bool:
        row = self._assignments.get(why.dimension_id)
        if row is None:
            return False
        listed = next(each for each in self.dimensions if each.dimension.pk == why.dimension_id)
        stored = listed.segments.get(row.computed_id)
        return (stored.key if stored else None) != why.segment

    @cached_property
    def _ways_up(self) -> dict[str, WayUp]:
        """By dimension of the explained framework. Not of one whose stored segment is behind, nor of the excluded."""
        why = self.explanation
        if why is None:
            return {}
        plan = self._plan_by_dimension[why.dimension_id]
        return way_up(account=self.account, plan=plan, segments=self._climbing, at=self.at)

    @cached_property
    def _ladders(self) -> frozenset[str]:
        """Dimensions of the explained framework in which one segment is above another."""
        plan = self._plan_by_dimension[self.explanation.dimension_id] if self.explanation else None
        return ladders(plan.dimensions) if plan else frozenset()

    @property
    def is_only_listed(self) -> bool:
        """The segments of the explained dimension are kinds: there is no up among them."""
        return self.explanation is not None and self.explanation.key not in self._ladders

    @cached_property
    def _climbing(self) -> dict[str, str | None]:
        """Where the account is by the rules, by dimension of the explained framework, where a way up is looked for."""
        why = self.explanation
        return {
            each.key: each.segment
            for each in self.explanations
            if why is not None
            and self._plan_by_dimension[each.dimension_id] is self._plan_by_dimension[why.dimension_id]
            and each.key in self._ladders
            and not self._is_behind(each)
            and each.reason not in (Reason.EXCLUDED, Reason.CONFLICT)
        }

    @property
    def may_move_up(self) -> bool:
        """Whether it is worth asking: some dimension has a segment above. Costs nothing, unlike the ways."""
        plan = self._plan_by_dimension[self.explanation.dimension_id] if self.explanation else None
        return plan is not None and any(
            next_up(d, self._climbing[d.key]) is not None for d in plan.dimensions if d.key in self._climbing
        )

    @property
    def way_up(self) -> WayUp | None:
        """What would move it to the next segment by the rules, in the explained dimension."""
        return self._ways_up.get(self.explanation.key) if self.explanation else None

    @property
    def other_ways_up(self) -> list[WayUp]:
        """The same of the other dimensions, where a way by numbers was found."""
        why = self.explanation
        return [each for key, each in self._ways_up.items() if why is not None and key != why.key and each.by_numbers]

    @property
    def tree(self) -> list[VerdictNode]:
        """The rules of the explained dimension in the order in which they are asked."""
        if self.explanation is None:
            return []
        return rules_shown(self.explanation, is_brief=self.is_brief)

    # --- what is known of it

    @cached_property
    def figures(self) -> list[dict[str, Any]]:
        account = self.account
        return [
            {"label": "ARR", "value": money(account.arr, account.currency), **self._origin("arr")},
            {"label": "Employees", "value": number(account.employee_count), **self._growth("employee_count")},
            {"label": "Health", "value": number(account.health_score), **self._origin("health_score")},
            {"label": "Renewal", **renewal(account.contract_end_on, timezone.localdate(self.at))},
        ]

    def _origin(self, key: str) -> dict[str, str]:
        """Detail and tone of a figure: where it comes from, or that there is none."""
        if getattr(self.account, key) is None:
            return {"detail": "No value known", "tone": "warn"}
        source = source_words(_provenance(self.account, key)[0])
        return {"detail": source[:1].upper() + source[1:]}

    def _growth(self, key: str) -> dict[str, str]:
        history = next((found for found in self.histories if found.metric == key), None)
        return {"detail": history.growth} if history and history.growth else self._origin(key)

    @cached_property
    def values(self) -> list[ValueRow]:
        """Every attribute that the active versions know and accounts store, by label; the tree shows what follows."""
        rows = {
            attribute.key: self._value_row(attribute, plan.definition.zone)
            for plan in self.plans
            for attribute in plan.definition.attributes.values()
            if attribute.derived is None
        }
        return sorted(rows.values(), key=lambda row: row.label.casefold())

    def _value_row(self, attribute: AttributeType, zone: ZoneInfo) -> ValueRow:
        value = value_words(self.account, attribute)
        source, observed_at = _provenance(self.account, attribute.key)
        stale = stale_words(attribute, observed_at, self.at.astimezone(zone)) if value else ""
        return ValueRow(attribute.label, value, source_words(source), observed_at, stale)

    @property
    def has_generated_values(self) -> bool:
        return any(said.get("source") == "generated" for said in self.account.provenance.values())

    @cached_property
    def histories(self) -> list[MetricHistory]:
        return metric_histories(self.account, [plan.definition for plan in self.plans])

    @cached_property
    def lists(self) -> list[ListEntry]:
        return list(self.account.list_entries.select_related("list").order_by("list__label"))

    @cached_property
    def signals(self) -> list[Signal]:
        """The newest SIGNALS of them."""
        return list(self.account.signals.all()[:SIGNALS])

    @cached_property
    def playbooks(self) -> list[PlaybookOf]:
        found = []
        for listed, row in zip(self.dimensions, self.segments, strict=True):
            plan = self._plan_by_dimension.get(listed.dimension.pk)
            if plan is None or row.segment is None:
                continue
            playbook = plan.definition.playbooks.get(f"{row.key}/{row.segment.key}")
            if playbook is not None:
                tasks = [(action, task_words(action), role_words(action.role)) for action in playbook.actions]
                found.append(PlaybookOf(row.label, row.segment, playbook, tasks))
        return found

    @cached_property
    def events(self) -> list[timeline.Event]:
        return self._timeline[0]

    @property
    def transitions(self) -> int:
        return self._timeline[1]

    @cached_property
    def _timeline(self) -> tuple[list[timeline.Event], int]:
        return timeline.transition_events(self.account, self._events)

    @property
    def has_more_events(self) -> bool:
        return self._events < min(self.transitions, timeline.MOST)


# --- words


def _rules_say(row: Any, computed: Segment | None) -> str:
    said = f"Rules say {computed.name}" if computed else f"Rules say Unassigned: {Reason(row.reason).label.lower()}"
    if row.is_held:
        said += "; the move waits for a person"
    return f"{said}, provisional" if row.is_provisional else said


def reason_words(
    plan: FrameworkPlan,
    d: DimensionPlan,
    reason: Reason,
    rule_key: str,
    missing: Sequence[str],
    lists: Mapping[str, str],
) -> str:
    """Why an outcome is as it is, on one line: the rule that decided, else what is missing, else the reason.

    `lists` has the labels of account lists by key.
    """
    if reason in (Reason.MATCHED, Reason.PROVISIONAL):
        return _rule_words(plan, d, reason, rule_key, lists)
    if missing:
        return f"Missing: {', '.join(_label(plan, key) for key in missing)}"
    return str(reason.label)


def _rule_words(plan: FrameworkPlan, d: DimensionPlan, reason: Reason, rule_key: str, lists: Mapping[str, str]) -> str:
    """The rule that decided, in English. Its note is no reason: authors explain there why the rule is as it is."""
    candidate = next((each for each in d.candidates if each.key == rule_key), None)
    if candidate is None:
        return str(reason.label)
    definition = plan.definition
    said = sentence(candidate.criteria.root, definition.attributes, definition.labels, lists)
    return Truncator(said[:1].upper() + said[1:]).chars(BECAUSE_CHARACTERS)


def _label(plan: FrameworkPlan, key: str) -> str:
    if key.startswith(HISTORY):
        return f"the history of {_label(plan, key.removeprefix(HISTORY))}"
    definition = plan.definition
    known = definition.attributes.get(key) or definition.labels.get(key)
    return known.label if known else key


def value_words(account: Account, attribute: AttributeType) -> str:
    """A value as screens print it; "" where there is none. What cannot be read is given as it is stored."""
    is_core = attribute.key in CORE_ATTRIBUTES
    stored = getattr(account, attribute.key) if is_core else account.attributes.get(attribute.key)
    if stored is None or stored == "":
        return ""
    if is_core:
        return value_text(attribute, stored).strip("“”")
    if attribute.data_type == "boolean":
        return {"true": "yes", "false": "no"}.get(str(stored).lower(), str(stored))
    try:
        return value_text(attribute, parse_literal(attribute, str(stored))).strip("“”")
    except LiteralError:
        return str(stored)


def _provenance(account: Account, key: str) -> tuple[str, datetime | None]:
    said: Mapping[str, Any] = account.provenance.get(key) or {}
    observed_at = getattr(account, f"{key}_observed_at", None) or parse_datetime(str(said.get("at") or ""))
    return str(said.get("source") or ""), observed_at


def renewal(ends_on: date | None, today: date) -> dict[str, str]:
    """Value, detail and tone of the figure "Renewal"."""
    if ends_on is None:
        return {"value": DASH, "detail": "No contract end known", "tone": ""}
    days = (ends_on - today).days
    unit = "day" if abs(days) == 1 else "days"
    if days < 0:
        return {"value": f"{-days:,} {unit} ago", "detail": f"Contract ended {day(ends_on)}", "tone": "warn"}
    return {"value": f"{days:,} {unit}" if days else "Today", "detail": f"Contract ends {day(ends_on)}", "tone": ""}


def task_words(action: Action) -> str:
    """When an action is due."""
    days = f"{action.due_business_days} business day{'' if action.due_business_days == 1 else 's'}"
    if action.trigger == "recurring":
        return f"every {action.every_days} days, within {days}"
    return f"within {days} of entering"


def role_words(slug: str) -> str:
    """The role of an action as people say it; playbooks may name roles that Cutline does not know."""
    return Role(slug).label if slug in Role.values else slug.replace("_", " ").capitalize()
