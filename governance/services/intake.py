"""The intake of a framework: opened, filled in by those who own the map, chased until it is complete, closed.

Who takes part and what for is in intake_scope, the rows of the form in intake_rows.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Framework, User
from frameworks.values import RefusedValueError, line, text
from governance.intake_standing import IntakeStanding
from governance.models import IntakeForm
from governance.services.requests import visible_characters

LONGEST_LINE, LONGEST_TEXT = 200, 2000
LAST_DUE_DAYS = 366
STALE = "Somebody changed this intake while you were editing it. Nothing of yours was saved over it."
LINES = {"crm": "CRM", "cs_platform": "CS platform"}
TEXTS = {"consumers": "Who consumes segments", "enrichment_tools": "Enrichment tools"}


def open_intake(*, framework: Framework, owner: User, due_on: date, actor: User, at: datetime) -> IntakeForm:
    """Start the intake of a framework, with one person who sees to it that it ends.

    Raises NotAllowedError, InvalidError, ConflictError when one is open already.
    """
    refuse_unless_editor(actor)
    refuse_bad_duty(owner, due_on, at)
    with transaction.atomic():
        # Two people open one at the same moment: the framework's row lets them in one after the other.
        Framework.objects.select_for_update(of=("self",), no_key=True).get(pk=framework.pk)
        if IntakeForm.objects.open().filter(framework=framework).exists():
            raise ConflictError("This framework has an open intake already.")
        intake = IntakeForm(framework=framework, owner=owner, due_on=due_on, opened_by=actor, opened_at=at)
        with governed("intake.opened", actor=actor, target=intake, at=at) as act:
            intake.save(force_insert=True)
            act.after = {"owner": owner.name, "due_on": due_on.isoformat()}
    return intake


def reassign_intake(
    *, intake: IntakeForm, owner: User, due_on: date, expected_version: int, actor: User, at: datetime
) -> IntakeForm:
    """Give the intake to another person, or another day. Raises NotAllowedError, InvalidError, ConflictError."""
    refuse_unless_editor(actor)
    with transaction.atomic():
        locked = lock_intake(intake)
        refuse_closed(locked)
        refuse_stale(locked, expected_version)
        if (locked.owner_id, locked.due_on) == (owner.pk, due_on):
            return locked
        refuse_bad_duty(owner, due_on, at, was=locked.due_on)
        with governed("intake.reassigned", actor=actor, target=locked, at=at) as act:
            act.before = {"owner": locked.owner.name, "due_on": locked.due_on.isoformat()}
            locked.owner, locked.due_on = owner, due_on
            bump(locked, "owner", "due_on")
            act.after = {"owner": owner.name, "due_on": due_on.isoformat()}
    return locked


def save_intake(
    *, intake: IntakeForm, answers: Mapping[str, Any], expected_version: int, actor: User, at: datetime
) -> IntakeForm:
    """Write the form's own answers: LINES, TEXTS and `has_no_fields`; what is left out of `answers` stays.

    Raises NotAllowedError, InvalidError with every problem, ConflictError when somebody else saved meanwhile or
    the scope is not signed.
    """
    refuse_unless_editor(actor)
    wanted = _checked(answers)
    with transaction.atomic():
        locked = lock_fillable(intake)
        refuse_stale(locked, expected_version)
        changed = {name: value for name, value in wanted.items() if getattr(locked, name) != value}
        if changed.get("has_no_fields") and locked.current_fields.exists():
            raise InvalidError(["Fields are listed: take them out before you say that there are none."])
        if not changed:
            return locked
        with governed("intake.saved", actor=actor, target=locked, at=at) as act:
            act.before = {name: getattr(locked, name) for name in changed}
            for name, value in changed.items():
                setattr(locked, name, value)
            bump(locked, *changed)
            act.after = changed
    return locked


def _checked(answers: Mapping[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    problems = []
    for name, value in answers.items():
        try:
            if name in LINES:
                wanted[name] = _without_blanks(line(value, most=LONGEST_LINE, may_be_blank=True))
            elif name in TEXTS:
                wanted[name] = _without_blanks(text(value, most=LONGEST_TEXT))
            elif name == "has_no_fields":
                wanted[name] = bool(value)
            else:
                problems.append(f"{name!r} is no question of the intake.")
        except RefusedValueError as error:
            problems.append(f"{(LINES | TEXTS)[name]}: {error.detail}")
    if problems:
        raise InvalidError(problems)
    return wanted


def _without_blanks(value: str) -> str:
    """A text of which nothing can be seen answers nothing."""
    return value if visible_characters(value) else ""


def close_intake(*, intake: IntakeForm, actor: User, at: datetime) -> IntakeForm:
    """Close a complete intake: it stays to be read, and the framework's next one may be opened.

    Raises NotAllowedError, ConflictError naming what is missing.
    """
    refuse_unless_editor(actor)
    with transaction.atomic():
        locked = lock_intake(intake)
        refuse_closed(locked)
        standing = IntakeStanding(locked, timezone.localdate(at))
        if not standing.is_complete:
            raise ConflictError("It is not complete yet. Missing:", reasons=[each.lacks for each in standing.missing])
        with governed("intake.closed", actor=actor, target=locked, at=at) as act:
            locked.closed_by, locked.closed_at = actor, at
            bump(locked, "closed_by", "closed_at")
            act.after = {"scope": standing.scope.digest if standing.scope else ""}
    return locked


# --- what the services of an intake share


def may_edit_intake(user: User) -> bool:
    return user.is_active and user.has_perm("governance.edit_intake")


def refuse_unless_editor(actor: User) -> None:
    if not may_edit_intake(actor):
        raise NotAllowedError("The intake is filled in by RevOps and the architect.")


def refuse_bad_duty(owner: User, due_on: date, at: datetime, *, was: date | None = None) -> None:
    """Raises InvalidError unless the owner can fill the form in and the day is a reasonable one."""
    problems = []
    if owner.is_service or not may_edit_intake(owner):
        problems.append("Choose somebody of RevOps or the architect: whoever is responsible has to fill it in.")
    away = (due_on - timezone.localdate(at)).days
    if due_on != was and not 0 <= away <= LAST_DUE_DAYS:
        problems.append("The day it is due is today at the earliest, and within a year.")
    if problems:
        raise InvalidError(problems)


def lock_intake(intake: IntakeForm) -> IntakeForm:
    """The intake as it is now, with its content; whoever changes anything of it waits here for the other."""
    IntakeForm.objects.select_for_update(of=("self",)).get(pk=intake.pk)
    found: IntakeForm = IntakeForm.objects.with_content().get(pk=intake.pk)
    return found


def lock_fillable(intake: IntakeForm) -> IntakeForm:
    """Raises ConflictError with the reason in words when the form cannot be filled in now."""
    locked = lock_intake(intake)
    if why_not := IntakeStanding(locked, locked.due_on).why_not_fillable:
        raise ConflictError(why_not)
    return locked


def refuse_closed(intake: IntakeForm) -> None:
    if not intake.is_open:
        raise ConflictError("This intake is closed. It stays to be read.")


def refuse_stale(intake: IntakeForm, expected_version: int) -> None:
    if intake.version != expected_version:
        raise ConflictError(STALE)


def bump(intake: IntakeForm, *changed: str) -> None:
    intake.version += 1
    intake.save(update_fields=[*changed, "version"])


def refuse_duplicate(error: IntegrityError, message: str) -> ConflictError:
    """The database's word that somebody was quicker, as ours; any other of its errors stays what it is."""
    if "unique" not in str(error):
        raise error
    return ConflictError(message)
