"""The Gap Analysis: how accounts are segmented today and what is known of them, against what the version needs."""

from collections.abc import Iterator

from frameworks.templatetags.cutline import share
from governance.documents.blocks import Block, Facts, Link, Points, Prose, Section, table
from governance.documents.source import Source
from governance.gap_analysis import PRIORITIES, Gap, GapAnalysis, Priority, gap_analysis_of
from governance.models import CurrentField

TITLES = {
    Priority.HIGH: "High: decides a segment, leaves accounts Unassigned, or stops something that runs today",
    Priority.MEDIUM: "Medium: rules or people count on it",
    Priority.LOW: "Low: kept beside the framework",
}


def sections_of(source: Source) -> Iterator[Section]:
    analysis = gap_analysis_of(source.framework, source.version, source.at)
    yield Section("Summary", _summary(analysis))
    for priority in PRIORITIES:
        own = [gap for gap in analysis.gaps if gap.priority == priority]
        if own:
            yield Section(TITLES[priority], [_gap_table(priority, own)])
    yield Section("What segments accounts today", list(_today(analysis)))
    yield Section("Questions of the business", list(_questions(analysis)))


def _summary(analysis: GapAnalysis) -> list[Block]:
    counted, inventory = analysis.by_priority, analysis.inventory
    noun = "account" if analysis.unassigned == 1 else "accounts"
    facts = Facts(
        [
            ("Gaps", ", ".join(f"{counted[priority]} {priority.value}" for priority in PRIORITIES)),
            ("Values there", f"{share(inventory.score)} of what rules read, over {inventory.total:,} accounts"),
            (
                "Unassigned for missing data",
                f"{analysis.unassigned:,} {noun}",
            ),
            ("Questions answered", f"{analysis.answered} of {len(analysis.questions)}"),
            ("Limit", f"an attribute that rules read is populated on {share(inventory.limit)} of accounts"),
        ]
    )
    if analysis.intake is None:
        words = "No intake was opened, so only data is compared: neither today's fields nor the questions are known."
        return [facts, Prose(words, "warn")]
    if not analysis.gaps:
        return [facts, Prose("No gap: everything that rules read is there, and everything asked is answered.")]
    return [facts]


def _gap_table(priority: Priority, gaps: list[Gap]) -> Block:
    rows = [
        (
            Link(gap.subject, gap.url),
            f"{gap.kind_label}. {gap.text}",
            ", ".join(gap.segments),
            f"{gap.accounts:,}",
            f"{gap.action} {gap.owner}.",
        )
        for gap in gaps
    ]
    heads = ("Subject", "Gap", "Depends on it", "Unassigned", "What to do, and who")
    return table(f"Gaps of {priority.value} priority", heads, rows, figures=[3])


def _today(analysis: GapAnalysis) -> Iterator[Block]:
    if not analysis.current:
        has_none = analysis.intake is not None and analysis.intake.has_no_fields
        yield Prose("Nothing segments the accounts today." if has_none else "Nobody has listed it in the intake.")
        return
    heads = ("Name", "What it is", "System", "Owner", "What becomes of it")
    yield table("Fields, reports, workflows and views of today", heads, map(_field_row, analysis.current))


def _field_row(field: CurrentField) -> tuple[str, ...]:
    return field.name, str(field.get_type_display()), field.system, field.owner, str(field.get_fate_display())


def _questions(analysis: GapAnalysis) -> Iterator[Block]:
    if not analysis.questions:
        yield Prose("The intake has no business question.")
        return
    yield Points(
        [
            f"{state.question.text} "
            + (
                f"Answered by {', '.join(answer.label for answer in state.answers if not answer.gone_from)}."
                if state.is_answered
                else "Not answered yet."
            )
            for state in analysis.questions
        ],
        is_ordered=True,
    )
