"""What frameworks look like from outside."""

from rest_framework import serializers

from frameworks.models import Framework, FrameworkVersion, Part


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


class FrameworkVersionSerializer(serializers.ModelSerializer[FrameworkVersion]):
    id = serializers.UUIDField(source="uuid")
    framework = serializers.CharField(source="framework.slug")
    base_version = VersionReferenceSerializer(allow_null=True)
    is_active = serializers.BooleanField(help_text="In force today.")
    parts = PartSerializer(many=True)

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
            "parts",
            "created_at",
            "updated_at",
        ]
