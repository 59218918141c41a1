"""The rows of an intake: what segments accounts today, the business questions, and what answers each of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.models import User
from frameworks.values import RefusedValueError, line
from governance.answer_pages import PAGES
from governance.intake_targets import Targets, working_version
from governance.models import BusinessQuestion, CurrentField, IntakeForm, QuestionAnswer
from governance.services.intake import bump, lock_fillable, refuse_duplicate, refuse_unless_editor
from governance.services.requests import visible_characters

MOST_ROWS = 200
MOST_ANSWERS = 20
GONE = "Somebody changed or removed it while you were editing. Nothing of yours was saved over it."
FIELD_LINES = {"name": ("Name", 150), "system": ("System", 150), "owner": ("Owner", 150)}
QUESTION_LINES = {"text": ("Question", 500), "asked_by": ("Asked by", 150)}
OPTIONAL = {"owner", "asked_by"}
TWICE = "It is listed already."


# --- what segments accounts today


def save_field(
    *,
    intake: IntakeForm,
    values: Mapping[str, Any],
    actor: User,
    at: datetime,
    field: CurrentField | None = None,
    expected_version: int = 0,
) -> CurrentField:
    """List a field, report, workflow or view of today; or write over `field` as it was at `expected_version`.

    `values`: type, name, system, owner, populated_guess (percent or None), fate, and counterpart, which is
    "kind/key" of a dimension or data source, or "". Raises NotAllowedError, InvalidError, ConflictError.
    """
    refuse_unless_editor(actor)
    with transaction.atomic():
        locked = lock_fillable(intake)
        row: CurrentField = _row(CurrentField, locked, field, expected_version)
        wanted = _field_values(values, locked, row)
        before = {name: getattr(row, name) for name in wanted} if field else {}
        if before == wanted:
            return row
        with governed(
            "intake.field_changed" if field else "intake.field_listed", actor=actor, target=locked, at=at
        ) as act:
            _write(row, wanted)
            if locked.has_no_fields:
                locked.has_no_fields = False
            bump(locked, "has_no_fields")
            act.before, act.after = _plain(before), _plain(wanted)
    return row


def remove_field(*, field: CurrentField, expected_version: int, actor: User, at: datetime) -> None:
    """Take it out of the list. Raises NotAllowedError, ConflictError."""
    _remove(field, expected_version, "intake.field_removed", actor, at)


def _field_values(values: Mapping[str, Any], intake: IntakeForm, row: CurrentField) -> dict[str, Any]:
    wanted, problems = _lines(values, FIELD_LINES)
    for name, choices in (("type", CurrentField.Type), ("fate", CurrentField.Fate)):
        wanted[name] = values.get(name, "")
        if wanted[name] not in choices.values:
            problems.append(f"Choose what it is from the list: {wanted[name]!r} is not offered.")
    guess = values.get("populated_guess")
    wanted["populated_guess"] = guess
    if guess is not None and (not isinstance(guess, int) or not 0 <= guess <= 100):
        problems.append("How much of it is populated is a share from 0 to 100 %.")
    kind, _, key = str(values.get("counterpart") or "").partition("/")
    wanted |= {"counterpart_kind": kind, "counterpart_key": key}
    # What is stored may be gone from the framework meanwhile: the page says so, and saving the rest is no harm.
    if (kind, key) not in (("", ""), (row.counterpart_kind, row.counterpart_key)):
        known = Targets(intake.framework, working_version(intake.framework)).here
        if kind not in CurrentField.COUNTERPARTS or (kind, key) not in known:
            problems.append("Its counterpart is a dimension or an attribute of the framework.")
    if problems:
        raise InvalidError(problems)
    return wanted


# --- business questions


def save_question(
    *,
    intake: IntakeForm,
    values: Mapping[str, Any],
    actor: User,
    at: datetime,
    question: BusinessQuestion | None = None,
    expected_version: int = 0,
) -> BusinessQuestion:
    """Ask a question (text, asked_by), or reword `question`. Raises NotAllowedError, InvalidError, ConflictError."""
    refuse_unless_editor(actor)
    wanted, problems = _lines(values, QUESTION_LINES)
    if problems:
        raise InvalidError(problems)
    with transaction.atomic():
        locked = lock_fillable(intake)
        row: BusinessQuestion = _row(BusinessQuestion, locked, question, expected_version)
        before = {name: getattr(row, name) for name in wanted} if question else {}
        if before == wanted:
            return row
        action = "intake.question_reworded" if question else "intake.question_asked"
        with governed(action, actor=actor, target=locked, at=at) as act:
            _write(row, wanted)
            act.before, act.after = before, wanted
    return row


def remove_question(*, question: BusinessQuestion, expected_version: int, actor: User, at: datetime) -> None:
    """Take it out, with its links. Raises NotAllowedError, ConflictError."""
    _remove(question, expected_version, "intake.question_removed", actor, at)


def link_answer(*, question: BusinessQuestion, target: str, actor: User, at: datetime) -> QuestionAnswer:
    """Name what answers the question: "dimension/tier", "segment/tier/smb", "term/arr" or "page/accounts".

    Raises NotAllowedError, InvalidError for something that is not there, ConflictError when it is named already.
    """
    refuse_unless_editor(actor)
    kind, _, key = target.partition("/")
    with transaction.atomic():
        locked = lock_fillable(question.intake)
        _refuse_gone(question)
        if not _is_there(locked, kind, key):
            raise InvalidError(["Choose a dimension, a segment, a definition or a page from the list."])
        if question.answers.filter(kind=kind, key=key).exists():
            raise ConflictError("It is named already.")
        if question.answers.count() >= MOST_ANSWERS:
            raise InvalidError([f"At most {MOST_ANSWERS} answers to one question."])
        row = QuestionAnswer(question=question, kind=kind, key=key, linked_by=actor, linked_at=at)
        with governed("intake.answer_linked", actor=actor, target=locked, at=at) as act:
            row.save(force_insert=True)
            act.after = {"question": question.text, "answer": f"{kind} {key}"}
    return row


def unlink_answer(*, question: BusinessQuestion, target: str, actor: User, at: datetime) -> None:
    """Take a link away. Raises NotAllowedError, ConflictError when it is gone."""
    refuse_unless_editor(actor)
    kind, _, key = target.partition("/")
    with transaction.atomic():
        locked = lock_fillable(question.intake)
        row = question.answers.filter(kind=kind, key=key).first()
        if row is None:
            raise ConflictError("Somebody took this link away already.")
        with governed("intake.answer_unlinked", actor=actor, target=locked, at=at) as act:
            act.before = {"question": question.text, "answer": f"{kind} {key}"}
            row.delete()


def _is_there(intake: IntakeForm, kind: str, key: str) -> bool:
    if kind == QuestionAnswer.Kind.PAGE:
        return key in PAGES
    if kind not in QuestionAnswer.Kind.values:
        return False
    return (kind, key) in Targets(intake.framework, working_version(intake.framework)).here


# --- what rows share


def _lines(values: Mapping[str, Any], lines: Mapping[str, tuple[str, int]]) -> tuple[dict[str, Any], list[str]]:
    wanted: dict[str, Any] = {}
    problems = []
    for name, (label, most) in lines.items():
        try:
            wanted[name] = line(values.get(name, ""), most=most, may_be_blank=name in OPTIONAL)
        except RefusedValueError as error:
            problems.append(f"{label}: {error.detail}")
            continue
        if name not in OPTIONAL and not visible_characters(wanted[name]):
            problems.append(f"{label}: Must not be blank.")
    return wanted, problems


def _row(model: Any, intake: IntakeForm, row: Any, expected_version: int) -> Any:
    """The stored row to write over, or a new one of the intake. Raises ConflictError, InvalidError."""
    if row is None:
        if model.objects.filter(intake=intake).count() >= MOST_ROWS:
            raise InvalidError([f"At most {MOST_ROWS} of them."])
        return model(intake=intake)
    stored = model.objects.filter(pk=row.pk, intake=intake).first()
    if stored is None or stored.version != expected_version:
        raise ConflictError(GONE)
    return stored


def _write(row: Any, wanted: Mapping[str, Any]) -> None:
    """Raises ConflictError where the same row is there already."""
    for name, value in wanted.items():
        setattr(row, name, value)
    row.version = row.version + 1 if row.pk else 1
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise refuse_duplicate(error, TWICE) from error


def _remove(
    row: CurrentField | BusinessQuestion, expected_version: int, action: str, actor: User, at: datetime
) -> None:
    refuse_unless_editor(actor)
    with transaction.atomic():
        locked = lock_fillable(row.intake)
        stored = _row(type(row), locked, row, expected_version)
        with governed(action, actor=actor, target=locked, at=at) as act:
            act.before = {"name": str(stored)}
            stored.delete()


def _refuse_gone(question: BusinessQuestion) -> None:
    if not BusinessQuestion.objects.filter(pk=question.pk).exists():
        raise ConflictError("Somebody removed this question. Nothing was linked.")


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """For the audit chain, in which numbers are strings."""
    return {name: str(value) if isinstance(value, int) else value for name, value in values.items()}
