"""What the tests of documents are made of: a disputed version, a framework in force with accounts, texts of a PDF."""

import io
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pypdf
from django.test import Client

from accounts.models import Account, Assignment, Reason
from frameworks.models import Dimension, Framework, FrameworkVersion, Segment, User
from frameworks.services.overruling import overrule_dissent
from frameworks.standing import requirements_standing
from governance.documents import PRINTABLES
from governance.documents.blocks import Facts, Link, Points, Section, Table, Words
from governance.documents.source import Source
from governance.models import PreparedDocument
from governance.services.documents import work_document
from tests.frameworks.making import AT, POLICY, Company, criteria, put_in_force
from tests.governance.makers import OVERRIDES, add_part

NO = "We count signed contracts, not subscriptions."
WHY = "The board decided on this wording in its meeting."
DISSENT = {**POLICY["requirements"][0], "dissent_role": "executive"}  # type: ignore[dict-item]


def disputed(company: Company) -> Company:
    """In review, signed by everybody; Marcus says No to ARR."""
    company.save("policy", "signoff", {**POLICY, "requirements": [DISSENT, *POLICY["requirements"][1:]]})
    company.submit()
    arr = company.requirement("terms", "arr")
    for name in ("priya", "nadia", "tomas", "carol"):
        company.sign(name)
    given = [
        each._replace(decision="reject", reason=NO) if each.requirement_id == arr.pk else each
        for each in company.answers("marcus")
    ]
    company.sign("marcus", given)
    company.version.refresh_from_db()
    return company


def overrule(company: Company) -> None:
    """Priya approves over it."""
    arr = company.requirement("terms", "arr")
    digest = next(each.digest for each in requirements_standing(company.version, AT) if each.requirement == arr)
    overrule_dissent(
        requirement=arr,
        expected_digest=digest,
        reason=WHY,
        signer=company.people["priya"],
        authentication="password",
        authenticated_at=AT,
        at=AT,
    )


ARR = {"label": "ARR", "data_type": "money", "scale": 2, "currency": "USD", "system": "Billing", "owner": "Nadia Frost"}
STAFF = {"label": "Employees", "data_type": "integer", "system": "Clearbit", "refresh": "monthly", "freshness_days": 90}
INDUSTRY = {"label": "Industry", "data_type": "text", "system": "Clearbit"}
TIER = {
    "label": "Customer Tier",
    "question": "Which service does it get?",
    "hit_policy": "raise_only",
    "downgrade": "review",
    "min_dwell_days": 30,
    "segments": ["enterprise", "smb"],
    "fallback": "smb",
}
ENTERPRISE = {
    "label": "Enterprise",
    "dimension": "tier",
    "api_name": "ENT",
    "rules": [
        {"key": "value", "basis": "value", "criteria": criteria(("ge", "arr", "100000")), "note": "Signed contracts."},
        {"key": "size", "basis": "firmographic", "criteria": criteria(("ge", "employee_count", "1000"))},
    ],
    "move": criteria(("ge", "arr", "120000")),
}
SMB = {
    "label": "SMB",
    "dimension": "tier",
    "rules": [{"key": "size", "basis": "firmographic", "criteria": criteria(("lt", "employee_count", "1000"))}],
}
PLAYBOOK = {
    "summary": "Win the **second** department.",
    "owner": "VP Enterprise",
    "sales_motion": "field",
    "marketing_approach": "Account-based campaigns",
    "cs_model": "dedicated",
    "cadence": "Quarterly executive review",
    "pricing": "Group terms",
    "offering": "Platform",
    "coverage": {"accounts_per_ae": 16, "accounts_per_csm": 27, "cost_per_account": "12000"},
    "pod": {"aes_per_manager": 5, "composition": "1 AE, 1 SDR, 1 SE"},
    "messages": {
        "primary_pain": "Nobody agrees",
        "value_proposition": "One answer",
        "proof_point": "Castellan Freight",
        "objections": ["We have a spreadsheet"],
    },
    "channels": {"primary": ["Field events"], "secondary": ["Webinars"]},
    "tech_stack": {"tools": ["Gong"], "cost_per_rep_from": "1100", "cost_per_rep_to": "1500"},
    "compensation": {
        "base_share": "0.55",
        "quota": "1700000",
        "accelerator": "1.5 times above",
        "kicker": "Multi-year",
        "clawback": "Churn within a year",
    },
    "training": "Certification every half-year",
    "icp": ["A named sponsor"],
    "anti_icp": ["Needs custom code"],
    "actions": [
        {"key": "plan", "title": "Hold a planning call", "role": "csm", "due_business_days": 5},
        {
            "key": "qbr",
            "title": "Review the business",
            "role": "csm",
            "due_business_days": 2,
            "trigger": "recurring",
            "every_days": 91,
        },
    ],
    "targets": [{"metric": "grr", "comparison": "gt", "value": "90", "unit": "percent", "scope": "top_two"}],
}
META = {
    "name": "Customers",
    "company": "Castellan",
    "purpose": "Treat alike what is alike.",
    "currency": "USD",
    "exchange_rates": {"EUR": "1.08"},
    "fiscal_year_start_month": 2,
    "time_zone": "UTC",
}
GUARD = {
    "policy": "guard",
    "max_share_moved": "0.1",
    "max_segment_change": "0.2",
    "max_unassigned": "0.3",
    "max_dominance": "0.8",
    "warn_dominance": "0.7",
}
PARTS: list[tuple[str, str, dict[str, Any]]] = [
    ("meta", "meta", META),
    ("policy", "overrides", OVERRIDES),
    ("policy", "guard", GUARD),
    ("data_source", "arr", ARR),
    ("data_source", "employee_count", STAFF),
    ("data_source", "industry", INDUSTRY),
    ("dimension", "tier", TIER),
    ("segment", "tier/enterprise", ENTERPRISE),
    ("segment", "tier/smb", SMB),
    ("playbook", "tier/enterprise", PLAYBOOK),
    ("term", "arr", {"label": "ARR", "wording": "Yearly value * of subscriptions.", "owner": "Finance"}),
]


def drafted(author: User, parts: Iterable[tuple[str, str, dict[str, Any]]] = PARTS) -> FrameworkVersion:
    """A draft, the first version of its framework."""
    framework = Framework.objects.create(slug="main", name="Customers")
    version = FrameworkVersion.objects.create(framework=framework, number=1, author=author)
    for kind, key, body in parts:
        add_part(version, kind, key, body)
    return version


def in_force(author: User) -> SimpleNamespace:
    """The version above in force, and six customers: four in Enterprise, one in SMB, one Unassigned."""
    version = drafted(author)
    put_in_force(version, AT - timedelta(days=70))
    framework = version.framework
    framework.active_version = version
    framework.save()
    tier = Dimension.objects.create(framework=framework, key="tier", name="Customer Tier", is_live=True)
    segments = {
        key: Segment.objects.create(dimension=tier, key=key, name=name, rank=rank, is_live=True)
        for rank, (key, name) in enumerate((("enterprise", "Enterprise"), ("smb", "SMB")), 1)
    }
    found = SimpleNamespace(version=version, framework=framework, tier=tier, **segments)
    for place in range(6):
        segment = segments["enterprise"] if place < 4 else segments["smb"] if place == 4 else None
        assign(found, f"Account {place}", segment)
    return found


def assign(model: SimpleNamespace, name: str, segment: Segment | None, **fields: Any) -> Account:
    account = Account.objects.create(name=name, name_key=name.lower(), arr=Decimal(50_000), **fields)
    Assignment.objects.create(
        account=account,
        dimension=model.tier,
        computed=segment,
        effective=segment,
        reason=Reason.MATCHED if segment else Reason.MISSING_DATA,
        missing=[] if segment else ["employee_count"],
        framework_version=model.version,
        effective_since=AT,
        changed_at=AT,
    )
    return account


def sections(slug: str, version: FrameworkVersion) -> list[Section]:
    return list(PRINTABLES[slug].sections(Source(version.framework, version, AT)))


def said(slug: str, version: FrameworkVersion) -> str:
    """Everything a document says, as one text: a line for each section, block and row."""
    lines = []
    for section in sections(slug, version):
        lines.append(section.title)
        for block in section.blocks:
            if isinstance(block, Facts):
                lines += [f"{label}: {_text(words)}" for label, words in block.said]
            elif isinstance(block, Points):
                lines += [_text(item) for item in block.items]
            elif isinstance(block, Table):
                lines += [" | ".join(block.heads), *(" | ".join(map(_text, row)) for row in block.rows)]
            else:
                lines.append(block.text)
    return "\n".join(lines).replace("\u00a0", " ")


def _text(words: Words) -> str:
    return words.text if isinstance(words, Link) else str(words)


def pages_of(content: bytes) -> list[str]:
    """The text of each page of a PDF, spaces and line ends left out: both are where the paper ends."""
    return ["".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(content)).pages]


def prepared(client: Client, address: str) -> Any:
    """What asking for a PDF leads to, once a worker has been there: the file, or the page that says why not."""
    answer: Any = client.get(address)
    if answer.status_code == 302:
        for row in PreparedDocument.objects.filter(state=PreparedDocument.State.QUEUED):
            work_document(document_id=row.pk)
        page: Any = client.get(answer["Location"])
        answer = client.get(f"{answer['Location']}file/") if "The PDF is ready" in page.content.decode() else page
    assert answer.status_code == 200, address
    return answer


def packed(text: str) -> str:
    return "".join(text.split())
