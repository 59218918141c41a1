"""The Tech Spec: what is built from the signed framework, for Salesforce and for HubSpot."""

from collections.abc import Iterator

from frameworks.checks.findings import with_waivers
from frameworks.checks.static import static_findings
from frameworks.criteria.parsing import CriteriaError
from frameworks.models import FrameworkVersion
from frameworks.parts import PartError
from frameworks.parts.wording import listed
from frameworks.querysets import assumed
from frameworks.templatetags.cutline import share
from governance.documents import crm
from governance.documents.blocks import Block, Facts, Points, Prose, Section, missing, table
from governance.documents.dimensions import dimension_facts, rule_table
from governance.documents.enrichment import coverage_table, expected_blocks, plan_table
from governance.documents.reports import Report, reports_of
from governance.documents.source import Divided, Source, Tier
from governance.gap_analysis import Priority, gap_analysis_of

NO_RULE = "No rule: by the fallback, or by an override."


def sections_of(source: Source) -> Iterator[Section]:
    yield Section("What is built", list(_overview(source)))
    yield from _fields(source)
    yield Section("Field-level security", list(_security(source)))
    yield Section("Page layout", list(_layout(source)))
    yield from _automation(source)
    yield Section("Enrichment plan and expected coverage", list(_enrichment(source)))
    yield from _dashboards(source)
    yield Section("Build sequence", [Points(list(_sequence(source)), is_ordered=True)])
    yield Section("Known risks", list(_risks(source)))


def _overview(source: Source) -> Iterator[Block]:
    if not source.dimensions:
        yield missing("dimensions")
        return
    yield Prose(
        "Cutline decides every segment. The CRM holds a copy in fields that only the integration writes: no flow,"
        " formula or person computes a segment there, so that there is one answer."
    )
    yield Facts(
        [
            ("Segment fields", listed(crm.salesforce_name(_base(each)) for each in source.dimensions)),
            ("Object", "Account in Salesforce, company in HubSpot"),
            ("Property group in HubSpot", "segmentation"),
            ("From the CRM", "POST /api/v1/accounts/batch/upsert, on every change of an account"),
            ("To the CRM", "GET /api/v1/assignments/changes, from the last cursor; every minute or oftener"),
        ]
    )


# --- fields


def _base(divided: Divided) -> str:
    return next(_segment_fields(divided)).salesforce.removesuffix("__c")


def _segment_fields(divided: Divided) -> Iterator[crm.Field]:
    body = divided.part.schema
    return crm.dimension_fields(divided.label, divided.part.key, body.question, list(map(_value, divided.tiers)))


def _value(tier: Tier) -> crm.Value:
    rules = "; or ".join(rule.problem or rule.sentence for rule in tier.part.rules)
    return crm.Value(tier.label, tier.body.api_name or tier.label, f"{rules}." if rules else NO_RULE)


def _attribute_fields(source: Source) -> list[crm.Field]:
    """Stored attributes that rules read; derived ones are computed by Cutline and need no field."""
    sources = source.definition.data_sources
    used = [row.key for row in source.inventory.used if row.key in sources and not row.is_derived]
    return [crm.attribute_field(key, sources[key]) for key in used]


def all_fields(source: Source) -> list[crm.Field]:
    segments = [field for divided in source.dimensions for field in _segment_fields(divided)]
    return [*segments, *_attribute_fields(source)]


def _fields(source: Source) -> Iterator[Section]:
    yield Section("CRM fields", [] if source.dimensions else [missing("dimensions")])
    for divided in source.dimensions:
        own = list(_segment_fields(divided))
        heads = ("Value", "Stored as", "Description of the value")
        values = [(value.label, value.stored, value.description) for value in own[0].values]
        blocks: list[Block] = [_field_table(f"Fields of {divided.label}", own)]
        blocks.append(table(f"Values of {own[0].salesforce} and {own[0].hubspot}, highest first", heads, values))
        if any(value.description != value.rule for value in own[0].values):
            words = "A description holds 255 characters: the rules in full stand under Automation."
            blocks.append(Prose(words, "quiet"))
        yield Section(divided.label, blocks, level=3)
    found = _attribute_fields(source)
    if found:
        yield Section("Attributes that rules read", [_field_table("Fields that rules read", found)], level=3)


def _field_table(caption: str, fields: list[crm.Field]) -> Block:
    rows = [
        (
            field.label,
            f"{field.salesforce}\n{field.salesforce_type}{' (standard field)' if field.is_standard else ''}",
            f"{field.hubspot}\n{field.hubspot_type}{' (default property)' if field.is_standard else ''}",
            field.text,
        )
        for field in fields
    ]
    heads = ("Label", "Salesforce: API name, type", "HubSpot: name, type / field type", "About")
    return table(caption, heads, rows)


def _security(source: Source) -> Iterator[Block]:
    rows = [
        ("Integration user", "read, edit", "edit", "read, edit", "edit"),
        ("CRM admin", "read", "view only", "read, edit", "edit"),
        ("RevOps, CS Ops", "read", "view only", "read, edit", "edit"),
        ("CSM, AE, managers, everyone else", "read", "view only", "read", "view only"),
    ]
    heads = ("Who", "Segment fields in Salesforce", "in HubSpot", "Attributes in Salesforce", "in HubSpot")
    yield table("Who may see and edit which fields", heads, rows)
    yield Prose(
        "Salesforce: by permission sets, with Edit Access of segment fields for the integration user alone. The"
        " permission Edit Read Only Fields goes around it, so nobody else gets that one. HubSpot: restrict edit access"
        " of each property of the group segmentation; the integration writes as a private app."
    )


def _layout(source: Source) -> Iterator[Block]:
    labels = [field.label for divided in source.dimensions for field in _segment_fields(divided)]
    yield Facts(
        [
            ("Section", "Segmentation, read-only, above the contract fields of the account's page"),
            ("Fields, in this order", ", ".join(labels)),
            ("HubSpot", "a card Segmentation in the middle column of the company record, same order"),
            ("Highlights", source.dimensions[0].label if source.dimensions else ""),
            ("Link", "the account's page in Cutline, which says why the account is in its segment"),
        ]
    )
    views = [f"My {tier.label} accounts" for divided in source.dimensions[:1] for tier in divided.tiers]
    if views:
        yield Facts([("List views", ", ".join(views))])


# --- automation


def _automation(source: Source) -> Iterator[Section]:
    yield Section("Automation", list(_triggers()))
    for divided in source.dimensions:
        blocks: list[Block] = [dimension_facts(source, divided), rule_table(divided)]
        moves = [
            (tier.label, f"{'Comes in from another segment' if name == 'move' else 'Also stays'} when {words}.")
            for tier in divided.tiers
            for name, words in source.criteria_words(tier.body)
        ]
        if moves:
            yield Section(divided.label, [*blocks, table("Moves", ("Segment", "Criteria"), moves)], level=3)
        else:
            yield Section(divided.label, blocks, level=3)


def _triggers() -> Iterator[Block]:
    yield table(
        "What happens when",
        ("When", "Cutline", "The CRM"),
        [
            ("An account's data changes", "evaluates it, within moments, in five minutes at the latest", "pushes it"),
            ("Time alone moves an account", "evaluates it on the day its window or limit ends", "nothing"),
            ("A version is activated", "evaluates every account; the guard may hold the run", "nothing"),
            ("A segment changes", "puts it into the feed, with its cause", "writes the three fields"),
            ("An account is Unassigned", "says what is missing", "empties the segment, writes the reason"),
            ("An override starts or ends", "treats it as a change of segment", "writes the three fields"),
            ("The CRM's copy was edited by hand", "knows nothing of it", "writes the copy again, daily, in full"),
            ("An account is deleted or merged", "leaves it out, and says so in the feed", "empties the fields"),
        ],
    )


# --- enrichment, dashboards


def _enrichment(source: Source) -> Iterator[Block]:
    yield plan_table(source)
    yield coverage_table(source)
    yield from expected_blocks(source)
    yield Points(
        [
            "A test batch of 50 to 100 accounts first; its match rate and quality are reviewed before the full run.",
            f"Goal: {share(source.inventory.limit)} of accounts populated, on every attribute that rules read.",
            "Afterwards the coverage of each field is documented: the Gap Analysis shows it at any time.",
        ]
    )


def _dashboards(source: Source) -> Iterator[Section]:
    yield Section("Dashboards", [] if source.dimensions else [missing("dimensions")])
    for report in reports_of(source):
        yield Section(report.title, [_report_facts(report)], level=3)


def _report_facts(report: Report) -> Block:
    return Facts(
        [
            ("For", report.audience),
            ("Shows", report.shows),
            ("Grouped by", report.grouped_by),
            ("Filtered to", report.filtered_to),
            ("Answers", report.answers),
        ]
    )


# --- sequence and risks


def _sequence(source: Source) -> Iterator[str]:
    fields = all_fields(source)
    new = sum(not field.is_standard for field in fields)
    under = [row.label for row in source.inventory.used if row.is_under]
    yield f"Fields: create {new} fields beside {len(fields) - new} that are standard, permissions, the page section."
    yield (
        f"Enrichment: {listed(under)} first; a test batch, then the full run."
        if under
        else "Enrichment: every attribute that rules read is above its limit; keep to the refresh of each source."
    )
    yield "Automation: push accounts by the API, follow the feed; try it with ten accounts people know well."
    yield (
        f"First assignment: activate {source.version}; the guard looks first. Check the distribution, the largest"
        " accounts in low segments, 10 to 15 accounts people know well and 20 against their source."
    )
    yield f"Reports: {', '.join(report.title for report in reports_of(source)) or 'none yet'}."


def _risks(source: Source) -> Iterator[Block]:
    rows = [
        *(("CRM", words, "Architect") for words in crm.problems(all_fields(source))),
        *_data_risks(source),
        *_finding_risks(source),
        *_open_risks(source),
    ]
    if rows:
        yield table("Known risks", ("Kind", "Risk", "Who"), rows)
    else:
        yield Prose("None is known today.")


def _data_risks(source: Source) -> Iterator[tuple[str, str, str]]:
    analysis = gap_analysis_of(source.framework, source.version, source.at)
    for gap in analysis.gaps:
        if gap.priority == Priority.HIGH:
            yield "Data" if gap.segments else "Today's automation", gap.text, gap.owner


def _finding_risks(source: Source) -> Iterator[tuple[str, str, str]]:
    """What the checks find without evaluating: open, or accepted with a reason."""
    try:
        found = with_waivers(static_findings(source.definition), source.definition.waivers)
    except (PartError, CriteriaError) as error:
        yield "Rules", f"Some cannot be read: {error}", "RevOps"
        return
    for finding in found:
        accepted = f" Accepted: {finding.waiver.reason}" if finding.waiver else ""
        yield "Rules", f"{finding.text}{accepted}", "RevOps"


def _open_risks(source: Source) -> Iterator[tuple[str, str, str]]:
    left = list(assumed(source.version.parts.order_by()).values_list("kind", "key"))
    if left:
        names = [source.document.phrase_of(kind, key) for kind, key in sorted(left)[:5]]
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        yield "Agreement", f"{len(left)} parts are still ASSUMED: {', '.join(names)}{more}.", "whoever settles them"
    if source.version.state in (FrameworkVersion.State.DRAFT, FrameworkVersion.State.IN_REVIEW):
        yield "Agreement", "The version is not signed: what is built now may change.", source.version.author.name
