"""Who is told of an event: the settings of its task, its queue and the site, merged.

From the task upwards: any setting that says ONLY silences the levels above it, whatever events it asks for and
whether its endpoint is disabled. What is left is asked whether it wants this type of event. An endpoint is told once,
with the headers of the setting nearest to the task.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from queues.models import Event, Notification
from queues.states import Level, Merging


def speaking(*levels: Sequence[Notification]) -> list[Notification]:
    """The settings that are not silenced, of levels given from the task upwards, in that order."""
    heard: list[Notification] = []
    for settings in levels:
        heard += settings
        if any(setting.strategy == Merging.ONLY for setting in settings):
            break
    return heard


class Settings:
    """The settings that concern some events, read once for all of them."""

    def __init__(self, events: Iterable[Event]) -> None:
        events = list(events)
        found = Notification.objects.select_related("endpoint").order_by("id")
        self.site = list(found.filter(level=Level.SITE))
        self.by_queue: dict[int | None, list[Notification]] = defaultdict(list)
        for setting in found.filter(queue__in={event.queue_id for event in events if event.queue_id is not None}):
            self.by_queue[setting.queue_id].append(setting)
        self.by_task: dict[int | None, list[Notification]] = defaultdict(list)
        for setting in found.filter(task__in={event.task_id for event in events if event.task_id is not None}):
            self.by_task[setting.task_id].append(setting)

    def wanting(self, event: Event) -> Iterator[Notification]:
        """Whom to tell of this event: one setting for each endpoint that is not disabled."""
        told = set()
        for setting in speaking(self.by_task.get(event.task_id, []), self.by_queue.get(event.queue_id, []), self.site):
            asked = event.type in setting.events_to_notify and setting.endpoint.disabled_at is None
            if asked and setting.endpoint_id not in told:
                told.add(setting.endpoint_id)
                yield setting
