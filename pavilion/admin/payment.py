"""Payments: what is owed, was sent, and failed; sending again what failed; a table of them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from assignments.admin.exports import TYPES, streamed
from pavilion import paying
from pavilion.admin.figures import amount
from pavilion.exceptions import PaymentNotFailed
from pavilion.models import Payment
from pavilion.payments import Asked
from pavilion.states import PaymentStatus
from queues.admin import backwards
from queues.admin.access import OperatedAdmin, SeenOnly
from queues.admin.filters import FilterForm

ID_MAX = 10**17

BADGES = {PaymentStatus.SENT: "crowd-good", PaymentStatus.FAILED: "crowd-failed"}


class PaymentFilter(FilterForm):
    """What the list is narrowed to."""

    status = forms.ChoiceField(label=_("Status"), required=False)
    session = forms.IntegerField(label=_("Session"), required=False, min_value=1, max_value=ID_MAX)
    worker = forms.IntegerField(
        label=_("Worker"), required=False, min_value=1, max_value=ID_MAX, help_text=_("The number of their page.")
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.offer("status", PaymentStatus.choices)

    def asked(self) -> Asked:
        """The payments that are asked for."""
        return Asked(**{name: value or None for name, value in self.cleaned_data.items()})


@admin.display(description=_("status"))
def badge(payment: Payment) -> str:
    """A payment's status, to be seen at once."""
    status = PaymentStatus(payment.status)
    return format_html('<span class="crowd-badge {}">{}</span>', BADGES.get(status, ""), status.label)


@admin.register(Payment)
class PaymentAdmin(SeenOnly, OperatedAdmin):
    """Read only, but for sending again what failed, which takes the permission to change payments."""

    fields = [
        *("worker", "session", "kind", "amount", "status", "created_at", "sent_at"),
        *("tries", "reference", "error", "request_token"),
    ]
    readonly_fields = ["worker", "request_token"]

    class Media:
        css = {"all": ["queues/admin.css"]}

    @admin.display(description=_("worker"))
    def worker(self, payment: Payment) -> str:
        url = reverse(
            "admin:crowd_pavilion_worker_change", args=[payment.seat.worker_id], current_app=self.admin_site.name
        )
        return format_html('<a href="{}">{}</a>', url, payment.seat.worker)

    def may_send(self, request: HttpRequest) -> bool:
        """Whether the user may have payments sent again."""
        return OperatedAdmin.has_change_permission(self, request)

    def get_urls(self) -> list[Any]:
        own = [
            path(
                "export/",
                self.admin_site.admin_view(require_GET(self.export_view)),
                name="crowd_pavilion_payment_export",
            ),
            path(
                "<int:pk>/send_again/",
                self.admin_site.admin_view(require_POST(self.send_again_view)),
                name="crowd_pavilion_payment_send_again",
            ),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The newest that fit, page by page, and what they come to."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        form = PaymentFilter(request.GET)
        page, totals, apart = backwards.Page([], None), {}, True
        if form.is_valid():
            asked = form.asked()
            rows = asked.walked().select_related("session__pool", "seat__worker")
            page = backwards.look(rows, key="id", until=backwards.asked_from(request), asked=asked.besides())
            totals, apart = asked.totals(), asked.tells_failed_apart
        query = request.GET.copy()
        query.pop("until", None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Payments"),
            "form": form,
            "rows": [(row, badge(row), amount(row.amount)) for row in page.rows],
            "totals": [(_label(status, apart), amount(value)) for status, value in totals.items()],
            **backwards.context(request, page),
            "export": f"{self._url('export')}?{query.urlencode()}",
            "may_send": self.may_send(request),
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/crowd_pavilion/payment/list.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The table of those that fit."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        form = PaymentFilter(request.GET)
        if not form.is_valid():
            return HttpResponseRedirect(f"{self._url('changelist')}?{request.GET.urlencode()}")
        response = StreamingHttpResponse(streamed(request, form.asked().lines()), content_type=TYPES["csv"])
        response["Content-Disposition"] = f'attachment; filename="payments-{timezone.now():%Y-%m-%d}.csv"'
        # A proxy that gathers the whole answer first would make the reader wait, and would need the room.
        response["X-Accel-Buffering"] = "no"
        response["Cache-Control"] = "no-store"
        return response

    def send_again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Try one that failed once more, and go `back`."""
        if not self.may_send(request):
            raise PermissionDenied
        payment = get_object_or_404(Payment, pk=pk)
        try:
            paying.send_again(payment_id=pk)
        except PaymentNotFailed as refused:
            self.message_user(request, refused.detail, messages.ERROR)
        else:
            self.log_change(request, payment, _now("Sent again."))
            self.message_user(request, _now("The payment is on its way again."), messages.SUCCESS)
        back = request.POST.get("back", "")
        safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
        return HttpResponseRedirect(back if safe else self._url("changelist"))

    def _url(self, name: str) -> str:
        return reverse(f"admin:crowd_pavilion_payment_{name}", current_app=self.admin_site.name)


def _label(status: str, apart: bool) -> Any:
    if status == PaymentStatus.SENT and not apart:
        return _("sent, or failed")
    return PaymentStatus(status).label
