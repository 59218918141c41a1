"""The documents: who reads them, what stands in them against the data, on the page and on paper."""

import re
import sys
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AssignmentRun, DistributionSnapshot
from accounts.services.overrides import grant_override
from frameworks.document import Document
from frameworks.exchange.templates import Template, list_templates
from frameworks.models import FrameworkVersion, User, VersionImpact
from frameworks.parts.data_source import DataSource
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.signing import withdraw_signoff
from governance import health
from governance.answer_pages import PAGES
from governance.documents import PRINTABLES, card, crm
from governance.documents.blocks import Table, shares, table
from governance.documents.decisions import decided_on
from governance.documents.drawing import printed
from governance.documents.maintenance import _next_quarter
from governance.documents.pdf import RefusedAddressError, lay_out, refuse
from governance.documents.source import Source
from governance.documents.text import markdown
from tests.frameworks.making import AT, LATER, Company, put_in_force
from tests.governance.documents_cases import (
    NO,
    PARTS,
    PLAYBOOK,
    WHY,
    assign,
    disputed,
    drafted,
    in_force,
    overrule,
    packed,
    pages_of,
    prepared,
    said,
)
from tests.governance.makers import add_part

LONG = "Donaudampfschifffahrtsgesellschaft" * 3
ODD = "<script>alert(1)</script> ﷽ 客户分级 🏢 & “x”"


@pytest.fixture(autouse=True)
def now() -> Any:
    with time_machine.travel(AT, tick=False):
        yield


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture
def model(people: SimpleNamespace) -> SimpleNamespace:
    return in_force(people.ravi)


@pytest.fixture
def reader(client: Client, people: SimpleNamespace) -> Client:
    client.force_login(people.leah)
    return client


def address(name: str, slug: str = "", number: int = 1) -> str:
    return reverse(f"governance:{name}", args=["main", number, *([slug] if slug else [])])


def page(client: Client, slug: str, number: int = 1) -> str:
    answer = client.get(address("document_page", slug, number))
    assert answer.status_code == 200, slug
    return answer.content.decode().replace("\u00a0", " ")


def pdf(client: Client, slug: str, number: int = 1) -> list[str]:
    return pages_of(prepared(client, address("document_pdf", slug, number)).content)


# --- what stands in every document


def test_every_pdf_prints_version_digest_signers_and_dissent(client: Client, company: Company) -> None:
    disputed(company)
    overrule(company)
    client.force_login(company.people["leah"])
    number, digest = company.version.number, company.version.manifest_digest

    for slug in PRINTABLES:
        text = "".join(pdf(client, slug, number))
        wanted = (f"Customersegmentationv{number}", digest, "Priya", "Marcus", "Nadia", "Tomas", "Carol", "Notinforce")
        assert [each for each in wanted if each not in text] == [], slug
        assert "NofromMarcus" in text, slug
        assert "pprovedover" in text, slug
        if not PRINTABLES[slug].is_card:
            assert packed(NO) in text, slug
            assert packed(WHY) in text, slug
            assert "Yesto1of2" in text, slug


def test_decisions_are_each_persons_newest_on_todays_wording(company: Company) -> None:
    disputed(company)
    document = Document({("term", "arr"): {"label": "ARR"}})

    before = decided_on(company.version, document, AT)
    arr = company.requirement("terms", "arr")
    said_no = [each for each in company.answers("marcus") if each.requirement_id == arr.pk]
    proof: dict[str, Any] = {"authentication": "password", "authenticated_at": AT, "at": AT}
    withdraw_signoff(requirement=arr, signer=company.people["marcus"], reason="Convinced.", **proof)
    company.sign("marcus", said_no)
    after = decided_on(company.version, document, AT)

    assert [(each.name, each.about, each.reason, each.overruled_by) for each in before.dissents] == [
        ("Marcus", "ARR", NO, "")
    ]
    assert [(each.requirement, each.name, each.words) for each in after.answers] == [
        ("Terms", "Marcus", "Yes to 2 of 2"),
        ("Terms", "Nadia", "Yes to 2 of 2"),
        ("Terms", "Priya", "Yes to 2 of 2"),
        ("Rules", "Tomas", "Yes to 3 of 3"),
        ("Playbooks", "Carol", "Yes"),
    ]
    assert after.dissents == []
    assert after.waiting == []


def test_who_left_stays_printed_and_counts_no_longer(company: Company) -> None:
    disputed(company)
    company.people["nadia"].groups.clear()

    found = decided_on(company.version, Document({}), AT)

    nadia = next(each for each in found.answers if each.name == "Nadia")
    assert nadia.words == "Yes to 2 of 2; counts no longer"
    assert "Nadia" not in found.signers
    assert any("Nadia can no longer sign" in words for words in found.lapsed)


def test_an_emergency_that_nobody_ratified_is_marked(reader: Client, model: SimpleNamespace) -> None:
    FrameworkVersion.objects.filter(pk=model.version.pk).update(ratified_at=None)
    for slug in ("faq", "quick-reference-card"):
        text = page(reader, slug)
        assert "In force by emergency, not ratified yet." in text
        assert "Not in force" not in text


def test_a_superseded_version_says_so(reader: Client, model: SimpleNamespace) -> None:
    later = model.framework.versions.create(number=2, author=model.version.author)
    put_in_force(later)
    FrameworkVersion.objects.filter(pk=model.version.pk).update(superseded_at=AT)
    model.framework.active_version = later
    model.framework.save()
    assert "Not in force: Superseded." in page(reader, "segmentation-framework")
    assert "Not in force" not in page(reader, "segmentation-framework", 2)


def test_a_version_without_parts_says_what_is_missing(reader: Client, people: SimpleNamespace) -> None:
    drafted(people.ravi, parts=[])
    for slug in PRINTABLES:
        text = page(reader, slug)
        assert "Not in force: Draft." in text, slug
        assert "ot signed yet" in text, slug
    for slug in ("segmentation-framework", "tech-spec", "quick-reference-card", "segment-distribution-report"):
        assert "Missing: this version has no dimensions." in page(reader, slug), slug
        assert "Missing:thisversionhasnodimensions." in "".join(pdf(reader, slug)), slug


def test_a_draft_whose_rules_cannot_be_read_has_its_documents(reader: Client, people: SimpleNamespace) -> None:
    drafted(people.ravi, [part for part in PARTS if part[0] != "data_source"])
    for slug in PRINTABLES:
        assert "Not in force: Draft." in page(reader, slug), slug
    assert "arr" in page(reader, "segmentation-framework")


def test_odd_texts_are_inert_and_stay_on_the_paper(reader: Client, people: SimpleNamespace) -> None:
    tier = {"label": f"{LONG} {ODD}"[:120], "question": ODD, "segments": ["a"], "hit_policy": "ranked"}
    version = drafted(people.ravi, [("dimension", "tier", tier)])
    add_part(version, "segment", "tier/a", {"label": LONG, "dimension": "tier", "description": ODD})
    add_part(version, "playbook", "tier/a", {"summary": f"{ODD} [x](javascript:alert) {LONG}"})
    add_part(version, "term", "odd", {"label": ODD[:60], "wording": f"{ODD} {LONG}"})
    add_part(version, "data_source", "odd", {"label": LONG, "data_type": "text", "system": ODD, "owner": ODD})

    for slug in PRINTABLES:
        text = page(reader, slug)
        assert "<script>alert(1)" not in text, slug
        assert 'href="javascript' not in text, slug
        assert pdf(reader, slug), slug
    assert "&lt;script&gt;alert(1)" in page(reader, "segmentation-framework")


def test_letters_of_other_alphabets_are_text_on_paper(reader: Client, people: SimpleNamespace) -> None:
    drafted(people.ravi, [("term", "omega", {"label": "Ωμέγα", "wording": "Größe → señor, Łódź"})])
    text = "".join(pdf(reader, "definition-alignment"))
    assert "Ωμέγα" in text
    assert packed("Größe → señor, Łódź") in text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b**\nc", "<p>a <strong>b</strong><br>\nc</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("# x", "<p># x</p>"),
        ("![a](https://x.example/a.png)", '<p>!<a href="https://x.example/a.png" rel="noopener nofollow">a</a></p>'),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](/local)", '<p><a href="/local" rel="noopener nofollow">a</a></p>'),
    ],
)
def test_markdown_is_read_and_everything_else_stays_text(text: str, html: str) -> None:
    assert markdown(text).strip() == html


def test_a_definition_is_shown_to_the_letter(reader: Client, model: SimpleNamespace) -> None:
    for slug in ("segmentation-framework", "definition-alignment", "faq"):
        assert "Yearly value * of subscriptions." in page(reader, slug), slug


# --- one by one


def test_the_framework_document_has_precedence_moves_policies_and_every_field_of_a_playbook(
    model: SimpleNamespace,
) -> None:
    text = said("segmentation-framework", model.version)
    for words in (
        "A firmographic rule must be true; then the highest segment with a true rule wins",
        "An account that fits no rule goes to SMB",
        "Moves down: only after a person has reviewed it",
        "An account stays 30 days after a change",
        "Value | ARR of $100,000 or more. | Signed contracts.",
        "Accounts of other segments come in when: ARR of $120,000 or more.",
        "Exchange rates: 1 EUR is $1.08",
        "Fiscal year starts in: February",
        "Unassigned or in the fallback: more than 30 %",
        "Two people decide: over $100,000 of ARR",
        "Strategic relationship | 366 days",
        "Hold a planning call | CSM / AE | within 5 business days",
        "Review the business | CSM / AE | every 91 days, within 2 business days",
        "GRR | more than 90 % over the two highest segments",
        "Quota per year: $1,700,000",
        "Base pay: 55 %",
        "Cost per account and year: $12,000",
    ):
        assert words in text, words
    left = [words for words in _texts(PLAYBOOK) if words not in text]
    assert left == []
    assert "raise_only" not in text


def _texts(value: Any) -> list[str]:
    """Every text of a playbook that is no key, choice or figure."""
    if isinstance(value, dict):
        skipped = ("key", "role", "trigger", "metric", "comparison", "unit", "scope", "sales_motion", "cs_model")
        return [text for name, each in value.items() if name not in skipped for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) and not value.replace(".", "").isdigit() else []


def test_the_alignment_names_each_voice_and_departments_that_differ(company: Company) -> None:
    variants = [{"department": "sales", "wording": "What we sold this year."}]
    company.save("term", "arr", {"label": "ARR", "wording": "Yearly value.", "owner": "Finance", "variants": variants})
    disputed(company)
    overrule(company)

    text = said("definition-alignment", company.version)

    assert "Terms aligned: 1 of 2" in text
    assert "With a No: 1, 1 of them approved over the dissent" in text
    assert "Sales | What we sold this year." in text
    assert f"Marcus: No, 21 Nov 2026. “{NO}” Approved over this dissent by Priya. “{WHY}”" in text
    assert "Nadia: Yes, 21 Nov 2026." in text


def test_the_gap_analysis_prints_what_the_page_counts(model: SimpleNamespace) -> None:
    text = said("gap-analysis", model.version)
    assert "Employees | Attribute is not there. No account has a value for Employees." in text
    assert "Unassigned for missing data: 1 account\n" in text
    assert "No intake was opened" in text


def test_the_tech_spec_has_fields_for_both_crms_security_layout_automation_and_sequence(
    model: SimpleNamespace,
) -> None:
    text = said("tech-spec", model.version)
    for words in (
        "Customer Tier | Customer_Tier__c\nPicklist, restricted | customer_tier\nenumeration / select",
        "Customer Tier Since | Customer_Tier_Since__c\nDate/Time | customer_tier_since\ndatetime / date",
        "Enterprise | ENT | ARR of $100,000 or more; or Employees of 1,000 or more.",
        "SMB | SMB | Employees under 1,000.",
        "Employees | NumberOfEmployees\nNumber (standard field) | numberofemployees",
        "ARR | ARR__c\nCurrency(16, 2) | arr\nnumber / number, shown as currency",
        "Integration user | read, edit",
        "Fields, in this order: Customer Tier, Customer Tier Since, Customer Tier Reason",
        "When data is missing: An account for which nothing is true and something is unknown is Unassigned",
        "When several fit: A firmographic rule must be true",
        "Enterprise | Comes in from another segment when ARR of $120,000 or more.",
        "Employees | 0 % | 0 % | 80 % | 5",
        "Expected assignment: not computed yet",
        "For: VP CS, CRO, CFO",
        "Fields: create 4 fields beside 1 that are standard",
        "Enrichment: Employees first",
        "Data | No account has a value for Employees.",
    ):
        assert words in text, words
    assert "Industry |" not in text  # no rule reads it


@pytest.mark.parametrize(
    ("label", "salesforce", "hubspot"),
    [
        ("Customer Tier", "Customer_Tier__c", "customer_tier"),
        ("  ARR -- (net)  ", "ARR_net__c", "arr_net"),
        ("3rd place", "X3rd_place__c", "x3rd_place"),
        ("Größe & Maß", "Grosse_Mass__c", "grosse_mass"),
        ("_a__b_", "a_b__c", "a_b"),
        ("a" * 39 + " b", "a" * 39 + "__c", "a" * 39 + "_b"),
        ("b" * 120, "b" * 40 + "__c", "b" * 100),
    ],
)
def test_names_are_ones_that_both_crms_accept(label: str, salesforce: str, hubspot: str) -> None:
    assert (crm.salesforce_name(label), crm.hubspot_name(label)) == (salesforce, hubspot)


def test_fields_of_a_dimension_stay_apart_however_long_or_foreign_its_label_is() -> None:
    for label, key in (("x" * 120, "tier"), ("客户分级", "customer_tier"), ("%", "p")):
        names = [(field.salesforce, field.hubspot) for field in crm.dimension_fields(label, key, "", [])]
        assert len(set(names)) == 3
        assert all(re.fullmatch("[A-Za-z](?!.*___)[A-Za-z0-9_]{0,39}__c", name) for name, _ in names), names
        assert all(re.fullmatch("[a-z][a-z0-9_]{0,99}", name) for _, name in names), names
    assert next(crm.dimension_fields("客户分级", "customer_tier", "", [])).salesforce == "customer_tier__c"


@pytest.mark.parametrize(
    ("body", "salesforce", "hubspot"),
    [
        ({"data_type": "decimal", "scale": 2}, "Number(16, 2)", "number / number"),
        ({"data_type": "decimal", "scale": 2, "unit": "percent"}, "Percent(16, 2)", "number / number"),
        ({"data_type": "boolean"}, "Checkbox", "bool / booleancheckbox"),
        ({"data_type": "date"}, "Date", "date / date"),
        ({"data_type": "tags"}, "Text Area(255)", "string / textarea"),
        (
            {"data_type": "choice", "choices": [{"id": "a", "label": "A"}]},
            "Picklist, restricted",
            "enumeration / select",
        ),
        (
            {"data_type": "tags", "choices": [{"id": "a", "label": "A"}]},
            "Multi-select picklist",
            "enumeration / checkbox",
        ),
    ],
)
def test_types_of_attributes_are_those_of_the_crms(body: dict[str, Any], salesforce: str, hubspot: str) -> None:
    field = crm.attribute_field("x", DataSource.model_validate({"label": "X", **body}))
    assert (field.salesforce_type, field.hubspot_type) == (salesforce, hubspot)


def test_what_a_crm_would_refuse_is_a_risk(people: SimpleNamespace) -> None:
    version = drafted(people.ravi, [])
    for key, label in (("a", "Industry"), ("b", "industry"), ("c", "y" * 60)):
        add_part(version, "dimension", key, {"label": label, "segments": ["one", "two"]})
        for short in ("one", "two"):
            body = {"label": short.title(), "dimension": key, "api_name": "Same;value"}
            add_part(version, "segment", f"{key}/{short}", body)

    text = said("tech-spec", version)

    assert "Salesforce: industry__c would be the name of 2 fields (Industry, industry)." in text
    assert "HubSpot: industry is a property of its own, so Industry needs another label there." in text
    assert f"the label “{'y' * 60}” has 60 characters, and 40 fit" in text
    assert "Industry: 2 values are stored as “Same;value”, so they could not be told apart." in text
    assert "has a semicolon" in text


def test_a_rule_longer_than_a_description_is_cut_there_and_whole_under_automation(people: SimpleNamespace) -> None:
    rules = [{**PARTS[7][2]["rules"][0], "key": f"r{place}"} for place in range(12)]
    parts = [part for part in PARTS if part[:2] != ("segment", "tier/enterprise")]
    version = drafted(people.ravi, [*parts, ("segment", "tier/enterprise", {**PARTS[7][2], "rules": rules})])

    lines = said("tech-spec", version).split("\n")

    described = next(line for line in lines if line.startswith("Enterprise | ENT | "))
    assert described.endswith("…")
    assert len(described.removeprefix("Enterprise | ENT | ")) <= 255
    assert lines.count("Enterprise | Value | ARR of $100,000 or more.") == 12


def test_expected_coverage_comes_from_the_versions_impact(model: SimpleNamespace) -> None:
    figures = {"segments": {"tier/enterprise": _cell(30), "tier/smb": _cell(60), "tier/": _cell(10)}}
    VersionImpact.objects.create(version=model.version, computed_at=AT, as_of=AT, figures=figures, digest="d" * 64)
    assert "Customer Tier | 90 | 90 % | 10" in said("tech-spec", model.version)


def _cell(accounts: int) -> dict[str, Any]:
    return {"accounts": accounts, "arr": "100"}


def test_the_distribution_counts_customers_against_the_baseline(model: SimpleNamespace) -> None:
    assign(model, "Prospect", model.smb, stage="prospect")
    run = AssignmentRun.objects.create(
        framework=model.framework,
        framework_version=model.version,
        kind=AssignmentRun.Kind.ACTIVATION,
        state=AssignmentRun.State.APPLIED,
        as_of=AT,
        created_at=AT,
        finished_at=AT - timedelta(days=60),
    )
    for segment, accounts in ((model.enterprise, 2), (model.smb, 3), (None, 1)):
        DistributionSnapshot.objects.create(
            run=run, dimension=model.tier, segment=segment, accounts=accounts, arr=Decimal(1), taken_at=AT
        )

    text = said("segment-distribution-report", model.version)

    assert "Enterprise | 4 | 66.7 % | $200,000 | 66.7 % | 2 | +2" in text
    assert "SMB | 1 | 16.7 % | $50,000 | 16.7 % | 3 | −2" in text
    assert "Unassigned | 1 | 16.7 % | $50,000 | 16.7 % | 1 | 0" in text
    assert "Unassigned because: Data is missing: 1" in text
    assert "Customer Tier: 2 accounts are Unassigned or in the fallback, 33.3 %; the limit is 30 %." in text
    assert "Enterprise: +2 accounts since the baseline of 2, more than 20 %." in text


def test_the_distribution_of_an_override_that_is_over_follows_the_clock(model: SimpleNamespace) -> None:
    row = model.tier.framework and assign(model, "Override", model.enterprise).assignments.get()
    type(row).objects.filter(account=row.account_id).update(override_until=AT, without_override=model.smb)
    assert "SMB | 2 |" in said("segment-distribution-report", model.version)


def test_the_distribution_of_a_version_nobody_looked_at_says_so(people: SimpleNamespace) -> None:
    assert "Not computed yet" in said("segment-distribution-report", drafted(people.ravi))


def test_the_data_source_map_has_system_owner_refresh_and_readers(model: SimpleNamespace) -> None:
    text = said("data-source-map", model.version)
    assert "ARR | Money | Billing | Nadia Frost | not said | no limit" in text
    assert "Employees | Integer | Clearbit | not named | monthly | 90 days" in text
    assert "ARR | 100 % | 100 % | 0 |" in text
    assert "Employees | Customer Tier / Enterprise, Customer Tier / SMB | Customer Tier / SMB" in text
    assert "Industry | no rule | " in text


def test_the_enrichment_guide_lists_what_is_due_by_what_it_decides(model: SimpleNamespace) -> None:
    text = said("enrichment-refresh-guide", model.version)
    assert "Employees | 6 | 0 | Customer Tier / SMB | RevOps" in text
    assert "Employees | monthly | 90 days | – | 0 | not named" in text


def test_the_maintenance_schedule_has_days_and_signed_limits(model: SimpleNamespace) -> None:
    text = said("maintenance-schedule", model.version)
    assert "Weekly | 23 Nov 2026 | RevOps" in text
    assert "Monthly | 1 Dec 2026 | CS Ops" in text
    assert "Quarterly, with the segment council | 1 Feb 2027" in text  # the fiscal year starts in February
    assert "60 to 90 days after launch | 11 Nov 2026 to 11 Dec 2026" in text
    assert "over 30 % of accounts Unassigned or in a fallback" in text


@pytest.mark.parametrize(
    ("today", "start", "expected"),
    [
        (date(2026, 1, 1), 1, date(2026, 4, 1)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
        (date(2026, 1, 31), 12, date(2026, 3, 1)),
    ],
)
def test_the_next_fiscal_quarter_begins_after_today(today: date, start: int, expected: date) -> None:
    assert _next_quarter(today, start) == expected


def test_the_exception_process_has_the_policy_the_deciders_and_todays_overrides(
    people: SimpleNamespace, model: SimpleNamespace
) -> None:
    account = assign(model, "Special", model.smb)
    grant_override(
        account=account,
        dimension=model.tier,
        segment=model.enterprise,
        valid_from=AT - timedelta(days=1),
        valid_until=AT + timedelta(days=9),
        reason="Signed a group-wide rollout.",
        actor=people.dana,
        at=AT,
    )

    text = said("exception-process", model.version)

    assert "Agreed in the contract | 90 days" in text
    assert "Dana Whitfield | CS Ops\nOwen Blake | Deal Desk" in text
    assert "Overrides in force: 1" in text
    assert "Customer Tier | Enterprise | 1" in text
    assert "14, 3 and 0 days before the end" in text


def test_the_faq_answers_with_this_versions_rules(model: SimpleNamespace) -> None:
    text = said("faq", model.version)
    assert "Customer Tier: A firmographic rule must be true" in text
    assert "Today, over all dimensions: Data is missing: 1" in text
    assert "Agreed in the contract (at most 90 days)" in text
    assert "Customer Tier: up at once; down only after a person has reviewed it" in text
    assert "Customer Tier / Enterprise: Hold a planning call and Review the business" in text
    assert "Nadia Frost: ARR (Billing)" in text


def test_the_checklist_prints_the_lines_of_the_page(model: SimpleNamespace) -> None:
    assert "A data source for every attribute used | met | 2 of 2 attributes" in said(
        "strategic-checklist", model.version
    )


# --- the card


def test_the_card_says_whom_what_and_what_first(reader: Client, model: SimpleNamespace) -> None:
    (text,) = pdf(reader, "quick-reference-card")
    assert packed("ARR of $100,000 or more; or Employees of 1,000 or more") in text
    assert packed("Dedicated, Quarterly executive review") in text
    assert packed("Hold a planning call (CSM / AE, within 5 business days)") in text
    assert packed("within 366 days") in text


@pytest.mark.parametrize("template", list_templates(), ids=lambda template: template.slug)
def test_the_card_of_each_template_names_each_first_action_whole(template: Template, people: SimpleNamespace) -> None:
    version = drafted(people.ravi, template.parts)

    found = lay_out(printed(PRINTABLES["quick-reference-card"], version, AT).texts)

    (text,) = pages_of(found.content)
    playbooks = template.of_kind("playbook").values()
    first = [next((a for a in p["actions"] if not a.get("every_days")), p["actions"][0]) for p in playbooks]
    assert [action["title"] for action in first if packed(action["title"]) not in text] == []
    assert [each["label"] for each in template.of_kind("segment").values() if packed(each["label"]) not in text] == []


def test_the_card_of_a_huge_framework_is_one_page_and_says_what_it_leaves_out(
    reader: Client, people: SimpleNamespace
) -> None:
    version = drafted(people.ravi, parts=[part for part in PARTS if part[0] == "data_source"])
    for place in range(5):
        keys = [f"s{number}" for number in range(12)]
        add_part(version, "dimension", f"d{place}", {"label": f"{place} {LONG}", "segments": keys})
        for key in keys:
            rule = {**PARTS[7][2]["rules"][0]}
            body = {"label": f"{key} {LONG}", "dimension": f"d{place}", "rules": [rule] * 1}
            add_part(version, "segment", f"d{place}/{key}", body)
            add_part(version, "playbook", f"d{place}/{key}", {**PLAYBOOK, "cadence": f"{place} {key} " * 400})

    pages = pdf(reader, "quick-reference-card")

    assert len(pages) == 1
    assert "moresegmentsdonotfithere" in pages[0]


def test_a_card_without_room_for_actions_says_where_they_are(model: SimpleNamespace) -> None:
    source = Source(model.framework, model.version, AT)
    tiers = next(card.sections_of(source, card.ROOMS[-1])).blocks[0]
    assert isinstance(tiers, Table)
    assert [row[3] for row in tiers.rows] == ["2 actions in its playbook", ""]


# --- who may read, and what it costs


def test_strangers_are_sent_to_the_login_and_nothing_is_posted(client: Client, model: SimpleNamespace) -> None:
    for url in (
        reverse("governance:document_index"),
        address("version_documents"),
        address("document_page", "faq"),
        address("document_pdf", "faq"),
    ):
        assert client.get(url).status_code == 302
        client.force_login(User.objects.get(name="Leah Kim"))
        assert client.post(url).status_code == 405
        client.logout()


def test_an_unknown_document_or_version_is_not_found(reader: Client, model: SimpleNamespace) -> None:
    assert reader.get(address("document_page", "minutes")).status_code == 404
    assert reader.get(address("document_page", "faq", 9)).status_code == 404
    assert reader.get(address("version_documents", number=9)).status_code == 404


def test_indexes_the_version_and_help_lead_to_the_documents(reader: Client, model: SimpleNamespace) -> None:
    draft = model.framework.versions.create(number=2, author=model.version.author)
    index = reader.get(reverse("governance:document_index")).content.decode()
    of_draft = reader.get(address("version_documents", number=2)).content.decode()
    for slug, each in PRINTABLES.items():
        assert each.title in index
        assert each.audience in index
        assert address("document_pdf", slug) in index
        assert address("document_page", slug, draft.number) in of_draft
    assert address("version_documents", number=2) in index
    shown = reader.get(reverse("frameworks:version_detail", args=["main", 1])).content.decode()
    assert address("version_documents") in shown
    assert address("document_page", "quick-reference-card") in reader.get(reverse("governance:help")).content.decode()


def test_a_business_question_can_be_answered_by_each_of_these_documents(reader: Client, model: SimpleNamespace) -> None:
    pages = [each for each in PAGES.values() if each.document]
    assert len(pages) == 9
    assert [each.url(None) for each in pages] == [""] * 9
    assert [reader.get(each.url(model.version)).status_code for each in pages] == [200] * 9


@pytest.mark.parametrize("slug", PRINTABLES)
def test_queries_do_not_grow_with_parts(reader: Client, people: SimpleNamespace, slug: str) -> None:
    version = drafted(people.ravi)
    page(reader, slug)
    with CaptureQueriesContext(connection) as few:
        page(reader, slug)
    for place in range(3):
        add_part(version, "dimension", f"d{place}", {"label": f"Dimension {place}", "segments": ["a"]})
        add_part(version, "segment", f"d{place}/a", {**PARTS[7][2], "dimension": f"d{place}", "label": f"A{place}"})
        add_part(version, "playbook", f"d{place}/a", {**PLAYBOOK, "owner": f"Owner {place}"})
        add_part(version, "term", f"t{place}", {"label": f"Term {place}", "wording": f"Wording {place}."})

    with CaptureQueriesContext(connection) as many:
        page(reader, slug)

    assert len(many) == len(few)
    assert len(few) <= 60


# --- the renderer


@pytest.mark.parametrize("url", ["https://example.com/a.png", "file:///etc/passwd"])
def test_the_renderer_loads_nothing(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        refuse(url)


def test_a_machine_without_pango_still_shows_pages_and_doctor_says_so(
    reader: Client, model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health.check_documents(AT).state == health.OK
    monkeypatch.setitem(sys.modules, "weasyprint", None)

    found = health.check_documents(AT)
    answer = prepared(reader, address("document_pdf", "faq"))

    assert found.state == health.WARN
    assert "libpango-1.0-0" in found.words
    assert "It could not be prepared" in answer.content.decode()
    assert "libpango-1.0-0" in answer.content.decode()
    assert "Why is this account" in page(reader, "faq")


# --- tables on paper


def test_a_column_in_which_nothing_is_said_is_left_out() -> None:
    found = table("Rules", ("Basis", "Note", "Accounts"), [("Value", "", "3"), ("", "", "")], figures=[2])
    assert (found.heads, found.rows, found.figures) == (
        ["Basis", "Accounts"],
        [["Value", "3"], ["", ""]],
        frozenset([1]),
    )
    assert table("Rules", ("Basis", "Note"), []).heads == ["Basis", "Note"]


@pytest.mark.parametrize(
    ("columns", "widths"),
    [
        ([(5, 5), (5, 5)], [50, 50]),
        ([(12, 12), (20, 400)], [16, 84]),  # the first word whole, the text the rest
        ([(500, 500), (4, 90)], [60, 40]),  # a word as long as a page leaves room for others
        ([(30, 30)] * 9, [11] * 9),  # more than fits: shared
        ([(0, 0)], [100]),
    ],
)
def test_columns_have_room_for_their_words(columns: list[tuple[int, int]], widths: list[int]) -> None:
    assert shares(columns) == widths


def test_draft_prints_who_signed_what_carries_over(company: Company) -> None:
    document = Document({("term", "arr"): {"label": "ARR"}})
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=LATER)
    company.save("term", "arr", {"label": "ARR", "wording": "Reworded."})

    found = decided_on(company.version, document, LATER)

    assert [(each.requirement, each.name, each.words) for each in found.answers] == [
        ("Terms", "Marcus", "Yes to 1 of 2"),
        ("Terms", "Nadia", "Yes to 1 of 2"),
        ("Terms", "Priya", "Yes to 1 of 2"),
        ("Rules", "Tomas", "Yes to 3 of 3"),
        ("Playbooks", "Carol", "Yes"),
    ]
    assert (found.signers, found.waiting) == (["Marcus", "Nadia", "Priya", "Tomas", "Carol"], [])
