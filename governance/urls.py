"""Addresses of governance's pages."""

from django.urls import path

from governance.views import (
    activation,
    audit,
    evidence,
    gap_analysis,
    guide,
    inbox,
    intake,
    intake_rows,
    intake_scope,
    requests,
    reviews,
)

app_name = "governance"

_intake = "intake/<slug:slug>/"

urlpatterns = [
    path("", inbox.inbox, name="inbox"),
    path("requests/", requests.request_list, name="request_list"),
    path("requests/<uuid:uuid>/", requests.request_detail, name="request_detail"),
    path("requests/<uuid:uuid>/decide/", requests.request_decide, name="request_decide"),
    path("requests/<uuid:uuid>/withdraw/", requests.request_withdraw, name="request_withdraw"),
    path("requests/<uuid:uuid>/revoke/", requests.override_revoke, name="override_revoke"),
    path("reviews/<uuid:uuid>/", reviews.review_detail, name="review_detail"),
    path("reviews/<uuid:uuid>/decide/", reviews.review_decide, name="review_decide"),
    path("accounts/<uuid:uuid>/override/", requests.override_request, name="override_request"),
    path("frameworks/<slug:slug>/v<int:number>/activate/", activation.activate_version, name="activate_version"),
    path(
        "frameworks/<slug:slug>/v<int:number>/emergency/",
        activation.activate_in_emergency,
        name="activate_in_emergency",
    ),
    path("frameworks/<slug:slug>/v<int:number>/evidence/", evidence.evidence_export, name="evidence_export"),
    path("intake/", intake.intake_list, name="intake_list"),
    path(_intake, intake.intake_detail, name="intake_detail"),
    path(f"{_intake}open/", intake.intake_open, name="intake_open"),
    path(f"{_intake}reassign/", intake.intake_reassign, name="intake_reassign"),
    path(f"{_intake}save/", intake.intake_save, name="intake_save"),
    path(f"{_intake}close/", intake.intake_close, name="intake_close"),
    path(f"{_intake}scope/", intake_scope.intake_scope, name="intake_scope"),
    path(f"{_intake}sign/", intake_scope.intake_sign, name="intake_sign"),
    path(f"{_intake}fields/new/", intake_rows.field_new, name="field_new"),
    path(f"{_intake}fields/<uuid:uuid>/", intake_rows.field_edit, name="field_edit"),
    path(f"{_intake}fields/<uuid:uuid>/remove/", intake_rows.field_remove, name="field_remove"),
    path(f"{_intake}questions/new/", intake_rows.question_new, name="question_new"),
    path(f"{_intake}questions/<uuid:uuid>/", intake_rows.question_detail, name="question_detail"),
    path(f"{_intake}questions/<uuid:uuid>/remove/", intake_rows.question_remove, name="question_remove"),
    path(f"{_intake}questions/<uuid:uuid>/link/", intake_rows.answer_link, name="answer_link"),
    path(f"{_intake}questions/<uuid:uuid>/unlink/", intake_rows.answer_unlink, name="answer_unlink"),
    path(f"{_intake}gap-analysis/", gap_analysis.gap_analysis, name="gap_analysis"),
    path(f"{_intake}gap-analysis.csv", gap_analysis.gap_analysis_csv, name="gap_analysis_csv"),
    path("fields/", gap_analysis.field_inventory, name="field_inventory"),
    path("fields.csv", gap_analysis.field_inventory_csv, name="field_inventory_csv"),
    path("audit/", audit.audit_log, name="audit_log"),
    path("audit/verification/", audit.audit_verification, name="audit_verification"),
    path("audit/entries.csv", audit.audit_csv, name="audit_csv"),
    path("help/", guide.help_page, name="help"),
    path("palette/", guide.palette, name="palette"),
]
