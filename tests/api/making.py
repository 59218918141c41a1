"""Making what the API's tests need: service accounts, tokens, a client, accounts and their segments."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.models import Account, AccountIdentifier, Assignment, Cause, FeedEpoch, Reason, Transition
from frameworks.models import Dimension, Framework, FrameworkVersion, Segment, User
from frameworks.roles import Role
from governance.services.tokens import PERMISSION_BY_SCOPE, issue_token

UPSERT = "/api/v1/accounts/batch/upsert"


def make_service(email: str = "sync@example.com", *roles: Role, **fields: Any) -> User:
    user = User.objects.create_user(email, None, name="CRM sync", is_service=True, **fields)
    user.groups.set(Group.objects.filter(name__in=[role.value for role in roles or (Role.INTEGRATION,)]))
    return user


def held_scopes(owner: User) -> list[str]:
    """Every scope that the owner's rights reach."""
    return [scope for scope, right in PERMISSION_BY_SCOPE.items() if right is None or owner.has_perm(right)]


def make_token(owner: User, *scopes: str, **how: Any) -> str:
    at = timezone.now()
    given: dict[str, Any] = {"name": "test", "expires_at": at + timedelta(days=30), "actor": None, "at": at}
    _, text = issue_token(owner=owner, scopes=scopes or held_scopes(owner), **(given | how))
    return text


@dataclass
class Api:
    """Calls with a token; a body is sent as the bytes, text or object it is."""

    token: str
    client: Client

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {self.token}", **headers})

    def send(self, method: str, path: str, body: Any = b"", content_type: str = "application/json", **more: str) -> Any:
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}", **more}
        return self.client.generic(method, path, data, content_type=content_type, headers=headers)

    def post(self, path: str, body: Any = b"", **more: Any) -> Any:
        return self.send("POST", path, body, **more)

    def push(self, *items: Any, **more: Any) -> Any:
        return self.post(UPSERT, {"items": list(items), **more.pop("body", {})}, **more)


@dataclass
class Model:
    """One framework in force with one dimension of three segments."""

    framework: Framework
    version: FrameworkVersion
    tier: Dimension
    segments: dict[str, Segment]


def make_model() -> Model:
    author = User.objects.create_user("ravi@example.com", "correct horse battery", name="Ravi Patel")
    framework = Framework.objects.create(slug="customers", name="Customers")
    version = FrameworkVersion.objects.create(framework=framework, number=3, author=author, state="activated")
    framework.active_version = version
    framework.save()
    tier = Dimension.objects.create(framework=framework, key="tier", name="Customer Tier", is_live=True)
    segments = {
        key: Segment.objects.create(dimension=tier, key=key, name=key, rank=rank, is_live=True)
        for rank, key in enumerate(("enterprise", "mid_market", "smb"), 1)
    }
    return Model(framework, version, tier, segments)


def make_account(name: str = "Castellan Freight", external_id: str = "A-1", **fields: Any) -> Account:
    account = Account.objects.create(name=name, name_key=name.lower(), **fields)
    AccountIdentifier.objects.create(account=account, source="crm", external_id=external_id)
    return account


def assign(account: Account, model: Model, segment: str | None, **fields: Any) -> Assignment:
    at = timezone.now()
    chosen = model.segments[segment] if segment else None
    given = {"computed": chosen, "effective": chosen, "reason": Reason.MATCHED, "effective_since": at, "changed_at": at}
    return Assignment.objects.create(
        account=account, dimension=model.tier, framework_version=model.version, **(given | fields)
    )


def move(account: Account, model: Model, segment: str | None, **fields: Any) -> Transition:
    """A row of the log, as the evaluation would write it."""
    given = {
        "from_segment": None,
        "to_segment": model.segments[segment] if segment else None,
        "reason": Reason.MATCHED,
        "cause": Cause.DATA,
        "version": 1,
        "effective_at": timezone.now(),
        "epoch": FeedEpoch.objects.get().epoch,
    }
    return Transition.objects.create(
        account=account, dimension=model.tier, framework_version=model.version, **(given | fields)
    )
