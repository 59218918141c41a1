"""The REST resources of governance: asking for overrides, and seeing what became of it. Nobody decides here."""

from typing import Any, ClassVar, Final, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import pushed
from accounts.models import Account
from accounts.querysets import external_ids, visible_accounts
from frameworks import values
from frameworks.api import parameters
from frameworks.api.bodies import read_body
from frameworks.api.errors import ProblemError, refused
from frameworks.api.pagination import read_page
from frameworks.api.schema import page_of, parameter
from frameworks.api.views import ApiView
from frameworks.models import Dimension, Segment, User
from frameworks.values import RefusedValueError
from governance.api.serializers import OverrideAskedSerializer, OverrideRequestSerializer
from governance.models import OverrideRequest
from governance.services.requests import request_override

_TEXT_CHARACTERS: Final = 5000
_READ_ONLY: Final = frozenset(
    {"id", "state", "status", "computed", "requested_by", "requested_at", "decisions", "approved_by", "decided_by",
     "decided_at", "override", "version", "updated_at"}
)  # fmt: skip


def _state(value: str) -> str:
    return values.choice(value, OverrideRequest.State.values)


def _account_key(value: Any) -> dict[str, Any]:
    """`{"id": …}` or `{"source": …, "external_id": …}`, as what an account is found by."""
    if not isinstance(value, dict):
        raise RefusedValueError("wrong_type", "Must be an object.")
    if set(value) == {"id"}:
        try:
            return {"uuid": UUID(values.line(value["id"], most=36))}
        except (ValueError, RefusedValueError):
            raise RefusedValueError("invalid_id", "This is no id of ours.") from None
    if set(value) == {"source", "external_id"}:
        external_id = pushed.read_external_id(value["external_id"])
        return {"identifiers__source": pushed.read_source(value["source"]), "identifiers__external_id": external_id}
    raise RefusedValueError("invalid_id", "Send either id, or source and external_id.")


def _key(value: Any) -> str:
    return values.line(value, most=63)


def _prose(value: Any) -> str:
    return values.text(value, most=_TEXT_CHARACTERS)


class OverrideRequestList(ApiView):
    """Requests for overrides, oldest first; POST asks for one. Decisions are taken by people, never by tokens."""

    required_scope = "overrides:request"
    parameters: ClassVar = {"cursor": parameters.cursor, "limit": parameters.limit, "state": _state}

    @extend_schema(
        operation_id="override_requests_list",
        parameters=[
            parameter("cursor"),
            parameter("limit"),
            OpenApiParameter("state", str, enum=OverrideRequest.State.values),
        ],
        responses=page_of(OverrideRequestSerializer),
    )
    def get(self, request: Request) -> Response:
        page = read_page(
            _requests(request).filter(**self.filters()),
            order=("id",),
            binding=self.binding("override-requests"),
            cursor=self.given.get("cursor"),
            limit=self.limit(),
        )
        context = {"external_ids": external_ids(row.account_id for row in page.rows)}
        return Response(page.as_json(OverrideRequestSerializer(page.rows, many=True, context=context).data))

    @extend_schema(
        operation_id="override_requests_create",
        parameters=[],
        request=OverrideAskedSerializer,
        responses={201: OverrideRequestSerializer},
    )
    def post(self, request: Request) -> Response:
        readers = {
            "account": _account_key,
            "framework": _key,
            "dimension": _key,
            "segment": _key,
            "reason_code": _key,
            "reason": _prose,
            "evidence": _prose,
            "valid_from": values.moment,
            "valid_until": values.moment,
        }
        needed = readers.keys() - {"framework", "evidence", "valid_from"}
        asked = read_body(self.body(), readers, needed=sorted(needed), read_only=_READ_ONLY)
        account = _find_account(request, asked.pop("account"))
        dimension = _find_dimension(asked.pop("dimension"), asked.pop("framework", None))
        segment = _find_segment(dimension, asked.pop("segment"))
        at = timezone.now()
        asked.setdefault("valid_from", at)
        actor = cast(User, request.user)
        made = request_override(account=account, dimension=dimension, segment=segment, actor=actor, at=at, **asked)
        answer = _answer(_requests(request).get(pk=made.pk), status=201)
        answer["Location"] = f"/api/v1/override-requests/{made.uuid}"
        return answer


class OverrideRequestDetail(ApiView):
    """One request and the decisions on it."""

    required_scope = "overrides:request"

    @extend_schema(operation_id="override_requests_read", responses=OverrideRequestSerializer)
    def get(self, request: Request, uuid: UUID) -> Response:
        found = _requests(request).filter(uuid=uuid).first()
        if found is None:
            raise ProblemError("not-found")
        return _answer(found, status=200)


def _requests(request: Request) -> Any:
    visible = OverrideRequest.objects.visible_to(cast(User, request.user))
    return visible.with_people().select_related("dimension__framework")


def _answer(found: OverrideRequest, *, status: int) -> Response:
    context = {"external_ids": external_ids([found.account_id])}
    data = OverrideRequestSerializer(found, context=context).data
    return Response(data, status=status, headers={"ETag": f'"v{found.version}"'})


def _not_found(place: str, detail: str) -> ProblemError:
    problem = refused("not_found", detail, place=place)
    problem.depends_on_state = True
    return problem


def _find_account(request: Request, key: dict[str, Any]) -> Account:
    account = visible_accounts(cast(User, request.user)).filter(**key).first()
    if account is None:
        raise _not_found("/account", "There is no such account.")
    return account


def _find_dimension(key: str, framework: str | None) -> Dimension:
    """Live dimensions only; their keys are unique within a framework."""
    dimensions = Dimension.objects.filter(key=key, is_live=True).select_related("framework")
    found = list(dimensions.filter(framework__slug=framework) if framework else dimensions)
    if not found:
        raise _not_found("/dimension", "There is no such dimension in force.")
    if len(found) > 1:
        raise _not_found("/framework", "Several frameworks have this dimension: name one.")
    return found[0]


def _find_segment(dimension: Dimension, key: str) -> Segment:
    segment = dimension.segments.filter(key=key, is_live=True).first()
    if segment is None:
        known = dimension.segments.filter(is_live=True).values_list("key", flat=True)
        detail = values.suggestion(key, known) or f"One of: {', '.join(known)}."
        raise _not_found("/segment", detail)
    return segment
