"""The site's addresses with everything below /api/, as the root table has them."""

from django.urls import include, path

from segmentation_site import api
from segmentation_site.urls import urlpatterns as site_urlpatterns

urlpatterns = [*site_urlpatterns, path("api/", include(api.outer_urlpatterns))]

handler400 = "governance.api.problems.bad_request"
handler403 = "governance.api.problems.permission_denied"
handler404 = "governance.api.problems.page_not_found"
handler500 = "governance.api.problems.server_error"
