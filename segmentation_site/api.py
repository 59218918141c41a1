"""The table of API addresses: which resource stands where, and what guards every one of them.

`urlpatterns` belongs under `api/v1/`, `outer_urlpatterns` under `api/`. The resources know no tokens; here each
gets authentication, the check of its scope, and Idempotency-Key where it changes something.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from accounts.api import facts
from accounts.api import views as accounts
from frameworks.api import comments
from frameworks.api import views as frameworks
from frameworks.api.diff import FrameworkDiff
from frameworks.api.files import FileApply, FilePlanning, VersionFile
from frameworks.api.findings import FindingList, WaiverList
from frameworks.api.helping import HelpRequestList, ShortageList
from frameworks.api.parts import DraftList, PartDetail, PartList
from frameworks.api.views import ApiView
from governance.api import problems
from governance.api import schema as _token_schema  # noqa: F401 - registers itself
from governance.api import views as governance
from governance.api.authentication import TokenAuthentication
from governance.api.idempotency import idempotent
from governance.api.scopes import TokenMay


def guarded(view: type[ApiView]) -> Callable[..., HttpResponseBase]:
    """The resource as a view that only tokens with its scope reach."""
    guards: dict[str, Any] = {
        "authentication_classes": [TokenAuthentication],
        "permission_classes": [TokenMay],
    }
    return idempotent(view).as_view(**guards)


_open: dict[str, Any] = {"authentication_classes": [], "permission_classes": [AllowAny]}

urlpatterns = [
    path("accounts", guarded(accounts.AccountList), name="api-accounts"),
    path("accounts/batch/upsert", guarded(accounts.AccountUpsert), name="api-account-upsert"),
    path("accounts/<uuid:uuid>", guarded(accounts.AccountDetail), name="api-account"),
    path("accounts/<uuid:uuid>/assignments", guarded(accounts.AccountAssignments), name="api-account-assignments"),
    path("accounts/<uuid:uuid>/what-if", guarded(accounts.AccountWhatIf), name="api-account-what-if"),
    path(
        "accounts/by-external-id/<str:source>/<path:external_id>",
        guarded(accounts.AccountByExternalId),
        name="api-account-by-external-id",
    ),
    path("metric-observations/batch/append", guarded(facts.ObservationAppend), name="api-observations-append"),
    path("signals/batch/append", guarded(facts.SignalAppend), name="api-signals-append"),
    path("account-lists", guarded(facts.AccountListList), name="api-account-lists"),
    path("account-lists/<slug:key>/entries", guarded(facts.ListEntryList), name="api-list-entries"),
    path("account-lists/<slug:key>/entries/batch/change", guarded(facts.ListEntryChange), name="api-list-change"),
    path("assignments", guarded(accounts.AssignmentList), name="api-assignments"),
    path("assignments/changes", guarded(accounts.Changes), name="api-changes"),
    path("assignments/changes/head", guarded(accounts.ChangesHead), name="api-changes-head"),
    path("override-requests", guarded(governance.OverrideRequestList), name="api-override-requests"),
    path("override-requests/<uuid:uuid>", guarded(governance.OverrideRequestDetail), name="api-override-request"),
    path("frameworks", guarded(frameworks.FrameworkList), name="api-frameworks"),
    path("frameworks/<slug:slug>/diff", guarded(FrameworkDiff), name="api-framework-diff"),
    path("framework-versions/<uuid:uuid>", guarded(frameworks.FrameworkVersionDetail), name="api-framework-version"),
    path("frameworks/<slug:slug>/drafts", guarded(DraftList), name="api-framework-drafts"),
    path("frameworks/<slug:slug>/files/plan", guarded(FilePlanning), name="api-framework-file-plan"),
    path("frameworks/<slug:slug>/files/apply", guarded(FileApply), name="api-framework-file-apply"),
    path("framework-versions/<uuid:uuid>/file", guarded(VersionFile), name="api-framework-version-file"),
    path("framework-versions/<uuid:uuid>/findings", guarded(FindingList), name="api-framework-findings"),
    path("framework-versions/<uuid:uuid>/waivers", guarded(WaiverList), name="api-framework-waivers"),
    path("framework-versions/<uuid:uuid>/comments", guarded(comments.ThreadList), name="api-framework-comments"),
    path(
        "framework-versions/<uuid:uuid>/comments/<uuid:thread>",
        guarded(comments.ThreadDetail),
        name="api-framework-comment",
    ),
    path(
        "framework-versions/<uuid:uuid>/comments/<uuid:thread>/replies",
        guarded(comments.ReplyList),
        name="api-framework-comment-replies",
    ),
    path(
        "framework-versions/<uuid:uuid>/comments/<uuid:thread>/resolve",
        guarded(comments.ThreadResolve),
        name="api-framework-comment-resolve",
    ),
    path(
        "framework-versions/<uuid:uuid>/comments/<uuid:thread>/reopen",
        guarded(comments.ThreadReopen),
        name="api-framework-comment-reopen",
    ),
    path("framework-versions/<uuid:uuid>/shortages", guarded(ShortageList), name="api-framework-shortages"),
    path("framework-versions/<uuid:uuid>/help-requests", guarded(HelpRequestList), name="api-framework-help-requests"),
    path("framework-versions/<uuid:uuid>/parts", guarded(PartList), name="api-framework-parts"),
    path("framework-versions/<uuid:uuid>/parts/<str:kind>/<path:key>", guarded(PartDetail), name="api-framework-part"),
    path("schema", SpectacularAPIView.as_view(**_open), name="api-schema"),
    re_path(r"^", problems.nothing_here),
]

outer_urlpatterns = [
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema", **_open), name="api-docs"),
    path("problems/<slug:kind>", problems.explain, name="api-problem"),
    re_path(r"^", problems.nothing_here),
]
