"""The Maintenance Schedule: what is looked at how often, by whom, from which figure on, and when next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dateutil.relativedelta import relativedelta

from frameworks.parts.policy import GuardPolicy, LimitsPolicy
from frameworks.recertification import recertifications
from frameworks.templatetags.cutline import DASH, day, share
from governance.documents.blocks import Block, Facts, Link, Prose, Section, Words, table
from governance.documents.source import Source
from governance.models import Meeting


@dataclass(frozen=True)
class Check:
    """One thing to look at: what, who looks, what is a red flag."""

    what: str
    who: str
    flag: str


def sections_of(source: Source) -> Iterator[Section]:
    today = source.at.astimezone(source.definition.zone).date()
    yield Section("When next", [_calendar(source, today), *_recertified(source), *_meetings(source)])
    yield Section("By itself", [_automatic()])
    yield Section("Every week", [_checks([Check("Drift signals", "RevOps", _DRIFT)])])
    yield Section("Every month", [_checks(monthly(source))])
    yield Section("Every quarter", [_checks(_QUARTERLY)])
    yield Section("Once, 60 to 90 days after launch", [_checks(_AFTER_LAUNCH)])
    yield Section("Every 6 to 12 months, and on events", [_checks(_RARELY)])
    yield Section("Data sources", [_refreshes(source)])
    yield Section("Who changes what", [_who()])


def _calendar(source: Source, today: date) -> Block:
    started = source.version.activated_at
    quarter = _next_quarter(today, source.definition.start_month)
    rows: list[tuple[Words, ...]] = [
        ("Weekly", day(today + timedelta(days=7 - today.weekday())), "RevOps"),
        ("Monthly", day(today.replace(day=1) + relativedelta(months=1)), "CS Ops"),
        ("Quarterly, with the segment council", day(quarter), "RevOps, VP CS"),
        ("60 to 90 days after launch", _window(source, started, 60, 90), "CS Ops"),
        ("Full recalibration", _window(source, started, 183, 365), "RevOps, architect"),
    ]
    return table("Reviews", ("Review", "Next", "Who"), rows)


def _window(source: Source, started: datetime | None, first: int, last: int) -> str:
    """From day to day after activation; until then only how long after."""
    if started is None:
        return f"{first} to {last} days after activation"
    zone = source.definition.zone
    days = [started.astimezone(zone).date() + timedelta(days=count) for count in (first, last)]
    over = " (over)" if days[1] < source.at.astimezone(zone).date() else ""
    return f"{day(days[0])} to {day(days[1])}{over}"


def _next_quarter(today: date, start_month: int) -> date:
    """The first day of the next fiscal quarter."""
    month = today.replace(day=1) + relativedelta(months=1)
    while (month.month - start_month) % 3:
        month += relativedelta(months=1)
    return month


def _recertified(source: Source) -> Iterator[Block]:
    rows = [
        (
            each.requirement.label,
            day(each.due_at) + (", overdue" if each.is_overdue else ""),
            f"every {each.requirement.recertify_days} days",
            ", ".join(person.name for person in each.missing) or "signed",
        )
        for each in recertifications(source.version, source.at)
    ]
    if rows:
        yield table("Signed again, also when nothing changed", ("Requirement", "Due", "How often", "Who"), rows)


def _meetings(source: Source) -> Iterator[Block]:
    rows = Meeting.objects.filter(framework=source.framework).planned().order_by("starts_at", "pk")
    planned = [(str(each.get_kind_display()), day(each.starts_at), each.focus) for each in rows]
    if planned:
        yield table("Meetings that are planned", ("Meeting", "When", "Focus"), planned)


def _automatic() -> Block:
    return Facts(
        [
            ("On every change of an account", "it is evaluated, in five minutes at the latest"),
            ("Every night", "every account is evaluated; what the night finds, something has failed to mark"),
            ("Every night", "the audit chain is verified"),
            ("At the end of a fiscal period", "what rules read of closed periods is evaluated"),
            ("When an override ends", "the account returns to what the rules say"),
        ]
    )


def monthly(source: Source) -> list[Check]:
    """With the limits that this version signs, or the usual ones."""
    guard, limits = source.definition.policy("guard"), source.definition.policy("limits")
    populated = share(source.inventory.limit)
    unassigned = share(guard.max_unassigned) if isinstance(guard, GuardPolicy) else "25 %"
    warn, bad = ("70 %", "80 %")
    if isinstance(guard, GuardPolicy):
        warn, bad = share(guard.warn_dominance), share(guard.max_dominance)
    few = limits.warn_segment_accounts if isinstance(limits, LimitsPolicy) else 30
    return [
        Check("Assigned share of every dimension", "CS Ops", "under 80 % of accounts assigned"),
        Check("Attribute completeness", "CS Ops", f"under {populated} populated on an attribute that rules read"),
        Check("Segment distribution, accounts and ARR", "RevOps", "a segment moved more than 20 % in a month"),
        Check("Unassigned", "CS Ops", f"over {unassigned} of accounts Unassigned or in a fallback"),
        Check("One segment dominating", "RevOps", f"over {warn} is a warning, over {bad} means something is wrong"),
        Check("Segment size", "RevOps", f"fewer than {few} accounts"),
        Check("Enrichment freshness", "CS Ops", "more than 30 new accounts without assignment"),
        Check("Bouncing", "CS Ops", "accounts that move back and forth"),
        Check("Churn concentration", "VP CS", "churn gathers in one segment for two months or more"),
        Check("Override debt", "CS Ops", "overrides that come back again and again in one segment: change the rule"),
    ]


_DRIFT = "win rate, cycle, deal size, funnel quality or engagement leave the segment's usual range"
_QUARTERLY = [
    Check(
        "Framework review", "Segment council", "a dimension nobody uses: retire it; a question nobody answers: add one"
    ),
    Check("Threshold validation", "RevOps", "many accounts just beside a threshold, or many overrides across it"),
    Check("Operational actions", "Enablement", "due actions that are not done: train again, or make them simpler"),
    Check("Dashboard use", "RevOps", "reports that nobody opens: retire them"),
    Check("Predictive validity", "RevOps, Finance", "churn and net retention do not differ between segments"),
]
_AFTER_LAUNCH = [
    Check("Accuracy audit", "CS Ops", "50 random accounts validated by hand; wrong ones lead to a rule or a source"),
    Check("Predictive validity", "RevOps", "churn and net retention do not differ between segments"),
]
_RARELY = [
    Check("Full recalibration", "RevOps, architect", "every 6 to 12 months"),
    Check("Assessment of new dimensions", "Architect", "every 6 to 12 months"),
    Check("Competitive landscape", "Marketing", "every 6 to 12 months"),
    Check("The company doubles or acquires a unit", "Executive", "scope a refresh of the framework"),
]


def _checks(checks: list[Check]) -> Block:
    rows = [(check.what, check.flag, check.who) for check in checks]
    return table("Checks", ("Look at", "Red flag", "Who"), rows)


def _refreshes(source: Source) -> Block:
    rows: list[tuple[Words, ...]] = [
        (
            Link(row.label, row.lacking_url),
            row.refresh or "not said",
            row.owner or "not named",
            day(row.fill.newest) if row.fill else DASH,
        )
        for row in source.inventory.used
        if not row.is_derived
    ]
    if not rows:
        return Prose("No rule reads an attribute yet.")
    return table("Refresh of what rules read", ("Attribute", "How often", "Owner", "Newest value"), rows)


def _who() -> Block:
    rows = [
        ("A threshold, a picklist value, a view", "Architect"),
        ("A dimension, assignment logic, another enrichment tool, all accounts anew, a migration", "SME"),
        ("A wording, a playbook, an owner", "RevOps, in a draft that is signed"),
        ("One account", "CS Ops, by an override that ends"),
    ]
    return table("Who handles which change", ("Change", "Who"), rows)
