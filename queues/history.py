"""A task's history, as people read it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queues.models import Event
from queues.people import shown

SHOWN = 500
"""Events that are shown; of a longer history the newest."""

SENTENCES = {
    "TASK_CREATED": gettext_lazy("Task created"),
    "TASK_SCHEDULED": gettext_lazy("Scheduled"),
    "TASK_AVAILABLE": gettext_lazy("Available"),
    "TASK_UPDATED": gettext_lazy("Changed"),
    "TASK_FINISHED": gettext_lazy("Finished"),
    "TASK_EXPIRED": gettext_lazy("Expired"),
    "TASK_CANCELED": gettext_lazy("Canceled"),
}


@dataclass(frozen=True)
class Entry:
    """One event. `actor` is an e-mail, or "" when nobody acted; `delta` are pairs of texts."""

    at: datetime
    what: str
    about: str
    actor: str
    delta: list[tuple[str, str]]


@dataclass(frozen=True)
class Timeline:
    """Entries, the newest last; `cut` when there were older ones."""

    entries: list[Entry]
    cut: bool


def of_task(task_id: int) -> Timeline:
    """What happened to a task and to its assignments."""
    newest = list(Event.objects.of_task(task_id).order_by("-id")[: SHOWN + 1])
    events, cut = list(reversed(newest[:SHOWN])), len(newest) > SHOWN
    names = actors(events)
    return Timeline([_entry(event, names) for event in events], cut)


def actors(events: Iterable[Event]) -> dict[str, str]:
    """Who acted in these events, as people read it, by what the events call them; without those that are gone."""
    users = get_user_model()._default_manager.filter(pk__in={event.actor for event in events if event.actor})
    return {str(user.pk): shown(user) for user in users}


def _entry(event: Event, names: dict[str, str]) -> Entry:
    about = "" if event.object_type == "task" else f"{_(event.object_type)} {event.object_id}"
    what = str(SENTENCES.get(event.type) or event.type.removeprefix("ASSIGNMENT_").capitalize())
    delta = [(key.replace("_", " "), _shown(value)) for key, value in event.delta.items()]
    actor = names.get(event.actor, _("user %(id)s") % {"id": event.actor}) if event.actor else ""
    return Entry(event.created_at, what, about, actor, delta)


def _shown(value: Any) -> str:
    return "–" if value is None or value == "" else str(value)
