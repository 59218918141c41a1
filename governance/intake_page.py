"""What the pages of an intake show, each piece read once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils import timezone

from frameworks.models import Framework, FrameworkVersion, User
from frameworks.roles import Role
from governance.intake_standing import IntakeStanding, ScopeState
from governance.intake_targets import QuestionState, Targets, working_version
from governance.models import CurrentField, IntakeForm, IntakeScope
from governance.services.intake import may_edit_intake
from governance.services.intake_scope import eligible_signers, principals_signable, scope_refusals

SHOWN_EVENTS = 12


@dataclass(frozen=True)
class FieldRow:
    """A thing that segments accounts today, beside what takes its place."""

    field: CurrentField
    counterpart: str
    url: str
    gone_from: str


@dataclass(frozen=True)
class IntakeRow:
    """A framework with its newest intake; `standing` is None where none was ever opened."""

    framework: Framework
    standing: IntakeStanding | None


def scope_rows(scope: IntakeScope) -> list[tuple[str, str]]:
    """Name and role of everyone who takes part, as they were written."""
    return [(row["name"], _role(row["role"])) for row in scope.participants]


def scope_changes(before: IntakeScope, scope: IntakeScope) -> list[str]:
    """What the newer scope says otherwise, but for the words of the note, which are compared where they are shown."""
    was = {row["person"]: (row["name"], _role(row["role"])) for row in before.participants}
    now = {row["person"]: (row["name"], _role(row["role"])) for row in scope.participants}
    joined = [f"{name} takes part, as {role}" for person, (name, role) in now.items() if person not in was]
    left = [f"{name} ({role}) takes part no more" for person, (name, role) in was.items() if person not in now]
    moved = [
        f"{name}: {was[person][1]} → {role}"
        for person, (name, role) in now.items()
        if person in was and was[person][1] != role
    ]
    more = [f"Also for: {use}" for use in scope.use_labels if use not in before.use_labels]
    less = [f"No longer for: {use}" for use in before.use_labels if use not in scope.use_labels]
    return [*more, *less, *joined, *left, *moved]


def _role(value: str) -> str:
    return str(Role(value).label) if value in Role.values else value


def intake_rows(user: User, at: datetime) -> list[IntakeRow]:
    """Every framework by name, each with its newest intake. A fixed number of queries."""
    newest: dict[int, IntakeForm] = {}
    for intake in IntakeForm.objects.visible_to(user).with_content().order_by("opened_at", "pk"):
        newest[intake.framework_id] = intake
    today = timezone.localdate(at)
    return [
        IntakeRow(framework, IntakeStanding(newest[framework.pk], today) if framework.pk in newest else None)
        for framework in Framework.objects.order_by("name", "pk")
    ]


class IntakePage:
    """One intake as one person sees it. `intake` None: none was ever opened."""

    def __init__(self, framework: Framework, intake: IntakeForm | None, user: User, at: datetime) -> None:
        self.framework = framework
        self.intake = intake
        self.user = user
        self.at = at

    @cached_property
    def standing(self) -> IntakeStanding | None:
        return IntakeStanding(self.intake, timezone.localdate(self.at)) if self.intake else None

    @cached_property
    def version(self) -> FrameworkVersion | None:
        return working_version(self.framework)

    @cached_property
    def targets(self) -> Targets:
        return Targets(self.framework, self.version)

    # --- what the person may do

    @cached_property
    def may_edit(self) -> bool:
        return may_edit_intake(self.user)

    @property
    def may_open(self) -> bool:
        """Another intake may be opened once the last one is closed."""
        return self.may_edit and (self.intake is None or not self.intake.is_open)

    @property
    def may_change(self) -> bool:
        return self.may_edit and self.intake is not None and self.intake.is_open

    @property
    def may_fill(self) -> bool:
        return self.may_edit and self.standing is not None and self.standing.is_fillable

    @property
    def may_close(self) -> bool:
        return self.may_change and self.standing is not None and self.standing.is_complete

    @cached_property
    def may_sign(self) -> bool:
        """For themselves, or in somebody's place."""
        if not self.is_awaited or self.standing is None:
            return False
        return not scope_refusals(self.standing, self.user) or bool(self.principals)

    @cached_property
    def principals(self) -> list[User]:
        """The executives in whose place this person can sign the scope that waits."""
        return principals_signable(self.standing, self.user, self.at) if self.standing and self.is_awaited else []

    @property
    def is_awaited(self) -> bool:
        standing = self.standing
        return standing is not None and standing.intake.is_open and standing.scope_state == ScopeState.AWAITED

    @cached_property
    def signers(self) -> list[User]:
        """Who can sign the scope that waits."""
        return eligible_signers(self.standing) if self.standing and self.is_awaited else []

    # --- content

    @property
    def participants(self) -> list[tuple[str, str]]:
        return scope_rows(self.standing.scope) if self.standing and self.standing.scope else []

    @cached_property
    def fields(self) -> list[FieldRow]:
        return [self._field_row(field) for field in self.intake.current_fields.all()] if self.intake else []

    def _field_row(self, field: CurrentField) -> FieldRow:
        if not field.counterpart_kind:
            return FieldRow(field, "", "", "")
        kind, key = field.counterpart_kind, field.counterpart_key
        gone = self.targets.gone_from(kind, key)
        return FieldRow(field, self.targets.label(kind, key), "" if gone else self.targets.part_url(kind, key), gone)

    @cached_property
    def questions(self) -> list[QuestionState]:
        return self.targets.states(self.standing.questions) if self.standing else []

    @property
    def figures(self) -> list[dict[str, Any]]:
        standing = self.standing
        if standing is None:
            return []
        answered = sum(state.is_answered for state in self.questions)
        replaced = sum(row.field.fate == CurrentField.Fate.REPLACED for row in self.fields)
        lacking = f"{len(standing.missing)} of {len(standing.sections)} missing"
        return [
            {
                "label": "Complete",
                "value": f"{standing.percent} %",
                "detail": lacking if standing.missing else "Nothing is missing",
                "tone": "bad" if standing.is_overdue else "warn" if standing.missing else "ok",
            },
            {
                "label": "Questions answered",
                "value": f"{answered} of {len(self.questions)}",
                "detail": f"against {self.version}" if self.version else "",
                "tone": "" if answered == len(self.questions) else "warn",
            },
            {"label": "Segmentation today", "value": len(self.fields), "detail": f"{replaced} replaced"},
            {"label": "Taking part", "value": len(self.participants), "detail": self._scope_words()},
        ]

    def _scope_words(self) -> str:
        words = {
            ScopeState.NONE: "not written yet",
            ScopeState.AWAITED: "waits for a signature",
            ScopeState.SIGNED: "signed",
            ScopeState.DECLINED: "not signed",
        }
        return words[self.standing.scope_state] if self.standing else ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """The intake's life, newest first."""
        intake, standing = self.intake, self.standing
        if intake is None or standing is None:
            return []
        events: list[dict[str, Any]] = [{"title": f"{intake.opened_by} opened it", "text": "", "at": intake.opened_at}]
        for scope in reversed(standing.scopes):
            said = f"{len(scope.participants)} people, {', '.join(scope.use_labels)}"
            events.append({"title": f"{scope.written_by} wrote who and what for", "text": said, "at": scope.written_at})
            if signoff := getattr(scope, "signoff", None):
                verb = "signed it" if signoff.decision == signoff.Decision.APPROVE else "did not sign it"
                events.append({"title": f"{signoff.signed_by} {verb}", "text": signoff.reason, "at": signoff.signed_at})
        if intake.closed_at:
            events.append({"title": f"{intake.closed_by} closed it", "text": "", "at": intake.closed_at})
        return [{**event, "is_current": place == 0} for place, event in enumerate(reversed(events))][:SHOWN_EVENTS]

    @cached_property
    def earlier(self) -> list[IntakeForm]:
        """The framework's other intakes, newest first."""
        rows = IntakeForm.objects.visible_to(self.user).filter(framework=self.framework)
        return list(rows.exclude(pk=self.intake.pk)[:20]) if self.intake else []
