"""What a list that is looked through backwards can be narrowed to: a form above it, sent by GET."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from queues.admin.lists import QUEUES_OFFERED, as_id
from queues.models import Queue


class FilterForm(forms.Form):
    """A form whose fields may all stay empty. `data` is the address's query."""

    def __init__(self, data: Any) -> None:
        super().__init__({name: data.get(name, "") for name in self.base_fields})
        if "queue" in self.fields:
            self.offer("queue", _queues(data.get("queue", "")))

    def offer(self, name: str, choices: Iterable[tuple[str, Any]]) -> None:
        """Set what a field lets one choose, besides all."""
        field: Any = self.fields[name]
        field.choices = [("", _("All")), *choices]


class QueueChoice(forms.ChoiceField):
    """A queue; those beyond the first are offered once they are in the address, to which their own page leads."""

    def __init__(self) -> None:
        super().__init__(label=_("Queue"), required=False)


def _queues(chosen: str) -> list[tuple[str, str]]:
    offered = list(Queue.objects.alive().order_by("name").values_list("pk", "name")[:QUEUES_OFFERED])
    if (pk := as_id(chosen)) is not None:
        offered += [one for one in Queue.objects.filter(pk=pk).values_list("pk", "name") if one not in offered]
    return [(str(pk), name) for pk, name in offered]


def queue_names(ids: Iterable[int | None]) -> dict[int | None, str]:
    """Queue id → name."""
    return dict(Queue.objects.filter(pk__in={pk for pk in ids if pk is not None}).values_list("pk", "name"))
