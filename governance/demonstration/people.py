"""Who works at the demo's company. They have well-known passwords and so exist in demo mode only."""

from dataclasses import dataclass

from django.contrib.auth.models import Group

from frameworks.models import User
from frameworks.roles import Role

DOMAIN = "demo.cutline.example"


@dataclass(frozen=True)
class DemoPerson:
    """One of them. `hint` says what to log in as this person for."""

    name: str
    title: str
    roles: tuple[Role, ...]
    hint: str
    is_staff: bool = False
    is_service: bool = False

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{DOMAIN}"


PEOPLE = (
    DemoPerson("Ravi Patel", "Director RevOps", (Role.REVOPS,), "drafts, submits, activates, imports", is_staff=True),
    DemoPerson("Priya Raman", "VP Customer Success", (Role.STAKEHOLDER, Role.EXECUTIVE), "signs, activates"),
    DemoPerson("Marcus Hale", "VP Sales", (Role.STAKEHOLDER, Role.SALES_LEAD), "signs"),
    DemoPerson("Nadia Frost", "CFO", (Role.STAKEHOLDER, Role.FINANCE), "signs"),
    DemoPerson("Dana Whitfield", "CS Operations", (Role.CS_OPS,), "decides overrides in the admin", is_staff=True),
    DemoPerson("Owen Blake", "Deal Desk lead", (Role.DEAL_DESK,), "second step of large overrides", is_staff=True),
    DemoPerson("Leah Kim", "Customer success manager", (Role.CSM,), "reads her accounts, asks for overrides"),
    DemoPerson("Jonas Weber", "Customer success manager", (Role.CSM,), "reads his accounts"),
    DemoPerson("Tomas Ekberg", "RevOps analyst", (Role.REVOPS,), "releases held runs", is_staff=True),
    DemoPerson("Ines Duarte", "Internal audit", (Role.AUDITOR,), "reads the audit log"),
    DemoPerson("CRM sync", "Service account", (Role.INTEGRATION,), "calls the API", is_service=True),
)


def ensure_people(*, password: str) -> dict[str, User]:
    """Create whoever is not there; returns everybody by first name in small letters."""
    return {person.name.split()[0].lower(): _ensure(person, password) for person in PEOPLE}


def _ensure(person: DemoPerson, password: str) -> User:
    user = User.objects.filter(email=person.email).first()
    if user is None:
        user = User.objects.create_user(
            person.email,
            None if person.is_service else password,
            name=person.name,
            title=person.title,
            is_staff=person.is_staff,
            is_service=person.is_service,
        )
        user.groups.set(Group.objects.filter(name__in=[role.value for role in person.roles]))
    return user
