"""What waits for a person, what they wait for, and what changed: read from the state of things, never stored."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db.models import Max, Q
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, AssignmentRun, Cause, Override, Transition
from accounts.services.overrides import overrides_in_force
from frameworks.coverage import manifest_under
from frameworks.gates import CONFIRMED_LATER
from frameworks.models import Framework, FrameworkVersion, HelpRequest, Requirement, Segment, Signoff, User
from frameworks.naming import subjects_of
from frameworks.querysets import asked_of, assumed, mentions_waiting_for
from frameworks.recertification import OPENS_BEFORE, Recertification, open_recertifications
from frameworks.roles import Role, roles_of
from frameworks.services.delegation import principals_of
from frameworks.services.helping import waiting_for_help
from frameworks.services.signing import labels_of
from frameworks.signing_page import ASKED_AGAIN
from frameworks.standing import Lapse, RequirementStanding
from frameworks.standing_tally import tally_of
from frameworks.templatetags.cutline import day
from governance.models import OverrideRequest, TransitionReview
from governance.services import due_dates
from governance.services.eligibility import approvals_of, awaited_roles
from governance.services.intake_waiting import intakes_waiting_for
from governance.services.meeting_inbox import meeting_items
from governance.services.move_policies import told_dimensions
from governance.services.retiring import RECONFIRM_WITHIN, overrides_to_reconfirm

State = FrameworkVersion.State

KINDS = {
    "signoff": "Sign-offs",
    "confirmation": "Confirmations",
    "help": "Help asked",
    "mention": "Mentions",
    "homework": "Homework",
    "decision": "Decisions",
    "review": "Reviews",
    "move": "Moves",
    "version": "Versions",
    "run": "Runs",
    "intake": "Intake",
}
MOST = 200
"""Rows of one kind that the inbox shows; the lists behind it show all."""
NAMED = 3
"""So many points of a version are named, the rest is counted."""


@dataclass(frozen=True)
class Item:
    """One thing that waits for the reader: what, since when, until when, asked by whom, and where it is done.

    `due_on` None: it asks for nothing. `ref` names the thing for as long as it is the same one.
    """

    kind: str
    icon: str
    title: str
    detail: str
    url: str
    asked_by: str
    since: datetime
    due_on: date | None = None
    ref: str = ""


@dataclass(frozen=True)
class Wait:
    """Something the reader asked for and others decide: `on` names who acts next."""

    title: str
    on: str
    url: str
    since: datetime


@dataclass(frozen=True)
class Step:
    """One of the first steps of an installation; the first that is not done is the next."""

    title: str
    detail: str
    url: str
    is_done: bool


def waiting_for(user: User, at: datetime) -> list[Item]:
    """Everything that waits for this person: what is due first, and the oldest of what has no date after it."""
    items = [
        *_signoffs(user, at),
        *_recertifications(user, at),
        *_confirmations(user),
        *_help(user, at),
        *_mentions(user),
        *(Item(kind="homework", **each) for each in meeting_items(user, at)),
        *waiting_by_role(user),
        *_to_reconfirm(user, at),
        *_told_moves(user, at),
        *_intakes(user, at),
    ]
    return sorted(items, key=lambda item: (item.due_on or date.max, item.since))


def waiting_by_role(user: User) -> list[Item]:
    """What waits for anybody in this person's roles who may act, not for the person by name."""
    return [*_decisions(user), *_reviews(user), *_versions(user), *_held_runs(user)]


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
        title=f"Sign {each.requirement.label} of {version.framework.name} again",
        detail=f"{word} {day(each.due_at)}, every {each.requirement.recertify_days} days, on {version}.",
        url=reverse("frameworks:version_recertify", args=[version.framework.slug, version.number]),
        asked_by="the sign-off policy",
        since=min(each.due_at - OPENS_BEFORE, at),
        due_on=timezone.localdate(each.due_at),
        ref=f"recertify:{version.uuid}:{each.requirement.code}:{each.due_at:%Y-%m-%d}",
    )


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


def _confirmations(user: User) -> Iterator[Item]:
    """Drafts with ASSUMED parts, for those who write drafts and may confirm."""
    if not (user.has_perm("frameworks.edit_draft") and user.has_perm("frameworks.confirm_part")):
        return
    drafts = FrameworkVersion.objects.filter(state=State.DRAFT).select_related("framework", "author")
    for version in drafts.order_by("pk")[:MOST]:
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


def decidable_by(user: User) -> list[OverrideRequest]:
    """Open requests whose next approval is this person's to give, oldest first."""
    roles = set(roles_of(user))
    if user.is_service or not roles & {Role.CS_OPS, Role.DEAL_DESK}:
        return []
    rows = list(
        OverrideRequest.objects.open().without_interest_of(user).with_people().order_by("requested_at", "pk")[:MOST]
    )
    awaited = awaited_roles(rows)
    return [row for row in rows if awaited.get(row.pk) in roles and not _has_approved(row, user)]


def _has_approved(request: OverrideRequest, user: User) -> bool:
    return any(decision.decided_by_id == user.pk for decision in approvals_of(request))


def _decisions(user: User) -> Iterator[Item]:
    for row in decidable_by(user):
        arr = f"ARR {row.account.arr:,.0f} {row.account.currency}, " if row.account.arr is not None else ""
        yield Item(
            kind="decision",
            icon="git-pull-request",
            title=f"Override: {row.account} to {row.segment}",
            detail=f"From {row.computed or 'Unassigned'}, {arr}until {row.valid_until:%d %b %Y}. “{row.reason}”",
            url=reverse("governance:request_detail", args=[row.uuid]),
            asked_by=row.requested_by.name,
            since=row.requested_at,
            due_on=due_dates.decision_due(row),
            ref=f"decide:{row.uuid}:{row.version}",
        )


def _to_reconfirm(user: User, at: datetime) -> Iterator[Item]:
    """Overrides that a split ended: whoever decides overrides says whether another is asked for."""
    if not user.has_perm("governance.decide_override"):
        return
    for row in overrides_to_reconfirm(at)[:MOST]:
        now = row.computed_name or "Unassigned"
        yield Item(
            kind="decision",
            icon="git-branch",
            title=f"Reconfirm: {row.account} was {row.segment.name} by override",
            detail=f"{row.segment.name} was split; the account counts as {now} by the rules. “{row.reason}”",
            url=reverse("governance:override_request", args=[row.account.uuid]),
            asked_by=row.created_by.name,
            since=row.ended_at,
            due_on=timezone.localdate(row.ended_at + RECONFIRM_WITHIN),
            ref=f"reconfirm:{row.uuid}",
        )


def _reviews(user: User) -> Iterator[Item]:
    """Held moves and conflicts that this person may decide; overdue ones also wait for RevOps."""
    rows = TransitionReview.objects.open().without_interest_of(user).with_people()
    if not user.has_perm("governance.decide_transition"):
        rows = rows.filter(escalated_at__isnull=False) if Role.REVOPS in roles_of(user) else rows.none()
    for row in rows.order_by("opened_at", "pk")[:MOST]:
        yield Item(
            kind="review",
            icon="arrows-up-down",
            title=f"{row.get_kind_display()}: {row.account}",
            detail=f"{row.move}.",
            url=reverse("governance:review_detail", args=[row.uuid]),
            asked_by="the rules",
            since=row.opened_at,
            due_on=row.due_on,
            ref=f"review:{row.uuid}",
        )


def _told_moves(user: User, at: datetime) -> Iterator[Item]:
    """Moves of the person's own accounts within a week, in dimensions that tell of such moves."""
    told = told_dimensions()
    if not told:
        return
    book = Account.objects.filter(Q(csm=user) | Q(ae=user))
    rows = Transition.objects.filter(
        account__in=book, dimension__in=told, effective_at__gt=at - timedelta(days=7)
    ).exclude(cause=Cause.INITIAL)
    for row in rows.select_related("account", "dimension", "from_segment", "to_segment").order_by("-pk")[:MOST]:
        if (
            row.from_segment
            and row.to_segment
            and _direction(row.from_segment, row.to_segment) in told[row.dimension_id]
        ):
            yield Item(
                kind="move",
                icon="arrows-up-down",
                title=f"{row.account} is now {row.to_segment}",
                detail=f"It was {row.from_segment} in {row.dimension}: {_cause(row)}.",
                url=reverse("accounts:account_detail", args=[row.account.uuid]),
                asked_by="the rules",
                since=row.effective_at,
            )


def _direction(from_segment: Segment, to_segment: Segment) -> str:
    return "downgrade" if to_segment.rank > from_segment.rank else "upgrade"


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


def _held_runs(user: User) -> Iterator[Item]:
    if not user.has_perm("accounts.release_run"):
        return
    for run in AssignmentRun.objects.filter(state=AssignmentRun.State.HELD).exclude(requested_by=user):
        yield Item(
            kind="run",
            icon="player-pause",
            title=f"Run {run.pk} is held by the guard",
            detail=" ".join(map(str, run.held_because)),
            url=reverse("accounts:run_detail", args=[run.uuid]),
            asked_by="the change guard",
            since=run.evaluated_at or run.created_at,
            due_on=due_dates.held_run_due(run),
            ref=f"run:{run.uuid}",
        )


def _intakes(user: User, at: datetime) -> Iterator[Item]:
    for each in intakes_waiting_for(user, at):
        yield Item(kind="intake", icon="clipboard-list", **vars(each))


def waits_of(user: User) -> list[Wait]:
    """The person's own open requests, and whose turn it is."""
    rows = list(OverrideRequest.objects.open().asked_by(user).with_people().order_by("requested_at", "pk")[:MOST])
    awaited = awaited_roles(rows)
    return [
        Wait(
            title=f"{row.account} as {row.segment}",
            on=awaited[row.pk].label if row.pk in awaited else row.get_state_display(),
            url=reverse("governance:request_detail", args=[row.uuid]),
            since=row.requested_at,
        )
        for row in rows
    ]


def latest_changes(user: User, limit: int = 8) -> list[dict[str, object]]:
    """Events for a timeline, newest first: runs, and single moves; a CSM's own book only."""
    events = [*_moves(user, limit), *_runs(limit)]
    return sorted(events, key=lambda event: str(event["at"]), reverse=True)[:limit]


def _moves(user: User, limit: int) -> Iterator[dict[str, object]]:
    if roles_of(user) == [Role.CSM]:
        book = Account.objects.filter(Q(csm=user) | Q(ae=user))
        rows = Transition.objects.exclude(cause=Cause.INITIAL).filter(account__in=book)
    else:
        # Runs append by the million: without the bound, finding single moves would read through all of them.
        newest = Transition.objects.aggregate(newest=Max("pk"))["newest"] or 0
        rows = Transition.objects.filter(run__isnull=True, pk__gt=newest - 50_000).exclude(cause=Cause.INITIAL)
    for row in rows.select_related("account", "from_segment", "to_segment").order_by("-pk")[:limit]:
        yield {
            "title": row.account.name,
            "text": f"{row.from_segment or 'Unassigned'} → {row.to_segment or 'Unassigned'}, {_cause(row)}",
            "at": row.effective_at,
            "url": reverse("accounts:account_detail", args=[row.account.uuid]),
            "action": "Why?",
        }


def _cause(transition: Transition) -> str:
    return Cause(transition.cause).label.lower()


def _runs(limit: int) -> Iterator[dict[str, object]]:
    finished = AssignmentRun.objects.filter(state=AssignmentRun.State.APPLIED, finished_at__isnull=False)
    for run in finished.select_related("framework_version").order_by("-finished_at")[:limit]:
        moved = moved_accounts(run)
        yield {
            "title": f"{moved:,} segments changed" if moved else "Nothing moved",
            "text": f"{run.get_kind_display()} under {run.framework_version}, {run.accounts:,} accounts",
            "at": run.finished_at,
            "url": reverse("accounts:run_detail", args=[run.uuid]),
            "action": "See the run",
        }


def moved_accounts(run: AssignmentRun) -> int:
    """Segments that the run changed, over all dimensions."""
    counts: Counter[str] = Counter()
    for by_from in run.moves.values():
        for was, by_to in by_from.items():
            counts["moved"] += sum(count for now, count in by_to.items() if now != was)
    return counts["moved"]


def ending_overrides(at: datetime, days: int = 30) -> list[Override]:
    """Overrides in force that end within `days`, the next first."""
    ending = overrides_in_force(at).filter(valid_until__lte=at + timedelta(days=days))
    return list(ending.select_related("account", "segment").order_by("valid_until")[:MOST])


def first_steps() -> list[Step]:
    """The way to a first active version; empty once there is one."""
    if Framework.objects.filter(active_version__isnull=False).exists():
        return []
    version = FrameworkVersion.objects.select_related("framework").order_by("-pk").first()
    state = version.state if version else ""
    here = reverse("frameworks:framework_list")
    if version:
        here = reverse("frameworks:version_detail", args=[version.framework.slug, version.number])
    return [
        Step(
            "Import accounts",
            "A CSV from the CRM; each column is matched to an attribute.",
            reverse("accounts:import_list"),
            is_done=Account.objects.exists(),
        ),
        Step(
            "Make a framework",
            "From a template; everything in it starts as assumed.",
            reverse("frameworks:framework_create"),
            is_done=version is not None,
        ),
        Step(
            "Submit it for review",
            "The definitions freeze and people are asked to sign.",
            here,
            state not in ("", State.DRAFT),
        ),
        Step(
            "Collect the sign-offs",
            "The version's page names who is missing.",
            here,
            is_done=state == State.APPROVED,
        ),
        Step("Activate it", "Every account gets one segment per dimension, or a reason why not.", here, is_done=False),
    ]
