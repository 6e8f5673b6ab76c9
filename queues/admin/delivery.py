"""Deliveries: what was sent where, how each try went, and sending one again."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from queues import deliveries, events, replays
from queues.admin import backwards
from queues.admin.access import OperatedAdmin, SeenOnly
from queues.admin.batch import describe
from queues.admin.filters import FilterForm, QueueChoice, queue_names
from queues.admin.lists import as_id
from queues.admin.task import as_text
from queues.admin.tools import TASK_LINKS, TaskLink
from queues.exceptions import CrowdError
from queues.models import Delivery, Endpoint, FeedEntry, Notification, Task
from queues.notifications import TEST, headers_of
from queues.states import UNDELIVERED, DeliveryStatus

ENDPOINTS_OFFERED = 50
TRIES_SHOWN = 50

LONG = ("body", "headers", "endpoint__secret")
"""What is read only where it is shown."""

describe(
    replays.KIND,
    label=_("replay deliveries"),
    item=_("delivery"),
    url_name="admin:crowd_queues_delivery_change",
)


class DeliveryFilter(FilterForm):
    """What the list is narrowed to."""

    status = forms.ChoiceField(label=_("State"), required=False)
    endpoint = forms.ChoiceField(label=_("Endpoint"), required=False)
    queue = QueueChoice()
    type = forms.ChoiceField(label=_("Type"), required=False)
    task = forms.IntegerField(label=_("Task"), required=False, min_value=1, max_value=10**17)
    since = forms.DateTimeField(
        label=_("Since"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.offer("status", DeliveryStatus.choices)
        self.offer("endpoint", _endpoints(data.get("endpoint", "")))
        self.offer("type", [(type_, type_) for type_ in [*events.registered(), TEST]])

    def narrowed(self) -> tuple[QuerySet[Delivery], Q | None]:
        """The rows that an index leads to, and what is asked of each of them besides."""
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        rows, along = Delivery.objects.all(), ["task"]
        if "task" not in given:
            by_state = "endpoint" in given or given.get("status") == DeliveryStatus.FAILED
            along = ["endpoint", "status"] if by_state else []
        lookups = {"task": "task_id", "queue": "queue_id", "since": "created_at__gte"}
        found = {lookups.get(name, name): value for name, value in given.items() if name not in along}
        rows = rows.filter(**{lookups.get(name, name): given[name] for name in along if name in given})
        return rows, Q(**found) if found else None


def _endpoints(chosen: str) -> list[tuple[str, str]]:
    offered = list(Endpoint.objects.order_by("-id").values_list("pk", "url")[:ENDPOINTS_OFFERED])
    if (pk := as_id(chosen)) is not None:
        offered += [one for one in Endpoint.objects.filter(pk=pk).values_list("pk", "url") if one not in offered]
    return [(str(pk), _now("%(id)s: %(url)s") % {"id": pk, "url": url[:80]}) for pk, url in offered]


@admin.display(description=_("state"))
def badge(delivery: Delivery) -> str:
    """A delivery's state, to be seen at once."""
    label = DeliveryStatus(delivery.status).label
    return format_html('<span class="crowd-badge crowd-{}">{}</span>', delivery.status.lower(), label)


@admin.register(Delivery)
class DeliveryAdmin(SeenOnly, OperatedAdmin):
    """Read only, but for sending one again, which takes the permission to change deliveries."""

    def may_replay(self, request: HttpRequest) -> bool:
        """Whether the user may send deliveries again."""
        return OperatedAdmin.has_change_permission(self, request)

    def get_urls(self) -> list[Any]:
        own = [
            path("<int:pk>/now/", self.admin_site.admin_view(self.now_view), name="crowd_queues_delivery_now"),
            path("<int:pk>/replay/", self.admin_site.admin_view(self.replay_view), name="crowd_queues_delivery_replay"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The newest that fit, page by page."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        form = DeliveryFilter(request.GET)
        page = backwards.Page([], None)
        if form.is_valid():
            walked, asked = form.narrowed()
            rows = walked.select_related("endpoint").defer(*LONG)
            page = backwards.look(rows, key="id", until=backwards.asked_from(request), asked=asked)
            page = backwards.end_at(page, walked, time="created_at", since=form.cleaned_data["since"])
        names = queue_names(row.queue_id for row in page.rows)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Deliveries"),
            "form": form,
            "rows": [(row, badge(row), names.get(row.queue_id, "")) for row in page.rows],
            **backwards.context(request, page),
        }
        return TemplateResponse(request, "admin/crowd_queues/delivery/list.html", context)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """One delivery: what is sent, and each try."""
        delivery = self.get_object(request, object_id)
        if not self.has_view_or_change_permission(request, delivery):
            raise PermissionDenied
        if delivery is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Delivery %(id)s") % {"id": delivery.pk},
            "original": delivery,
            "is_its_page": True,
            "body": _pretty(delivery.body),
            "headers": _headers(delivery),
            "queue_name": queue_names([delivery.queue_id]).get(delivery.queue_id, ""),
            "notification": Notification.objects.filter(pk=delivery.notification_id).first(),
            "place": FeedEntry.objects.filter(event=delivery.event_id).first(),
            **self._now(request, delivery),
        }
        response = TemplateResponse(request, "admin/crowd_queues/delivery/detail.html", context)
        add_never_cache_headers(response)
        return response

    def now_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that changes."""
        delivery = get_object_or_404(Delivery.objects.select_related("endpoint").defer(*LONG), pk=pk)
        if not self.has_view_or_change_permission(request, delivery):
            raise PermissionDenied
        context = {"original": delivery, **self._now(request, delivery)}
        response = TemplateResponse(request, "admin/crowd_queues/delivery/now.html", context)
        add_never_cache_headers(response)
        return response

    def _now(self, request: HttpRequest, delivery: Delivery) -> dict[str, Any]:
        tries = list(delivery.attempts.order_by("-number")[: TRIES_SHOWN + 1])
        under_way = delivery.status in UNDELIVERED
        return {
            "badge": badge(delivery),
            "under_way": under_way,
            "tries": tries[:TRIES_SHOWN],
            "tries_cut": len(tries) > TRIES_SHOWN,
            "may_replay": not under_way and delivery.endpoint.disabled_at is None and self.may_replay(request),
        }

    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send it once more."""
        if not self.may_replay(request):
            raise PermissionDenied
        delivery = get_object_or_404(Delivery, pk=pk)
        if request.method == "POST":
            try:
                deliveries.replay(delivery_id=pk)
            except CrowdError as refused:
                self.message_user(request, refused.detail, messages.ERROR)
            except Delivery.DoesNotExist:
                self.message_user(request, _("It is not kept any more."), messages.ERROR)
            else:
                self.log_change(request, delivery, _now("Replayed."))
                self.message_user(request, _("It is on its way again."), messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(delivery))

    def page_of(self, delivery: Delivery) -> str:
        """The address of a delivery's page."""
        return reverse("admin:crowd_queues_delivery_change", args=[delivery.pk], current_app=self.admin_site.name)


def _pretty(body: str) -> str:
    try:
        return as_text(json.loads(body))
    except ValueError:
        return as_text(body)


def _headers(delivery: Delivery) -> list[tuple[str, str]]:
    """What is sent beside the body: names, and the values of those that are no secret."""
    hidden = _now("(not shown)")
    return [
        ("Content-Type", "application/json"),
        ("webhook-id", f"msg_{delivery.pk}"),
        ("webhook-timestamp", _now("(the time of each try)")),
        ("webhook-signature", hidden),
        *((name, hidden) for name in headers_of(delivery.headers)),
    ]


def may_view(request: HttpRequest) -> bool:
    """Whether the user may look at deliveries."""
    return admin.site.get_model_admin(Delivery).has_view_permission(request)


def _of_task(task: Task) -> str:
    return f"{reverse('admin:crowd_queues_delivery_changelist')}?task={task.pk}"


TASK_LINKS.append(TaskLink(label=_("Deliveries"), address=_of_task, allowed=may_view))
