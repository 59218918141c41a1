"""The Exception Process: what to do when an account seems to be in the wrong segment, and who decides."""

from collections.abc import Iterator

from django.db.models import Count
from django.urls import reverse

from accounts.services.overrides import overrides_in_force
from frameworks.models import User
from frameworks.parts.policy import OverridesPolicy
from frameworks.parts.wording import listed
from frameworks.roles import Role, permissions_of
from frameworks.templatetags.cutline import money
from governance.documents.blocks import Block, Facts, Link, Points, Prose, Section, missing, table
from governance.documents.policies import override_facts, reason_table
from governance.documents.source import Source
from governance.models import OverrideRequest
from governance.services.due_dates import DECISION_DAYS, ESCALATE_AFTER

DECIDERS = (Role.CS_OPS, Role.DEAL_DESK)


def sections_of(source: Source) -> Iterator[Section]:
    policy = source.definition.policy("overrides")
    policy = policy if isinstance(policy, OverridesPolicy) else None
    yield Section("Four ways out", [_outcomes()])
    yield Section("Step by step", [Points(list(_steps(policy)), is_ordered=True)])
    yield Section("Limits", [override_facts(source, policy), reason_table(policy)] if policy else _no_policy())
    yield Section("Who decides", list(_who(source, policy)))
    yield Section("What nobody can do", [Points(list(_never()))])
    yield Section("Today", list(_today(source)))


def _no_policy() -> list[Block]:
    words = "Without one, CS Ops decides alone, and an override lasts at most 12 months."
    return [missing("override policy"), Prose(words)]


def _outcomes() -> Block:
    rows = [
        ("The data is wrong", "a correction where it comes from", "the owner of the source", "no override"),
        ("The rule is right, this account is special", "an override with a reason and an end", "CS Ops", "see below"),
        ("The rule is wrong for many", "a change of the framework, in a draft", "RevOps", "a new version, signed"),
        ("It is where it belongs", "an answer that says why", "CS Ops", "nothing changes"),
    ]
    return table("What is found, and what follows", ("What is found", "Outcome", "Who acts", "Then"), rows)


def _steps(policy: OverridesPolicy | None) -> Iterator[str]:
    least = policy.min_reason_characters if policy else 15
    yield "Open the account and press “Why?”. If a value is wrong, have it corrected at its source, and stop here."
    yield (
        f"Press “Ask for an override”: the segment, a reason code, a reason of at least {least} characters, evidence,"
        " from when, and until when."
    )
    yield (
        f"A decision is due in {DECISION_DAYS} business days. {ESCALATE_AFTER} business days later whoever asked is"
        " told that it is late."
    )
    yield "Whoever decides sees what the rules say, the ARR, earlier overrides, and the playbook that would follow."
    yield "Approved: the account counts as the segment from the day named. The rules' answer stays visible beside it."
    if policy:
        days = listed(str(day) for day in sorted(policy.warn_days, reverse=True))
        yield f"Warnings go out {days} days before the end. Going on is a new request, with the same approvals."
    yield "At the end, or when the rules come to agree, the account follows the rules again, by itself."


def _who(source: Source, policy: OverridesPolicy | None) -> Iterator[Block]:
    asks = [str(role.label) for role in Role if "governance.request_override" in permissions_of(role)]
    both = (
        f"CS Ops first, then Deal Desk: over {money(policy.arr_two_person_over, source.currency)} of ARR,"
        if policy
        else ""
    )
    yield Facts(
        [
            ("May ask", f"{listed(asks)}; a CSM for accounts of their own book"),
            ("One decides", "CS Ops: one segment up or down" if policy else "CS Ops"),
            ("Two decide", f"{both} or across two segments and more" if policy else ""),
            ("May say No at any step", "CS Ops and Deal Desk"),
        ]
    )
    people = User.objects.filter(is_active=True, is_service=False, groups__name__in=DECIDERS)
    rows = [(name, str(Role(role).label)) for name, role in people.order_by("name").values_list("name", "groups__name")]
    rows = [row for row in rows if row[1] in {str(role.label) for role in DECIDERS}]
    if rows:
        yield table("People who decide today", ("Who", "As"), rows)
    else:
        yield Prose("Nobody has the role CS Ops or Deal Desk today: RevOps gives it to somebody.", "warn")


def _never() -> Iterator[str]:
    yield "Decide what they asked for themselves, or about an account that they own; superusers neither."
    yield "Count twice: two approvals come from two people."
    yield "Decide a request that changed since: an edit voids what was approved."
    yield "Have an override without an end, or two at once in a dimension."
    yield "Change a segment in the CRM: the next synchronisation writes it back."


def _today(source: Source) -> Iterator[Block]:
    requests = OverrideRequest.objects.filter(dimension__framework=source.framework).open().count()
    running = overrides_in_force(source.at).filter(dimension__framework=source.framework).order_by()
    rows = [
        (dimension, segment, f"{count:,}")
        for dimension, segment, count in running.values_list("dimension__name", "segment__name")
        .annotate(count=Count("pk"))
        .order_by("dimension__position", "segment__rank")
    ]
    yield Facts(
        [
            ("Open requests", Link(f"{requests:,}", reverse("governance:request_list"))),
            ("Overrides in force", f"{sum(int(row[2].replace(',', '')) for row in rows):,}"),
        ]
    )
    if rows:
        yield table("Overrides in force by segment", ("Dimension", "Counts as", "Overrides"), rows, figures=[2])
