"""A small framework and the people around it, for tests of the services and pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group

from frameworks.checks.slot import engine_checks
from frameworks.gates import findings_of
from frameworks.models import Contribution, FrameworkVersion, Part, Requirement, User
from frameworks.services.drafting import assumed_parts, confirm_parts, create_framework, save_part
from frameworks.services.review import submit_version
from frameworks.services.signing import Answer, sign
from frameworks.services.waiving import waive_findings
from frameworks.standing import requirements_standing

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
STAKEHOLDERS = ("priya", "marcus", "nadia")


def person(name: str, *roles: str, **fields: Any) -> User:
    user = User.objects.create_user(f"{name}@x.example", "correct horse", name=name.title(), **fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def criteria(*items: tuple[str, str, str]) -> dict[str, Any]:
    leaves = [
        {"id": f"n{place}", "op": op, "attribute": attribute, "value": value}
        for place, (op, attribute, value) in enumerate(items, start=1)
    ]
    return {"schema": "criteria/1", "root": {"id": "root", "op": "all", "items": leaves}}


def segment(label: str, *items: tuple[str, str, str]) -> dict[str, Any]:
    rule = {"key": "value", "basis": "value", "criteria": criteria(*items)}
    return {"label": label, "dimension": "tier", "rules": [rule]}


def playbook(title: str) -> dict[str, Any]:
    action = {"key": "plan", "title": title, "role": "csm", "due_business_days": 5}
    return {"summary": f"{title}.", "actions": [action]}


def waiver(code: str, *items: str) -> dict[str, Any]:
    return {"code": code, "subject": "tier", "items": list(items), "reason": "Known, and accepted for now."}


def requirement(code: str, **fields: Any) -> dict[str, Any]:
    plain = {"code": code, "label": code.title(), "per": "set", "level": "semantic", "minimum": 1}
    return {**plain, **fields}


POLICY = {
    "policy": "signoff",
    "requirements": [
        requirement("terms", kinds=["term"], per="part", minimum="all", pool={"role": "stakeholder"}),
        requirement("rules", kinds=["dimension", "segment"], per="part", pool={"role": "revops"}),
        requirement(
            "playbooks", kinds=["playbook", "waiver"], level="operational", pool={"people": ["carol@x.example"]}
        ),
    ],
}

PARTS: list[tuple[str, str, dict[str, Any]]] = [
    ("policy", "signoff", POLICY),
    ("data_source", "arr", {"label": "ARR", "data_type": "money", "scale": 2, "currency": "USD", "system": "Billing"}),
    (
        "data_source",
        "employee_count",
        {"label": "Employees", "data_type": "integer", "unit": "employees", "system": "CRM"},
    ),
    ("dimension", "tier", {"label": "Customer Tier", "segments": ["enterprise", "smb"]}),
    ("segment", "tier/enterprise", segment("Enterprise", ("ge", "arr", "100000"), ("ge", "employee_count", "1000"))),
    ("segment", "tier/smb", segment("SMB", ("lt", "arr", "100000"))),
    ("playbook", "tier/enterprise", playbook("Hold a planning call")),
    ("playbook", "tier/smb", playbook("Send the onboarding course")),
    ("term", "arr", {"label": "ARR", "wording": "Yearly value of signed subscriptions.", "owner": "Finance"}),
    ("waiver", "no_anti_icp__tier", waiver("no_anti_icp", "enterprise", "smb")),
    ("waiver", "gap__tier", waiver("gap", "arr of $100,000 or more, and employee_count under 1,000")),
    ("term", "account", {"label": "Account", "wording": "A company as the CRM knows it."}),
]


def put_in_force(version: FrameworkVersion, at: datetime = AT) -> None:
    """Activated without anybody's signature, the only way the database knows: an emergency, here a ratified one."""
    version.is_emergency, version.emergency_reason, version.ratified_at = True, "Made for a test.", at
    version.activated_at = version.activated_at or at
    for state in (FrameworkVersion.State.IN_REVIEW, FrameworkVersion.State.ACTIVATED):
        version.state = state
        version.save()


def waive_warnings(version: FrameworkVersion, actor: User, at: datetime = AT) -> None:
    """Write a waiver for every warning of the checks that has none."""
    checks = engine_checks()
    report = checks.ensure(version, at) if checks else None
    left = [each for each in findings_of(version, report) if each.is_open and each.severity == "warning"]
    if left:
        reason = "Known, and accepted for this version."
        waive_findings(
            version=version, findings=left, reason=reason, actor=actor, at=at, source=Contribution.Source.PAGE
        )


class Company:
    """One company: its people by name, its framework, and the way to its first active version."""

    def __init__(self) -> None:
        self.people = {
            "ravi": person("ravi", "revops"),
            "tomas": person("tomas", "revops"),
            "priya": person("priya", "stakeholder", "executive"),
            "marcus": person("marcus", "stakeholder"),
            "nadia": person("nadia", "stakeholder", "finance"),
            "carol": person("carol", "cs_ops"),
            "leah": person("leah", "csm"),
        }
        self.version = create_framework(
            name="Customer segmentation", slug="main", template=None, actor=self.ravi, at=AT
        )
        for kind, key, body in PARTS:
            self.save(kind, key, body)

    @classmethod
    def again(cls) -> "Company":
        """The company that the world of a module has made, with its newest version, fetched anew."""
        company = cls.__new__(cls)
        company.people = {each.email.partition("@")[0]: each for each in User.objects.all()}
        company.version = FrameworkVersion.objects.select_related("framework").latest("pk")
        return company

    def __getattr__(self, name: str) -> User:
        return self.people[name]

    def part(self, kind: str, key: str, version: FrameworkVersion | None = None) -> Part:
        return (version or self.version).parts.select_related("body").get(kind=kind, key=key)

    def body(self, kind: str, key: str) -> dict[str, Any]:
        return dict(self.part(kind, key).body.body)

    def save(self, kind: str, key: str, body: Any, *, actor: User | None = None) -> Part:
        """Save over whatever is stored."""
        stored = self.version.parts.filter(kind=kind, key=key).first()
        return save_part(
            version=self.version,
            kind=kind,
            key=key,
            body=body,
            expected_digest=stored.body_id if stored else None,
            actor=actor or self.ravi,
            at=AT,
            source=Contribution.Source.PAGE,
        )

    def confirm(self) -> None:
        parts = assumed_parts(self.version)
        confirm_parts(
            version=self.version, parts=parts, evidence="Agreed in the kickoff meeting.", actor=self.priya, at=AT
        )

    def waive(self) -> None:
        waive_warnings(self.version, self.ravi)

    def submit(self) -> FrameworkVersion:
        self.waive()
        self.confirm()
        return submit_version(version=self.version, actor=self.ravi, at=AT)

    def answers(self, name: str, decision: str = "approve", reason: str = "", code: str = "") -> list[Answer]:
        """What this person is asked, each with the digest of today and the same decision."""
        return [
            Answer(standing.requirement.pk, standing.digest, decision, reason)
            for standing in requirements_standing(self.version, AT)
            if standing.requirement.pool.filter(pk=self.people[name].pk).exists()
            and (not code or standing.requirement.code == code)
        ]

    def sign(self, name: str, decisions: list[Answer] | None = None, at: datetime = AT) -> Any:
        return sign(
            version=self.version,
            decisions=self.answers(name) if decisions is None else decisions,
            signer=self.people[name],
            authentication="password",
            authenticated_at=at,
            at=at,
        )

    def sign_all(self) -> None:
        for name in (*STAKEHOLDERS, "tomas", "carol"):
            self.sign(name)

    def requirement(self, code: str, key: str = "") -> Requirement:
        return Requirement.objects.get(version=self.version, round=self.version.round, code=code, part_key=key)


def sent(company: Company, **bodies: dict[str, Any]) -> dict[str, Any]:
    """What the dimension editor sends when nothing was edited but the segments named here."""
    outer = company.part("dimension", "tier")
    body = {name: value for name, value in outer.body.body.items() if name != "segments"}
    parts = [company.part("segment", f"tier/{short}") for short in outer.body.body["segments"]]
    return {
        "dimension": {"digest": outer.body_id, "body": body},
        "segments": [
            {"key": short, "digest": part.body_id, "body": bodies.get(short, part.body.body)}
            for part in parts
            for short in [part.key.partition("/")[2]]
        ],
        "removed": [],
        "texts": {},
    }
