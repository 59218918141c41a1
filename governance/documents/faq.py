"""The FAQ: what people ask about segments, answered for this version."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count
from django.urls import reverse

from accounts.models import Assignment, Reason
from accounts.quality import segmented_accounts
from accounts.querysets import in_segment
from frameworks.parts.policy import OverridesPolicy
from frameworks.parts.wording import listed
from frameworks.templatetags.cutline import money
from governance.documents.blocks import Block, Facts, Link, Points, Prose, Section
from governance.documents.dimensions import MOVES, fallback_words, missing_words, precedence_words
from governance.documents.source import Source
from governance.services.eligibility import reason_label


def sections_of(source: Source) -> Iterator[Section]:
    yield Section("Why is this account in this segment?", list(_why(source)))
    yield Section("Why is an account Unassigned?", list(_unassigned(source)))
    yield Section("Can I override it?", list(_override(source)))
    yield Section("How often do segments update?", [Prose(_HOW_OFTEN)])
    yield Section("What if data changes?", list(_changes(source)))
    yield Section("What if the data is wrong?", list(_wrong(source)))
    yield Section("What do I do for a segment?", list(_doing(source)))
    yield Section("What do the words mean?", list(_words(source)))
    yield Section("Can I edit the segment in the CRM?", [Prose(_CRM)])
    yield Section("Who decided all this, and can it change?", list(_who(source)))


_HOW_OFTEN = (
    "Within moments of a change of the account, in five minutes at the latest; never only at the next quarterly review."
    " What time alone changes is evaluated on its day. Every night all accounts are evaluated once more."
)
_CRM = (
    "No. The CRM has a copy that only the integration writes; what somebody types there is written over. Ask for a"
    " correction of the data, or for an override."
)


def _why(source: Source) -> Iterator[Block]:
    yield Prose(
        "Open the account and press “Why?”: each rule as a tree, with the value seen, its source and its age. The rules"
        " of a dimension are asked in one order, and this decides when several are true:"
    )
    yield Facts([(divided.label, precedence_words(divided.part.schema)) for divided in source.dimensions])


def _unassigned(source: Source) -> Iterator[Block]:
    yield Prose("Because data is missing, too old or contradictory. The account says which; nothing is ever guessed.")
    yield Facts(
        [
            (each.label, f"{missing_words(each.part.schema)} {fallback_words(source, each.part.key, each.part.schema)}")
            for each in source.dimensions
        ]
    )
    if not source.version.is_active:
        return
    counted = _unassigned_today(source)
    if counted:
        said = [f"{Reason(reason).label}: {accounts:,}" for reason, accounts in counted.most_common()]
        yield Facts([("Today, over all dimensions", "; ".join(said))])


def _unassigned_today(source: Source) -> Counter[str]:
    rows = in_segment(Assignment.objects.filter(dimension__framework=source.framework), None, source.at)
    live = rows.filter(dimension__is_live=True, account__in=segmented_accounts().values("pk")).order_by()
    return Counter(dict(live.values_list("reason").annotate(accounts=Count("account_id", distinct=True))))


def _override(source: Source) -> Iterator[Block]:
    policy = source.definition.policy("overrides")
    yield Prose(
        "Yes: on the account’s page, with a reason and an end. Somebody else decides, the rules’ answer stays visible"
        " beside it, and it ends by itself."
    )
    if not isinstance(policy, OverridesPolicy):
        yield Prose("This version has no override policy: CS Ops decides alone, for at most 12 months.")
        return
    reasons = [f"{reason_label(code)} (at most {days} days)" for code, days in policy.max_days_by_reason.items()]
    over = money(policy.arr_two_person_over, source.currency)
    yield Facts(
        [
            ("Reasons", ", ".join(reasons)),
            ("Two people decide", f"over {over} of ARR, or across two segments and more"),
        ]
    )


def _changes(source: Source) -> Iterator[Block]:
    yield Prose("The account is evaluated anew. What a move does is agreed for each dimension:")
    rows = [
        (each.label, f"up {MOVES[each.part.schema.upgrade]}; down {MOVES[each.part.schema.downgrade]}")
        for each in source.dimensions
    ]
    yield Facts(rows)


def _wrong(source: Source) -> Iterator[Block]:
    yield Prose(
        "Have it corrected where it comes from; the next push or import moves the account. An override is for what data"
        " cannot say."
    )
    owners: dict[str, list[str]] = {}
    for row in source.inventory.used:
        if row.owner and not row.is_derived:
            owners.setdefault(row.owner, []).append(f"{row.label} ({row.system or 'system not named'})")
    yield Facts([(owner, ", ".join(labels)) for owner, labels in sorted(owners.items())])


def _doing(source: Source) -> Iterator[Block]:
    playbooks = source.definition.playbooks
    yield Prose("What its playbook says; due actions are on the account’s page.")
    yield Points(
        [
            f"{divided.label} / {tier.label}: {listed(action.title for action in playbooks[tier.part.key].actions)}"
            for divided in source.dimensions
            for tier in divided.tiers
            if tier.part.key in playbooks and playbooks[tier.part.key].actions
        ]
    )


def _words(source: Source) -> Iterator[Block]:
    if not source.definition.terms:
        yield Prose("Missing: this version has no definitions.", "warn")
    yield Facts([(term.label, term.wording) for term in source.definition.terms.values()])
    yield Facts(
        [
            ("Unassigned", "no segment, always with a reason; it is not a segment itself"),
            ("Provisional", "the segment holds, but a higher one cannot be ruled out until data arrives"),
            ("Held", "a move, or a run, that waits for a person"),
        ]
    )


def _who(source: Source) -> Iterator[Block]:
    yield Prose(
        "The people under Signatures, below, each on an exact wording. A change is drafted by RevOps, and signed again"
        " as far as it changes what somebody signed. Comments on a version are read before the next one."
    )
    url = reverse("frameworks:version_detail", args=[source.framework.slug, source.version.number])
    yield Points([Link(f"{source.framework.name} {source.version}", url)])
