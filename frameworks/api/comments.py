"""What people say about a version and its parts, for programs: threads, replies, who is called in, what is settled."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from frameworks import values
from frameworks.api import parameters
from frameworks.api.bodies import read_body
from frameworks.api.errors import ProblemError, refused
from frameworks.api.pagination import read_page
from frameworks.api.parts import version_or_problem
from frameworks.api.preconditions import check_precondition, entity_tag, failed
from frameworks.api.schema import page_of, parameter
from frameworks.api.serializers import VersionReferenceSerializer
from frameworks.api.views import ApiView
from frameworks.errors import StaleThreadError
from frameworks.models import Comment, FrameworkVersion, Kind, User
from frameworks.querysets import threads_on, with_replies
from frameworks.services.discussion import CHARACTERS, add_comment, reopen_thread, resolve_thread, thread_state

_KEY_CHARACTERS = 127
_STATES = ["open", "resolved"]
_VERSION = OpenApiParameter("uuid", UUID, OpenApiParameter.PATH)
_THREAD = OpenApiParameter("thread", UUID, OpenApiParameter.PATH)
_IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of the thread as it was read."
)


class CommentSerializer(serializers.ModelSerializer[Comment]):
    id = serializers.UUIDField(source="uuid")
    version = VersionReferenceSerializer(help_text="The version it was written on.")
    author = serializers.CharField(source="printed_name")
    called = serializers.SerializerMethodField(help_text="Names of the people called in by it.")

    def get_called(self, comment: Comment) -> list[str]:
        return sorted(mention.person.name for mention in comment.mentions.all())

    class Meta:
        model = Comment
        fields = ["id", "version", "text", "author", "called", "created_at"]


class ThreadSerializer(CommentSerializer):
    resolved_by = serializers.CharField(source="resolved_by.name", default=None, allow_null=True)
    replies = CommentSerializer(many=True)

    class Meta(CommentSerializer.Meta):
        fields = [*CommentSerializer.Meta.fields, "part_kind", "part_key", "resolved_at", "resolved_by", "replies"]


class ThreadAskedSerializer(serializers.Serializer[Any]):
    # Only describes: the readers below are what reads it.
    text = serializers.CharField(max_length=CHARACTERS, help_text="“@” and a name calls somebody in.")
    part_kind = serializers.ChoiceField(Kind.choices, required=False, help_text="Absent: the version as a whole.")
    part_key = serializers.CharField(max_length=_KEY_CHARACTERS, required=False)


class ReplyAskedSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=CHARACTERS, help_text="“@” and a name calls somebody in.")


def _text(value: Any) -> str:
    return values.text(value, most=CHARACTERS)


def _kind(value: Any) -> str:
    return str(values.choice(value, Kind.values))


def _key(value: Any) -> str:
    return values.line(value, most=_KEY_CHARACTERS)


class ThreadList(ApiView):
    """Threads on a version, oldest first, with those that were open when it was drafted; POST opens one."""

    required_scope = "frameworks:read"
    write_scope = "comments:write"
    parameters: ClassVar = {
        "cursor": parameters.cursor,
        "limit": parameters.limit,
        "part_kind": _kind,
        "part_key": _key,
        "state": lambda value: values.choice(value, _STATES),
    }

    @extend_schema(
        operation_id="framework_comments_list",
        parameters=[
            _VERSION,
            OpenApiParameter("part_kind", str, enum=Kind.values),
            OpenApiParameter("part_key", str),
            OpenApiParameter("state", str, enum=_STATES),
            parameter("cursor"),
            parameter("limit"),
        ],
        responses=page_of(ThreadSerializer),
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        narrowed = self.filters()
        state = narrowed.pop("state", None)
        if state:
            narrowed["resolved_at__isnull"] = state == "open"
        page = read_page(
            with_replies(threads_on(version_or_problem(uuid)).filter(**narrowed)),
            order=("id",),
            binding=self.binding(f"comments {uuid}"),
            cursor=self.given.get("cursor"),
            limit=self.limit(),
        )
        return Response(page.as_json(ThreadSerializer(page.rows, many=True).data))

    @extend_schema(
        operation_id="framework_comments_create",
        parameters=[_VERSION],
        request=ThreadAskedSerializer,
        responses={201: ThreadSerializer},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        asked = read_body(self.body(), {"text": _text, "part_kind": _kind, "part_key": _key}, needed=("text",))
        version = version_or_problem(uuid)
        kind, key = asked.get("part_kind", ""), asked.get("part_key", "")
        if bool(kind) != bool(key):
            place = "/part_key" if kind else "/part_kind"
            raise refused("missing", "Give part_kind and part_key, or neither.", place=place)
        made = add_comment(
            version=version,
            part_kind=kind,
            part_key=key,
            thread=None,
            text=asked["text"],
            actor=cast(User, request.user),
            at=timezone.now(),
        )
        return _answer(version, made.uuid, status=201)


class ThreadDetail(ApiView):
    """One thread. Its ETag changes with every reply, and when it is resolved or reopened."""

    required_scope = "frameworks:read"

    @extend_schema(operation_id="framework_comments_read", parameters=[_VERSION, _THREAD], responses=ThreadSerializer)
    def get(self, request: Request, uuid: UUID, thread: UUID) -> Response:
        return _answer(version_or_problem(uuid), thread)


class ReplyList(ApiView):
    """POST replies in a thread; what called the author in there counts as noted."""

    required_scope = "comments:write"

    @extend_schema(
        operation_id="framework_comments_reply",
        parameters=[_VERSION, _THREAD],
        request=ReplyAskedSerializer,
        responses={201: ThreadSerializer},
    )
    def post(self, request: Request, uuid: UUID, thread: UUID) -> Response:
        asked = read_body(self.body(), {"text": _text}, needed=("text",))
        version = version_or_problem(uuid)
        found = thread_or_problem(version, thread)
        add_comment(
            version=version,
            part_kind=found.part_kind,
            part_key=found.part_key,
            thread=found,
            text=asked["text"],
            actor=cast(User, request.user),
            at=timezone.now(),
        )
        return _answer(version, thread, status=201)


class ThreadSettling(ApiView):
    """POST resolves or reopens the thread that the caller read."""

    required_scope = "comments:write"

    def settle(self, request: Request, uuid: UUID, thread: UUID, service: Any) -> Response:
        read_body(self.body(), {})
        version = version_or_problem(uuid)
        found = thread_or_problem(version, thread)
        seen = thread_state(found)
        check_precondition(request, seen, creates=False)
        try:
            service(thread=found, actor=cast(User, request.user), at=timezone.now(), seen=seen)
        except StaleThreadError as error:
            raise failed("If-Match", error.state) from error
        return _answer(version, thread)


class ThreadResolve(ThreadSettling):
    """Settled: by whoever opened the thread, or whoever edits drafts."""

    @extend_schema(
        operation_id="framework_comments_resolve",
        parameters=[_VERSION, _THREAD, _IF_MATCH],
        request=None,
        responses=ThreadSerializer,
    )
    def post(self, request: Request, uuid: UUID, thread: UUID) -> Response:
        return self.settle(request, uuid, thread, resolve_thread)


class ThreadReopen(ThreadSettling):
    """Not settled after all."""

    @extend_schema(
        operation_id="framework_comments_reopen",
        parameters=[_VERSION, _THREAD, _IF_MATCH],
        request=None,
        responses=ThreadSerializer,
    )
    def post(self, request: Request, uuid: UUID, thread: UUID) -> Response:
        return self.settle(request, uuid, thread, reopen_thread)


def thread_or_problem(version: FrameworkVersion, thread: UUID) -> Comment:
    """The thread as this version shows it. Raises ProblemError (404), also for a reply."""
    found = with_replies(threads_on(version)).filter(uuid=thread).first()
    if found is None:
        raise ProblemError("not-found")
    return found


def _answer(version: FrameworkVersion, thread: UUID, status: int = 200) -> Response:
    found = thread_or_problem(version, thread)
    headers = {"ETag": entity_tag(thread_state(found))}
    return Response(ThreadSerializer(found).data, status=status, headers=headers)
