"""Administration of people; frameworks and their parts to look at, since pages and services change them."""

import json
from typing import Any, ClassVar

from allauth.account.forms import ResetPasswordForm
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from frameworks.admin_base import (
    BaseAdmin,
    Checkboxes,
    DialogForm,
    ReadOnlyAdmin,
    change_url,
    dialog_action,
    leave_dialog,
    reregister,
    row_or_404,
)
from frameworks.models import (
    Attribute,
    Contribution,
    Delegation,
    Framework,
    FrameworkVersion,
    Part,
    Requirement,
    Signoff,
    User,
    VersionImpact,
)
from frameworks.roles import Role, roles_of
from frameworks.services.people import problems_of, save_person

RIGHTS = ("is_active", "is_staff", "is_superuser", "is_service", "groups")


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A person's name and rights. There is no password: nobody chooses one for somebody else."""

    groups = forms.ModelMultipleChoiceField(
        label="Roles", queryset=Group.objects.order_by("name"), required=False, widget=Checkboxes
    )

    class Meta:
        model = User
        fields = ("email", "name", "title", *RIGHTS)
        labels: ClassVar = {
            "is_active": "May log in",
            "is_staff": "May open the administration",
            "is_superuser": "Superuser",
            "is_service": "Service account",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "groups" in self.fields:
            labels = {role.value: role.label for role in Role}
            field: Any = self.fields["groups"]
            field.label_from_instance = lambda group: labels.get(group.name, group.name)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        person = User(**{name: cleaned.get(name, getattr(self.instance, name)) for name in RIGHTS[:4]})
        if problems := problems_of(person):
            raise forms.ValidationError(problems)
        return cleaned


class LinkForm(DialogForm):
    """Nothing to fill in."""


@admin.register(User)
class UserAdmin(BaseAdmin):
    """People and service accounts. Whoever leaves is deactivated; what they signed stays theirs."""

    form = PersonForm
    view_permission = "frameworks.view_user"
    list_display = ("name", "email", "roles", "is_active", "is_staff", "is_service", "last_login")
    list_filter = ("is_active", "is_staff", "is_service", "groups")
    search_fields = ("name", "email")
    readonly_fields = ("last_login", "joined_at")
    fieldsets = (
        (None, {"fields": ("name", "email", "title")}),
        ("Rights", {"fields": RIGHTS}),
        ("Known since", {"fields": ("joined_at", "last_login")}),
    )
    actions_detail = ("send_link",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request)
        return people.prefetch_related("groups")

    @admin.display(description="Roles")
    def roles(self, person: User) -> str:
        return ", ".join(role.label for role in roles_of(person)) or "–"

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_above = isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser
        return super().has_change_permission(request, obj) and not is_above

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        fixed: tuple[str, ...] = ("last_login", "joined_at")
        if obj and obj.pk == request.user.pk:
            return (*fixed, *RIGHTS)
        return fixed if request.user.is_superuser else (*fixed, "is_superuser")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        groups = form.cleaned_data.get("groups")
        if groups is None:
            groups = obj.groups.all()
        save_person(person=obj, groups=groups, actor=_person(request), at=timezone.now())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        """The roles were saved with the person, in one act."""

    @dialog_action(
        title="Send a link to choose a password",
        text="An e-mail with a link that works once goes to this person's address.",
        submit="Send the link",
        form_class=LinkForm,
        permissions=["change"],
        icon="mail",
    )
    def send_link(self, request: HttpRequest, form: DialogForm, object_id: str) -> HttpResponse:
        person = row_or_404(User.objects.all(), object_id)
        mail = ResetPasswordForm({"email": person.email})
        if person.is_active and not person.is_service and mail.is_valid():
            mail.save(request)
            messages.success(request, f"A link was sent to {person.email}.")
        else:
            messages.error(request, "Only an active person who is no service account gets a link.")
        return leave_dialog(request, change_url(person))


def _person(request: HttpRequest) -> User:
    """Whoever the admin let in; its own check precedes every view."""
    if not isinstance(request.user, User):
        raise TypeError("the admin is for people")
    return request.user


class RoleAdmin(ReadOnlyAdmin):
    """Roles come from code; which person has which is said at the person."""

    view_permission = "frameworks.view_user"
    list_display = ("name", "label")
    fields = ("name", "label", "may")
    readonly_fields = fields

    @admin.display(description="Role")
    def label(self, group: Group) -> str:
        return Role(group.name).label if group.name in Role.values else "–"

    @admin.display(description="May")
    def may(self, group: Group) -> str:
        return ", ".join(group.permissions.order_by("codename").values_list("codename", flat=True)) or "read"


@admin.register(Attribute)
class AttributeAdmin(ReadOnlyAdmin):
    list_display = ("key", "data_type", "storage")
    list_filter = ("data_type", "storage")
    search_fields = ("key",)


@admin.register(Framework)
class FrameworkAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "active_version", "updated_at")
    list_select_related = ("active_version",)
    search_fields = ("name", "slug")


@admin.register(FrameworkVersion)
class FrameworkVersionAdmin(ReadOnlyAdmin):
    list_display = ("framework", "number", "state", "round", "author", "activated_at")
    list_filter = ("state", "framework")
    list_select_related = ("framework", "author")


@admin.register(Part)
class PartAdmin(ReadOnlyAdmin):
    list_display = ("version", "kind", "key", "updated_at")
    list_filter = ("kind",)
    list_select_related = ("version",)
    search_fields = ("key",)
    fields = ("version", "kind", "key", "content", "updated_at")
    readonly_fields = fields

    @admin.display(description="Content")
    def content(self, part: Part) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(part.body.body, indent=2, ensure_ascii=False))


@admin.register(Requirement)
class RequirementAdmin(ReadOnlyAdmin):
    list_display = ("version", "round", "label", "part_key", "minimum", "pool_label")
    list_select_related = ("version",)
    search_fields = ("label", "part_key")


@admin.register(Signoff)
class SignoffAdmin(ReadOnlyAdmin):
    list_display = ("signed_at", "printed_name", "role", "decision", "code", "part_key", "version")
    list_filter = ("decision",)
    list_select_related = ("version",)
    search_fields = ("printed_name", "part_key", "covered_digest")


@admin.register(Delegation)
class DelegationAdmin(ReadOnlyAdmin):
    list_display = ("delegator", "delegate", "valid_from", "valid_until", "ended_at")
    list_select_related = ("delegator", "delegate")
    search_fields = ("delegator__name", "delegate__name")


@admin.register(VersionImpact)
class VersionImpactAdmin(ReadOnlyAdmin):
    list_display = ("version", "computed_at", "as_of", "digest", "computed_by")
    list_select_related = ("version", "computed_by")


@admin.register(Contribution)
class ContributionAdmin(ReadOnlyAdmin):
    list_display = ("contributed_at", "contributed_by", "version", "kind", "key", "source")
    list_filter = ("source", "kind")
    list_select_related = ("contributed_by", "version")
    search_fields = ("key",)


reregister(Group, RoleAdmin)
# Addresses are the persons' own, and an authenticator's row holds its secret: neither is anybody else's to see.
reregister(EmailAddress)
reregister(Authenticator)
admin.site.index_title = "Administration"
