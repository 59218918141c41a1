"""The parts of a version, for programs: read any, write those of a draft; nobody submits or signs here."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from frameworks import values
from frameworks.api import parameters
from frameworks.api.bodies import read_body
from frameworks.api.errors import Cause, ProblemError
from frameworks.api.pagination import read_page
from frameworks.api.preconditions import check_precondition, entity_tag, failed
from frameworks.api.schema import page_of, parameter
from frameworks.api.serializers import FrameworkVersionSerializer, PartSerializer
from frameworks.api.views import ApiView
from frameworks.content import RefusedContentError
from frameworks.errors import FrozenVersionError, StalePartError
from frameworks.models import Contribution, Framework, FrameworkVersion, Kind, Part, User
from frameworks.services.drafting import delete_part, save_part, start_draft

_VERSION = OpenApiParameter("uuid", UUID, OpenApiParameter.PATH)
_KIND = OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=Kind.values)
_KEY = OpenApiParameter("key", str, OpenApiParameter.PATH, description="As it is listed, slashes included.")
_IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of the part as it was read."
)
_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, enum=["*"], description="Instead of If-Match: the part is new."
)


class PartBodySerializer(PartSerializer):
    body = serializers.JSONField(source="body.body", help_text="What a PUT takes, with this digest as If-Match.")

    class Meta(PartSerializer.Meta):
        fields = ["kind", "key", "digest", "updated_at", "body"]


def version_or_problem(uuid: UUID) -> FrameworkVersion:
    """The version with its framework. Raises ProblemError (404)."""
    found = FrameworkVersion.objects.select_related("framework__active_version", "base_version").filter(uuid=uuid)
    version = found.first()
    if version is None:
        raise ProblemError("not-found")
    return version


class DraftList(ApiView):
    """POST starts the next draft from what is in force."""

    required_scope = "frameworks:write"

    @extend_schema(
        operation_id="framework_drafts_create",
        parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH)],
        request=OpenApiTypes.OBJECT,
        responses={201: FrameworkVersionSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        read_body(self.body(), {})
        framework = Framework.objects.filter(slug=slug).first()
        if framework is None:
            raise ProblemError("not-found")
        version = start_draft(framework=framework, actor=cast(User, request.user), at=timezone.now())
        headers = {"Location": f"/api/v1/framework-versions/{version.uuid}"}
        return Response(FrameworkVersionSerializer(version).data, status=201, headers=headers)


class PartList(ApiView):
    """The parts of a version with their digests, by kind and key."""

    required_scope = "frameworks:read"
    parameters: ClassVar = {
        "cursor": parameters.cursor,
        "limit": parameters.limit,
        "kind": lambda value: values.choice(value, Kind.values),
    }

    @extend_schema(
        operation_id="framework_parts_list",
        parameters=[
            _VERSION,
            OpenApiParameter("kind", str, enum=Kind.values),
            parameter("cursor"),
            parameter("limit"),
        ],
        responses=page_of(PartSerializer),
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        version = version_or_problem(uuid)
        page = read_page(
            version.parts.filter(**self.filters()),
            order=("kind", "key"),
            binding=self.binding(f"parts {uuid}"),
            cursor=self.given.get("cursor"),
            limit=self.limit(),
        )
        return Response(page.as_json(PartSerializer(page.rows, many=True).data))


class PartDetail(ApiView):
    """One part. Its ETag is the digest of its content; a write names the state it is made from."""

    required_scope = "frameworks:read"
    write_scope = "frameworks:write"

    @extend_schema(
        operation_id="framework_parts_read", parameters=[_VERSION, _KIND, _KEY], responses=PartBodySerializer
    )
    def get(self, request: Request, uuid: UUID, kind: str, key: str) -> Response:
        part = _part(version_or_problem(uuid), kind, key)
        if part is None:
            raise ProblemError("not-found")
        return _answer(part)

    @extend_schema(
        operation_id="framework_parts_write",
        parameters=[_VERSION, _KIND, _KEY, _IF_MATCH, _IF_NONE_MATCH],
        request=OpenApiTypes.OBJECT,
        responses={200: PartBodySerializer, 201: PartBodySerializer},
    )
    def put(self, request: Request, uuid: UUID, kind: str, key: str) -> Response:
        version = version_or_problem(uuid)
        stored = _part(version, kind, key)
        _refuse_frozen(version)
        check_precondition(request, stored.body_id if stored else None, creates=True)
        try:
            part = save_part(
                version=version,
                kind=kind,
                key=key,
                body=self.body(),
                expected_digest=stored.body_id if stored else None,
                actor=cast(User, request.user),
                at=timezone.now(),
                source=Contribution.Source.API,
            )
        except StalePartError as error:
            raise failed("If-Match", error.digest) from error
        except RefusedContentError as error:
            raise ProblemError("validation", causes=_causes(error, self.body())) from error
        return _answer(part, status=200 if stored else 201)

    @extend_schema(
        operation_id="framework_parts_delete",
        parameters=[_VERSION, _KIND, _KEY, _IF_MATCH],
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, uuid: UUID, kind: str, key: str) -> Response:
        version = version_or_problem(uuid)
        stored = _part(version, kind, key)
        if stored is None:
            raise ProblemError("not-found")
        _refuse_frozen(version)
        check_precondition(request, stored.body_id, creates=False)
        try:
            delete_part(
                version=version,
                kind=kind,
                key=key,
                expected_digest=stored.body_id,
                actor=cast(User, request.user),
                at=timezone.now(),
                source=Contribution.Source.API,
            )
        except StalePartError as error:
            raise failed("If-Match", error.digest) from error
        return Response(status=204)


def _part(version: FrameworkVersion, kind: str, key: str) -> Part | None:
    """The part, None where there is none yet. Raises ProblemError (404) for an address no part can have."""
    # PostgreSQL takes no NUL in text, and answers nothing but an error.
    if kind not in Kind.values or "\x00" in key:
        raise ProblemError("not-found")
    return version.parts.select_related("body").filter(kind=kind, key=key).first()


def _refuse_frozen(version: FrameworkVersion) -> None:
    if version.state != FrameworkVersion.State.DRAFT:
        raise FrozenVersionError(
            f"Version {version.number} is {version.is_now}: its parts are frozen. Start a new draft."
        )


def _answer(part: Part, status: int = 200) -> Response:
    return Response(PartBodySerializer(part).data, status=status, headers={"ETag": entity_tag(part.body_id)})


def _causes(error: RefusedContentError, body: Any) -> list[Cause]:
    return [Cause(code, said, at, node=_node(body, at)) for at, code, said in error.issues]


def _node(body: Any, pointer: str) -> str:
    """The id of the innermost node of a rule that the pointer leads through; empty outside of rules."""
    found = ""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(body, dict):
            body = body.get(name)
        elif isinstance(body, list) and name.isdecimal() and int(name) < len(body):
            body = body[int(name)]
        else:
            break
        if isinstance(body, dict) and "op" in body and isinstance(body.get("id"), str):
            found = body["id"]
    return found[:63]
