"""Addresses of governance's pages."""

from django.urls import include, path

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
    meetings,
    preparation,
    requests,
    reviews,
)

app_name = "governance"

_intake = "intake/<slug:slug>/"

meeting_patterns = [
    path("", meetings.meeting_list, name="meeting_list"),
    path("assumed/", preparation.assumed_list, name="assumed_list"),
    path("assumed/assign/", preparation.resolver_assign, name="resolver_assign"),
    path("new/", meetings.meeting_new, name="meeting_new"),
    path("<int:number>/", meetings.meeting_detail, name="meeting_detail"),
    path("<int:number>/edit/", meetings.meeting_edit, name="meeting_edit"),
    path("<int:number>/changes/", meetings.meeting_changes, name="meeting_changes"),
    path("<int:number>/close/", meetings.meeting_close, name="meeting_close"),
    path("<int:number>/cancel/", meetings.meeting_cancel, name="meeting_cancel"),
    path("<int:number>/decide/", meetings.decision_add, name="decision_add"),
    path("<int:number>/homework/", meetings.homework_add, name="homework_add"),
    path("<int:number>/homework/<uuid:uuid>/<slug:to>/", meetings.homework_settle, name="homework_settle"),
    path("<int:number>/comment/", meetings.remark_add, name="remark_add"),
    path("<int:number>/pack/", preparation.meeting_pack, name="meeting_pack"),
    path("<int:number>/pack/<slug:table>.csv", preparation.pack_csv, name="pack_csv"),
]

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
    path("meetings/", meetings.meetings_home, name="meetings"),
    path("meetings/<slug:slug>/", include(meeting_patterns)),
    path("frameworks/<slug:slug>/v<int:number>/checklist/", preparation.version_checklist, name="version_checklist"),
    path("audit/", audit.audit_log, name="audit_log"),
    path("audit/verification/", audit.audit_verification, name="audit_verification"),
    path("audit/entries.csv", audit.audit_csv, name="audit_csv"),
    path("help/", guide.help_page, name="help"),
    path("palette/", guide.palette, name="palette"),
]
