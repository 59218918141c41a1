"""The base of every resource, and the read-only resources of frameworks."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, Final, cast
from uuid import UUID

from django.db.models import Prefetch
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from frameworks.api import parameters
from frameworks.api.errors import ProblemError, refused
from frameworks.api.pagination import LIMIT_DEFAULT, Binding, read_page
from frameworks.api.parameters import Reader, read_parameters
from frameworks.api.schema import ProblemSchema, page_of, parameter
from frameworks.api.serializers import FrameworkSerializer, FrameworkVersionSerializer
from frameworks.models import Framework, FrameworkVersion, Part

BODY_BYTES: Final = 4 * 2**20
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class JsonOnly(DefaultContentNegotiation):
    """By the header Accept alone: a `?format=` would be a parameter that nobody declared."""

    settings = SimpleNamespace(URL_FORMAT_OVERRIDE=None)  # type: ignore[assignment]


class ApiView(APIView):
    """One address. Says which scope it needs (`required_scope`) and which parameters it knows (`parameters`).

    Token and scope are checked where the addresses are listed; this class holds what is the same for all of
    them: parameters by allow-list, the size and type of the body, JSON only.
    """

    content_negotiation_class = JsonOnly
    metadata_class = None
    schema = ProblemSchema()
    required_scope: ClassVar[str | None] = None
    write_scope: ClassVar[str | None] = None
    further_scopes: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[Mapping[str, Reader]] = {}

    given: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.given = read_parameters(request.query_params, self.parameters)
        if request.method in _WITH_BODY:
            check_body(request)

    def scopes_for(self, method: str | None) -> tuple[str, ...]:
        """All that a token needs for this method: `write_scope`, where there is one, for all that change something.

        `further_scopes` are needed besides, where an answer tells what another scope is for. Empty: nobody may.
        """
        first = self.write_scope if self.write_scope and method in _WITH_BODY else self.required_scope
        return (first, *self.further_scopes) if first else ()

    def body(self) -> dict[str, Any]:
        """The request's body: always an object, by the parser."""
        return cast("dict[str, Any]", self.request.data)

    def filters(self) -> dict[str, Any]:
        """The parameters that narrow a list; a cursor is bound to them."""
        return {name: value for name, value in self.given.items() if name not in ("cursor", "limit")}

    def binding(self, resource: str) -> Binding:
        return Binding(resource, self.request.user.pk, self.filters())

    def limit(self) -> int:
        return int(self.given.get("limit", LIMIT_DEFAULT))


def check_body(request: Request) -> None:
    """Refuse by the headers what is not JSON of a bearable size, before a byte of it is read."""
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(request.META["HTTP_CONTENT_ENCODING"], "The body must not be compressed.")
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        _take_chunks(request)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise refused(
            "invalid_length", "A whole number.", place="Content-Length", place_kind="header", kind="malformed-request"
        )
    if int(length) > BODY_BYTES:
        raise _too_large()
    if int(length) == 0 and request.method != "DELETE":
        raise refused("malformed_json", "The body is empty; send one JSON object.", kind="malformed-request")


def _too_large() -> ProblemError:
    return refused("too_large", f"The body may have {BODY_BYTES:,} bytes at most.", kind="payload-too-large")


def _take_chunks(request: Request) -> None:
    """Django takes a body without a length for an empty one; the server marks where such a stream ends by itself."""
    environ = request.META
    if not environ.get("wsgi.input_terminated"):
        raise refused("length_required", "Send a Content-Length.", kind="malformed-request")
    content = environ["wsgi.input"].read(BODY_BYTES + 1)
    if len(content) > BODY_BYTES:
        raise _too_large()
    request._request._body = content
    environ["CONTENT_LENGTH"] = str(len(content))


class FrameworkList(ApiView):
    """Frameworks and which version of each is in force."""

    required_scope = "frameworks:read"
    parameters = {"cursor": parameters.cursor, "limit": parameters.limit}

    @extend_schema(
        operation_id="frameworks_list",
        parameters=[parameter("cursor"), parameter("limit")],
        responses=page_of(FrameworkSerializer),
    )
    def get(self, request: Request) -> Response:
        page = read_page(
            Framework.objects.select_related("active_version"),
            order=("id",),
            binding=self.binding("frameworks"),
            cursor=self.given.get("cursor"),
            limit=self.limit(),
        )
        return Response(page.as_json(FrameworkSerializer(page.rows, many=True).data))


class FrameworkVersionDetail(ApiView):
    """One version: where it stands, and the digest of each of its parts."""

    required_scope = "frameworks:read"

    @extend_schema(
        operation_id="framework_versions_read",
        parameters=[OpenApiParameter("uuid", UUID, OpenApiParameter.PATH)],
        responses=FrameworkVersionSerializer,
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        parts = Prefetch("parts", Part.objects.order_by("kind", "key"))
        version = (
            FrameworkVersion.objects.select_related("framework", "base_version", "rollback_of")
            .prefetch_related(parts)
            .filter(uuid=uuid)
            .first()
        )
        if version is None:
            raise ProblemError("not-found")
        return Response(FrameworkVersionSerializer(version).data)
