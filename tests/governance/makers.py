"""What the tests of governance are made of: people, a framework in force with four tiers, accounts, requests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from django.contrib.auth.models import Group

from accounts.models import Account, Assignment, Reason
from frameworks.models import Dimension, Framework, FrameworkVersion, Part, PartBody, Segment, User
from frameworks.parts import level_digests, parse_body, to_body
from frameworks.roles import Role
from governance.models import OverrideRequest
from governance.services.requests import request_override
from tests.frameworks.making import put_in_force

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
REASON = "Signed a group-wide rollout."
OVERRIDES = {
    "policy": "overrides",
    "max_days_by_reason": {"strategic": 366, "contract": 90},
    "arr_two_person_over": "100000",
}


def make_person(name: str, *roles: Role, **fields: Any) -> User:
    email = f"{name.lower().replace(' ', '.')}@example.com"
    user = User.objects.create_user(email, "correct horse battery", name=name, **fields)
    user.groups.set(Group.objects.filter(name__in=[role.value for role in roles]))
    return user


def make_framework(author: User) -> SimpleNamespace:
    framework = Framework.objects.create(slug="customers", name="Customers")
    version = FrameworkVersion.objects.create(framework=framework, number=1, author=author)
    add_part(version, "policy", "overrides", OVERRIDES)
    put_in_force(version, AT - timedelta(days=30))
    framework.active_version = version
    framework.save()
    tier = Dimension.objects.create(framework=framework, key="tier", name="Customer Tier", is_live=True)
    names = ("strategic", "enterprise", "mid_market", "smb")
    segments = {
        key: Segment.objects.create(dimension=tier, key=key, name=key.title(), rank=rank, is_live=True)
        for rank, key in enumerate(names, 1)
    }
    return SimpleNamespace(framework=framework, version=version, tier=tier, **segments)


def add_part(version: FrameworkVersion, kind: str, key: str, body: dict[str, Any]) -> None:
    schema = parse_body(kind, body)
    digests = level_digests(kind, body)
    stored = PartBody.objects.create(
        digest=digests["cosmetic"],
        kind=kind,
        body=to_body(schema),
        operational_digest=digests["operational"],
        semantic_digest=digests["semantic"],
    )
    Part.objects.create(version=version, kind=kind, key=key, body=stored)


def make_account(model: SimpleNamespace, owner: User | None, name: str = "Castellan Freight") -> Account:
    account = Account.objects.create(name=name, name_key=name.lower(), csm=owner, arr=Decimal(86_400))
    Assignment.objects.create(
        account=account,
        dimension=model.tier,
        computed=model.smb,
        effective=model.smb,
        reason=Reason.MATCHED,
        framework_version=model.version,
        effective_since=AT - timedelta(days=30),
        changed_at=AT - timedelta(days=30),
    )
    return account


def ask(account: Account, model: SimpleNamespace, actor: User, **changes: Any) -> OverrideRequest:
    wanted = {
        "account": account,
        "dimension": model.tier,
        "segment": model.mid_market,
        "reason_code": "strategic",
        "reason": REASON,
        "valid_from": AT,
        "valid_until": AT + timedelta(days=70),
        "actor": actor,
        "at": AT,
    }
    return request_override(**(wanted | changes))
