"""What the checks found in a version, and accepting a warning in writing."""

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
from frameworks.api.errors import refused
from frameworks.api.pagination import read_cursor, write_cursor
from frameworks.api.parts import version_or_problem
from frameworks.api.schema import page_of, parameter
from frameworks.api.serializers import PartSerializer
from frameworks.api.views import ApiView
from frameworks.checks.findings import Example, Finding
from frameworks.checks.slot import engine_checks
from frameworks.gates import findings_of
from frameworks.models import Contribution, FrameworkVersion, User
from frameworks.services.waiving import waive_findings
from frameworks.values import RefusedValueError

_SEVERITIES = ["error", "warning"]
_FINGERPRINT_CHARACTERS = 64
_REASON_CHARACTERS = 2_000
_WAIVED_AT_ONCE = 100


class ExampleSerializer(serializers.Serializer[Example]):
    """Where a finding holds. Accounts are counted, never named: the scope of frameworks shows none."""

    text = serializers.CharField()
    cell = serializers.SerializerMethodField(help_text="A value in words by input.")
    outcome = serializers.CharField()
    accounts = serializers.IntegerField(allow_null=True, help_text="Live accounts there; null: not counted.")

    def get_cell(self, example: Example) -> dict[str, str]:
        return dict(example.cell)


class FindingSerializer(serializers.Serializer[Finding]):
    code = serializers.CharField()
    severity = serializers.ChoiceField(_SEVERITIES)
    text = serializers.CharField()
    part_kind = serializers.CharField(source="kind", help_text="Of the part it is about; empty: the framework.")
    part_key = serializers.CharField(source="subject")
    items = serializers.ListField(child=serializers.CharField())
    examples = ExampleSerializer(many=True)
    fingerprint = serializers.CharField(help_text="What a waiver names; another one when more was found.")
    is_waived = serializers.SerializerMethodField()

    def get_is_waived(self, finding: Finding) -> bool:
        return finding.waiver is not None


class WaiversAskedSerializer(serializers.Serializer[Any]):
    # Only describes: the readers below are what reads it.
    fingerprints = serializers.ListField(child=serializers.CharField(), max_length=_WAIVED_AT_ONCE)
    reason = serializers.CharField(help_text="At least 15 characters.")


class WaiversSerializer(serializers.Serializer[Any]):
    data = PartSerializer(many=True)  # type: ignore[assignment]


def _findings(version: FrameworkVersion) -> list[Finding]:
    """As the Checks tab shows them. Raises InvalidError while parts cannot be read."""
    checks = engine_checks()
    return findings_of(version, checks.known(version) if checks else None)


class FindingList(ApiView):
    """Findings of the checks, errors first. Those about live accounts are of the last time somebody ran them."""

    required_scope = "frameworks:read"
    parameters: ClassVar = {
        "cursor": parameters.cursor,
        "limit": parameters.limit,
        "severity": lambda value: values.choice(value, _SEVERITIES),
    }

    @extend_schema(
        operation_id="framework_findings_list",
        parameters=[
            OpenApiParameter("uuid", UUID, OpenApiParameter.PATH),
            OpenApiParameter("severity", str, enum=_SEVERITIES),
            parameter("cursor"),
            parameter("limit"),
        ],
        responses=page_of(FindingSerializer),
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        binding = self.binding(f"findings {uuid}")
        wanted = self.given.get("severity")
        found = [each for each in _findings(version_or_problem(uuid)) if wanted in (None, each.severity)]
        if "cursor" in self.given:
            after = read_cursor(binding, self.given["cursor"])
            found = found[next((n + 1 for n, each in enumerate(found) if [each.fingerprint] == after), len(found)) :]
        rows: Any = found[: self.limit()]
        more = len(found) > len(rows)
        page = {"next_cursor": write_cursor(binding, [rows[-1].fingerprint]) if more else None, "has_more": more}
        return Response({"data": FindingSerializer(rows, many=True).data, "page": page})


class WaiverList(ApiView):
    """POST writes a waiver into a draft for each warning named; people sign it like every part."""

    required_scope = "frameworks:write"

    @extend_schema(
        operation_id="framework_waivers_create",
        parameters=[OpenApiParameter("uuid", UUID, OpenApiParameter.PATH)],
        request=WaiversAskedSerializer,
        responses={201: WaiversSerializer},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        asked = read_body(
            self.body(),
            {"fingerprints": _fingerprints, "reason": lambda value: values.text(value, most=_REASON_CHARACTERS)},
            needed=("fingerprints", "reason"),
        )
        version = version_or_problem(uuid)
        now = {finding.fingerprint: finding for finding in _findings(version)}
        for place, each in enumerate(asked["fingerprints"]):
            if each not in now:
                said = "This is not what the checks find now. Nothing was waived; read the findings again."
                raise refused("stale", said, place=f"/fingerprints/{place}", kind="conflict")
        parts = waive_findings(
            version=version,
            findings=[now[each] for each in asked["fingerprints"]],
            reason=asked["reason"],
            actor=cast(User, request.user),
            at=timezone.now(),
            source=Contribution.Source.API,
        )
        return Response({"data": PartSerializer(parts, many=True).data}, status=201)


def _fingerprints(value: Any) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= _WAIVED_AT_ONCE:
        raise RefusedValueError("wrong_type", f"A list of 1 to {_WAIVED_AT_ONCE} fingerprints.")
    return [values.line(each, most=_FINGERPRINT_CHARACTERS) for each in value]
