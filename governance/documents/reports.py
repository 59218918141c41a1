"""The reports and dashboards that a framework gives, by dimension: what each shows, for whom, and what it answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from frameworks.models import Kind
from governance.documents.source import Source
from governance.intake_targets import Targets
from governance.models import IntakeForm


@dataclass(frozen=True)
class Report:
    """One report. `answers` are the business questions that are linked to what it is grouped by."""

    title: str
    audience: str
    shows: str
    grouped_by: str
    filtered_to: str
    answers: str = ""


CUSTOMERS = "customers only: prospects and churned accounts are left out"
_STANDARD = (
    ("Customers by segment", "Leadership, RevOps", "number and share of customers, Unassigned beside them"),
    ("ARR by segment", "Leadership, Finance", "ARR and its share, average ARR of a customer"),
    ("Retention and expansion by segment", "Leadership, CS", "gross and net revenue retention, churn"),
    ("Health by segment", "CS Ops, CSMs", "health score: average, and customers under its limit"),
    ("CSM book by segment", "CS Ops, managers", "customers and ARR of each CSM, by segment"),
    ("Time to value by segment", "CS Ops, Enablement", "days from contract start to first value"),
)


def reports_of(source: Source) -> Iterator[Report]:
    """The executive dashboard and the six reports everybody expects; none while there is no dimension."""
    if not source.dimensions:
        return
    labels = [divided.label for divided in source.dimensions]
    answers = _questions(source)
    yield Report(
        "Executive dashboard",
        "VP CS, CRO, CFO",
        "distribution against the baseline, performance of segments side by side, trend by quarter, Unassigned by"
        " reason, overrides in force",
        ", ".join(labels),
        CUSTOMERS,
        answers,
    )
    for title, audience, shows in _STANDARD:
        yield Report(
            title, audience, shows, f"{labels[0]}; switch to {', '.join(labels[1:]) or 'nothing else'}", CUSTOMERS
        )


def _questions(source: Source) -> str:
    """What the business asked in the intake, as far as a dimension or segment of this version answers it."""
    intake = IntakeForm.objects.with_content().filter(framework=source.framework).order_by("-opened_at", "-pk").first()
    if intake is None:
        return ""
    states = Targets(source.framework, source.version).states(intake.questions.all())
    kinds = (Kind.DIMENSION, Kind.SEGMENT)
    return " ".join(
        state.question.text
        for state in states
        if any(answer.kind in kinds and not answer.gone_from for answer in state.answers)
    )
