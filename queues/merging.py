"""Who is told of an event: the settings of its task, its queue and the site, merged.

From the task upwards: any setting that says ONLY silences the levels above it, whatever events it asks for and
whether its endpoint is disabled. What is left is asked whether it wants this type of event, and whether its endpoint's
owner may still see what it tells of. An endpoint is told once, with the headers of the setting nearest to the task.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from django.db.models import F

from queues.models import Event, Membership, Notification
from queues.querysets import is_operator
from queues.states import Level, Merging


def speaking(*levels: Sequence[Notification]) -> list[Notification]:
    """The settings that are not silenced, of levels given from the task upwards, in that order."""
    heard: list[Notification] = []
    for settings in levels:
        heard += settings
        if any(setting.strategy == Merging.ONLY for setting in settings):
            break
    return heard


def wanting(
    type_: str, *levels: Sequence[Notification], may_see: Callable[[Notification], bool] = lambda _setting: True
) -> Iterator[Notification]:
    """The settings by which an event of a type is told, of levels given from the task upwards: one an endpoint."""
    told = set()
    for setting in speaking(*levels):
        asked = type_ in setting.events_to_notify and setting.endpoint.disabled_at is None
        if asked and setting.endpoint_id not in told and may_see(setting):
            told.add(setting.endpoint_id)
            yield setting


def _in_order(settings: Iterable[Notification]) -> list[Notification]:
    return sorted(settings, key=attrgetter("pk"))


class Settings:
    """The settings that concern some events, read once for all of them."""

    def __init__(self, events: Iterable[Event]) -> None:
        events = list(events)
        self.queues = {event.queue_id for event in events if event.queue_id is not None}
        # In no order, which would tempt a planner to go along the ids of them all.
        found = Notification.objects.select_related("endpoint__owner").order_by()
        self.site = _in_order(found.filter(level=Level.SITE))
        self.by_queue: dict[int | None, list[Notification]] = defaultdict(list)
        for setting in _in_order(found.filter(queue__in=self.queues)):
            self.by_queue[setting.queue_id].append(setting)
        self.by_task: dict[int | None, list[Any]] = defaultdict(list)
        tasks = {event.task_id for event in events if event.task_id is not None}
        for setting in _in_order(found.filter(task__in=tasks).annotate(requester=F("task__requester"))):
            self.by_task[setting.task_id].append(setting)
        self._managing: set[tuple[int, Any]] | None = None
        self._operating: dict[Any, bool] = {}

    def wanting(self, event: Event) -> Iterator[Notification]:
        """Whom to tell of this event: one setting for each endpoint that is not disabled."""
        levels = (self.by_task.get(event.task_id, []), self.by_queue.get(event.queue_id, []), self.site)
        return wanting(event.type, *levels, may_see=partial(self._may_see, event=event))

    def _may_see(self, setting: Any, *, event: Event) -> bool:
        """Whether the owner of the endpoint may see what is told: somebody who left is told nothing.

        Requesters see their tasks, and not who holds them.
        """
        owner = setting.endpoint.owner
        if not owner.is_active:
            return False
        if setting.level == Level.TASK and setting.requester == owner.pk and event.object_type == "task":
            return True
        if setting.level != Level.SITE and (event.queue_id, owner.pk) in self._managed():
            return True
        if owner.pk not in self._operating:
            self._operating[owner.pk] = is_operator(owner)
        return self._operating[owner.pk]

    def _managed(self) -> set[tuple[int, Any]]:
        """Which owners of endpoints manage which of the queues."""
        if self._managing is None:
            groups = (*self.by_queue.values(), *self.by_task.values())
            owners = {setting.endpoint.owner_id for settings in groups for setting in settings}
            managing = Membership.objects.managers().filter(queue__in=self.queues, user__in=owners)
            self._managing = set(managing.values_list("queue_id", "user_id"))
        return self._managing
