"""What versions wait for: signatures, confirmations, answers, help, and somebody who activates them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from django.urls import reverse
from django.utils import timezone

from accounts.models import AssignmentRun
from frameworks.coverage import manifest_under
from frameworks.gates import CONFIRMED_LATER
from frameworks.models import FrameworkVersion, HelpRequest, Requirement, Signoff, User
from frameworks.naming import subjects_of
from frameworks.querysets import asked_of, assumed, mentions_waiting_for
from frameworks.recertification import OPENS_BEFORE, Recertification, open_recertifications
from frameworks.removed_policies import to_be_confirmed
from frameworks.services.delegation import principals_of
from frameworks.services.helping import waiting_for_help
from frameworks.services.signing import labels_of
from frameworks.signing_page import ASKED_AGAIN
from frameworks.standing import Lapse, RequirementStanding
from frameworks.standing_tally import tally_of
from frameworks.templatetags.cutline import day
from governance.inbox_item import MOST, Item
from governance.services import due_dates

State = FrameworkVersion.State
NAMED = 3
"""So many points of a version are named, the rest is counted."""


def items_for(user: User, at: datetime) -> Iterator[Item]:
    """For this person by name or right."""
    yield from _signoffs(user, at)
    yield from _recertifications(user, at)
    yield from _confirmations(user)
    yield from _help(user, at)
    yield from _mentions(user)


def items_by_role(user: User) -> Iterator[Item]:
    """For anybody in their roles who may act."""
    yield from _versions(user)


# Signatures


def _signoffs(user: User, at: datetime) -> Iterator[Item]:
    """One line a version and signer: its requirements are signed on one page, with one authentication."""
    asked = FrameworkVersion.objects.filter(pk__in=asked_of(user, at).order_by().values("version"))
    versions = list(asked.select_related("framework__active_version", "author").order_by("pk"))
    signers = [user, *principals_of(user, at)] if versions else []
    for version in versions:
        for signer, item in signoff_items(version, signers, at):
            yield item if signer.pk == user.pk else for_another(item, signer)


def signoff_items(version: FrameworkVersion, signers: Iterable[User], at: datetime) -> Iterator[tuple[User, Item]]:
    """What waits on this version for each of `signers` for whom something does; the standings are read once."""
    open_ones = [each for each in tally_of(version, at).groups if not each.one.is_met]
    awaited = {signer: [each for each in open_ones if _is_awaited(each.one, signer)] for signer in signers}
    mine = {signer: sorted(pk for each in own for pk in each.ids) for signer, own in awaited.items()}
    first = {pk for ids in mine.values() for pk in ids[:NAMED]}
    requirements = list(Requirement.objects.filter(pk__in=first).order_by("pk")) if first else []
    labels = labels_of(requirements, manifest_under(version, requirements)) if first else {}
    due_on = due_dates.signoff_due(version)
    for signer, ids in mine.items():
        if ids:
            again = asked_again((each.one for each in awaited[signer]), signer.pk)
            yield signer, _signoff_item(version, [labels[pk] for pk in ids[:NAMED]], len(ids), due_on, again)


def _is_awaited(standing: RequirementStanding, user: User) -> bool:
    return any(person.pk == user.pk for person in standing.missing)


def _signoff_item(version: FrameworkVersion, names: Sequence[str], total: int, due_on: date, again: str) -> Item:
    more = f" and {total - len(names)} more" if total > len(names) else ""
    count = "1 sign-off" if total == 1 else f"{total} sign-offs"
    return Item(
        kind="signoff",
        icon="signature",
        title=f"{'Ratify' if version.awaits_ratification else 'Sign'} {version} of {version.framework.name}",
        detail=f"{count}: {', '.join(names)}{more}{f'. {again}' if again else ''}",
        url=reverse("frameworks:signing", args=[version.framework.slug, version.number]),
        asked_by=version.author.name,
        since=version.submitted_at or version.created_at,
        due_on=due_on,
        ref=f"sign:{version.uuid}:{version.round}",
    )


def asked_again(mine: Iterable[RequirementStanding], signer_id: int) -> str:
    """Why somebody is asked again who said Yes to all of this, where it is for one reason; else empty."""
    reasons = {_why_again(each, signer_id) for each in mine}
    lapse = reasons.pop() if len(reasons) == 1 else None
    return f"{ASKED_AGAIN[lapse]} since you signed." if lapse else ""


def _why_again(standing: RequirementStanding, signer_id: int) -> Lapse | None:
    """Why this person's Yes to it no longer counts; None where they gave none."""
    given = standing.newest.get(signer_id)
    is_yes = given is not None and given.decision == Signoff.Decision.APPROVE
    return standing.lapses.get(signer_id) if is_yes else None


def for_another(item: Item, signer: User) -> Item:
    """The same, for whoever may sign in that person's place."""
    return replace(
        item,
        title=f"{item.title} for {signer.name}",
        url=f"{item.url}?for={signer.uuid}",
        ref=f"{item.ref}:for:{signer.uuid}",
    )


def _recertifications(user: User, at: datetime) -> Iterator[Item]:
    """What recurs on the version in force and waits for this person, from two weeks before it is due."""
    for each in open_recertifications(at):
        if any(person.pk == user.pk for person in each.missing):
            yield recertification_item(each, at)


def recertification_item(each: Recertification, at: datetime) -> Item:
    """One requirement that is signed again, for whoever can."""
    version = each.requirement.version
    word = "Overdue since" if each.is_overdue else "Due on"
    return Item(
        kind="signoff",
        icon="calendar-repeat",
        title=f"Sign {version} of {version.framework.name} again: {each.requirement.label}",
        detail=f"{word} {day(each.due_at)}, every {each.requirement.recertify_days} days.",
        url=reverse("frameworks:version_recertify", args=[version.framework.slug, version.number]),
        asked_by="the sign-off policy",
        since=min(each.due_at - OPENS_BEFORE, at),
        due_on=timezone.localdate(each.due_at),
        ref=f"recertify:{version.uuid}:{each.requirement.code}:{each.due_at:%Y-%m-%d}",
    )


# Drafts, discussion, activation


def _confirmations(user: User) -> Iterator[Item]:
    """Drafts with ASSUMED parts, for those who write drafts and may confirm."""
    if not (user.has_perm("frameworks.edit_draft") and user.has_perm("frameworks.confirm_part")):
        return
    drafts = FrameworkVersion.objects.filter(state=State.DRAFT).select_related("framework", "author")
    for version in drafts.order_by("pk")[:MOST]:
        yield from _removals(version, user)
        count = assumed(version.parts.exclude(kind__in=CONFIRMED_LATER).order_by()).count()
        if count:
            parts = f"{count} ASSUMED part{'' if count == 1 else 's'}"
            yield Item(
                kind="confirmation",
                icon="checkbox",
                title=f"Confirm {parts} of {version} of {version.framework.name}",
                detail="A draft can be submitted when somebody said of every part how they know it is right.",
                url=reverse("frameworks:version_detail", args=[version.framework.slug, version.number]),
                asked_by=version.author.name,
                since=version.created_at,
                due_on=due_dates.confirmation_due(version),
                ref=f"confirm:{version.uuid}:{version.round}",
            )


def _removals(version: FrameworkVersion, user: User) -> Iterator[Item]:
    """Policies that somebody else took out of a draft: one entry each, as each needs a reason."""
    for each in to_be_confirmed(version):
        if not each.was_removed_by(user):
            yield Item(
                kind="confirmation",
                icon="checkbox",
                title=f"Confirm that the {each.phrase} leaves {version} of {version.framework.name}",
                detail="A policy in force is taken out by two people: say how you know that it may go, or put it back.",
                url=reverse("frameworks:version_detail", args=[version.framework.slug, version.number]),
                asked_by=each.taken_out_by,
                since=each.since,
                due_on=due_dates.confirmation_due(version),
                ref=f"confirm-removal:{version.uuid}:{each.key}:{each.since.isoformat()}",
            )


def _help(user: User, at: datetime) -> Iterator[Item]:
    for row in waiting_for_help(at):
        if any(person.pk == user.pk for person in row.told.all()):
            yield help_item(row)


def help_item(row: HelpRequest) -> Item:
    """Too few people can sign something: for each of those who can do something about it."""
    version = row.version
    name = f"{version} of {version.framework.name}"
    return Item(
        kind="help",
        icon="lifebuoy",
        title=f"{row.printed_name} asks for help: too few can sign {row.label} in {name}",
        detail=f"“{row.message}” {row.reason}",
        url=reverse("frameworks:version_help", args=[version.framework.slug, version.number, row.code]),
        asked_by=row.printed_name,
        since=row.asked_at,
        ref=f"help:{row.uuid}",
    )


def _mentions(user: User) -> Iterator[Item]:
    rows = mentions_waiting_for(user).select_related("comment__version__framework")
    shown = list(rows[:MOST])
    about = subjects_of([mention.comment for mention in shown])
    for mention in shown:
        comment, version = mention.comment, mention.comment.version
        here = reverse("frameworks:version_discussion", args=[version.framework.slug, version.number])
        yield Item(
            kind="mention",
            icon="at",
            title=f"{comment.printed_name} asks you about {about[comment.pk]}",
            detail=comment.text,
            url=f"{here}?show=mine#c-{comment.uuid}",
            asked_by=comment.printed_name,
            since=comment.created_at,
            due_on=due_dates.mention_due(mention),
            ref=f"mention:{comment.uuid}",
        )


def _versions(user: User) -> Iterator[Item]:
    if not user.has_perm("frameworks.activate_version"):
        return
    live = AssignmentRun.objects.live().values("framework_version_id")
    approved = FrameworkVersion.objects.filter(state=State.APPROVED).exclude(pk__in=live)
    for version in approved.select_related("framework", "author"):
        yield Item(
            kind="version",
            icon="rocket",
            title=f"Activate {version} of {version.framework.name}",
            detail=version.state_reason
            or "Every sign-off is there. Activation evaluates all accounts first and shows what would move.",
            url=reverse("frameworks:version_detail", args=[version.framework.slug, version.number]),
            asked_by=version.author.name,
            since=version.submitted_at or version.created_at,
            due_on=due_dates.activation_due(version),
            ref=f"activate:{version.uuid}:{version.round}",
        )
