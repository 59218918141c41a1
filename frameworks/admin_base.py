"""The one module that knows Unfold: what every admin page of Cutline is made of.

Nothing governed is added, edited or deleted here by forms. What changes something is a dialog: its GET shows
a form, only its POST, with the CSRF token, acts. Unfold's other actions are links, and a link that a mail
scanner opens must not approve anything.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.contrib.admin import site
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

__all__ = [
    "BaseAdmin",
    "Checkboxes",
    "DialogForm",
    "IntegerInput",
    "ReadOnlyAdmin",
    "Select",
    "TextInput",
    "Textarea",
    "change_url",
    "dialog_action",
    "leave_dialog",
    "reregister",
    "row_or_404",
]

RowT = TypeVar("RowT", bound=Model)

Checkboxes = UnfoldAdminCheckboxSelectMultipleWidget
IntegerInput = UnfoldAdminIntegerFieldWidget
Select = UnfoldAdminSelectWidget
TextInput = UnfoldAdminTextInputWidget
Textarea = UnfoldAdminTextareaWidget

# What a filter of a list may ask of its own field. Longer paths, like user__password__startswith, find nothing.
LOOKUPS = frozenset(
    {"exact", "isnull", "in", "gte", "gt", "lte", "lt", "id__exact", "pk__exact", "year", "month", "day"}
)


class BaseAdmin(ModelAdmin):
    """Nobody deletes anything, and a list is asked only what its filters offer.

    `view_permission` ("app.codename") is needed to look; without one, everyone who may open the admin looks.
    """

    view_permission: str | None = None
    actions: Any = None
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    compressed_fields = True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if not (request.user.is_active and request.user.is_staff):
            return False
        return self.view_permission is None or request.user.has_perm(self.view_permission)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        name, _, rest = lookup.partition("__")
        return name in set(self._filterable(request)) and (not rest or rest in LOOKUPS)

    def _filterable(self, request: HttpRequest | None) -> Iterator[str]:
        for item in self.get_list_filter(request) if request else self.list_filter:
            field = item[0] if isinstance(item, tuple | list) else item
            if isinstance(field, str):
                yield field
            elif parameter := getattr(field, "parameter_name", None):
                yield parameter
        if self.date_hierarchy:
            yield self.date_hierarchy


class ReadOnlyAdmin(BaseAdmin):
    """Rows that services write. A page shows every field; there is no form to post."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class DialogForm(BaseDialogForm):
    """The form of a dialog. `self.request` and `self.object_id` say who opens it for which row.

    Its widgets come from this module. Every dialog posts at least its own marker, so that an empty form is
    told apart from one that was only opened.
    """


def dialog_action(
    *,
    title: str,
    text: str,
    submit: str,
    form_class: type[DialogForm],
    permissions: list[str],
    icon: str = "",
) -> Callable[[Callable[..., HttpResponse]], Any]:
    """Make a method an action behind a dialog: `method(self, request, form, object_id)`, called by a valid POST.

    `permissions` name `has_<permission>_permission` methods of the admin; failing one is a 403.
    """
    made: Callable[[Callable[..., HttpResponse]], Any] = action(
        description=title,
        permissions=permissions,
        icon=icon or None,
        dialog={"title": title, "description": text, "form_class": form_class, "form_submit_text": submit},
    )
    return made


def row_or_404(rows: QuerySet[RowT], object_id: object) -> RowT:
    """The row that an admin address names; 404 for one that names none, whatever stands there."""
    try:
        return get_object_or_404(rows, pk=object_id)
    except (ValueError, ValidationError) as error:
        raise Http404 from error


def leave_dialog(request: HttpRequest, url: str) -> HttpResponse:
    """Go to a page after a dialog: htmx would put the page into the dialog, so it is told to leave."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def change_url(instance: Model) -> str:
    """The admin's page of a row."""
    meta = instance._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[instance.pk])


def reregister(model: type[Model], admin_class: type[BaseAdmin] | None = None) -> None:
    """Put a third party's model on our base, or, without a class, take it out of the admin."""
    if site.is_registered(model):
        site.unregister(model)
    if admin_class:
        site.register(model, admin_class)
