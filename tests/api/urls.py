"""The site's addresses, with the handlers that answer errors below /api/ as problems."""

from segmentation_site.urls import urlpatterns as urlpatterns

handler400 = "governance.api.problems.bad_request"
handler403 = "governance.api.problems.permission_denied"
handler404 = "governance.api.problems.page_not_found"
handler500 = "governance.api.problems.server_error"
