"""Endpoints: how they do, switching them on and off, new secrets, and replaying what failed."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from queues import notifications, replays
from queues.admin.delivery import badge
from queues.admin.fields import MomentField
from queues.admin.lists import CappedPaginator
from queues.admin.people import OfPersonAdmin
from queues.bulk import ITEMS_MAX
from queues.deliveries import PATIENCE
from queues.exceptions import CrowdError
from queues.models import Delivery, DeliveryTry, Endpoint
from queues.people import shown
from queues.states import UNDELIVERED, DeliveryStatus, Disabled
from queues.transactions import database_now

COUNTED_MAX = 1000
NOTIFICATIONS_SHOWN = 20
TRIES_SHOWN = 10

SWITCHED_OFF, SWITCHED_ON, ROTATED = "Switched off.", "Switched on.", "New secret."
"""What the admin's log says; the page reads from it who it was."""


class StateFilter(admin.SimpleListFilter):
    """How endpoints do."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("failing", _("Failing")), ("off", _("Switched off"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "off":
            return queryset.filter(disabled_at__isnull=False)
        if self.value() in {"live", "failing"}:
            return queryset.filter(disabled_at__isnull=True, failing_since__isnull=self.value() == "live")
        return queryset


class SinceForm(forms.Form):
    """From when on what failed is replayed."""

    since = MomentField(label=_("Given up since"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["since"].required = True


@admin.display(description=_("state"))
def state(endpoint: Endpoint) -> str:
    """How an endpoint does, in a badge."""
    if endpoint.disabled_at is not None:
        return format_html('<span class="crowd-badge crowd-warning">{}</span>', _("switched off"))
    if endpoint.failing_since is not None:
        return format_html('<span class="crowd-badge crowd-warning">{}</span>', _("failing"))
    if not endpoint.proven:
        return format_html('<span class="crowd-badge">{}</span>', _("not proven yet"))
    return format_html('<span class="crowd-badge crowd-good">{}</span>', _("live"))


def up_to(rows: QuerySet[Any], most: int = COUNTED_MAX) -> str:
    """How many rows there are, in words that do not take counting them all: "1,000+"."""
    count = rows.order_by()[: most + 1].count()
    return f"{most:,}+" if count > most else f"{count:,}"


@admin.register(Endpoint)
class EndpointAdmin(OfPersonAdmin):
    """An endpoint is made with the first notification that names it, and never deleted: its deliveries name it."""

    list_display = ["url", "person", "state", "failing_since", "disabled_at", "created_at"]
    list_select_related = ["owner"]
    list_filter = [StateFilter]
    paginator = CappedPaginator
    sortable_by = ()

    state = staticmethod(state)

    @admin.display(description=_("owner"))
    def person(self, row: Any) -> str:
        return shown(row.owner)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["url"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"crowd_queues_endpoint_{name}")
            for name, view in (
                ("rotate", self.rotate_view),
                ("disable", self.disable_view),
                ("enable", self.enable_view),
                ("replay", self.replay_view),
            )
        ]
        return [*own, *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """How one endpoint does."""
        endpoint = self.get_object(request, unquote(object_id))
        if not self.has_view_or_change_permission(request, endpoint):
            raise PermissionDenied
        if endpoint is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        now = database_now()
        settings = list(endpoint.notifications.select_related("queue").order_by("-id")[: NOTIFICATIONS_SHOWN + 1])
        rows = Delivery.objects.filter(endpoint=endpoint)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Endpoint %(id)s") % {"id": endpoint.pk},
            "original": endpoint,
            "is_its_page": True,
            "state": state(endpoint),
            "owner": shown(endpoint.owner),
            "switched_off_by": _switched_off_by(endpoint),
            "old_secret_signs": endpoint.old_secret_until is not None and endpoint.old_secret_until > now,
            "waiting": up_to(rows.filter(status__in=UNDELIVERED)),
            "failed": up_to(rows.filter(status=DeliveryStatus.FAILED)),
            "overdue": endpoint.due_at is not None and endpoint.due_at <= now,
            "settings": settings[:NOTIFICATIONS_SHOWN],
            "settings_more": len(settings) > NOTIFICATIONS_SHOWN,
            "tries": [(each, badge(each.delivery)) for each in _newest_tries(endpoint)],
            "may_change": self.has_change_permission(request, endpoint),
        }
        return TemplateResponse(request, "admin/crowd_queues/endpoint/detail.html", context)

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A new secret, after it was said what that means; it is shown in the answer and nowhere else."""
        endpoint = self._changed(request, pk)
        if request.method != "POST":
            sentences = [
                _("A new secret is made and shown once."),
                _("For 24 hours the present one signs as well, so the receiver may change over at leisure."),
            ]
            return self._ask(request, endpoint, _("New secret"), sentences)
        secret = notifications.rotate(endpoint_id=pk)
        self.log_change(request, endpoint, ROTATED)
        return secret_page(self, request, endpoint, secret, back=self.page_of(endpoint))

    def disable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Switch it off, after it was said what that means."""
        endpoint = self._changed(request, pk)
        if request.method != "POST":
            sentences = [
                _("Nothing is sent there any more, and for new events nothing is written down to be sent."),
                _("What waits now is kept, and tried again once it is switched on, unless 72 hours are over by then."),
                _("Its settings stay: one that says “only these” still silences the levels above it."),
            ]
            return self._ask(request, endpoint, _("Switch off"), sentences)
        return self._switched(request, endpoint, notifications.disable, SWITCHED_OFF, _("It is switched off."))

    def enable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Switch it on again."""
        endpoint = self._changed(request, pk)
        if request.method != "POST":
            return self.back(endpoint)
        done = _("It is switched on. What waits is sent now; what was given up can be replayed.")
        return self._switched(request, endpoint, notifications.enable, SWITCHED_ON, done)

    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Replay what failed since a time: ask for it, say how many those are, plan a batch."""
        endpoint = self._changed(request, pk)
        if endpoint.disabled_at is not None:
            self.message_user(request, _("It is switched off; switch it on first."), messages.ERROR)
            return self.back(endpoint)
        initial = {"since": (endpoint.failing_since or database_now() - PATIENCE).replace(microsecond=0)}
        form = SinceForm(request.POST) if request.method == "POST" else SinceForm(initial=initial)
        found = None
        if form.is_bound and form.is_valid():
            since: datetime = form.cleaned_data["since"]
            if "confirmed" in request.POST:
                batch = replays.plan(endpoint=endpoint, since=since, actor=request.user)
                url = reverse("admin:crowd_queues_batch_change", args=[batch.pk], current_app=self.admin_site.name)
                return HttpResponseRedirect(url)
            found = up_to(replays.failed(endpoint, since=since))
        context = {
            **self._context(request, endpoint, _("Replay what failed")),
            "form": form,
            "found": found,
            "items_max": ITEMS_MAX,
        }
        return TemplateResponse(request, "admin/crowd_queues/endpoint/replay.html", context)

    def _changed(self, request: HttpRequest, pk: int) -> Endpoint:
        endpoint = get_object_or_404(Endpoint, pk=pk)
        if not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        return endpoint

    def _switched(self, request: HttpRequest, endpoint: Endpoint, write: Any, log: str, done: Any) -> HttpResponse:
        try:
            write(endpoint_id=endpoint.pk)
        except CrowdError as refused:
            self.message_user(request, refused.detail, messages.ERROR)
        else:
            self.log_change(request, endpoint, log)
            self.message_user(request, done, messages.SUCCESS)
        return self.back(endpoint)

    def _ask(self, request: HttpRequest, endpoint: Endpoint, verb: Any, sentences: list[Any]) -> HttpResponse:
        context = {**self._context(request, endpoint, verb), "verb": verb, "consequences": sentences}
        return TemplateResponse(request, "admin/crowd_queues/remove.html", context)

    def _context(self, request: HttpRequest, endpoint: Endpoint, title: Any) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": endpoint,
            "title": title,
        }

    def page_of(self, endpoint: Endpoint) -> str:
        """The address of an endpoint's page."""
        return reverse("admin:crowd_queues_endpoint_change", args=[endpoint.pk], current_app=self.admin_site.name)


def secret_page(model_admin: Any, request: HttpRequest, endpoint: Endpoint, secret: str, *, back: str) -> HttpResponse:
    """The page that shows a secret, this once: neither a message nor the session ever holds it."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": Endpoint._meta,
        "original": endpoint,
        "title": _("The new secret"),
        "secret": secret,
        "back": back,
    }
    response = TemplateResponse(request, "admin/crowd_queues/endpoint/secret.html", context)
    add_never_cache_headers(response)
    return response


def _switched_off_by(endpoint: Endpoint) -> str:
    """Who switched it off in the admin, as the admin's log has it; "" where that was done elsewhere, or by itself."""
    if endpoint.disabled_at is None or endpoint.disabled_reason != Disabled.OPERATOR:
        return ""
    around = (endpoint.disabled_at - timedelta(minutes=1), endpoint.disabled_at + timedelta(minutes=1))
    entries = LogEntry.objects.filter(
        content_type=get_content_type_for_model(endpoint),
        object_id=str(endpoint.pk),
        change_message=SWITCHED_OFF,
        action_time__range=around,
    )
    entry = entries.select_related("user").order_by("-action_time").first()
    return shown(entry.user) if entry else ""


def _newest_tries(endpoint: Endpoint) -> list[DeliveryTry]:
    """Tries of the newest deliveries in each state, the newest first: found along indexes, however many there are."""
    tried = [status for status in DeliveryStatus if status != DeliveryStatus.WAITING]
    ids: list[int] = []
    for status in tried:
        rows = Delivery.objects.filter(endpoint=endpoint, status=status).order_by("-id")
        ids += rows.values_list("pk", flat=True)[:TRIES_SHOWN]
    tries = DeliveryTry.objects.filter(delivery__in=ids).select_related("delivery")
    return list(tries.defer("delivery__body", "delivery__headers").order_by("-started_at")[:TRIES_SHOWN])
