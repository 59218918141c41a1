"""Addresses of governance's pages."""

from django.urls import path

from governance.views import activation, audit, documents, guide, inbox, requests, reviews

app_name = "governance"

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
    path("audit/", audit.audit_log, name="audit_log"),
    path("audit/verification/", audit.audit_verification, name="audit_verification"),
    path("audit/entries.csv", audit.audit_csv, name="audit_csv"),
    path("documents/", documents.document_index, name="document_index"),
    path("documents/<slug:slug>/v<int:number>/<slug:document>/", documents.document_page, name="document_page"),
    path("documents/<slug:slug>/v<int:number>/<slug:document>.pdf", documents.document_pdf, name="document_pdf"),
    path("help/", guide.help_page, name="help"),
    path("palette/", guide.palette, name="palette"),
]
