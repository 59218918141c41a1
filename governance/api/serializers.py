"""What requests for overrides look like from outside. Context: `external_ids`, account id → source → id."""

from typing import Any

from rest_framework import serializers

from governance.models import Decision, OverrideRequest


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    class Meta:
        model = Decision
        fields = ["verdict", "reason", "printed_name", "role", "decided_at"]


class OverrideRequestSerializer(serializers.ModelSerializer[OverrideRequest]):
    id = serializers.UUIDField(source="uuid")
    account = serializers.SerializerMethodField()
    framework = serializers.CharField(source="dimension.framework.slug")
    dimension = serializers.CharField(source="dimension.key")
    segment = serializers.CharField(source="segment.key")
    computed = serializers.CharField(
        source="computed.key", default=None, allow_null=True, help_text="By the rules, when it was asked for."
    )
    requested_by = serializers.CharField(source="requested_by.name")
    decisions = DecisionSerializer(many=True)

    class Meta:
        model = OverrideRequest
        fields = [
            "id",
            "account",
            "framework",
            "dimension",
            "segment",
            "computed",
            "state",
            "reason_code",
            "reason",
            "evidence",
            "valid_from",
            "valid_until",
            "requested_by",
            "requested_at",
            "decisions",
            "version",
            "updated_at",
        ]

    def get_account(self, request: OverrideRequest) -> dict[str, Any]:
        ids = self.context["external_ids"].get(request.account_id, {})
        return {"id": str(request.account.uuid), "external_ids": ids}


class AccountKeySerializer(serializers.Serializer[Any]):
    """Either `id`, or `source` and `external_id`."""

    id = serializers.UUIDField(required=False)
    source = serializers.CharField(required=False)  # type: ignore[assignment]
    external_id = serializers.CharField(required=False)


class OverrideAskedSerializer(serializers.Serializer[Any]):
    # Only describes: governance.api.views is what reads it.
    account = AccountKeySerializer()
    framework = serializers.CharField(required=False, help_text="Slug; needed when dimension keys repeat.")
    dimension = serializers.CharField()
    segment = serializers.CharField()
    reason_code = serializers.CharField()
    reason = serializers.CharField(help_text="At least 15 visible characters, unless the policy says otherwise.")
    evidence = serializers.CharField(required=False, allow_blank=True)
    valid_from = serializers.DateTimeField(required=False, help_text="Now if not sent.")
    valid_until = serializers.DateTimeField()
