"""Reviews of held moves in the administration: to find and to read; they are decided on their page."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from frameworks.admin_base import ReadOnlyAdmin
from governance.models import TransitionReview


@admin.register(TransitionReview)
class TransitionReviewAdmin(ReadOnlyAdmin):
    list_display = ("account", "move", "dimension", "state", "due_on", "is_overdue", "decide")
    list_filter = ("state", "kind", "dimension")
    list_select_related = ("account", "dimension", "from_segment", "to_segment")
    search_fields = ("account__name", "=uuid")

    @admin.display(description="Overdue", boolean=True)
    def is_overdue(self, review: TransitionReview) -> bool:
        return review.state == TransitionReview.State.OPEN and review.escalated_at is not None

    @admin.display(description="Page")
    def decide(self, review: TransitionReview) -> SafeString:
        return format_html('<a href="{}">Open</a>', reverse("governance:review_detail", args=[review.uuid]))
