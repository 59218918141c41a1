"""Talking about a version: the Discussion tab, comments on parts, and where one was called in."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET

from frameworks.discussion_page import threads_for
from frameworks.models import Comment, FrameworkVersion, Kind
from frameworks.naming import subjects_of
from frameworks.querysets import mentions_waiting_for, threads_on
from frameworks.services import discussion
from frameworks.views.answers import act, person
from frameworks.views.versions import page_of, render_tab, version_or_404

THREADS_PER_SHEET = 30
MENTIONS_SHOWN = 100


@login_required
@require_GET
def version_discussion(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Threads on this version and those it was drafted with; `?show=` open, resolved, mine or all."""
    page = page_of(request, slug, number)
    user = person(request)
    show = request.GET.get("show", "open")
    every = threads_on(page.version)
    found = {
        "resolved": every.filter(resolved_at__isnull=False),
        "mine": every.filter(pk__in=_threads_naming(user)),
        "all": every,
    }.get(show, every.filter(resolved_at__isnull=True))
    sheet = Paginator(found, THREADS_PER_SHEET).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "threads": threads_for(page, Comment.objects.filter(pk__in=[thread.pk for thread in sheet])),
        "sheet": sheet,
        "show": show if show in ("resolved", "mine", "all") else "open",
        "may_comment": user.has_perm("frameworks.comment_version"),
        "shows": (("open", "Open"), ("resolved", "Resolved"), ("mine", "Naming you"), ("all", "All")),
    }
    return render_tab(request, page, "version_discussion", **context)


def _threads_naming(user: Any) -> list[int]:
    rows = user.mentions.values_list("comment_id", "comment__thread_id")
    return [thread or comment for comment, thread in rows]


@act
def comment_add(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """A new thread on `part` (kind/key, empty for the version), or a reply to `thread`."""
    version = version_or_404(slug, number)
    kind, _, key = request.POST.get("part", "").partition("/")
    comment = discussion.add_comment(
        version=version,
        part_kind=kind if kind in Kind.values else "",
        part_key=key,
        thread=_thread(version, request.POST.get("thread", "")),
        text=request.POST.get("text", ""),
        actor=person(request),
        at=timezone.now(),
    )
    called = comment.mentions.count()
    messages.success(request, f"Said, and {called} called in." if called else "Said.")
    return redirect(f"{_next(request, version)}#c-{comment.uuid}")


@act
def thread_settle(request: HttpRequest, slug: str, number: int, thread: UUID, to: str) -> HttpResponse:
    """Resolve or reopen a thread, or note that one was called in there."""
    version = version_or_404(slug, number)
    found = get_object_or_404(Comment, uuid=thread, framework=version.framework)
    services: dict[str, Any] = {
        "resolve": discussion.resolve_thread,
        "reopen": discussion.reopen_thread,
        "note": discussion.note_mentions,
    }
    if to not in services:
        raise Http404("There is nothing like that to do with a thread.")
    services[to](thread=found, actor=person(request), at=timezone.now())
    said = {"resolve": "Resolved.", "reopen": "Open again.", "note": "Noted."}
    messages.success(request, said[to])
    return redirect(_next(request, version))


@login_required
@require_GET
def my_mentions(request: HttpRequest) -> HttpResponse:
    """Where somebody called the reader in and waits for them."""
    waiting = mentions_waiting_for(person(request)).select_related("comment__version__framework", "comment__thread")
    shown = list(waiting[:MENTIONS_SHOWN])
    about = subjects_of([mention.comment for mention in shown])
    mentions = [(mention, about[mention.comment_id]) for mention in shown]
    return render(request, "frameworks/my_mentions.html", {"mentions": mentions})


def _thread(version: FrameworkVersion, uuid: str) -> Comment | None:
    if not uuid:
        return None
    try:
        return get_object_or_404(Comment.objects.select_related("thread"), uuid=UUID(uuid), framework=version.framework)
    except ValueError as error:
        raise Http404("There is no such thread.") from error


def _next(request: HttpRequest, version: FrameworkVersion) -> str:
    """Back to where the form stood, where that is a page of ours."""
    asked = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return asked
    place = {"slug": version.framework.slug, "number": version.number}
    return reverse("frameworks:version_discussion", kwargs=place)
