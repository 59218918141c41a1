"""What frameworks look like from outside."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from frameworks.models import Framework, FrameworkVersion, Part
from frameworks.recertification import Recertification, recertifications


class VersionReferenceSerializer(serializers.ModelSerializer[FrameworkVersion]):
    id = serializers.UUIDField(source="uuid")

    class Meta:
        model = FrameworkVersion
        fields = ["id", "number"]


class FrameworkSerializer(serializers.ModelSerializer[Framework]):
    id = serializers.UUIDField(source="uuid")
    active_version = VersionReferenceSerializer(allow_null=True)

    class Meta:
        model = Framework
        fields = ["id", "slug", "name", "active_version", "created_at", "updated_at"]


class PartSerializer(serializers.ModelSerializer[Part]):
    digest = serializers.CharField(source="body_id", help_text="SHA-256 of the exact content.")

    class Meta:
        model = Part
        fields = ["kind", "key", "digest"]


class RecertificationSerializer(serializers.Serializer[Recertification]):
    """A requirement of the version in force that is signed again at intervals."""

    code = serializers.CharField(source="requirement.code")
    title = serializers.CharField(source="requirement.label")
    part_kind = serializers.CharField(source="requirement.part_kind")
    part_key = serializers.CharField(source="requirement.part_key")
    every_days = serializers.IntegerField(source="requirement.recertify_days")
    certified_at = serializers.DateTimeField(help_text="Since when enough people have signed it, of the last time.")
    due_at = serializers.DateTimeField()
    is_open = serializers.BooleanField(help_text="It can be signed again: from 14 days before it is due.")
    is_overdue = serializers.BooleanField()
    needed = serializers.IntegerField()
    approved = serializers.SerializerMethodField(help_text="Approvals since it opened.")

    def get_approved(self, found: Recertification) -> int:
        return len(found.approved_by)


class FrameworkVersionSerializer(serializers.ModelSerializer[FrameworkVersion]):
    id = serializers.UUIDField(source="uuid")
    framework = serializers.CharField(source="framework.slug")
    base_version = VersionReferenceSerializer(allow_null=True)
    is_active = serializers.BooleanField(help_text="In force today.")
    rollback_of = VersionReferenceSerializer(allow_null=True)
    recertifications = serializers.SerializerMethodField(help_text="Empty unless the version is in force.")
    parts = PartSerializer(many=True)

    @extend_schema_field(RecertificationSerializer(many=True))
    def get_recertifications(self, version: FrameworkVersion) -> Any:
        found: Any = recertifications(version, timezone.now()) if version.is_active else []
        return RecertificationSerializer(found, many=True).data

    class Meta:
        model = FrameworkVersion
        fields = [
            "id",
            "framework",
            "number",
            "title",
            "state",
            "is_active",
            "round",
            "base_version",
            "manifest_digest",
            "submitted_at",
            "activated_at",
            "superseded_at",
            "scheduled_for",
            "is_emergency",
            "ratify_by",
            "ratified_at",
            "rollback_of",
            "recertifications",
            "parts",
            "created_at",
            "updated_at",
        ]
