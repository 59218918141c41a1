"""Where an intake stands: what is missing in it, whether its scope is signed, who acts next. Pure: it reads what
`IntakeQuerySet.with_content` has fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

from governance.models import BusinessQuestion, CurrentField, IntakeForm, IntakeScope, IntakeScopeSignoff


class ScopeState(StrEnum):
    """What has become of the newest scope; `NONE`: nobody has written one."""

    NONE = "none"
    AWAITED = "awaited"
    SIGNED = "signed"
    DECLINED = "declined"


@dataclass(frozen=True)
class Section:
    """One section of the form: `lacks` says what is missing in words, empty when it is complete."""

    key: str
    label: str
    lacks: str

    @property
    def is_complete(self) -> bool:
        return not self.lacks


class IntakeStanding:
    """One intake as it stands at the day `today`."""

    def __init__(self, intake: IntakeForm, today: date) -> None:
        self.intake = intake
        self.today = today

    # --- the scope

    @cached_property
    def scopes(self) -> list[IntakeScope]:
        """Newest first."""
        return sorted(self.intake.scopes.all(), key=lambda scope: -scope.number)

    @property
    def scope(self) -> IntakeScope | None:
        return self.scopes[0] if self.scopes else None

    @property
    def scope_state(self) -> ScopeState:
        return state_of(self.scope)

    @cached_property
    def signoff(self) -> IntakeScopeSignoff | None:
        """The decision on the newest scope."""
        return signoff_of(self.scope) if self.scope else None

    @property
    def last_signed(self) -> IntakeScope | None:
        """The newest scope that an executive signed, which may be older than the newest one."""
        return next((scope for scope in self.scopes if state_of(scope) == ScopeState.SIGNED), None)

    @property
    def writer_ids(self) -> set[int]:
        """Whoever wrote something of the newest scope since a scope was last signed."""
        return writers_of(self.scopes)

    # --- may it be filled in

    @property
    def is_fillable(self) -> bool:
        return self.intake.is_open and self.scope_state == ScopeState.SIGNED

    @property
    def why_not_fillable(self) -> str:
        """Why nobody can fill the form in now, and who changes that; "" when it can be filled in."""
        if not self.intake.is_open:
            return "This intake is closed. It stays to be read."
        before = " What was filled in before stays to be read." if self.last_signed else ""
        words = {
            ScopeState.NONE: "First somebody writes who takes part and what segments will be used for.",
            ScopeState.AWAITED: "It waits for an executive to sign who takes part and what segments will be used for.",
            ScopeState.DECLINED: "An executive did not sign it: write who takes part and what for again.",
        }
        said = words.get(self.scope_state, "")
        return f"{said}{before}" if said else ""

    # --- how complete it is

    @cached_property
    def sections(self) -> list[Section]:
        """Every section in the order of the page."""
        intake = self.intake
        return [
            Section("uses", "How segments will be used", self._uses_lack()),
            Section("crm", "CRM", "" if intake.crm else "which CRM is used"),
            Section("cs_platform", "CS platform", "" if intake.cs_platform else "which CS platform is used"),
            Section("fields", "Segmentation today", _fields_lack(intake, list(intake.current_fields.all()))),
            Section("questions", "Business questions", "" if self.questions else "which questions it must answer"),
            Section("consumers", "Who consumes segments", "" if intake.consumers else "who consumes segments"),
            Section(
                "enrichment", "Enrichment tools", "" if intake.enrichment_tools else "which enrichment tools are used"
            ),
        ]

    def _uses_lack(self) -> str:
        return "" if self.scope_state == ScopeState.SIGNED else "a signed scope: who takes part and what for"

    @property
    def questions(self) -> list[BusinessQuestion]:
        return list(self.intake.questions.all())

    @property
    def missing(self) -> list[Section]:
        return [section for section in self.sections if not section.is_complete]

    @property
    def percent(self) -> int:
        """Complete sections, rounded down: 100 only when nothing is missing."""
        done = sum(section.is_complete for section in self.sections)
        return done * 100 // len(self.sections)

    @property
    def is_complete(self) -> bool:
        return not self.missing

    @property
    def is_overdue(self) -> bool:
        """Open, something missing, and the day is over."""
        return self.intake.is_open and not self.is_complete and self.today > self.intake.due_on

    @property
    def missing_words(self) -> str:
        return ", ".join(section.lacks for section in self.missing)


def _fields_lack(intake: IntakeForm, fields: Sequence[CurrentField]) -> str:
    if not fields:
        return "" if intake.has_no_fields else "which fields segment accounts today, or that none does"
    open_count = sum(field.fate == CurrentField.Fate.OPEN for field in fields)
    return f"whether {open_count} of today's fields {'is' if open_count == 1 else 'are'} kept" if open_count else ""


def signoff_of(scope: IntakeScope) -> IntakeScopeSignoff | None:
    found: IntakeScopeSignoff | None = getattr(scope, "signoff", None)
    return found


def state_of(scope: IntakeScope | None) -> ScopeState:
    """A signature counts only for the digest it covers."""
    if scope is None:
        return ScopeState.NONE
    signoff = signoff_of(scope)
    if signoff is None or signoff.covered_digest != scope.digest:
        return ScopeState.AWAITED
    return ScopeState.SIGNED if signoff.decision == signoff.Decision.APPROVE else ScopeState.DECLINED


def writers_of(scopes: Sequence[IntakeScope]) -> set[int]:
    """Who wrote the newest scope or one of those it grew from, back to the last one signed. Newest first."""
    found: set[int] = set()
    for scope in scopes:
        if found and state_of(scope) == ScopeState.SIGNED:
            break
        found.add(scope.written_by_id)
    return found
