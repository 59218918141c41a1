"""One governed act: one transaction, one audit entry.

Every service that decides or changes what governs accounts runs inside `governed()`. The outermost one opens
the transaction and, when its body is done, announces the act by the signal `governed_action` just before
commit; a nested one joins it. Apps below the audit chain can so be audited without knowing it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model

from frameworks.models import User
from frameworks.signals import governed_action


@dataclass
class Act:
    """What happened, for the audit chain. `before` and `after` are minimal and JSON-ready, numbers as strings.

    `actor` is None for the system itself; `actor_kind` is person, token or system.
    """

    action: str
    actor: User | None
    target: Model
    at: datetime
    reason: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    joined: list[str] = field(default_factory=list)

    @property
    def actor_kind(self) -> str:
        if self.actor is None:
            return "system"
        return "token" if self.actor.is_service else "person"


_outermost: ContextVar[Act | None] = ContextVar("governed_act", default=None)


@contextmanager
def governed(action: str, *, actor: User | None, target: Model, at: datetime, reason: str = "") -> Iterator[Act]:
    """Run the body in one transaction and announce the act at its end; nested use joins the outer act."""
    act = Act(action=action, actor=actor, target=target, at=at, reason=reason)
    outer = _outermost.get()
    if outer is not None:
        known = len(outer.joined)
        outer.joined.append(action)
        try:
            yield act
        except BaseException:
            # Whoever catches this has taken back what was written: see to it that the entry does not tell of it.
            del outer.joined[known:]
            raise
        return
    token = _outermost.set(act)
    try:
        with transaction.atomic():
            yield act
            governed_action.send(sender=type(act.target), act=act)
    finally:
        _outermost.reset(token)
