"""People and their roles. Everything an administrator changes about a person is one governed act."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group

from frameworks.errors import InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import User


def save_person(*, person: User, groups: Iterable[Group], actor: User, at: datetime) -> User:
    """Store a new or changed person with exactly these groups.

    A new person gets no password: they choose one by the link that is sent to them. Raises NotAllowedError
    when the actor gives more than they may, or touches their own rights; InvalidError for what cannot be.
    """
    stored = User.objects.filter(pk=person.pk).first() if person.pk else None
    wanted = set(groups)
    with governed("person.changed" if stored else "person.added", actor=actor, target=person, at=at) as act:
        _refuse(person, stored, wanted, actor)
        if stored is None:
            person.set_unusable_password()
        person.save()
        act.before = _rights(stored) if stored else {}
        person.groups.set(wanted)
        act.after = _rights(person)
    return person


def _refuse(person: User, stored: User | None, groups: set[Group], actor: User) -> None:
    needed = "frameworks.change_user" if stored else "frameworks.add_user"
    if not actor.is_active or not actor.has_perm(needed):
        raise NotAllowedError("Your role may not change people.")
    if not actor.is_superuser and (person.is_superuser or (stored and stored.is_superuser)):
        raise NotAllowedError("Only a superuser makes or changes superusers.")
    if stored and stored.pk == actor.pk and _changes_rights(person, stored, groups):
        raise NotAllowedError("Nobody changes their own rights; ask another administrator.")
    if problems := problems_of(person):
        raise InvalidError(problems)


def problems_of(person: User) -> list[str]:
    """What cannot be so, whoever asks for it."""
    if person.is_service and (person.is_staff or person.is_superuser):
        return ["A service account cannot open the admin."]
    return []


def _changes_rights(person: User, stored: User, groups: set[Group]) -> bool:
    before = (stored.is_active, stored.is_staff, stored.is_superuser, stored.is_service, set(stored.groups.all()))
    return before != (person.is_active, person.is_staff, person.is_superuser, person.is_service, groups)


def _rights(person: User) -> dict[str, object]:
    """What the audit chain keeps: rights, no personal data beyond who it is."""
    return {
        "roles": sorted(group.name for group in person.groups.all()),
        "active": person.is_active,
        "staff": person.is_staff,
        "superuser": person.is_superuser,
        "service": person.is_service,
    }
