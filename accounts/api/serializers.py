"""What accounts and assignments look like from outside; decimals are strings, moments UTC with Z.

They need context: `external_ids`, account id → source → id; assignments and changes also `segment_keys`, segment id
→ key with None → None; assignments `at`, the moment of the reading (accounts.querysets makes the first two).
Docstrings of serializers are printed in the API's description.
"""

from typing import Any

from rest_framework import serializers

from accounts.attributes import CORE_ATTRIBUTES
from accounts.evaluation.explain import VerdictNode
from accounts.evaluation.what_if import Standing, Supposed
from accounts.models import Account, Assignment, Cause, MetricObservation, Reason, Transition

_ABOUT = ["id", "external_ids", "name", "domain", "stage", "exclusion", "currency", "parent"]
_STATE = ["attributes", "provenance", "source_version", "source_updated_at", "version", "created_at", "updated_at"]


class AccountSerializer(serializers.ModelSerializer[Account]):
    id = serializers.UUIDField(source="uuid")
    external_ids = serializers.SerializerMethodField(help_text="Source → id there.")
    parent = serializers.UUIDField(source="parent.uuid", default=None, allow_null=True)  # type: ignore[assignment]
    exclusion = serializers.CharField(help_text="test, internal or merged; empty: it counts.")
    attributes = serializers.DictField(help_text="This company's own attributes; decimals as strings.")
    provenance = serializers.DictField(help_text="Attribute → source and moment of its value.")

    class Meta:
        model = Account
        fields = [*_ABOUT, *(key for key in CORE_ATTRIBUTES if key not in _ABOUT), *_STATE]
        read_only_fields = fields

    def get_external_ids(self, account: Account) -> dict[str, str]:
        ids: dict[str, str] = self.context["external_ids"].get(account.pk, {})
        return ids


class AccountReferenceSerializer(serializers.Serializer[Account]):
    id = serializers.UUIDField(source="uuid")
    external_ids = serializers.SerializerMethodField()

    def get_external_ids(self, account: Account) -> dict[str, str]:
        ids: dict[str, str] = self.context["external_ids"].get(account.pk, {})
        return ids


class AssignmentSerializer(serializers.Serializer[Assignment]):
    """Which segment an account is in, in one dimension."""

    account = AccountReferenceSerializer()
    dimension = serializers.CharField(source="dimension.key")
    segment = serializers.SerializerMethodField(help_text="What counts now; null: Unassigned.")
    computed = serializers.SerializerMethodField(help_text="What the rules say.")
    reason = serializers.ChoiceField(choices=Reason.choices)
    missing = serializers.ListField(child=serializers.CharField(), help_text="Attributes without a value.")
    overridden_until = serializers.SerializerMethodField()
    framework_version = serializers.IntegerField(source="framework_version.number")
    version = serializers.IntegerField()
    effective_since = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(source="changed_at")

    def get_segment(self, assignment: Assignment) -> str | None:
        return self._key(assignment.current_segment)  # type: ignore[attr-defined]

    def get_computed(self, assignment: Assignment) -> str | None:
        return self._key(assignment.computed_id)

    def get_overridden_until(self, assignment: Assignment) -> str | None:
        until = assignment.override_until
        if until is None or until <= self.context["at"]:
            return None
        return serializers.DateTimeField().to_representation(until)

    def _key(self, segment_id: int | None) -> str | None:
        key: str | None = self.context["segment_keys"][segment_id]
        return key


class ChangeSerializer(serializers.Serializer[Transition]):
    """An account came into a segment. Keep, per account and dimension, what has the higher `version`."""

    op = serializers.ChoiceField(choices=["upsert"], default="upsert")
    account = AccountReferenceSerializer()
    dimension = serializers.CharField(source="dimension.key")
    segment = serializers.SerializerMethodField()
    previous = serializers.SerializerMethodField()
    cause = serializers.ChoiceField(choices=Cause.choices)
    reason = serializers.ChoiceField(choices=Reason.choices)
    framework_version = serializers.IntegerField(source="framework_version.number")
    version = serializers.IntegerField()
    effective_at = serializers.DateTimeField()

    def get_segment(self, transition: Transition) -> str | None:
        key: str | None = self.context["segment_keys"][transition.to_segment_id]
        return key

    def get_previous(self, transition: Transition) -> str | None:
        key: str | None = self.context["segment_keys"][transition.from_segment_id]
        return key


class PastAssignmentSerializer(serializers.Serializer[Transition]):
    """Which segment an account was in, in one dimension, and the change that brought it there."""

    dimension = serializers.CharField(source="dimension.key")
    segment = serializers.CharField(
        source="to_segment.key", default=None, allow_null=True, help_text="null: Unassigned."
    )
    cause = serializers.ChoiceField(choices=Cause.choices)
    reason = serializers.ChoiceField(choices=Reason.choices)
    framework_version = serializers.IntegerField(source="framework_version.number", help_text="The version it was by.")
    version = serializers.IntegerField()
    effective_since = serializers.DateTimeField(source="effective_at")


class DeletedAccountSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()


class TombstoneSerializer(serializers.Serializer[Any]):
    """An account is gone: deleted, or merged into another one."""

    op = serializers.ChoiceField(choices=["delete"])
    account = DeletedAccountSerializer()
    reason = serializers.CharField(help_text="deleted or merged")
    merged_into = serializers.UUIDField(required=False)


class HeadSerializer(serializers.Serializer[Any]):
    cursor = serializers.CharField()


class PushItemErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(allow_blank=True, help_text="JSON pointer within the item.")
    code = serializers.CharField()
    detail = serializers.CharField()
    received = serializers.JSONField(required=False)


class PushItemResultSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["created", "updated", "unchanged", "stale", "failed"])
    id = serializers.UUIDField(required=False)
    version = serializers.IntegerField(required=False)
    errors = PushItemErrorSerializer(many=True, required=False)  # type: ignore[assignment]


class PushSummarySerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    stale = serializers.IntegerField()
    failed = serializers.IntegerField()


class PushResultSerializer(serializers.Serializer[Any]):
    summary = PushSummarySerializer()
    results = PushItemResultSerializer(many=True)


class ParentKeySerializer(serializers.Serializer[Any]):
    """An account by its id in a source system."""

    # DRF's own `source` names where a field is read from; this one is a field.
    source = serializers.CharField(max_length=63)  # type: ignore[assignment]
    external_id = serializers.CharField(max_length=255)


class PushItemSerializer(serializers.ModelSerializer[Account]):
    """Fields that are absent are left alone; null clears."""

    # Only describes: accounts.pushed is what reads an item. A test compares the two.

    source = serializers.CharField(max_length=63, help_text="Which system calls the account so.")  # type: ignore[assignment]
    external_id = serializers.CharField(max_length=255)
    name = serializers.CharField(max_length=255, required=False, help_text="Needed for a new account.")
    source_version = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, help_text="Counts up in the source; an older one is `stale`."
    )
    source_updated_at = serializers.DateTimeField(required=False, allow_null=True)
    observed_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When the values were seen; the moment of the push if not sent."
    )
    parent = ParentKeySerializer(
        required=False, allow_null=True, help_text="The company above; known here, or made earlier in the same push."
    )
    attributes = serializers.DictField(required=False, help_text="This company's own attributes.")

    class Meta:
        model = Account
        fields = [
            "source",
            "external_id",
            "source_version",
            "source_updated_at",
            "observed_at",
            "parent",
            "name",
            "domain",
            "currency",
            *CORE_ATTRIBUTES,
            "attributes",
        ]


class PushSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(child=PushItemSerializer(), min_length=1, max_length=1000)
    all_or_none = serializers.BooleanField(default=False, required=False)


class SupposedSignalSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(max_length=63)
    occurred_on = serializers.DateField()
    details = serializers.DictField(child=serializers.CharField(max_length=200), required=False)


class SupposedPeriodSerializer(serializers.Serializer[Any]):
    metric = serializers.CharField(max_length=63)
    grain = serializers.ChoiceField(choices=MetricObservation.Grain.choices)
    period = serializers.CharField(max_length=10, help_text="2026, 2026-Q3 or 2026-07.")
    period_end_on = serializers.DateField(help_text="It must have ended.")
    value = serializers.DecimalField(max_digits=24, decimal_places=4)


class WhatIfSerializer(serializers.Serializer[Any]):
    """What is supposed: 1 to 100 changes in all."""

    # Only describes: accounts.supposing is what reads them.

    values = serializers.DictField(
        required=False, help_text="Attribute → value, of core and own attributes alike; null: no value."
    )
    lists = serializers.DictField(
        child=serializers.BooleanField(), required=False, help_text="Account list → whether the account is on it."
    )
    signals = SupposedSignalSerializer(many=True, required=False, help_text="Besides those that are known.")
    periods = SupposedPeriodSerializer(many=True, required=False, help_text="Closed periods of the history.")


class VerdictSerializer(serializers.Serializer[VerdictNode]):
    """One node of a rule."""

    id = serializers.CharField(help_text="The node's id; of a rule, its key.")
    text = serializers.CharField()
    verdict = serializers.ChoiceField(choices=["true", "false", "unknown"])
    value = serializers.CharField(allow_blank=True, help_text="What was seen.")
    source = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    observed_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    children = serializers.SerializerMethodField(help_text="Nodes like this one.")

    def get_children(self, node: VerdictNode) -> list[dict[str, Any]]:
        return [dict(VerdictSerializer(child).data) for child in node.children]


class StandingSerializer(serializers.Serializer[Standing]):
    segment = serializers.CharField(
        source="counted", allow_null=True, help_text="What counts, by the rules or an override; null: Unassigned."
    )
    computed = serializers.CharField(source="why.segment", allow_null=True, help_text="What the rules say.")
    reason = serializers.ChoiceField(source="why.reason", choices=Reason.choices)
    rule = serializers.CharField(source="why.rule_key", allow_blank=True, help_text="The rule that decides.")
    missing = serializers.ListField(source="why.missing", child=serializers.CharField(), help_text="Labels.")
    losers = serializers.ListField(
        source="why.losers", child=serializers.CharField(), help_text="Segments true as well, by label."
    )


class ThenSerializer(StandingSerializer):
    rules = VerdictSerializer(source="why.rules", many=True, help_text="Every rule, in the order they are asked.")


class SupposedSerializer(serializers.Serializer[Supposed]):
    """One dimension, as it is and as it would be."""

    framework = serializers.SerializerMethodField(help_text="Slug.")
    dimension = serializers.CharField(source="key")
    now = StandingSerializer()
    then = ThenSerializer()
    moves = serializers.BooleanField(help_text="The rules would say another segment.")
    counts = serializers.BooleanField(help_text="Another segment would count: an override or a review may keep it.")

    def get_framework(self, supposed: Supposed) -> str:
        slug: str = self.context["slugs"][supposed.framework_id]
        return slug
