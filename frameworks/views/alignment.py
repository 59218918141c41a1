"""Definition alignment: one term with everybody's answer and its history, and the matrix of terms and people."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from frameworks.alignment import matrix, unaligned_first, used_by, voices_on, wordings_of
from frameworks.authentication import ways_to_prove
from frameworks.discussion_page import threads_about
from frameworks.models import Kind
from frameworks.querysets import contributor_ids
from frameworks.services.carrying import carried_words, is_carried, tally_with_carried
from frameworks.services.overruling import overruling_refusals, overruling_statement, withdrawing_refusals
from frameworks.services.signing import labels_of
from frameworks.transitions import UNDER_WAY
from frameworks.version_page import VersionPage
from frameworks.views.answers import person
from frameworks.views.versions import page_of, render_tab

TERMS_PER_SHEET = 60


@login_required
@require_GET
def term_detail(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """Owner, wording, how departments say it, who said Yes or No and why, and every wording before."""
    page = page_of(request, slug, number)
    part = (Kind.TERM.value, key)
    document = page.read([part])
    term = document.part(*part)
    if term is None:
        raise Http404("There is no such definition in this version.")
    used = used_by(dict(document.bodies[part]))
    names = page.names(used)
    voices = voices_on(tally_with_carried(page.version, page.at).about([part])[part])
    context: dict[str, Any] = {
        "term": term,
        "voices": voices,
        "disputes": _disputes(request, page, part),
        "overruled": _overruled(request, page, part),
        "ways": ways_to_prove(request, page.at),
        "next": request.get_full_path(),
        "yes": sum(voice.said == "yes" for voice in voices),
        "is_assumed": part in page.assumed_ids,
        "used": [(names.label_of(*each), page.part_url(each) if each in names.bodies else "") for each in used],
        "wordings": wordings_of(page.version, key),
        "threads": threads_about(page, *part),
        "may_comment": page.may("comment_version"),
    }
    return render_tab(request, page, "term_detail", current="version_definitions", **context)


def _disputes(request: HttpRequest, page: VersionPage, part: tuple[str, str]) -> list[dict[str, Any]]:
    """Requirements on the term with a No that stands and that somebody may approve over, for this person."""
    open_ones = [
        standing
        for standing in page.standings_about(part)
        if standing.is_disputed and standing.requirement.dissent_role and page.version.state in UNDER_WAY
    ]
    if not open_ones:
        return []
    wrote = page.user.pk in contributor_ids(page.version)
    labels = labels_of([standing.requirement for standing in open_ones], page.manifest)
    return [
        {
            "standing": standing,
            "statement": overruling_statement(standing, labels[standing.requirement.pk]),
            "refusals": overruling_refusals(standing, person(request), has_contributed=wrote),
        }
        for standing in open_ones
    ]


def _overruled(request: HttpRequest, page: VersionPage, part: tuple[str, str]) -> list[Any]:
    """Requirements on the term that this person could make disputed again, by taking an approval over dissent back."""
    if page.version.state not in UNDER_WAY:
        return []
    over = [standing for standing in page.standings_about(part) if standing.overruled_by]
    return [standing for standing in over if not withdrawing_refusals(standing, person(request))]


@login_required
@require_GET
def version_alignment(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Terms by stakeholders: Yes, No or open, of a draft as if it were submitted now; the unaligned stand first."""
    page = page_of(request, slug, number)
    keys = [key for _, key in page.keys_of(Kind.TERM)]
    tally = tally_with_carried(page.version, page.at)
    keys = unaligned_first(tally.by_part, keys)
    sheet: Page[Any] = Paginator(keys, TERMS_PER_SHEET).get_page(request.GET.get("page"))
    standings = tally.about([(Kind.TERM.value, key) for key in sheet.object_list])
    people, rows = matrix(page.version, standings, list(sheet.object_list))
    of_terms = [own for (kind, _), own in tally.by_part.items() if kind == Kind.TERM]
    carried = sum(is_carried(page.version, own) for own in of_terms)
    context: dict[str, Any] = {
        "people": people,
        "rows": rows,
        "sheet": sheet,
        "total": len(keys),
        "aligned": sum(all(each.is_met for each in own) for own in of_terms),
        "carried": carried_words(page.version, carried),
    }
    return render_tab(request, page, "version_alignment", current="version_definitions", **context)
