"""Addresses of governance's pages."""

from django.urls import path

from governance.views import activation, audit, guide, inbox, invitations, notices, reading, requests, reviews

app_name = "governance"

urlpatterns = [
    path("", inbox.inbox, name="inbox"),
    path("notifications/", notices.notification_list, name="notification_list"),
    path("notifications/read/", notices.notification_read_all, name="notification_read_all"),
    path("notifications/settings/", notices.notification_settings, name="notification_settings"),
    path("notifications/<uuid:uuid>/read/", notices.notification_read, name="notification_read"),
    path("invited/<slug:secret>/", reading.invited, name="invited"),
    path("reading/", reading.overview, name="reading"),
    path("reading/definitions/", reading.definitions, name="reading_definitions"),
    path("reading/changes/", reading.changes, name="reading_changes"),
    path("reading/impact/", reading.impact, name="reading_impact"),
    path("reading/end/", reading.end, name="reading_end"),
    path("frameworks/<slug:slug>/v<int:number>/invitations/", invitations.invitation_list, name="invitation_list"),
    path("invitations/<uuid:uuid>/revoke/", invitations.invitation_revoke, name="invitation_revoke"),
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
    path("help/", guide.help_page, name="help"),
    path("palette/", guide.palette, name="palette"),
]
