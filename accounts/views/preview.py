"""Figures for the dimension editor: asked for while somebody types, about rules that are saved nowhere."""

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import Reason
from accounts.services import preview
from accounts.services.findings import find_in_edit
from accounts.services.preview import Counted, Figure, Stretch
from frameworks.account_lists import lists_for
from frameworks.definition import Bodies, bodies_of
from frameworks.dimension_edit import Judgement, judge_edit
from frameworks.editor_page import EditorPage
from frameworks.errors import InvalidError
from frameworks.finding_rows import shown_finding
from frameworks.models import FrameworkVersion, Kind
from frameworks.views.answers import person
from frameworks.views.editor import answers_json, dimension_or_404, read_json, sent_edit

MOST_CUTS = 200


def _judged(request: HttpRequest, version: FrameworkVersion, key: str) -> tuple[Judgement, dict[str, Any]]:
    """The edit with its texts read. Raises InvalidError while anything in it is wrong: nothing is counted then."""
    edit, sent = sent_edit(request, key)
    bodies = bodies_of(version)
    judgement = judge_edit(edit, bodies, lists=lists_for(bodies))
    if judgement.problems:
        raise InvalidError("Counts wait until every rule can be read.")
    return judgement, sent


@answers_json
def dimension_preview(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """Accounts and ARR per segment as edited; with `"before": true` also as they are now."""
    version = dimension_or_404(slug, number, key)
    judgement, sent = _judged(request, version, key)
    framework, at = version.framework, timezone.now()
    after = preview.count_dimension(version=version, bodies=judgement.bodies, dimension=key, at=at)
    found: dict[str, Any] = {"after": _counted(after)}
    if sent.get("before"):
        today = preview.count_today(framework=framework, dimension=key) if framework.active_version_id else None
        stored = bodies_of(version)
        before = today or preview.count_dimension(version=version, bodies=stored, dimension=key, at=at)
        found |= {"before": _counted(before), "since": "today" if today else "saved"}
    return JsonResponse(found)


def _counted(counted: Counted) -> dict[str, Any]:
    labels = dict(Reason.choices)
    return {
        "accounts": counted.accounts,
        "segments": {key or "": _figure(figure) for key, figure in counted.segments.items()},
        "reasons": [
            {"reason": reason, "label": labels.get(reason, reason), **_figure(figure)}
            for reason, figure in sorted(counted.reasons.items(), key=lambda pair: -pair[1].accounts)
        ],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {"accounts": figure.accounts, "arr": str(figure.arr)}


@answers_json
def dimension_stretches(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """Gaps and overlaps along one attribute, with example accounts."""
    version = dimension_or_404(slug, number, key)
    judgement, sent = _judged(request, version, key)
    found = preview.find_stretches(
        version=version,
        bodies=judgement.bodies,
        dimension=key,
        attribute=_attribute(sent, judgement.bodies),
        cuts=_cuts(sent),
        at=timezone.now(),
    )
    return JsonResponse({"stretches": [_stretch(stretch) for stretch in found]})


@answers_json
def dimension_findings(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """What the rules as edited leave open or claim twice, with the accounts there today: as a list and on axes."""
    version = dimension_or_404(slug, number, key)
    judgement, _ = _judged(request, version, key)
    findings, places = find_in_edit(version=version, bodies=judgement.bodies, dimension=key, at=timezone.now())
    page = EditorPage(version, key, person(request))
    listed = render_to_string(
        "frameworks/_edit_findings.html",
        {"page": page, "findings": [shown_finding(each) for each in findings], "is_stored": judgement.is_as_stored},
        request,
    )
    marks = [asdict(place) for place in places]
    return JsonResponse({"html": listed, "places": marks})


def _attribute(sent: Mapping[str, Any], bodies: Bodies) -> str:
    attribute = sent.get("attribute")
    if not isinstance(attribute, str) or (Kind.DATA_SOURCE.value, attribute) not in bodies:
        raise InvalidError("There is no such attribute in this version.")
    return attribute


def _cuts(sent: Mapping[str, Any]) -> list[float]:
    cuts = sent.get("cuts", [])
    if not isinstance(cuts, list) or len(cuts) > MOST_CUTS:
        raise InvalidError(f"Cutlines are a list of {MOST_CUTS} numbers at most.")
    numbers = [cut for cut in cuts if isinstance(cut, int | float) and not isinstance(cut, bool)]
    if len(numbers) < len(cuts) or not all(map(math.isfinite, numbers)):
        raise InvalidError("A cutline is a number.")
    return sorted({float(cut) for cut in numbers})


def _stretch(stretch: Stretch) -> dict[str, Any]:
    return {
        "kind": stretch.kind,
        "segment": stretch.segment or "",
        "losers": stretch.losers,
        "accounts": stretch.accounts,
        "low": stretch.low,
        "high": stretch.high,
        "examples": [{"name": account.name, "uuid": str(account.uuid)} for account in stretch.examples],
    }


@answers_json
def dimension_choices(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """What a missing value could count as in one leaf, and how many accounts each choice would move."""
    version = dimension_or_404(slug, number, key)
    judgement, sent = _judged(request, version, key)
    segment = (Kind.SEGMENT.value, f"{key}/{sent.get('segment')}")
    if segment not in judgement.bodies:
        raise InvalidError("There is no such segment in this edit.")
    place, node_id = str(sent.get("place")), str(sent.get("node"))
    variants = {
        choice: {**judgement.bodies, segment: _with_missing(judgement.bodies[segment], place, node_id, choice)}
        for choice in ("", "true", "false")
    }
    moved = preview.count_choices(
        version=version, bodies=judgement.bodies, variants=variants, dimension=key, at=timezone.now()
    )
    return JsonResponse({"moved": moved})


def _with_missing(body: Mapping[str, Any], place: str, node_id: str, choice: str) -> dict[str, Any]:
    """The segment with the choice for missing values made in one node of the document at `place` ("rules/0")."""
    changed: dict[str, Any] = deepcopy(dict(body))
    document: Any = changed
    for step in place.split("/"):
        document = document[int(step)] if isinstance(document, list) and step.isdigit() else document.get(step, {})
    for node in _nodes(document):
        if node.get("id") == node_id:
            node.pop("missing", None)
            if choice:
                node["missing"] = choice
    return changed


def _nodes(value: Any) -> Any:
    if isinstance(value, dict):
        if "op" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _nodes(each)


@answers_json
def attribute_histogram(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """How accounts are spread over an attribute, as this version reads it."""
    version = dimension_or_404(slug, number, key)
    bodies = bodies_of(version)
    sent = read_json(request)
    attribute = _attribute(sent if isinstance(sent, dict) else {}, bodies)
    drawn = preview.draw_histogram(version=version, bodies=bodies, attribute=attribute, at=timezone.now())
    return JsonResponse(
        {
            "kind": drawn.kind,
            "accounts": drawn.accounts,
            "present": drawn.present,
            "bars": drawn.bars,
            "values": drawn.values,
            "below": drawn.below,
        }
    )
