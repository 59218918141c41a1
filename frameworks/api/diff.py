"""The difference between two versions, for programs: the same typed changes that people read before they sign."""

from dataclasses import asdict
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from frameworks import values
from frameworks.api import parameters
from frameworks.api.errors import Cause, ProblemError, refused
from frameworks.api.pagination import Binding, read_cursor, write_cursor
from frameworks.api.schema import page_of, parameter
from frameworks.api.views import ApiView
from frameworks.comparison import Difference, differences, last_signed, since_signed, typed
from frameworks.models import Framework, FrameworkVersion, Kind, User
from frameworks.parts import Level
from frameworks.parts.diff import PartChange

_LEVELS: Final = [level.value for level in Level]


class FieldChangeSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="JSON pointer into the part's body.")
    change = serializers.ChoiceField(["added", "removed", "changed", "moved"])
    level = serializers.ChoiceField(_LEVELS)
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)
    text = serializers.CharField(help_text="The change in words.")


class PartChangeSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Kind.values)
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    change = serializers.ChoiceField(["added", "removed", "changed"])
    level = serializers.ChoiceField(_LEVELS, help_text="Materiality: computed, never chosen.")
    before = serializers.CharField(help_text="SHA-256 of the body; empty: none.", allow_blank=True)
    after = serializers.CharField(help_text="SHA-256 of the body; empty: none.", allow_blank=True)
    fields_changed = FieldChangeSerializer(many=True)


def _number(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > 7:
        raise values.RefusedValueError("wrong_type", "The number of a version, like 3.")
    return int(value)


class FrameworkDiff(ApiView):
    """What differs between two versions, or since a person signed, part by part in reading order."""

    required_scope = "frameworks:read"
    parameters = {
        "cursor": parameters.cursor,
        "limit": parameters.limit,
        "from": _number,
        "since_signed_by": parameters.text,
        "to": _number,
        "kind": lambda value: values.choice(value, Kind.values),
        "level": lambda value: values.choice(value, _LEVELS),
    }

    @extend_schema(
        operation_id="frameworks_diff",
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH),
            OpenApiParameter("from", int, description="Number of the version before."),
            OpenApiParameter(
                "since_signed_by",
                str,
                description="E-mail address of a person, instead of `from`: compared with what their newest Yes was"
                " given to.",
            ),
            OpenApiParameter("to", int, required=True, description="Number of the version after."),
            OpenApiParameter("kind", str, enum=Kind.values),
            OpenApiParameter("level", str, enum=_LEVELS, description="Only changes of this materiality."),
            parameter("cursor"),
            parameter("limit"),
        ],
        responses=page_of(PartChangeSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        framework = Framework.objects.filter(slug=slug).first()
        if framework is None:
            raise ProblemError("not-found")
        new = self._version(framework, "to")
        found = [each for each in self._differences(framework, new) if self._is_wanted(each)]
        binding = Binding(f"diff {slug}", request.user.pk, self.filters())
        if "cursor" in self.given:
            after = read_cursor(binding, self.given["cursor"])
            found = found[next((n + 1 for n, each in enumerate(found) if list(each.id) == after), len(found)) :]
        rows = found[: self.limit()]
        more = len(found) > len(rows)
        page = {"next_cursor": write_cursor(binding, rows[-1].id) if more else None, "has_more": more}
        return Response({"data": _as_json(rows, new), "page": page})

    def _differences(self, framework: Framework, new: FrameworkVersion) -> list[Difference]:
        if "since_signed_by" not in self.given:
            return differences(self._version(framework, "from"), new)
        place = {"place": "since_signed_by", "place_kind": "parameter"}
        if "from" in self.given:
            raise refused("mutually_exclusive", "Send this or `from`, not both.", **place)
        signer = User.objects.filter(email__iexact=self.given["since_signed_by"]).first()
        signed = last_signed(signer, new) if signer else None
        if signed is None:
            said = f"Nobody of this e-mail address has said Yes to {new} or an earlier version."
            raise refused("nothing_signed", said, **place)
        return since_signed(signed, new)

    def _version(self, framework: Framework, name: str) -> FrameworkVersion:
        if name not in self.given:
            raise ProblemError("validation", causes=[Cause("missing", "This is needed.", name, "parameter")])
        version = framework.versions.filter(number=self.given[name]).first()
        if version is None:
            raise refused("unknown_version", "There is no version of this number.", place=name, place_kind="parameter")
        return version

    def _is_wanted(self, each: Difference) -> bool:
        kind, level = self.given.get("kind", each.kind), self.given.get("level", each.level)
        return bool(kind == each.kind and level == each.level)


def _as_json(rows: list[Difference], new: FrameworkVersion) -> list[dict[str, Any]]:
    digests = {each.id: (each.before, each.after) for each in rows}
    return [change_as_json(change, *digests[change.kind, change.key]) for change in typed(rows, new)]


def change_as_json(change: PartChange, before: str, after: str) -> dict[str, Any]:
    """A typed change as PartChangeSerializer tells it; `before` and `after` are digests, empty where nothing is."""
    return {
        "kind": change.kind,
        "key": change.key,
        "label": change.label,
        "change": change.change,
        "level": change.level.value,
        "before": before,
        "after": after,
        "fields_changed": [asdict(each) for each in change.fields],
    }
