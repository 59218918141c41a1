"""Frameworks as code for programs: a version as a file, what a file would change, and a draft made of it.

YAML is read and written at these addresses only.
"""

from collections.abc import Mapping
from typing import IO, Any, cast
from uuid import UUID

from django.http import UnreadablePostError
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from frameworks.api.diff import PartChangeSerializer, change_as_json
from frameworks.api.errors import ProblemError, refused
from frameworks.api.findings import FindingSerializer
from frameworks.api.parts import version_or_problem
from frameworks.api.serializers import FrameworkVersionSerializer, VersionReferenceSerializer
from frameworks.api.views import ApiView
from frameworks.definition import Definition
from frameworks.forecast import ACCOUNTS_AT_MOST, Move, forecaster
from frameworks.models import Contribution, Framework, User
from frameworks.services.exchange import FilePlan, apply_file, export_version, plan_file

YAML = "application/yaml"


class YamlParser(BaseParser):
    """The text of a framework file in UTF-8; what it says is read by the service, which knows lines."""

    media_type = YAML

    def parse(  # type: ignore[override]
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> str:
        try:
            body = parser_context["request"]._request.body if parser_context else stream.read()
            return str(body, "utf-8-sig")
        except UnreadablePostError:
            raise refused(
                "malformed_yaml", "The body ended before it was complete.", kind="malformed-request"
            ) from None
        except UnicodeDecodeError as error:
            said = f"Byte {error.start + 1:,} of the body is not UTF-8."
            raise refused("malformed_yaml", said, kind="malformed-request") from None


class YamlRenderer(BaseRenderer):
    """The text of a file as it is; a problem is JSON here too."""

    media_type = YAML
    format = "yaml"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if isinstance(data, str):
            return data.encode()
        rendered: bytes = JSONRenderer().render(data)
        return rendered


class UnclearRuleSerializer(serializers.Serializer[Any]):
    """A rule whose text can be read in two ways."""

    where = serializers.CharField()
    read_as = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())


class MoveSerializer(serializers.Serializer[Move]):
    """Accounts that would go from one segment to another."""

    was = serializers.CharField(allow_null=True, help_text="Segment key; null: Unassigned, or see `is_first`.")
    now = serializers.CharField(allow_null=True, help_text="Segment key; null: Unassigned.")
    accounts = serializers.IntegerField()
    is_first = serializers.BooleanField(help_text="They have no assignment in this dimension yet.")


class DimensionMovesSerializer(serializers.Serializer[Any]):
    dimension = serializers.CharField()
    moving = serializers.IntegerField(help_text="Accounts that would come into another segment, first ones included.")
    moves = MoveSerializer(many=True, help_text="The largest first; empty: nobody would move.")


class ForecastSerializer(serializers.Serializer[Any]):
    """What the file would move of the accounts there are, as they are assigned now; nothing is written."""

    state = serializers.ChoiceField(
        ["counted", "no_accounts", "too_many_accounts", "unreadable"],
        help_text="Only `counted` has dimensions. `too_many_accounts`: the command `framework plan` counts them."
        " `unreadable`: an account has a value that cannot be read as what the file says it is.",
    )
    accounts = serializers.IntegerField(help_text="That are neither deleted nor merged.")
    compared_with = VersionReferenceSerializer(
        allow_null=True, help_text="The version in force; null: there is none, so every account comes from nowhere."
    )
    dimensions = DimensionMovesSerializer(many=True)


class FilePlanSerializer(serializers.Serializer[Any]):
    base = VersionReferenceSerializer(allow_null=True, help_text="The version that the changes are counted from.")
    overtaken_by = VersionReferenceSerializer(
        allow_null=True, help_text="In force since the file was exported: it cannot be applied."
    )
    digest = serializers.CharField(help_text="Manifest digest of a version that says what the file says.")
    changes = PartChangeSerializer(many=True)
    findings = FindingSerializer(many=True, help_text="What the parts and rules give away.")
    unclear = UnclearRuleSerializer(many=True)
    impact = ForecastSerializer(allow_null=True, help_text="Null: this installation has no accounts to ask.")


class AppliedSerializer(serializers.Serializer[Any]):
    created = serializers.BooleanField(help_text="False: there was a version that says the same.")
    version = FrameworkVersionSerializer()


class VersionFile(ApiView):
    """A version as a framework file."""

    required_scope = "frameworks:read"
    renderer_classes = (YamlRenderer,)

    @extend_schema(
        operation_id="framework_versions_export",
        parameters=[OpenApiParameter("uuid", UUID, OpenApiParameter.PATH)],
        responses={(200, YAML): OpenApiTypes.STR},
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        return Response(export_version(version_or_problem(uuid)))


class FilePlanning(ApiView):
    """What a file would change, beside the version it was made from. Nothing is written."""

    required_scope = "frameworks:read"
    parser_classes = (YamlParser,)

    @extend_schema(
        operation_id="framework_files_plan",
        parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH)],
        request={YAML: OpenApiTypes.STR},
        responses=FilePlanSerializer,
    )
    def post(self, request: Request, slug: str) -> Response:
        _refuse_unknown(slug)
        plan = plan_file(cast(str, request.data))
        if plan.file.framework != slug:
            said = f"This is a file of {plan.file.framework}, not {slug}."
            raise refused("other", said, place="/framework")
        return Response(_as_json(plan))


class FileApply(ApiView):
    """Makes the draft that says what the file says. It is then read, submitted and signed by people."""

    required_scope = "frameworks:write"
    parser_classes = (YamlParser,)

    @extend_schema(
        operation_id="framework_files_apply",
        parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH)],
        request={YAML: OpenApiTypes.STR},
        responses={200: AppliedSerializer, 201: AppliedSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        _refuse_unknown(slug)
        version, is_new = apply_file(
            text=cast(str, request.data),
            actor=cast(User, request.user),
            at=timezone.now(),
            source=Contribution.Source.API,
            framework=slug,
        )
        data = {"created": is_new, "version": FrameworkVersionSerializer(version).data}
        headers = {"Location": f"/api/v1/framework-versions/{version.uuid}"}
        return Response(data, status=201 if is_new else 200, headers=headers)


def _refuse_unknown(slug: str) -> None:
    """Starting a framework takes a person: a token writes drafts of those there are."""
    if not Framework.objects.filter(slug=slug).exists():
        raise ProblemError("not-found")


def _as_json(plan: FilePlan) -> dict[str, Any]:
    findings: Any = plan.findings(timezone.now())
    unclear = [{"where": where, "read_as": taken, "reasons": why} for where, taken, why in plan.unclear]
    return {
        "base": _reference(plan.base),
        "overtaken_by": _reference(plan.overtaken_by),
        "digest": plan.digest,
        "changes": _changes(plan),
        "findings": FindingSerializer(findings, many=True).data,
        "unclear": unclear,
        "impact": _impact(plan, Definition(plan.bodies)),
    }


def _impact(plan: FilePlan, definition: Definition) -> dict[str, Any] | None:
    """Raises InvalidError for dimensions that read each other in a circle."""
    ask = forecaster()
    if ask is None:
        return None
    found = ask(definition=definition, framework=plan.framework, at=timezone.now(), at_most=ACCOUNTS_AT_MOST)
    keys = sorted(definition.dimensions) if found.state == "counted" else []
    by_dimension: dict[str, Any] = {key: [move for move in found.moves if move.dimension == key] for key in keys}
    return {
        "state": found.state,
        "accounts": found.accounts,
        "compared_with": _reference(plan.framework.active_version if plan.framework else None),
        "dimensions": [
            {
                "dimension": key,
                "moving": sum(move.accounts for move in moves),
                "moves": MoveSerializer(moves, many=True).data,
            }
            for key, moves in by_dimension.items()
        ],
    }


def _reference(version: Any) -> Any:
    return VersionReferenceSerializer(version).data if version else None


def _changes(plan: FilePlan) -> list[dict[str, Any]]:
    rows = plan.base.parts.values_list("kind", "key", "body_id") if plan.base else ()
    before = {(kind, key): digest for kind, key, digest in rows}
    after = {(content.kind, content.key): content.digest for content in plan.contents}
    return [
        change_as_json(change, *(digests.get((change.kind, change.key), "") for digests in (before, after)))
        for change in plan.changes
    ]
