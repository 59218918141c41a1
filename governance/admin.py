"""Where CS Ops decides requests and RevOps keeps tokens and schedules; evidence to look at, never to touch."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from accounts.models import Override
from frameworks.admin_base import (
    Checkboxes,
    DialogForm,
    IntegerInput,
    ReadOnlyAdmin,
    Select,
    Textarea,
    TextInput,
    change_url,
    dialog_action,
    leave_dialog,
    reregister,
    row_or_404,
)
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import User
from frameworks.templatetags.cutline import day
from governance import review_admin  # noqa: F401 - registers itself
from governance.models import ApiToken, AuditEntry, Decision, Heartbeat, OverrideRequest, Scope
from governance.services.eligibility import awaited_role, decision_refusals, reason_label, request_warnings
from governance.services.explanation import explanation_lines, explanation_of
from governance.services.requests import decide_override, revoke_override
from governance.services.tokens import DAYS_DEFAULT, DAYS_MOST, issue_token, revoke_token
from governance.visitor import visitor

Refused = (ConflictError, InvalidError, NotAllowedError)
Verdict = Decision.Verdict


class AgeFilter(admin.SimpleListFilter):
    """Open requests by how long they have waited."""

    title = "waiting for"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "more than a day"), ("3", "more than 3 days"), ("7", "more than a week")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OverrideRequest]) -> QuerySet[OverrideRequest]:
        if self.value() not in {"1", "3", "7"}:
            return queryset
        asked_before = timezone.now() - timedelta(days=int(self.value() or 0))
        return queryset.filter(state__in=OverrideRequest.OPEN, requested_at__lt=asked_before)


class DecisionForm(DialogForm):
    """The words of a decision, and the version of the request that the decider saw."""

    form_before_template = "governance/admin/_decision.html"

    reason = forms.CharField(label="Reason", required=False, max_length=2000, widget=Textarea(attrs={"rows": 3}))
    expected_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = row_or_404(OverrideRequest.objects.with_people(), self.object_id)
        self.fields["expected_version"].initial = self.asked.version

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"asked": self.asked, "warnings": request_warnings(self.asked)}


class RejectionForm(DecisionForm):
    reason = forms.CharField(label="Why not?", max_length=2000, widget=Textarea(attrs={"rows": 3}))


class RevocationForm(DialogForm):
    reason = forms.CharField(label="Reason", max_length=2000, widget=Textarea(attrs={"rows": 3}))


@admin.register(OverrideRequest)
class OverrideRequestAdmin(ReadOnlyAdmin):
    """Requests: everything is to read, and to decide through dialogs that post."""

    list_display = ("account", "wanted", "state", "awaits", "requested_by", "requested_at", "valid_until")
    list_filter = ("state", AgeFilter, "dimension")
    search_fields = ("account__name", "=uuid")
    actions = ("approve_selected", "reject_selected")
    actions_detail = ("approve", "reject")
    readonly_fields = (
        "kind_of_reason",
        "account_facts",
        "rule_result",
        "why",
        "earlier_overrides",
        "decided",
        "standing",
    )
    fieldsets = (
        (None, {"fields": ("state", "standing", "account", "dimension", "segment", "rule_result")}),
        ("Reason", {"fields": ("kind_of_reason", "reason", "evidence", "valid_from", "valid_until")}),
        ("Asked", {"fields": ("requested_by", "requested_at", "uuid")}),
        ("Account", {"fields": ("account_facts", "earlier_overrides", "why")}),
        ("Decisions", {"fields": ("decided", "override")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OverrideRequest]:
        return OverrideRequest.objects.visible_to(visitor(request)).with_people()

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("governance.decide_override")

    @admin.display(description="From → to")
    def wanted(self, asked: OverrideRequest) -> str:
        return f"{asked.computed or 'Unassigned'} → {asked.segment}"

    @admin.display(description="Waits for")
    def awaits(self, asked: OverrideRequest) -> str:
        role = awaited_role(asked)
        return role.label if role else "–"

    @admin.display(description="Kind of reason")
    def kind_of_reason(self, asked: OverrideRequest) -> str:
        return reason_label(asked.reason_code)

    @admin.display(description="Standing")
    def standing(self, asked: OverrideRequest) -> SafeString:
        """Who acts next, and why the reader may not, in words."""
        role = awaited_role(asked)
        if role is None:
            return format_html("{}", asked.get_state_display())
        viewer = getattr(self, "request", None)
        refusals = decision_refusals(asked, viewer.user, Verdict.APPROVE) if viewer else []
        lines = [f"Waits for {role.label}.", *request_warnings(asked), *refusals]
        return format_html_join("", "<p>{}</p>", ((line,) for line in lines))

    @admin.display(description="By the rules")
    def rule_result(self, asked: OverrideRequest) -> str:
        row = asked.account.assignments.filter(dimension=asked.dimension).select_related("computed").first()
        if row is None:
            return "Not evaluated yet"
        missing = f", missing: {', '.join(row.missing)}" if row.missing else ""
        return f"{row.computed or 'Unassigned'} ({row.get_reason_display()}{missing})"

    @admin.display(description="Account")
    def account_facts(self, asked: OverrideRequest) -> SafeString:
        account = asked.account
        facts = {
            "CSM": account.csm,
            "AE": account.ae,
            "ARR": f"{account.arr:,.2f} {account.currency}" if account.arr is not None else None,
            "Employees": f"{account.employee_count:,}" if account.employee_count is not None else None,
            "Health": account.health_score,
            "Contract ends": account.contract_end_on,
        }
        return format_html_join("", "<p>{}: {}</p>", ((name, "–" if v is None else v) for name, v in facts.items()))

    @admin.display(description="Why, by the rules")
    def why(self, asked: OverrideRequest) -> SafeString:
        lines = explanation_lines(explanation_of(asked.account, asked.dimension, timezone.now()))
        return format_html_join("", "<p>{}{}</p>", (("\u2003" * depth, text) for depth, text in lines))

    @admin.display(description="Earlier overrides")
    def earlier_overrides(self, asked: OverrideRequest) -> SafeString | str:
        rows = Override.objects.filter(account=asked.account, dimension=asked.dimension)
        rows = rows.exclude(request=asked)
        lines = [
            f"{row.segment}, {day(row.valid_from)} to {day(row.ended_at or row.valid_until)}"
            f" ({row.get_ending_display()}): {row.reason}"
            for row in rows.select_related("segment")[:20]
        ]
        return format_html_join("", "<p>{}</p>", ((line,) for line in lines)) or "None"

    @admin.display(description="Decisions")
    def decided(self, asked: OverrideRequest) -> SafeString | str:
        lines = [
            f"{day(row.decided_at)}, {row.decided_at:%H:%M} {row.printed_name} ({row.role}): "
            f"{row.get_verdict_display()}. {row.reason}"
            for row in asked.decisions.all()
        ]
        return format_html_join("", "<p>{}</p>", ((line,) for line in lines)) or "None yet"

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.request = request
        return super().changeform_view(request, *args, **kwargs)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        asked = row_or_404(OverrideRequest.objects.all(), object_id)
        return super().get_actions_detail(request, object_id) if asked.state in OverrideRequest.OPEN else []

    @dialog_action(
        title="Approve",
        text="The account counts as the segment asked for, until the end asked for; the rules' answer stays beside it.",
        submit="Approve",
        form_class=DecisionForm,
        permissions=["decide"],
        icon="check",
    )
    def approve(self, request: HttpRequest, form: DecisionForm, object_id: str) -> HttpResponse:
        return self._decide(request, form, Verdict.APPROVE)

    @dialog_action(
        title="Reject",
        text="The request is closed; whoever asked reads your reason.",
        submit="Reject",
        form_class=RejectionForm,
        permissions=["decide"],
        icon="close",
    )
    def reject(self, request: HttpRequest, form: DecisionForm, object_id: str) -> HttpResponse:
        return self._decide(request, form, Verdict.REJECT)

    def _decide(self, request: HttpRequest, form: DecisionForm, verdict: str) -> HttpResponse:
        try:
            decision = decide_override(
                request=form.asked,
                verdict=verdict,
                reason=form.cleaned_data["reason"],
                actor=visitor(request),
                at=timezone.now(),
                expected_version=form.cleaned_data["expected_version"],
            )
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _said(decision))
        return leave_dialog(request, change_url(form.asked))

    @admin.action(description="Approve selected requests…", permissions=["decide"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[OverrideRequest]) -> HttpResponse | None:
        return self._decide_selected(request, queryset, Verdict.APPROVE)

    @admin.action(description="Reject selected requests…", permissions=["decide"])
    def reject_selected(self, request: HttpRequest, queryset: QuerySet[OverrideRequest]) -> HttpResponse | None:
        return self._decide_selected(request, queryset, Verdict.REJECT)

    def _decide_selected(
        self, request: HttpRequest, queryset: QuerySet[OverrideRequest], verdict: str
    ) -> HttpResponse | None:
        """First show what will happen to each; when that is confirmed, decide each in its own transaction."""
        selected = list(queryset.order_by("pk"))
        if "confirmed" not in request.POST:
            return self._confirm(request, selected, verdict)
        seen = dict(pair.split(":", 1) for pair in request.POST.getlist("seen") if ":" in pair)
        decided = [self._decide_one(request, row, verdict, seen.get(str(row.pk))) for row in selected]
        messages.success(request, f"{sum(decided)} of {len(decided)} requests decided.")
        return None

    def _decide_one(self, request: HttpRequest, row: OverrideRequest, verdict: str, version: str | None) -> bool:
        try:
            decide_override(
                request=row,
                verdict=verdict,
                reason=request.POST.get("reason", ""),
                actor=visitor(request),
                at=timezone.now(),
                expected_version=int(version) if version and version.isdecimal() else row.version,
            )
        except Refused as refusal:
            messages.error(request, f"{row}: {refusal}")
            return False
        return True

    def _confirm(self, request: HttpRequest, selected: list[OverrideRequest], verdict: str) -> HttpResponse:
        label = "Approve" if verdict == Verdict.APPROVE else "Reject"
        context = {
            **self.admin_site.each_context(request),
            "title": f"{label} {len(selected)} requests?",
            "opts": self.opts,
            "verdict_label": label,
            "needs_reason": verdict == Verdict.REJECT,
            "action": f"{'approve' if verdict == Verdict.APPROVE else 'reject'}_selected",
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "rows": [(row, decision_refusals(row, visitor(request), verdict)) for row in selected],
        }
        return TemplateResponse(request, "governance/admin/decide_selected.html", context)


def _said(decision: Decision) -> str:
    role = awaited_role(decision.request)
    if role:
        return f"Approved; {role.label} decides next."
    return f"{decision.request}: {decision.request.get_state_display().lower()}."


@admin.register(Override)
class OverrideAdmin(ReadOnlyAdmin):
    list_display = ("account", "segment", "valid_from", "valid_until", "ended_at", "ending")
    list_filter = ("ending", "dimension")
    list_select_related = ("account", "segment")
    search_fields = ("account__name", "=uuid")
    actions_detail = ("revoke",)

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("governance.decide_override")

    @dialog_action(
        title="Revoke",
        text="The override ends now, and the account falls back to what the rules say.",
        submit="Revoke",
        form_class=RevocationForm,
        permissions=["decide"],
        icon="undo",
    )
    def revoke(self, request: HttpRequest, form: RevocationForm, object_id: str) -> HttpResponse:
        override = row_or_404(Override.objects.all(), object_id)
        try:
            revoke_override(
                override=override, reason=form.cleaned_data["reason"], actor=visitor(request), at=timezone.now()
            )
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "The override has ended.")
        return leave_dialog(request, change_url(override))


class TokenForm(DialogForm):
    owner = forms.ModelChoiceField(
        label="Service account", queryset=User.objects.filter(is_service=True, is_active=True), widget=Select
    )
    name = forms.CharField(max_length=100, widget=TextInput)
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=Checkboxes)
    days = forms.IntegerField(
        label="Days it lasts", initial=DAYS_DEFAULT, min_value=1, max_value=DAYS_MOST, widget=IntegerInput
    )
    networks = forms.CharField(
        label="Networks it may call from", required=False, help_text="CIDR, with spaces between.", widget=TextInput
    )


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens of service accounts. The text of a token is shown once, when it is issued."""

    view_permission = "governance.manage_tokens"
    list_display = ("name", "user", "token_key", "scopes", "expiry", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "token_key")
    fields = ("name", "user", "token_key", "scopes", "cidrs", "created", "expiry", "last_used_at", "created_by")
    readonly_fields = fields
    actions_list = ("issue",)
    actions_detail = ("revoke",)

    def has_manage_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request)

    @dialog_action(
        title="Issue a token",
        text="A program calls the API with it. Its text is shown once, right after this.",
        submit="Issue",
        form_class=TokenForm,
        permissions=["manage"],
        icon="key",
    )
    def issue(self, request: HttpRequest, form: TokenForm) -> HttpResponse:
        now, wanted = timezone.now(), form.cleaned_data
        try:
            token, text = issue_token(
                owner=wanted["owner"],
                name=wanted["name"],
                scopes=wanted["scopes"],
                expires_at=now + timedelta(days=wanted["days"]),
                cidrs=wanted["networks"].split(),
                actor=visitor(request),
                at=now,
            )
        except Refused as refusal:
            messages.error(request, str(refusal))
            return leave_dialog(request, self._list_url())
        context = {**self.admin_site.each_context(request), "title": "A new token", "token": token, "text": text}
        response = TemplateResponse(request, "governance/admin/token_issued.html", context)
        # In place of the whole dialog: its form must not stay there to issue a second one.
        response["HX-Retarget"], response["HX-Reselect"], response["HX-Reswap"] = (
            "#dialog",
            "#token-issued",
            "outerHTML",
        )
        return response

    @dialog_action(
        title="Revoke",
        text="The program that uses this token is refused from now on.",
        submit="Revoke",
        form_class=RevocationForm,
        permissions=["manage"],
        icon="block",
    )
    def revoke(self, request: HttpRequest, form: RevocationForm, object_id: str) -> HttpResponse:
        token = row_or_404(ApiToken.objects.all(), object_id)
        revoke_token(token=token, reason=form.cleaned_data["reason"], actor=visitor(request), at=timezone.now())
        messages.success(request, f"{token.name} is revoked.")
        return leave_dialog(request, change_url(token))

    def _list_url(self) -> str:
        return change_url(ApiToken(pk=0)).removesuffix("0/change/")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("queue", "sent_at", "consumed_at", "worker")


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("decided_at", "printed_name", "role", "verdict", "request")
    list_filter = ("verdict",)
    list_select_related = ("request__account", "request__segment")
    search_fields = ("printed_name",)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    view_permission = "governance.view_audit"
    list_display = ("seq", "at", "actor_name", "actor_kind", "action", "object_label")
    list_filter = ("actor_kind",)
    search_fields = ("action", "actor_name", "object_label", "=object_id")
    fields = (
        *("seq", "at", "actor_name", "actor_kind", "action", "object_type", "object_id", "object_label"),
        *("reason", "changes", "request_id", "prev_hash", "hash"),
    )
    readonly_fields = ("changes",)

    @admin.display(description="Before and after")
    def changes(self, entry: AuditEntry) -> SafeString:
        both = {"before": entry.before, "after": entry.after}
        return format_html("<pre>{}</pre>", json.dumps(both, indent=2, ensure_ascii=False))


class ScheduleAdmin(ReadOnlyAdmin):
    """What beat sends and when. The settings say so, hence there is nothing to edit."""

    view_permission = "governance.manage_tokens"


class PeriodicTaskAdmin(ScheduleAdmin):
    list_display = ("name", "task", "queue", "interval", "crontab", "enabled", "last_run_at")
    list_select_related = ("interval", "crontab")
    search_fields = ("name", "task")


reregister(PeriodicTask, PeriodicTaskAdmin)
reregister(IntervalSchedule, ScheduleAdmin)
reregister(CrontabSchedule, ScheduleAdmin)
reregister(ClockedSchedule)
reregister(SolarSchedule)
