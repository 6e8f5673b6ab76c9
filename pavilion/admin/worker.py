"""Workers: who they are, where they had seats, what they were paid; blocking and unblocking them."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from pavilion import marketplaces, pool
from pavilion.admin.asking import ReasonForm
from pavilion.admin.figures import amount, seat_state
from pavilion.models import Payment, Seat, Worker
from pavilion.states import PaymentStatus
from queues.admin.asking import ask, do
from queues.admin.lists import CappedPaginator, as_id
from queues.admin.writing import WrittenAdmin

SEATS_SHOWN, PAYMENTS_SHOWN = 50, 50


class IsBlocked(admin.SimpleListFilter):
    """All workers, or those who are blocked."""

    title = _("blocked")
    parameter_name = "blocked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Blocked")), ("no", _("Not blocked"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(blocked_at__isnull=self.value() == "no")


@admin.register(Worker)
class WorkerAdmin(WrittenAdmin):
    """A worker is made by accepting an offer; what an operator does is to block them, or not any more."""

    list_display = ["who", "marketplace_title", "state", "created_at"]
    list_filter = [IsBlocked, "marketplace"]
    search_fields = ["name__istartswith", "external_id__startswith"]
    search_help_text = _("How a name, or an id at the marketplace, begins.")
    sortable_by = ()
    paginator = CappedPaginator
    fields = ["who", "marketplace_title", "external_id", "reviewer_link", "created_at", "blocked_at", "blocked_reason"]
    change_form_template = "admin/crowd_pavilion/worker/change_form.html"

    @admin.display(description=_("worker"))
    def who(self, worker: Worker) -> str:
        return str(worker)

    @admin.display(description=_("marketplace"))
    def marketplace_title(self, worker: Worker) -> str:
        return marketplaces.known().get(worker.marketplace, worker.marketplace)

    @admin.display(description=_("state"))
    def state(self, worker: Worker) -> str:
        if worker.blocked_at is not None:
            return format_html('<span class="crowd-badge crowd-warning">{}</span>', _("blocked"))
        return format_html('<span class="crowd-badge">{}</span>', _("may take part"))

    @admin.display(description=_("reviewer"))
    def reviewer_link(self, worker: Worker) -> str:
        url = reverse(
            "admin:crowd_assignments_reviewer_change", args=[worker.reviewer_id], current_app=self.admin_site.name
        )
        return format_html('<a href="{}">{}</a>', url, worker.reviewer)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def get_urls(self) -> list[Any]:
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"crowd_pavilion_worker_{name}")
            for name, view in (("block", self.block_view), ("unblock", self.unblock_view))
        ]
        return [*own, *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        worker = kwargs["obj"]
        seats = Seat.objects.filter(worker=worker).select_related("session__pool").order_by("-id")
        payments = Payment.objects.filter(seat__worker=worker)
        shown = list(seats[: SEATS_SHOWN + 1])
        context |= {
            "title": _now("Worker %(worker)s") % {"worker": worker},
            "subtitle": None,
            "seats": [(seat, seat_state(seat)) for seat in shown[:SEATS_SHOWN]],
            "seats_more": len(shown) > SEATS_SHOWN,
            "seats_shown": SEATS_SHOWN,
            "totals": [(PaymentStatus(status).label, amount(value)) for status, value in payments.totals().items()],
            "may_change": self.has_change_permission(request, worker),
            "may_view_payments": admin.site.get_model_admin(Payment).has_view_permission(request),
            "show_save": False,
            "show_save_and_continue": False,
        }
        return super().render_change_form(request, context, **kwargs)

    def block_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Block a worker, once it is said why; then back to the console of `session`, where that is given."""
        worker = self._changed(request, pk)
        session_id = as_id(request.GET.get("session"))
        then = self.page_of(pk)
        if session_id is not None:
            name = "admin:crowd_pavilion_session_change"
            then = reverse(name, args=[session_id], current_app=self.admin_site.name)

        def block(reason: str) -> str:
            pool.block(worker_id=pk, actor=request.user, reason=reason)
            self.log_change(request, worker, _now("Blocked."))
            return _now("%(worker)s is blocked.") % {"worker": worker}

        return ask(
            self,
            request,
            worker,
            title=_now("Block %(worker)s") % {"worker": worker},
            verb=_("Block"),
            sentences=[
                _("They take no seat any more, in any session. A live one ends at once."),
                _("They are paid for waiting and for their answers, and get no base reward."),
                _("Their answers stay. They can be let in again."),
            ],
            form=ReasonForm,
            act=block,
            then=then,
        )

    def unblock_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let a worker in again."""
        worker = self._changed(request, pk)
        if request.method != "POST":
            return self.back(worker)

        def unblock() -> str:
            pool.unblock(worker_id=pk)
            self.log_change(request, worker, _now("Not blocked any more."))
            return _now("%(worker)s may take part again.") % {"worker": worker}

        return do(self, request, unblock, then=self.page_of(pk))

    def _changed(self, request: HttpRequest, pk: int) -> Worker:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Worker, pk=pk)

    def page_of(self, pk: int) -> str:
        """The address of a worker's page."""
        return reverse("admin:crowd_pavilion_worker_change", args=[pk], current_app=self.admin_site.name)
