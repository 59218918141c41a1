"""Talking about a version: comments on its parts, people called in, threads resolved and reopened."""

from datetime import datetime
from hashlib import sha256

from django.db import transaction
from django.db.models import Q

from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleThreadError
from frameworks.governed import governed
from frameworks.mentions import Mentionable, mentioned
from frameworks.models import Comment, FrameworkVersion, Mention, User
from frameworks.services.access import require_permission

CHARACTERS = 5_000


def add_comment(
    *,
    version: FrameworkVersion,
    part_kind: str,
    part_key: str,
    thread: Comment | None,
    text: str,
    actor: User,
    at: datetime,
) -> Comment:
    """Say something about a part (or about the version: kind and key empty), or reply in a thread.

    People named by "@" are called in. A reply takes the thread's part and notes the mentions its author had there.
    Raises InvalidError (nothing said, no such part), ConflictError (a thread of another framework).
    """
    require_permission(actor, "comment_version", to="comment")
    text = text.strip()
    if not text or len(text) > CHARACTERS:
        raise InvalidError([f"Write a comment of at most {CHARACTERS:,} characters." if text else "Write a comment."])
    if thread:
        thread = thread.thread or thread
        if thread.framework_id != version.framework_id:
            raise ConflictError("That thread is about another framework.")
        part_kind, part_key = thread.part_kind, thread.part_key
    elif part_key and not version.parts.filter(kind=part_kind, key=part_key).exists():
        raise InvalidError(["There is no such part in this version."])
    comment = Comment(
        framework_id=version.framework_id,
        version=version,
        part_kind=part_kind if part_key else "",
        part_key=part_key,
        thread=thread,
        text=text,
        author=actor,
        printed_name=actor.name,
        created_at=at,
    )
    with governed("comment.added", actor=actor, target=version, at=at) as act:
        comment.save(force_insert=True)
        called = _called_in(comment)
        Mention.objects.bulk_create([Mention(comment=comment, person_id=pk) for pk in called])
        if thread:
            _note(actor, thread, at)
        about = f"{part_kind} {part_key}".strip()
        act.after = {"comment": str(comment.uuid), "part": about, "called": str(len(called))}
    return comment


def _called_in(comment: Comment) -> list[int]:
    people = User.objects.filter(is_active=True, is_service=False).exclude(pk=comment.author_id)
    named = (Mentionable(*row) for row in people.values_list("pk", "name", "email"))
    return mentioned(comment.text, named)


def _note(person: User, thread: Comment, at: datetime) -> int:
    inside = Q(comment=thread) | Q(comment__thread=thread)
    return Mention.objects.filter(inside, person=person, noted_at__isnull=True).update(noted_at=at)


def note_mentions(*, thread: Comment, actor: User, at: datetime) -> int:
    """The reader has seen where they were named in this thread; how many mentions no longer wait."""
    thread = thread.thread or thread
    with governed("mention.noted", actor=actor, target=thread, at=at) as act:
        noted = _note(actor, thread, at)
        act.after = {"mentions": str(noted)}
    return noted


def resolve_thread(*, thread: Comment, actor: User, at: datetime, seen: str | None = None) -> Comment:
    """Settled: by whoever opened the thread, or whoever edits drafts. Raises NotAllowedError, ConflictError.

    `seen` is the state of the thread (`thread_state`) that the actor read; with it, StaleThreadError where that is
    another one now.
    """
    return _settle(thread, "comment.resolved", actor=actor, at=at, resolved_at=at, seen=seen)


def reopen_thread(*, thread: Comment, actor: User, at: datetime, seen: str | None = None) -> Comment:
    """Not settled after all: by anyone who may comment. Raises as `resolve_thread` does."""
    return _settle(thread, "comment.reopened", actor=actor, at=at, resolved_at=None, seen=seen)


def thread_state(thread: Comment) -> str:
    """Names what was said in a thread and whether it is settled: another text after every reply or settling."""
    said = [str(reply.uuid) for reply in thread.replies.all()]
    settled = thread.resolved_at.isoformat() if thread.resolved_at else ""
    return sha256(" ".join([str(thread.uuid), settled, *said]).encode()).hexdigest()


def _settle(
    thread: Comment, action: str, *, actor: User, at: datetime, resolved_at: datetime | None, seen: str | None
) -> Comment:
    require_permission(actor, "comment_version", to="comment")
    if resolved_at and not may_resolve(actor, thread):
        raise NotAllowedError("Whoever opened a thread resolves it, or somebody who edits drafts.")
    with transaction.atomic():
        thread.refresh_from_db(from_queryset=Comment.objects.select_for_update(of=("self",)))
        if thread.thread_id:
            raise ConflictError("A thread is resolved as a whole, not a reply in it.")
        # A reply holds a key share of its thread's row until it commits, so none can come between.
        if seen is not None and (state := thread_state(thread)) != seen:
            raise StaleThreadError(state)
        if thread.is_resolved == bool(resolved_at):
            raise ConflictError(f"This thread is {'resolved' if resolved_at else 'open'} already.")
        with governed(action, actor=actor, target=thread.version, at=at) as act:
            thread.resolved_at, thread.resolved_by = resolved_at, actor if resolved_at else None
            thread.save(update_fields=["resolved_at", "resolved_by"])
            act.after = {"comment": str(thread.uuid), "part": f"{thread.part_kind} {thread.part_key}".strip()}
    return thread


def may_resolve(person: User, thread: Comment) -> bool:
    """Whether this person may say that a thread is settled."""
    return thread.author_id == person.pk or person.has_perm("frameworks.edit_draft")
