"""Telling people what happened to a version: written down with the act, sent by e-mail once it is stored."""

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse

from frameworks.models import FrameworkVersion, Requirement, User
from governance.services.notifying import Kind, News, notify


def tell_about(version: FrameworkVersion, title: str, text: str, *, at: datetime, also: Iterable[int] = ()) -> None:
    """Tell the version's author, whoever may activate one, and `also` (by id); links to the version's page."""
    people = {version.author_id, *also, *activators()}
    news = News(
        kind=Kind.VERSION,
        occurrence=f"version:{version.uuid}:{at.isoformat()}:{title}"[:200],
        subject=f"{version.framework.name}: {title}",
        text=text,
        url=version_url(version),
    )
    notify([(person, news) for person in people], at=at)


def activators() -> set[int]:
    """Who may activate a version, by one of their roles."""
    people = User.objects.filter(groups__permissions__codename="activate_version", is_active=True, is_service=False)
    return set(people.values_list("pk", flat=True))


def asked_to_sign(version: FrameworkVersion) -> set[int]:
    """Who was asked to sign in the version's current round."""
    through = Requirement.pool.through.objects.filter(requirement__version=version, requirement__round=version.round)
    return set(through.values_list("user_id", flat=True))


def version_url(version: FrameworkVersion, page: str = "version_detail") -> str:
    return reverse(f"frameworks:{page}", args=[version.framework.slug, version.number])


def revops() -> set[int]:
    """Who submits versions and looks after their way."""
    people = User.objects.filter(groups__permissions__codename="submit_version", is_active=True, is_service=False)
    return set(people.values_list("pk", flat=True))


def tell_people(people: Iterable[User], subject: str, text: str, place: str, *, at: datetime) -> None:
    """Tell these people what a version in force did to what is theirs; `place` is the path that it links to."""
    occurrence = f"settled:{place}:{at.isoformat()}"[:200]
    news = News(kind=Kind.VERSION, occurrence=occurrence, subject=subject, text=text, url=place)
    notify([(person.pk, news) for person in people], at=at)
