"""What notifications say of queues and tasks: what the API shows (see queues.bodies)."""

from collections.abc import Collection
from typing import Any

from queues.api.base import plain
from queues.api.serializers.queues import QueueSerializer
from queues.api.serializers.tasks import TaskSerializer
from queues.models import Queue, Task


def queues(ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Queues by id."""
    return {queue.pk: plain(QueueSerializer(queue).data) for queue in Queue.objects.filter(pk__in=ids)}


def tasks(ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Tasks by id."""
    rows = Task.objects.filter(pk__in=ids).select_related("queue", "requester", "target_reviewer", "reviewer")
    return {task.pk: plain(TaskSerializer(task).data) for task in rows}
