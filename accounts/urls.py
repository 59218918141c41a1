"""Addresses of the accounts pages."""

from django.urls import path

from accounts.views import accounts, impact, imports, lists, preview, runs

app_name = "accounts"

_dimension = "frameworks/<slug:slug>/v<int:number>/dimensions/<slug:key>/"

urlpatterns = [
    path("accounts/", accounts.account_list, name="account_list"),
    path("accounts/export.csv", accounts.account_export, name="account_export"),
    path("accounts/<uuid:uuid>/", accounts.account_detail, name="account_detail"),
    path("accounts/<uuid:uuid>/evaluation/", accounts.account_evaluation, name="account_evaluation"),
    path("accounts/<uuid:uuid>/way-up/", accounts.account_way_up, name="account_way_up"),
    path("accounts/<uuid:uuid>/what-if/", accounts.account_what_if, name="account_what_if"),
    path(f"{_dimension}preview/", preview.dimension_preview, name="dimension_preview"),
    path(f"{_dimension}stretches/", preview.dimension_stretches, name="dimension_stretches"),
    path(f"{_dimension}findings/", preview.dimension_findings, name="dimension_findings"),
    path(f"{_dimension}choices/", preview.dimension_choices, name="dimension_choices"),
    path(f"{_dimension}histogram/", preview.attribute_histogram, name="attribute_histogram"),
    path("lists/", lists.list_list, name="list_list"),
    path("lists/create/", lists.list_create, name="list_create"),
    path("lists/<slug:key>/", lists.list_detail, name="list_detail"),
    path("lists/<slug:key>/edit/", lists.list_edit, name="list_edit"),
    path("lists/<slug:key>/entries/", lists.list_change, name="list_change"),
    path("lists/<slug:key>/entries/add/", lists.list_add, name="list_add"),
    path("lists/<slug:key>/entries/remove/", lists.list_remove, name="list_remove"),
    path("lists/<slug:key>/entries.csv", lists.list_export, name="list_export"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/upload/", imports.import_upload, name="import_upload"),
    path("imports/<uuid:uuid>/", imports.import_detail, name="import_detail"),
    path("imports/<uuid:uuid>/mapping/", imports.import_mapping, name="import_mapping"),
    path("imports/<uuid:uuid>/progress/", imports.import_progress, name="import_progress"),
    path("imports/<uuid:uuid>/rejected.csv", imports.import_rejected, name="import_rejected"),
    path("imports/<uuid:uuid>/confirm/", imports.import_confirm, name="import_confirm"),
    path("imports/<uuid:uuid>/cancel/", imports.import_cancel, name="import_cancel"),
    path("frameworks/<slug:slug>/v<int:number>/impact/", impact.version_impact, name="version_impact"),
    path("frameworks/<slug:slug>/v<int:number>/impact/progress/", impact.impact_progress, name="impact_progress"),
    path("frameworks/<slug:slug>/v<int:number>/impact/compute/", impact.impact_compute, name="impact_compute"),
    path("frameworks/<slug:slug>/v<int:number>/impact/movers.csv", impact.impact_export, name="impact_export"),
    path("runs/", runs.run_list, name="run_list"),
    path("runs/start/", runs.run_start, name="run_start"),
    path("runs/<uuid:uuid>/", runs.run_detail, name="run_detail"),
    path("runs/<uuid:uuid>/progress/", runs.run_progress, name="run_progress"),
    path("runs/<uuid:uuid>/release/", runs.run_release, name="run_release"),
    path("runs/<uuid:uuid>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<uuid:uuid>/retry/", runs.run_retry, name="run_retry"),
]
