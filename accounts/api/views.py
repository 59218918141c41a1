"""The REST resources of accounts, assignments and their changes. Each reads its parameters and asks once."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.db.utils import DataError
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import feed, pushed
from accounts.api.serializers import (
    AccountSerializer,
    AssignmentSerializer,
    ChangeSerializer,
    HeadSerializer,
    PastAssignmentSerializer,
    PushResultSerializer,
    PushSerializer,
    SupposedSerializer,
    TombstoneSerializer,
    WhatIfSerializer,
)
from accounts.evaluation.past import segments_at
from accounts.evaluation.what_if import what_if
from accounts.models import Account, Assignment, Transition
from accounts.pushed import ItemError
from accounts.querysets import (
    external_ids,
    framework_slugs,
    segment_keys,
    visible_accounts,
    watermark,
    with_current_segment,
)
from accounts.services.pushing import ITEMS_MOST, ItemResult, PushResult, push_accounts
from accounts.supposing import UNREADABLE, SupposedError, read_changes
from frameworks import values
from frameworks.api import parameters
from frameworks.api.bodies import Reader, read_body
from frameworks.api.errors import Cause, ProblemError, refused
from frameworks.api.pagination import expired, read_cursor, read_page, write_cursor
from frameworks.api.schema import page_of, parameter
from frameworks.api.views import ApiView
from frameworks.models import User


def _caller(request: Request) -> User:
    return cast(User, request.user)


class AccountList(ApiView):
    """Accounts, oldest first; with `updated_since`, those that changed, in the order of their changes."""

    required_scope = "accounts:read"
    parameters = {
        "cursor": parameters.cursor,
        "limit": parameters.limit,
        "source": parameters.text,
        "updated_since": parameters.moment,
    }

    @extend_schema(
        operation_id="accounts_list",
        parameters=[parameter(name) for name in parameters],
        responses=page_of(AccountSerializer),
    )
    def get(self, request: Request) -> Response:
        accounts = visible_accounts(_caller(request)).select_related("parent")
        if "source" in self.given:
            accounts = accounts.filter(
                pk__in=visible_accounts(_caller(request)).filter(identifiers__source=self.given["source"]).values("pk")
            )
        return _answer_page(self, accounts, resource="accounts", stamp="updated_at", order=("id",))

    def represent(self, rows: list[Account]) -> Any:
        context = {"external_ids": external_ids(row.pk for row in rows)}
        return AccountSerializer(rows, many=True, context=context).data


def _answer_page(view: Any, rows: QuerySet[Any], *, resource: str, stamp: str, order: tuple[str, ...]) -> Response:
    """One page in `order`, or by `stamp` up to the watermark when changes since a moment are asked for."""
    more: dict[str, Any] = {}
    if "updated_since" in view.given:
        until = watermark()
        rows = rows.filter(**{f"{stamp}__gte": view.given["updated_since"], f"{stamp}__lt": until})
        order = (stamp, *order)
        more["watermark"] = serializers.DateTimeField().to_representation(until)
    page = read_page(
        rows, order=order, binding=view.binding(resource), cursor=view.given.get("cursor"), limit=view.limit()
    )
    return Response(page.as_json(view.represent(page.rows), **more))


def _answer_account(account: Account | None) -> Response:
    if account is None:
        raise ProblemError("not-found")
    context = {"external_ids": external_ids([account.pk])}
    return Response(AccountSerializer(account, context=context).data, headers={"ETag": f'"v{account.version}"'})


class AccountDetail(ApiView):
    """One account by its id here."""

    required_scope = "accounts:read"

    @extend_schema(operation_id="accounts_read", responses=AccountSerializer)
    def get(self, request: Request, uuid: UUID) -> Response:
        return _answer_account(visible_accounts(_caller(request)).select_related("parent").filter(uuid=uuid).first())


class AccountByExternalId(ApiView):
    """One account by its id in a source system."""

    required_scope = "accounts:read"

    @extend_schema(operation_id="accounts_read_by_external_id", responses=AccountSerializer)
    def get(self, request: Request, source: str, external_id: str) -> Response:
        try:
            key = {"source": pushed.read_source(source), "external_id": pushed.read_external_id(external_id)}
        except values.RefusedValueError:
            raise ProblemError("not-found") from None
        found = visible_accounts(_caller(request)).filter(
            identifiers__source=key["source"], identifiers__external_id=key["external_id"]
        )
        return _answer_account(found.select_related("parent").first())


class AccountUpsert(ApiView):
    """Create or update up to 1,000 accounts by their ids in a source system.

    200 when every item was taken, 207 when some failed: the others are applied. When none could be taken, or one
    failed and `all_or_none` is set, nothing is written and the answer is a 422 that names every cause.
    """

    required_scope = "accounts:write"

    @extend_schema(
        operation_id="accounts_batch_upsert",
        request=PushSerializer,
        responses={200: PushResultSerializer, 207: PushResultSerializer},
        examples=[
            OpenApiExample(
                "One account",
                request_only=True,
                value={
                    "items": [
                        {
                            "source": "salesforce",
                            "external_id": "0015g00000XyZ12AAB",
                            "name": "Castellan Freight",
                            "employee_count": 1250,
                            "arr": "120000.00",
                            "observed_at": "2026-11-21T18:30:00Z",
                        }
                    ]
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        batch = read_batch(self.body())
        result = push_accounts(**batch, actor=_caller(request), at=timezone.now())
        if not result.is_applied:
            raise ProblemError("validation", causes=causes_of(result), depends_on_state=result.depends_on_state)
        data = {"summary": result.summary, "results": [represent_result(item) for item in result.results]}
        return Response(data, status=207 if result.summary["failed"] else 200)


def read_batch(body: dict[str, Any], **more: Reader) -> dict[str, Any]:
    """The items of a push, whether all of them are wanted or none, and what `more` reads, all of it needed."""
    readers = {"items": _items, "all_or_none": values.boolean, **more}
    batch = read_body(body, readers, needed=["items", *more])
    if len(batch["items"]) > ITEMS_MOST:
        raise refused("too_many_items", f"{ITEMS_MOST:,} items at most.", place="/items", kind="payload-too-large")
    return {"all_or_none": False, **batch}


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise values.RefusedValueError("wrong_type", "Must be a list.")
    if not value:
        raise values.RefusedValueError("empty", "Send at least one item.")
    return value


def causes_of(result: PushResult) -> list[Cause]:
    """Why nothing of a push was taken, with a pointer into the body each."""
    return [
        Cause(error.code, error.detail, f"/items/{item.index}{error.pointer}", received=error.received)
        for item in result.results
        for error in item.errors
    ]


def represent_result(item: ItemResult) -> dict[str, Any]:
    """What became of one item of a push."""
    if item.status != "failed":
        return {"index": item.index, "status": item.status, "id": str(item.uuid), "version": item.version}
    errors = [
        Cause(error.code, error.detail, error.pointer, received=error.received).as_json() for error in item.errors
    ]
    return {"index": item.index, "status": item.status, "errors": errors}


class AccountAssignments(ApiView):
    """Which segment one account was in at a moment, and since which change; without `at`, as of now.

    From the log of changes. A dimension in which the account had not been evaluated then is left out.
    """

    required_scope = "assignments:read"
    parameters = {"at": parameters.moment}

    @extend_schema(
        operation_id="accounts_assignments",
        parameters=[parameter(name) for name in parameters],
        responses=inline_serializer(
            "AccountAssignments", {"data": PastAssignmentSerializer(many=True), "at": serializers.DateTimeField()}
        ),
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        account = visible_accounts(_caller(request)).filter(uuid=uuid).first()
        if account is None:
            raise ProblemError("not-found")
        at = self.given.get("at") or timezone.now()
        changes = sorted(segments_at(account, at), key=lambda change: (change.dimension.position, change.pk))
        data = PastAssignmentSerializer(cast(Any, changes), many=True).data
        return Response({"data": data, "at": serializers.DateTimeField().to_representation(at)})


class AccountWhatIf(ApiView):
    """Which segments one account would be in if other things were known of it. Nothing is written.

    The rules in force are asked of the account as it is and as it is supposed, each dimension with the verdicts of
    "then". Where the account is now counts, as in any evaluation; an override in force goes on counting. The answer
    tells both values of the account and its segments, hence two scopes.
    """

    required_scope = "accounts:read"
    further_scopes = ("assignments:read",)

    @extend_schema(
        operation_id="accounts_what_if",
        request=WhatIfSerializer,
        responses=inline_serializer(
            "WhatIfResult", {"data": SupposedSerializer(many=True), "at": serializers.DateTimeField()}
        ),
        examples=[
            OpenApiExample(
                "More employees, and on a list",
                request_only=True,
                value={"values": {"employee_count": 1250}, "lists": {"fortune_2000": True}},
            )
        ],
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        account = visible_accounts(_caller(request)).filter(uuid=uuid).first()
        if account is None:
            raise ProblemError("not-found")
        at = timezone.now()
        try:
            changes = read_changes(self.body(), today=at.date())
        except SupposedError as error:
            raise ProblemError("validation", causes=[_cause(each) for each in error.errors]) from error
        try:
            supposed = what_if(account=account, changes=changes, at=at)
        except DataError as error:
            raise refused("unreadable", UNREADABLE) from error
        data = SupposedSerializer(cast(Any, supposed), many=True, context={"slugs": framework_slugs()}).data
        return Response({"data": data, "at": serializers.DateTimeField().to_representation(at)})


def _cause(error: ItemError) -> Cause:
    return Cause(error.code, error.detail, error.pointer, received=error.received)


class AssignmentList(ApiView):
    """Which segment each account is in, one row per account and dimension."""

    required_scope = "assignments:read"
    parameters = {
        "cursor": parameters.cursor,
        "limit": parameters.limit,
        "updated_since": parameters.moment,
        "framework": parameters.text,
        "dimension": parameters.text,
    }

    @extend_schema(
        operation_id="assignments_list",
        parameters=[parameter(name) for name in parameters],
        responses=page_of(AssignmentSerializer),
    )
    def get(self, request: Request) -> Response:
        self.at = timezone.now()
        visible = visible_accounts(_caller(request)).values("pk")
        rows = with_current_segment(Assignment.objects.filter(account_id__in=visible), self.at)
        rows = rows.filter(**_narrowed(self.given)).select_related("account", "dimension", "framework_version")
        return _answer_page(
            self, rows, resource="assignments", stamp="changed_at", order=("account_id", "dimension_id")
        )

    def represent(self, rows: list[Any]) -> Any:
        named = {pk for row in rows for pk in (row.current_segment, row.computed_id)}
        context = {
            "at": self.at,
            "external_ids": external_ids(row.account_id for row in rows),
            "segment_keys": segment_keys(named),
        }
        return AssignmentSerializer(instance=cast(Any, rows), many=True, context=context).data


def _narrowed(given: dict[str, Any]) -> dict[str, Any]:
    columns = {"framework": "dimension__framework__slug", "dimension": "dimension__key"}
    return {columns[name]: given[name] for name in columns if name in given}


class Changes(ApiView):
    """Every change of a segment after a cursor, oldest first; without a cursor, from the beginning.

    At least once: keep, per account and dimension, what has the higher `version`. Save `next_cursor` after
    applying the page; it is there even when the page is empty.
    """

    required_scope = "assignments:read"
    parameters = {
        "cursor": parameters.cursor,
        "limit": parameters.limit,
        "framework": parameters.text,
        "dimension": parameters.text,
    }

    @extend_schema(
        operation_id="assignments_changes",
        parameters=[parameter(name) for name in parameters],
        responses=inline_serializer(
            "Changes",
            {
                "data": PolymorphicProxySerializer(
                    "AnyChange",
                    {"upsert": ChangeSerializer, "delete": TombstoneSerializer},
                    resource_type_field_name="op",
                    many=True,
                ),
                "next_cursor": serializers.CharField(),
                "has_more": serializers.BooleanField(),
                "lag_seconds": serializers.FloatField(help_text="Younger changes may not be here yet."),
            },
        ),
    )
    def get(self, request: Request) -> Response:
        epoch = feed.current_epoch()
        lag = feed.lag_seconds()
        narrowed = Transition.objects.filter(**_narrowed(self.given))
        found = feed.read_changes(after=self._position(epoch), limit=self.limit(), narrowed=narrowed)
        context = {
            "external_ids": external_ids(row.account_id for row in found.rows),
            "segment_keys": segment_keys(pk for row in found.rows for pk in (row.from_segment_id, row.to_segment_id)),
        }
        return Response(
            {
                "data": [_represent_change(row, context) for row in found.rows],
                "next_cursor": write_feed_cursor(self, epoch, found.position),
                "has_more": found.has_more,
                "lag_seconds": lag,
            }
        )

    def _position(self, epoch: int) -> feed.Position:
        if "cursor" not in self.given:
            return feed.Position()
        written_in, *place = read_cursor(self.binding("changes"), self.given["cursor"])
        if written_in != epoch:
            raise expired("The database was restored after this cursor was given.")
        return feed.Position(*place)


def write_feed_cursor(view: ApiView, epoch: int, position: feed.Position) -> str:
    """A cursor says in which epoch it was given, besides where it points."""
    return write_cursor(view.binding("changes"), [epoch, position.epoch, position.xid, position.id])


def _represent_change(row: Transition, context: dict[str, Any]) -> Any:
    account = row.account
    if account.merged_into is None and account.deleted_at is None:
        return ChangeSerializer(row, context=context).data
    gone: dict[str, Any] = {"op": "delete", "account": {"id": str(account.uuid)}}
    if account.merged_into is None:
        return gone | {"reason": "deleted"}
    return gone | {"reason": "merged", "merged_into": str(account.merged_into.uuid)}


class ChangesHead(ApiView):
    """The cursor after which everything comes that a full reading begun now may miss."""

    required_scope = "assignments:read"
    parameters = {"framework": parameters.text, "dimension": parameters.text}

    @extend_schema(
        operation_id="assignments_changes_head",
        parameters=[parameter(name) for name in parameters],
        responses=HeadSerializer,
    )
    def get(self, request: Request) -> Response:
        head = feed.head()
        return Response({"cursor": write_feed_cursor(self, head.epoch, head)})
