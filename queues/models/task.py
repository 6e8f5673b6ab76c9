"""Task and its keys: fields, constraints, and the ways through the open ones."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from queues.models.queue import Queue
from queues.querysets import NewestFirst, TaskQuerySet
from queues.states import CLOSED, JUDGMENTS_MAX, OPEN, PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN, TaskStatus


def _ways(name: str, among: list[str], condition: Q) -> list[models.Index]:
    """The three ways through open tasks; those of the other three orders are these, backward."""
    newest_first: list[Any] = [*among, "priority", NewestFirst()]
    return [
        models.Index(name=f"{name}_by_age", fields=[*among, "id"], condition=condition),
        models.Index(name=f"{name}_by_priority", fields=[*among, "priority", "id"], condition=condition),
        models.Index(*newest_first, name=f"{name}_by_priority_lifo", condition=condition),
    ]


class Task(models.Model):
    """A question put to people. The last three states never change again."""

    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="tasks", db_index=False)
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    input_data = models.JSONField(_("input"))
    output_data = models.JSONField(_("output"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=TaskStatus.choices)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))
    schedule_to = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    expire_at = models.DateTimeField(_("expires"), null=True, blank=True)
    seconds_to_expire = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Becomes the time of expiry once the task is available.")
    )
    topic = models.CharField(_("topic"), max_length=100, blank=True, default="")
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=PRIORITY_DEFAULT, help_text=_("5 is the most important, 995 the least.")
    )
    target_reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
    )
    global_keys = models.JSONField(_("global keys"), default=list, blank=True)
    judgments_required = models.PositiveSmallIntegerField(_("judgments required"), default=1)
    open_slots = models.PositiveSmallIntegerField(_("open slots"))
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
    )
    has_hook = models.BooleanField(default=False)
    sequence = models.PositiveIntegerField(default=0)

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        indexes = [
            models.Index(name="task_by_queue", fields=["queue", "status", "id"]),
            models.Index(name="task_by_requester", fields=["requester", "id"]),
            *_ways("task_open", ["queue"], Q(status=TaskStatus.AVAILABLE, target_reviewer__isnull=True)),
            *_ways("task_topic", ["queue", "topic"], Q(status=TaskStatus.AVAILABLE, target_reviewer__isnull=True)),
            *_ways(
                "task_target",
                ["target_reviewer", "queue"],
                Q(status=TaskStatus.AVAILABLE, target_reviewer__isnull=False),
            ),
            models.Index(
                name="task_open_by_target",
                fields=["target_reviewer", "queue"],
                condition=Q(status__in=OPEN, target_reviewer__isnull=False),
            ),
            models.Index(
                name="task_begun",
                fields=["queue"],
                condition=Q(status=TaskStatus.AVAILABLE, open_slots__lt=F("judgments_required")),
            ),
            models.Index(name="task_due", fields=["schedule_to"], condition=Q(status=TaskStatus.SCHEDULED)),
            models.Index(
                name="task_due_by_queue", fields=["queue", "schedule_to"], condition=Q(status=TaskStatus.SCHEDULED)
            ),
            models.Index(
                name="task_expiring",
                fields=["expire_at"],
                condition=Q(status__in=OPEN, expire_at__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(name="task_status_known", condition=Q(status__in=TaskStatus.values)),
            models.CheckConstraint(
                name="task_priority_range", condition=Q(priority__range=(PRIORITY_MIN, PRIORITY_MAX))
            ),
            models.CheckConstraint(
                name="task_judgments_range", condition=Q(judgments_required__range=(1, JUDGMENTS_MAX))
            ),
            models.CheckConstraint(
                name="task_open_slots_fit",
                condition=Q(status=TaskStatus.AVAILABLE, open_slots__gte=1, open_slots__lte=F("judgments_required"))
                | Q(status=TaskStatus.SCHEDULED, open_slots=F("judgments_required"))
                | Q(status__in=[TaskStatus.ASSIGNED, *CLOSED], open_slots=0),
            ),
            models.CheckConstraint(
                name="task_target_judges_alone",
                condition=Q(target_reviewer__isnull=True) | Q(judgments_required=1),
            ),
            models.CheckConstraint(
                name="task_finished_has_output",
                condition=Q(status=TaskStatus.FINISHED, output_data__isnull=False)
                | (~Q(status=TaskStatus.FINISHED) & Q(output_data__isnull=True)),
            ),
            models.CheckConstraint(
                name="task_scheduled_has_time",
                condition=~Q(status=TaskStatus.SCHEDULED) | Q(schedule_to__isnull=False),
            ),
            models.CheckConstraint(
                name="task_one_expiry",
                condition=Q(expire_at__isnull=True) | Q(seconds_to_expire__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    def is_overdue(self, now: datetime) -> bool:
        """Whether the task's time is over, swept or not."""
        return self.expire_at is not None and self.expire_at <= now


class GlobalKey(models.Model):
    """One of a task's keys, for looking it up. The task shows the same keys in their order; neither ever changes."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="keys", db_index=False)
    key = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(name="globalkey_once", fields=["task", "key"])]
        indexes = [models.Index(name="globalkey_lookup", fields=["key", "task"])]
        verbose_name = _("global key")
        verbose_name_plural = _("global keys")

    def __str__(self) -> str:
        return self.key
