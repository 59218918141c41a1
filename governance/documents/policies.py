"""The signed policies in words: who signs, what stops a run, how large a framework may grow, who may deviate."""

from collections.abc import Iterator

from frameworks.parts.policy import GuardPolicy, LimitsPolicy, OverridesPolicy, Pool, SignoffPolicy
from frameworks.parts.policy import Requirement as PolicyLine
from frameworks.parts.wording import humanise, listed
from frameworks.roles import Role
from frameworks.templatetags.cutline import money, share
from governance.documents.blocks import Block, Facts, Section, table
from governance.documents.source import Source
from governance.services.eligibility import reason_label


def policy_sections(source: Source) -> Iterator[Section]:
    """Every policy that the version has."""
    definition = source.definition
    signoff, guard = definition.policy("signoff"), definition.policy("guard")
    limits, overrides = definition.policy("limits"), definition.policy("overrides")
    if isinstance(signoff, SignoffPolicy):
        yield Section("Who signs", list(signoff_blocks(signoff)), level=3)
    if isinstance(guard, GuardPolicy):
        yield Section("What stops a run", [guard_facts(source, guard)], level=3)
    if isinstance(limits, LimitsPolicy):
        yield Section("How large it may grow", [limit_facts(limits)], level=3)
    if isinstance(overrides, OverridesPolicy):
        yield Section("Who may deviate", [override_facts(source, overrides), reason_table(overrides)], level=3)


def signoff_blocks(policy: SignoffPolicy) -> Iterator[Block]:
    rows = [
        (
            line.label,
            f"{_about(line)}, {'each by itself' if line.per == 'part' else 'in one signature'}",
            pool_words(line.pool),
            "all of them" if line.minimum == "all" else str(line.minimum),
            _when(line),
        )
        for line in policy.requirements
    ]
    heads = ("Requirement", "About", "Who", "How many", "Lasts")
    yield table("Sign-off requirements, in their order", heads, rows)
    if policy.review_days:
        yield Facts([("Time to sign", f"{policy.review_days} business days")])


def _about(line: PolicyLine) -> str:
    kinds = listed(f"{humanise(kind).lower()}s" if not kind.endswith("y") else "policies" for kind in line.kinds)
    kinds = kinds.replace("metas", "what the framework is about")
    return f"{kinds} ({', '.join(line.keys)})" if line.keys else kinds


def _when(line: PolicyLine) -> str:
    fresh = f"{line.freshness_days} days until activation" if line.freshness_days else ""
    again = f"signed again every {line.recertify_days} days" if line.recertify_days else ""
    over = f"{role_label(line.dissent_role)} may approve over dissent" if line.dissent_role else ""
    return "; ".join(words for words in (fresh, again, over) if words) or "until the text changes"


def role_label(role: str) -> str:
    """A role as people call it; a company may have its own."""
    return str(Role(role).label) if role in Role.values else humanise(role)


def pool_words(pool: Pool) -> str:
    return role_label(pool.role) if pool.role else ", ".join(pool.people)


def guard_facts(source: Source, policy: GuardPolicy) -> Facts:
    expected = [
        f"{source.document.label_of('segment', key)} {share(wanted)}" for key, wanted in policy.expectations.items()
    ]
    return Facts(
        [
            ("Accounts of a dimension that move", f"more than {share(policy.max_share_moved)}"),
            ("A segment grows or shrinks", f"by more than {share(policy.max_segment_change)}"),
            ("Unassigned or in the fallback", f"more than {share(policy.max_unassigned)}"),
            (
                "One segment holds",
                f"more than {share(policy.max_dominance)}; warned from {share(policy.warn_dominance)}",
            ),
            ("Signed to hold more", ", ".join(expected)),
            ("Signed impact may differ", f"by {share(policy.impact_tolerance)} of a segment"),
        ]
    )


def limit_facts(policy: LimitsPolicy) -> Facts:
    return Facts(
        [
            ("Dimensions", f"at most {policy.max_dimensions}"),
            (
                "Segments",
                f"at most {policy.max_segments_per_dimension} in a dimension, {policy.max_segments_in_all} in all",
            ),
            (
                "Accounts in a segment",
                f"warned under {policy.warn_segment_accounts}, strongly under {policy.min_segment_accounts}",
            ),
            ("An attribute that rules read", f"is populated on at least {share(policy.min_populated)} of accounts"),
        ]
    )


def override_facts(source: Source, policy: OverridesPolicy) -> Facts:
    before = listed(str(days) for days in sorted(policy.warn_days, reverse=True))
    return Facts(
        [
            (
                "Two people decide",
                f"over {money(policy.arr_two_person_over, source.currency)} of ARR, or across two segments and more",
            ),
            ("A reason has", f"at least {policy.min_reason_characters} characters"),
            ("Whoever asked is warned", f"{before} days before the end"),
            (
                "A held move waits",
                f"{policy.review_business_days} business days" if policy.review_business_days else "",
            ),
        ]
    )


def reason_table(policy: OverridesPolicy) -> Block:
    rows = [(reason_label(code), f"{days} days") for code, days in policy.max_days_by_reason.items()]
    return table("Reasons, and how long an override lasts at most", ("Reason", "At most"), rows, figures=[1])
