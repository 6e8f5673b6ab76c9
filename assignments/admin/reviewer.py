"""Reviewers: what they hold now, and what they have done."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assignments import metrics
from assignments.models import Assignment, Reviewer
from assignments.states import AssignmentStatus
from queues.admin.access import SeenOnly
from queues.admin.lists import CappedPaginator
from queues.admin.people import OfPersonAdmin

HELD_SHOWN = 100

PERIODS = {"day": _("day"), "week": _("week"), "month": _("month")}


@admin.register(Reviewer)
class ReviewerAdmin(SeenOnly, OfPersonAdmin):
    """Read only: a reviewer is made by becoming one."""

    list_display = ["person", "created_at"]
    sortable_by = ()
    paginator = CappedPaginator
    search_help_text = _("How an e-mail begins.")
    fields = ["person", "created_at"]
    change_form_template = "admin/crowd_assignments/reviewer/change_form.html"

    @admin.display(description=_("reviewer"))
    def person(self, row: Reviewer) -> str:
        return super().person(row)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        reviewer = kwargs["obj"]
        period = request.GET.get("period", "")
        period = period if period in PERIODS else "day"
        live = Assignment.objects.filter(reviewer=reviewer, status=AssignmentStatus.CREATED, live_slot__isnull=False)
        context |= {
            "title": _now("Reviewer %(email)s") % {"email": self.person(reviewer)},
            "subtitle": None,
            "held": live.select_related("queue").order_by("expire_at", "id")[:HELD_SHOWN],
            "metrics": metrics.of_reviewer(reviewer, period=period),
            "period": period,
            "periods": PERIODS,
        }
        return super().render_change_form(request, context, **kwargs)
