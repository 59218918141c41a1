"""What too few people can sign in a version, and asking those who can change that."""

from typing import Any, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from frameworks import values
from frameworks.api.bodies import read_body
from frameworks.api.parts import version_or_problem
from frameworks.api.views import ApiView
from frameworks.models import HelpRequest, User
from frameworks.services.helping import CHARACTERS, Shortage, ask_for_help, shortages_of

_CODE_CHARACTERS = 63
_VERSION = OpenApiParameter("uuid", UUID, OpenApiParameter.PATH)


class ShortageSerializer(serializers.Serializer[Shortage]):
    code = serializers.CharField()
    title = serializers.CharField(source="label")
    signers = serializers.CharField(source="pool_label", help_text="Whom the policy means.")
    reason = serializers.CharField(help_text="Why too few people can sign it, with names.")


class ShortagesSerializer(serializers.Serializer[Any]):
    data = ShortageSerializer(many=True)  # type: ignore[assignment]


class HelpRequestSerializer(serializers.ModelSerializer[HelpRequest]):
    id = serializers.UUIDField(source="uuid")
    title = serializers.CharField(source="label")
    asked_by = serializers.CharField(source="printed_name")
    told = serializers.SerializerMethodField(help_text="Names of those who are told.")

    def get_told(self, row: HelpRequest) -> list[str]:
        return [person.name for person in row.told.order_by("name", "pk")]

    class Meta:
        model = HelpRequest
        fields = ["id", "code", "title", "reason", "message", "asked_by", "asked_at", "told"]


class HelpAskedSerializer(serializers.Serializer[Any]):
    # Only describes: the readers below are what reads it.
    code = serializers.CharField(max_length=_CODE_CHARACTERS, help_text="Of a shortage.")
    message = serializers.CharField(max_length=CHARACTERS)


class ShortageList(ApiView):
    """Lines of the sign-off policy that fewer people can sign than have to, as things are now."""

    required_scope = "frameworks:read"

    @extend_schema(operation_id="framework_shortages_list", parameters=[_VERSION], responses=ShortagesSerializer)
    def get(self, request: Request, uuid: UUID) -> Response:
        found: Any = shortages_of(version_or_problem(uuid), timezone.now())
        return Response({"data": ShortageSerializer(found, many=True).data})


class HelpRequestList(ApiView):
    """POST tells those who may change the sign-off policy or give roles; a line is asked about once a day."""

    required_scope = "comments:write"

    @extend_schema(
        operation_id="framework_help_requests_create",
        parameters=[_VERSION],
        request=HelpAskedSerializer,
        responses={201: HelpRequestSerializer},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        asked = read_body(
            self.body(),
            {
                "code": lambda value: values.line(value, most=_CODE_CHARACTERS),
                "message": lambda value: values.text(value, most=CHARACTERS),
            },
            needed=("code", "message"),
        )
        row = ask_for_help(
            version=version_or_problem(uuid),
            code=asked["code"],
            message=asked["message"],
            actor=cast(User, request.user),
            at=timezone.now(),
        )
        return Response(HelpRequestSerializer(row).data, status=201)
