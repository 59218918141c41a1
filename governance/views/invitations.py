"""The links that were sent for one version, and sending another."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import FrameworkVersion, User
from frameworks.templatetags.cutline import day
from frameworks.views.answers import act, refused
from frameworks.views.versions import version_or_404
from governance.models import Invitation
from governance.services.invitations import (
    NOTE,
    VALID_FOR,
    invite_reader,
    may_invite,
    revoke_invitation,
    why_gone,
)
from governance.services.telling import version_url
from governance.visitor import visitor

PER_PAGE = 50


class InvitationForm(forms.Form):
    person = forms.ModelChoiceField(queryset=User.objects.none(), label="Who may read it?")
    note = forms.CharField(
        max_length=NOTE,
        required=False,
        label="A word to them",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Stands in the mail.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True, is_service=False).exclude(pk=user.pk)
        self.fields["person"].queryset = people.order_by("name", "pk")  # type: ignore[attr-defined]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_list(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Who was invited, what became of each link, and the form for another one."""
    version, user = version_or_404(slug, number), visitor(request)
    if not may_invite(user, version):
        error = NotAllowedError("RevOps and the author of a version invite people to read it.")
        return refused(request, error, back=version_url(version))
    form, status = InvitationForm(request.POST or None, user=user), 200
    if request.method == "POST":
        try:
            if form.is_valid():
                return _invite(request, version, form)
            status = 422
        except InvalidError as error:
            status = 422
            for problem in error.problems:
                form.add_error(None, problem)
        except ConflictError as error:
            status = 409
            form.add_error(None, error.message)
    return render(request, "governance/invitation_list.html", _context(request, version, form), status=status)


def _invite(request: HttpRequest, version: FrameworkVersion, form: InvitationForm) -> HttpResponse:
    given = form.cleaned_data
    made = invite_reader(
        version=version, person=given["person"], note=given["note"], actor=visitor(request), at=timezone.now()
    )
    messages.success(request, f"{made.person} gets a link by e-mail. It works once, until {day(made.expires_at)}.")
    return redirect("governance:invitation_list", slug=version.framework.slug, number=version.number)


def _context(request: HttpRequest, version: FrameworkVersion, form: InvitationForm) -> dict[str, Any]:
    at = timezone.now()
    rows = Invitation.objects.filter(version=version).select_related("person", "invited_by", "revoked_by", "mail")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return {
        "version": version,
        "framework": version.framework,
        "page": page,
        "rows": [(row, why_gone(row, at)) for row in page.object_list],
        "form": form,
        "days": VALID_FOR.days,
    }


@act
def invitation_revoke(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take a link back; whoever reads by it stops now."""
    rows = Invitation.objects.select_related("version__framework", "person")
    invitation = get_object_or_404(rows, uuid=uuid)
    revoke_invitation(invitation=invitation, actor=visitor(request), at=timezone.now())
    messages.success(request, f"The link of {invitation.person} opens nothing any more.")
    version = invitation.version
    return redirect("governance:invitation_list", slug=version.framework.slug, number=version.number)
