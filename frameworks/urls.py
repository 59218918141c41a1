"""Addresses of the frameworks pages."""

from django.urls import include, path

from frameworks.views import (
    alignment,
    checks,
    diff,
    discussion,
    editor,
    exchange,
    frameworks,
    governing,
    parts,
    signing,
    versions,
)

app_name = "frameworks"

version_patterns = [
    path("", versions.version_detail, name="version_detail"),
    path("definitions/", versions.version_definitions, name="version_definitions"),
    path("definitions/alignment/", alignment.version_alignment, name="version_alignment"),
    path("definitions/term/<slug:key>/", alignment.term_detail, name="term_detail"),
    path("dimensions/", versions.version_dimensions, name="version_dimensions"),
    path("dimensions/<slug:key>/edit/", editor.dimension_edit, name="dimension_edit"),
    path("dimensions/<slug:key>/check/", editor.dimension_check, name="dimension_check"),
    path("dimensions/<slug:key>/save/", editor.dimension_save, name="dimension_save"),
    path("playbooks/", versions.version_playbooks, name="version_playbooks"),
    path("data-sources/", versions.version_data_sources, name="version_data_sources"),
    path("checks/", checks.version_checks, name="version_checks"),
    path("checks/run/", checks.checks_run, name="checks_run"),
    path("checks/waive/", checks.checks_waive, name="checks_waive"),
    path("history/", versions.version_history, name="version_history"),
    path("framework.yaml", exchange.version_file, name="version_file"),
    path("discussion/", discussion.version_discussion, name="version_discussion"),
    path("discussion/comment/", discussion.comment_add, name="comment_add"),
    path("discussion/<uuid:thread>/<slug:to>/", discussion.thread_settle, name="thread_settle"),
    path("confirm/", versions.parts_confirm, name="parts_confirm"),
    path("submit/", versions.version_submit, name="version_submit"),
    path("reopen/", versions.version_reopen, name="version_reopen"),
    path("request-changes/", versions.version_return, {"to": "changes"}, name="version_request_changes"),
    path("withdraw/", versions.version_return, {"to": "withdraw"}, name="version_withdraw"),
    path("reject/", versions.version_return, {"to": "reject"}, name="version_reject"),
    path("sign/", signing.signing, name="signing"),
    path("sign/<int:requirement>/withdraw/", signing.signing_withdraw, name="signing_withdraw"),
    path("recertify/", governing.version_recertify, name="version_recertify"),
    path("schedule/", governing.version_schedule, name="version_schedule"),
    path("unschedule/", governing.version_unschedule, name="version_unschedule"),
    path("rebase/", governing.version_rebase, name="version_rebase"),
    path("rollback/", governing.version_rollback, name="version_rollback"),
    path("manifest/", signing.signing_manifest, name="signing_manifest"),
    path("new/<slug:kind>/", parts.part_new, name="part_new"),
    path("edit/<slug:kind>/<path:key>/", parts.part_edit, name="part_edit"),
    path("merge/<slug:kind>/<path:key>/", parts.part_merge, name="part_merge"),
    path("delete/<slug:kind>/<path:key>/", parts.part_delete, name="part_delete"),
]

urlpatterns = [
    path("frameworks/", frameworks.framework_list, name="framework_list"),
    path("frameworks/new/", frameworks.framework_create, name="framework_create"),
    path("frameworks/<slug:slug>/", frameworks.framework_detail, name="framework_detail"),
    path("frameworks/<slug:slug>/diff/", diff.framework_diff, name="framework_diff"),
    path("frameworks/<slug:slug>/draft/", frameworks.draft_start, name="draft_start"),
    path("frameworks/<slug:slug>/upload/", exchange.file_apply, name="file_apply"),
    path("frameworks/<slug:slug>/v<int:number>/", include(version_patterns)),
    path("mentions/", discussion.my_mentions, name="my_mentions"),
    path("schemas/criteria.json", parts.criteria_schema, name="criteria_schema"),
    path("schemas/parts/<slug:kind>.json", parts.part_schema, name="part_schema"),
    path("sign-off/", signing.my_signing, name="my_signing"),
    path("sign-off/delegations/", governing.delegations, name="delegations"),
    path("sign-off/delegations/<uuid:uuid>/end/", governing.delegation_end, name="delegation_end"),
]
