"""The roles of domain.md as Django groups, and which permissions each app gives them.

An app keeps its own table `permissions.ROLES_BY_PERMISSION` (codename → roles) and registers it in
`ready()`, so that a lower app never names a higher app's permission. Groups are ensured after every
migrate, not in a migration: a transactional test's flush would lose them.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from frameworks.models import User


class Role(models.TextChoices):
    STAKEHOLDER = "stakeholder", "Stakeholder"
    EXECUTIVE = "executive", "Executive"
    FINANCE = "finance", "Finance"
    REVOPS = "revops", "RevOps"
    CS_OPS = "cs_ops", "CS Ops"
    DEAL_DESK = "deal_desk", "Deal Desk"
    SALES_LEAD = "sales_lead", "Sales lead"
    ENABLEMENT = "enablement", "Enablement"
    CSM = "csm", "CSM / AE"
    ARCHITECT = "architect", "Architect"
    INTEGRATION = "integration", "Integration"
    AUDITOR = "auditor", "Auditor"


PEOPLE = frozenset(role for role in Role if role not in (Role.INTEGRATION, Role.AUDITOR))

_tables: dict[str, Mapping[str, Iterable[Role]]] = {}


def register(app_label: str, roles_by_permission: Mapping[str, Iterable[Role]]) -> None:
    """Say which roles hold the app's permissions; called once from the app's `ready()`."""
    _tables[app_label] = roles_by_permission


def permissions_of(role: Role) -> set[str]:
    """Every permission a role holds, as "app_label.codename"."""
    return {
        f"{app_label}.{codename}"
        for app_label, table in _tables.items()
        for codename, roles in table.items()
        if role in roles
    }


def ensure_roles(**kwargs: Any) -> None:
    """Create the groups and give each exactly the permissions of the registered tables."""
    from django.apps import apps
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission

    for app_label in _tables:
        # post_migrate runs app by app: a later app's permissions do not exist yet on an empty database.
        create_permissions(apps.get_app_config(app_label), verbosity=0, using=kwargs.get("using", "default"))
    known = {
        f"{app}.{codename}": pk
        for app, codename, pk in Permission.objects.values_list("content_type__app_label", "codename", "pk")
    }
    for role in Role:
        group, _ = Group.objects.get_or_create(name=role.value)
        group.permissions.set(known[name] for name in permissions_of(role))


def roles_of(user: "User") -> list[Role]:
    """The person's roles in the order of `Role`; empty for a person without one."""
    names = {group.name for group in user.groups.all()}
    return [role for role in Role if role.value in names]
