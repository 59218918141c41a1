"""How the resources describe themselves in OpenAPI."""

from functools import cache
from typing import Any, Final, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from frameworks.api.pagination import LIMIT_DEFAULT, LIMIT_MOST

_PARAMETERS: Final = {
    "cursor": OpenApiParameter("cursor", str, description="Where to go on: `next_cursor` of the page before."),
    "limit": OpenApiParameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": LIMIT_MOST, "default": LIMIT_DEFAULT}
    ),
    "updated_since": OpenApiParameter(
        "updated_since",
        OpenApiTypes.DATETIME,
        description="Only what changed at or after this moment, oldest first, up to `page.watermark`. Send the"
        " watermark of one complete reading as `updated_since` of the next.",
    ),
    "at": OpenApiParameter("at", OpenApiTypes.DATETIME, description="The moment asked about; now if not sent."),
    "framework": OpenApiParameter("framework", str, description="Slug of a framework."),
    "dimension": OpenApiParameter("dimension", str, description="Key of a dimension."),
    "source": OpenApiParameter("source", str, description="Only accounts this source has an id for."),
}


_IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    OpenApiParameter.HEADER,
    description="Repeat the request with the same key and it is carried out once; kept for 24 hours.",
)


def parameter(name: str) -> OpenApiParameter:
    return _PARAMETERS[name]


class PageSerializer(serializers.Serializer[Any]):
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()
    watermark = serializers.DateTimeField(required=False, help_text="Only with `updated_since`.")


class ErrorSerializer(serializers.Serializer[Any]):
    """One cause. Its place is a JSON pointer into the body, a query parameter, or a header."""

    pointer = serializers.CharField(required=False, allow_blank=True)
    parameter = serializers.CharField(required=False)
    header = serializers.CharField(required=False)
    code = serializers.CharField()
    detail = serializers.CharField()
    node = serializers.CharField(required=False, help_text="Id of the node of a rule where the cause is.")
    received = serializers.JSONField(required=False)


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    request_id = serializers.CharField(allow_blank=True)
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


@cache
def page_of(item: type[serializers.BaseSerializer[Any]]) -> serializers.Serializer[Any]:
    name = item.__name__.removesuffix("Serializer") + "Page"
    return inline_serializer(name, {"data": item(many=True), "page": PageSerializer()})


class ProblemSchema(AutoSchema):
    """Every operation needs scopes and can answer with a problem; every change knows Idempotency-Key."""

    def get_description(self) -> str:  # type: ignore[override]
        scopes_for = getattr(self.view, "scopes_for", None)
        scopes = scopes_for(self.method) if scopes_for else ()
        if not scopes:
            return str(super().get_description())
        said = " and ".join(f"`{scope}`" for scope in scopes)
        return f"{super().get_description()}\n\nScope{'' if len(scopes) == 1 else 's'}: {said}."

    def get_override_parameters(self) -> list[Any]:
        return [_IDEMPOTENCY_KEY] if self.method in ("POST", "PUT", "PATCH", "DELETE") else []

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        component = self.resolve_serializer(ProblemSerializer, direction)
        content = {"application/problem+json": {"schema": component.ref}}
        return {**bodies, "default": {"description": "A problem (RFC 9457).", "content": content}}
