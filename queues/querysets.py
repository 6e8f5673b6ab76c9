"""What can be asked of queues, members, tasks and events."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q

from queues.states import OPEN, Role, TaskStatus

if TYPE_CHECKING:
    from queues.models import Delivery, Event, Membership, Notification, Queue, Task  # noqa: F401

OPERATE = "crowd_queues.operate"


class NewestFirst(models.Func):
    """A task's id so that the newest comes first where all ascends: what is compared with a place has one direction.

    Without a parameter, so that both databases find the index on it.
    """

    template = "(0 - %(expressions)s)"
    output_field = models.BigIntegerField()

    def __init__(self) -> None:
        super().__init__("id")


def _model(name: str) -> Any:
    """A model of this app: models.py stands on this module, so the name is looked up when it is asked for."""
    return apps.get_model("crowd_queues", name)


def is_operator(user: Any) -> bool:
    """Whether this user runs the site: a superuser, or a holder of the permission `crowd_queues.operate`."""
    return bool(user.is_active and user.has_perm(OPERATE))


class QueueQuerySet(models.QuerySet["Queue"]):
    def alive(self) -> "QueueQuerySet":
        """Queues that were not deleted."""
        return self.filter(archived_at__isnull=True)

    def visible_to(self, user: Any) -> "QueueQuerySet":
        """Living queues of which the user is a member; operators see all of them."""
        return self.alive().known_to(user)

    def known_to(self, user: Any) -> "QueueQuerySet":
        """The same, with those that were deleted: what happened in them is still told."""
        if is_operator(user):
            return self
        memberships = _model("Membership").objects.filter(queue=OuterRef("pk"), user=user)
        return self.filter(Exists(memberships))


class MembershipQuerySet(models.QuerySet["Membership"]):
    def managers(self) -> "MembershipQuerySet":
        return self.filter(role=Role.MANAGER)

    def reviewers(self) -> "MembershipQuerySet":
        return self.filter(role=Role.REVIEWER)

    def is_manager(self, *, user: Any, queue_id: int) -> bool:
        return self.managers().filter(user=user, queue_id=queue_id).exists()


class TaskQuerySet(models.QuerySet["Task"]):
    def open(self) -> "TaskQuerySet":
        return self.filter(status__in=OPEN)

    def due(self, now: datetime) -> "TaskQuerySet":
        """Scheduled tasks whose time has come and is not over yet."""
        in_time = Q(expire_at__isnull=True) | Q(expire_at__gt=now)
        return self.filter(in_time, status=TaskStatus.SCHEDULED, schedule_to__lte=now)

    def overdue(self, now: datetime) -> "TaskQuerySet":
        """Open tasks past their expiry."""
        return self.open().filter(expire_at__lte=now)

    def locked(self, *, skip: bool = False) -> "TaskQuerySet":
        """The same rows, locked in the order of their ids; inserts that refer to them do not wait."""
        return self.order_by("id").select_for_update(no_key=True, skip_locked=skip, of=("self",))

    def visible_to(self, user: Any) -> "TaskQuerySet":
        """Tasks the user posted or manages; operators see all. Reviewers see tasks through their assignments."""
        if is_operator(user):
            return self
        managed = _model("Membership").objects.managers().filter(user=user).values("queue")
        return self.filter(Q(requester=user) | Q(queue__in=managed))

    def counts_by_status(self) -> dict[str, int]:
        rows = self.order_by().values_list("status").annotate(n=models.Count("id"))
        return {**dict.fromkeys(TaskStatus.values, 0), **dict(rows)}

    def counts_by_topic(self) -> dict[str, dict[str, int]]:
        """Topic → status → number of tasks, for the topics that have any."""
        counts: dict[str, dict[str, int]] = {}
        for topic, status, n in self.order_by().values_list("topic", "status").annotate(n=models.Count("id")):
            counts.setdefault(topic, {})[status] = n
        return dict(sorted(counts.items()))

    def with_keys(self, keys: Iterable[str]) -> "TaskQuerySet":
        """Tasks that have every one of these global keys."""
        found = self
        for key in keys:
            found = found.filter(Exists(_model("GlobalKey").objects.filter(task=OuterRef("pk"), key=key)))
        return found


class EventQuerySet(models.QuerySet["Event"]):
    def of_task(self, task_id: int) -> "EventQuerySet":
        """A task's whole history, oldest first: its own events and those of its assignments.

        Ids are given out under the task's row lock, so their order is the order in which things happened.
        """
        return self.filter(task_id=task_id).order_by("id")


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible_to(self, user: Any) -> "NotificationQuerySet":
        """Settings of the queues that the user manages, of their tasks, and of tasks that the user posted.

        Operators see all, and they alone those of the site.
        """
        if is_operator(user):
            return self
        managed = _model("Membership").objects.managers().filter(user=user).values("queue")
        return self.filter(Q(queue__in=managed) | Q(task__queue__in=managed) | Q(task__requester=user))


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def visible_to(self, user: Any) -> "DeliveryQuerySet":
        """Deliveries to the user's own endpoints, and those of settings that the user sees. Operators see all."""
        if is_operator(user):
            return self
        seen = _model("Notification").objects.visible_to(user).filter(pk=OuterRef("notification_id"))
        return self.filter(Q(endpoint__owner=user) | Q(Exists(seen)))
