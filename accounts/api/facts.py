"""The REST resources of facts beside the accounts themselves: metric observations, signals, lists."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.db.models import Count
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.serializers import (
    AccountReferenceSerializer,
    PushItemErrorSerializer,
    PushResultSerializer,
)
from accounts.api.views import causes_of, read_batch, represent_result
from accounts.models import ListEntry, MetricObservation
from accounts.pushed import STATE_CODES, ItemError
from accounts.querysets import external_ids, visible_accounts
from accounts.services.lists import EntryResult, ListChange, change_list_entries
from accounts.services.observing import push_observations, record_signals
from accounts.services.pushing import PushResult
from frameworks import values
from frameworks.api import parameters
from frameworks.api.errors import Cause, ProblemError
from frameworks.api.pagination import read_page
from frameworks.api.schema import page_of, parameter
from frameworks.api.views import ApiView
from frameworks.models import AccountList, User

ACTIONS = ("add", "remove", "replace")


def _caller(request: Request) -> User:
    return cast(User, request.user)


# --- what they look like; accounts.pushed_facts is what reads an item, and a test compares the two


class ObservationSerializer(serializers.Serializer[Any]):
    source = serializers.CharField(max_length=63)  # type: ignore[assignment] # DRF's own `source` is another thing
    external_id = serializers.CharField(max_length=255)
    metric = serializers.CharField(max_length=63, help_text="Key of an attribute that is a number.")
    grain = serializers.ChoiceField(choices=MetricObservation.Grain.choices)
    period = serializers.CharField(max_length=10, help_text="2026-03, 2026-Q1 or 2026: a fiscal year by its last day.")
    period_end_on = serializers.DateField(help_text="The period's last day, which is the last of a month.")
    value = serializers.CharField(help_text="A decimal with 4 digits after the point at most.")
    is_closed = serializers.BooleanField(
        required=False, help_text="Open periods are kept and not counted. Not sent: whether it has ended."
    )


class SignalSerializer(serializers.Serializer[Any]):
    source = serializers.CharField(max_length=63)  # type: ignore[assignment] # DRF's own `source` is another thing
    external_id = serializers.CharField(max_length=255)
    signal_id = serializers.CharField(max_length=255, help_text="What the source calls the signal; it is stored once.")
    kind = serializers.CharField(max_length=63, help_text="Such as hiring or funding.")
    occurred_on = serializers.DateField()
    details = serializers.DictField(
        child=serializers.CharField(max_length=200), required=False, help_text='Such as {"role": "Sales Ops"}.'
    )


class ListItemSerializer(serializers.Serializer[Any]):
    """By id, by source and external_id, by domain, or by name."""

    id = serializers.UUIDField(required=False)
    source = serializers.CharField(max_length=63, required=False)  # type: ignore[assignment] # as above
    external_id = serializers.CharField(max_length=255, required=False)
    domain = serializers.CharField(max_length=253, required=False)
    name = serializers.CharField(max_length=255, required=False)


class ListResultSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["added", "removed", "unchanged", "failed"])
    id = serializers.UUIDField(required=False)
    errors = PushItemErrorSerializer(many=True, required=False)  # type: ignore[assignment]


class ListChangeSerializer(serializers.Serializer[Any]):
    summary = inline_serializer(
        "ListChangeSummary", {name: serializers.IntegerField() for name in ("added", "removed", "unchanged", "failed")}
    )
    results = ListResultSerializer(many=True)


class AccountListSerializer(serializers.Serializer[AccountList]):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment] # DRF's own `label` is another thing
    purpose = serializers.ChoiceField(choices=AccountList.Purpose.choices)
    is_live = serializers.BooleanField(help_text="Takes new entries.")
    entries = serializers.SerializerMethodField(help_text="How many accounts are on it.")

    def get_entries(self, account_list: AccountList) -> int:
        return int(self.context["entries"].get(account_list.pk, 0))


class ListEntrySerializer(serializers.Serializer[ListEntry]):
    account = AccountReferenceSerializer()
    added_at = serializers.DateTimeField()


def _batch_of(name: str, item: type[serializers.Serializer[Any]], **more: Any) -> Any:
    fields: dict[str, Any] = {
        **more,
        "items": serializers.ListField(child=item(), min_length=1, max_length=1000),
        "all_or_none": serializers.BooleanField(default=False, required=False),
    }
    return inline_serializer(name, fields)


# --- pushing


class _Append(ApiView):
    """Up to 1,000 items: 200 when every one was taken, 207 when some failed and the others were taken."""

    required_scope = "accounts:write"
    push: ClassVar[Callable[..., PushResult]]

    def answered(self, request: Request) -> Response:
        result = self.push(**read_batch(self.body()), actor=_caller(request), at=timezone.now())
        if not result.is_applied:
            raise ProblemError("validation", causes=causes_of(result), depends_on_state=result.depends_on_state)
        data = {"summary": result.summary, "results": [represent_result(item) for item in result.results]}
        return Response(data, status=207 if result.summary["failed"] else 200)


class ObservationAppend(_Append):
    """Store up to 1,000 metric observations: one value of one metric of one account in one fiscal period.

    A late or restated value is another row, and the newest closed one of a period counts. 200 when every item was
    taken, 207 when some failed; when none could be, or `all_or_none` is set, nothing is written and the answer is 422.
    """

    push = staticmethod(push_observations)

    @extend_schema(
        operation_id="metric_observations_append",
        request=_batch_of("ObservationBatch", ObservationSerializer),
        responses={200: PushResultSerializer, 207: PushResultSerializer},
    )
    def post(self, request: Request) -> Response:
        return self.answered(request)


class SignalAppend(_Append):
    """Store up to 1,000 signals: something that happened at an account on a day.

    A signal is stored once: sent again it is unchanged, sent with another content it is a conflict. 200 when every
    item was taken, 207 when some failed; when none could be, or `all_or_none` is set, the answer is 422.
    """

    push = staticmethod(record_signals)

    @extend_schema(
        operation_id="signals_append",
        request=_batch_of("SignalBatch", SignalSerializer),
        responses={200: PushResultSerializer, 207: PushResultSerializer},
    )
    def post(self, request: Request) -> Response:
        return self.answered(request)


# --- lists


class AccountListList(ApiView):
    """The account lists that rules may name."""

    required_scope = "accounts:read"
    parameters = {"cursor": parameters.cursor, "limit": parameters.limit}

    @extend_schema(
        operation_id="account_lists_list",
        parameters=[parameter("cursor"), parameter("limit")],
        responses=page_of(AccountListSerializer),
    )
    def get(self, request: Request) -> Response:
        page = read_page(
            AccountList.objects.all(),
            order=("id",),
            binding=self.binding("account-lists"),
            cursor=self.given.get("cursor"),
            limit=self.limit(),
        )
        counts = dict(ListEntry.objects.filter(list__in=page.rows).order_by().values_list("list").annotate(Count("pk")))
        data = AccountListSerializer(cast(Any, page.rows), many=True, context={"entries": counts}).data
        return Response(page.as_json(data))


class ListEntryList(ApiView):
    """The accounts on one list."""

    required_scope = "accounts:read"
    parameters = {"cursor": parameters.cursor, "limit": parameters.limit}

    @extend_schema(
        operation_id="account_list_entries_list",
        parameters=[parameter("cursor"), parameter("limit")],
        responses=page_of(ListEntrySerializer),
    )
    def get(self, request: Request, key: str) -> Response:
        account_list = _list_of(key)
        visible = visible_accounts(_caller(request)).values("pk")
        page = read_page(
            ListEntry.objects.filter(list=account_list, account__in=visible).select_related("account"),
            order=("account_id",),
            binding=self.binding(f"account-lists/{account_list.pk}"),
            cursor=self.given.get("cursor"),
            limit=self.limit(),
        )
        context = {"external_ids": external_ids(row.account_id for row in page.rows)}
        return Response(page.as_json(ListEntrySerializer(cast(Any, page.rows), many=True, context=context).data))


class ListEntryChange(ApiView):
    """Add, remove or replace the entries of a list; up to 1,000 items, each naming an account.

    An item that names no account, or several, is failed; the others are done, unless `all_or_none`. A replacement
    takes away every entry that no item names. 200 when every item was taken, 207 when some failed.
    """

    required_scope = "accounts:write"

    @extend_schema(
        operation_id="account_list_entries_change",
        request=_batch_of("ListEntryBatch", ListItemSerializer, action=serializers.ChoiceField(choices=ACTIONS)),
        responses={200: ListChangeSerializer, 207: ListChangeSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        account_list = _list_of(key)
        batch = read_batch(self.body(), action=lambda value: values.choice(value, ACTIONS))
        change = change_list_entries(account_list=account_list, **batch, actor=_caller(request), at=timezone.now())
        if not change.is_applied or len(change.failed) == len(change.results):
            raise ProblemError("validation", causes=_failures(change), depends_on_state=_depends_on_state(change))
        data = {"summary": change.summary, "results": [_represent(result) for result in change.results]}
        return Response(data, status=207 if change.failed else 200)


def _list_of(key: str) -> AccountList:
    account_list = AccountList.objects.filter(key=key).first()
    if account_list is None:
        raise ProblemError("not-found")
    return account_list


def _represent(result: EntryResult) -> dict[str, Any]:
    if result.account is not None:
        return {"index": result.index, "status": result.status, "id": str(result.account.uuid)}
    errors = [_cause(error, error.pointer).as_json() for error in result.errors]
    return {"index": result.index, "status": result.status, "errors": errors}


def _failures(change: ListChange) -> list[Cause]:
    return [
        _cause(error, f"/items/{result.index}{error.pointer}") for result in change.failed for error in result.errors
    ]


def _depends_on_state(change: ListChange) -> bool:
    return any(error.code in STATE_CODES for result in change.failed for error in result.errors)


def _cause(error: ItemError, pointer: str) -> Cause:
    return Cause(error.code, error.detail, pointer, received=error.received)
