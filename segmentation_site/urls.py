"""The table of addresses."""

from allauth.account import views as account_views
from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from segmentation_site import api, health

# Login with its limits and second factor guards the admin too.
admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("login/", account_views.login, name="account_login"),
    path("logout/", account_views.logout, name="account_logout"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("segmentation_site.api")),
    path("api/", include(api.outer_urlpatterns)),
    path("", include("frameworks.urls")),
    path("", include("accounts.urls")),
    path("", include("governance.urls")),
]

# Below /api/ errors are problem documents too, also those that no view has seen; elsewhere they are pages.
handler400 = "governance.api.problems.bad_request"
handler403 = "governance.api.problems.permission_denied"
handler404 = "governance.api.problems.page_not_found"
handler500 = "governance.api.problems.server_error"
