"""The feed: what happened, the newest first, where its head is, and who was told of an event."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from queues import arrears, events, feed, history
from queues.admin import backwards
from queues.admin.access import OperatedAdmin, SeenOnly
from queues.admin.delivery import badge, may_view
from queues.admin.filters import FilterForm, QueueChoice, queue_names
from queues.models import Delivery, Event, FeedEntry

TOLD_SHOWN = 50


class FeedFilter(FilterForm):
    """What the feed is narrowed to."""

    queue = QueueChoice()
    type = forms.ChoiceField(label=_("Type"), required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.offer("type", [(type_, type_) for type_ in events.registered()])

    def walked(self) -> QuerySet[FeedEntry]:
        """The entries that an index leads to."""
        queue = self.cleaned_data["queue"]
        return FeedEntry.objects.filter(queue_id=int(queue)) if queue else FeedEntry.objects.all()

    def asked(self) -> Q | None:
        """What is asked of each besides."""
        return Q(event__type=self.cleaned_data["type"]) if self.cleaned_data["type"] else None


@admin.register(FeedEntry)
class FeedEntryAdmin(SeenOnly, OperatedAdmin):
    """Nobody writes the feed but the sequencer."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The newest events that fit, page by page."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        form = FeedFilter(request.GET)
        page = backwards.Page([], None)
        if form.is_valid():
            entries = form.walked().select_related("event").defer("event__delta")
            page = backwards.look(entries, key="position", until=backwards.asked_from(request), asked=form.asked())
        names = queue_names(entry.queue_id for entry in page.rows)
        actors = history.actors(entry.event for entry in page.rows)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The feed"),
            "form": form,
            "rows": [
                (entry, self.address_of(entry.event), names.get(entry.queue_id, ""), _actor(entry.event, actors))
                for entry in page.rows
            ],
            **backwards.context(request, page),
            "mark": feed.mark(),
            "arrears": arrears.look(),
            "counted_max": arrears.COUNTED_MAX,
        }
        return TemplateResponse(request, "admin/crowd_queues/feed/list.html", context)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """One event: what changed, and who was told of it."""
        entry = self.get_object(request, object_id)
        if not self.has_view_or_change_permission(request, entry):
            raise PermissionDenied
        if entry is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        event = entry.event
        told = Delivery.objects.filter(event_id=event.pk).select_related("endpoint").defer("body", "headers")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Event at position %(position)s") % {"position": entry.pk},
            "original": entry,
            "is_its_page": True,
            "event": event,
            "object_address": self.address_of(event),
            "queue_name": queue_names([entry.queue_id]).get(entry.queue_id, ""),
            "actor": _actor(event, history.actors([event])),
            "told": [(delivery, badge(delivery)) for delivery in told.order_by("endpoint")[:TOLD_SHOWN]],
            "told_more": told[TOLD_SHOWN : TOLD_SHOWN + 1].exists(),
            "may_view_deliveries": may_view(request),
        }
        return TemplateResponse(request, "admin/crowd_queues/feed/detail.html", context)

    def address_of(self, event: Event) -> str:
        """Where the event's object is to be seen; "" where nowhere: the floors above have objects of their own."""
        for model in self.admin_site._registry:
            meta = model._meta
            if meta.model_name == event.object_type and meta.app_label.startswith("crowd_"):
                name = f"admin:{meta.app_label}_{meta.model_name}_change"
                return reverse(name, args=[event.object_id], current_app=self.admin_site.name)
        return ""


def _actor(event: Event, names: dict[str, str]) -> str:
    if not event.actor:
        return _now("by itself")
    return names.get(event.actor, _now("user %(id)s") % {"id": event.actor})
