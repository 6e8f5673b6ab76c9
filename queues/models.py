"""Queue, Membership, Task and its keys, the event outbox, API tokens and idempotency records: fields and constraints.

Rows are changed by the writers of this app alone (lifecycle, intake, administration, members, tokens, idempotency).
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from queues.querysets import EventQuerySet, MembershipQuerySet, QueueQuerySet, TaskQuerySet
from queues.states import (
    CLOSED,
    JUDGMENTS_MAX,
    LEASE_DEFAULT_SECONDS,
    LEASE_MIN_SECONDS,
    LIVE_MAX,
    OPEN,
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    PRIORITY_MIN,
    SECONDS_MAX,
    Role,
    TaskStatus,
)

QUEUE_NAME = r"\A[a-z0-9_-][a-z0-9_.-]*\Z"
"""Lowercase letters, digits, `_ - .`; no dot in front, so that a name is never a relative path in a URL."""


class Queue(models.Model):
    """A kind of work: its tasks are alike, answered under one schema, with one set of lease rules."""

    name = models.CharField(
        _("name"),
        max_length=100,
        unique=True,
        validators=[
            RegexValidator(QUEUE_NAME, _("Use lowercase letters, digits, “_”, “-” and “.”, not beginning with a dot."))
        ],
        help_text=_("Part of every URL; cannot be changed."),
    )
    alias = models.CharField(_("alias"), max_length=200, blank=True, default="")
    description = models.TextField(_("description"), max_length=10_000, blank=True, default="")
    instructions = models.TextField(
        _("instructions"),
        max_length=100_000,
        blank=True,
        default="",
        help_text=_("Markdown, shown to reviewers."),
    )
    reviewer_frontend_url = models.URLField(_("reviewer frontend"), max_length=500, blank=True, default="")
    input_schema = models.JSONField(_("input schema"), null=True, blank=True)
    output_schema = models.JSONField(_("output schema"), null=True, blank=True)
    default_assignment_strategy = models.JSONField(_("default strategy"), default=dict, blank=True)
    judgments_per_task = models.PositiveSmallIntegerField(
        _("judgments per task"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(JUDGMENTS_MAX)],
    )
    max_lease_seconds = models.PositiveIntegerField(
        _("longest lease"),
        null=True,
        blank=True,
        default=LEASE_DEFAULT_SECONDS,
        validators=[MinValueValidator(LEASE_MIN_SECONDS), MaxValueValidator(SECONDS_MAX)],
        help_text=_("Seconds. Empty means that a lease may have no end: a task can then be held for ever."),
    )
    max_multitask = models.PositiveSmallIntegerField(
        _("most at once"),
        default=LIVE_MAX,
        validators=[MinValueValidator(1), MaxValueValidator(LIVE_MAX)],
        help_text=_("How many tasks of this queue one reviewer may hold."),
    )
    requester_may_review = models.BooleanField(_("requesters may review their own tasks"), default=True)
    is_paused = models.BooleanField(
        _("paused"), default=False, help_text=_("A paused queue hands nothing out; answers still come in.")
    )
    archived_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)
    updated_at = models.DateTimeField(_("updated"), editable=False)
    sequence = models.PositiveIntegerField(default=0, editable=False)

    objects = QueueQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        permissions = [("operate", _("Can operate every queue"))]
        constraints = [
            models.CheckConstraint(name="queue_name_form", condition=Q(name__regex=QUEUE_NAME)),
            models.CheckConstraint(
                name="queue_judgments_range", condition=Q(judgments_per_task__range=(1, JUDGMENTS_MAX))
            ),
            models.CheckConstraint(
                name="queue_lease_range",
                condition=Q(max_lease_seconds__isnull=True)
                | Q(max_lease_seconds__range=(LEASE_MIN_SECONDS, SECONDS_MAX)),
            ),
            models.CheckConstraint(name="queue_multitask_range", condition=Q(max_multitask__range=(1, LIVE_MAX))),
        ]

    def __str__(self) -> str:
        return self.alias or self.name


class Membership(models.Model):
    """One role of one user in one queue. A user may have several."""

    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="memberships", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    strategy = models.JSONField(
        _("strategy"),
        null=True,
        blank=True,
        help_text=_("For reviewers: fields that beat what the reviewer asks for."),
    )
    max_live = models.PositiveSmallIntegerField(
        _("most at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LIVE_MAX)],
    )
    created_at = models.DateTimeField(_("since"), editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(name="membership_once", fields=["queue", "user", "role"]),
            models.CheckConstraint(name="membership_role_known", condition=Q(role__in=Role.values)),
            models.CheckConstraint(
                name="membership_live_range",
                condition=Q(max_live__isnull=True) | Q(max_live__range=(1, LIVE_MAX)),
            ),
            models.CheckConstraint(
                name="membership_strategy_of_reviewers",
                condition=Q(role=Role.REVIEWER) | Q(strategy__isnull=True, max_live__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}, {self.queue})"


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
            # The three ways through a queue's open tasks; their reverses are backward scans of the same.
            *(
                models.Index(
                    name=name,
                    fields=fields,
                    condition=Q(status=TaskStatus.AVAILABLE, target_reviewer__isnull=True),
                )
                for name, fields in (
                    ("task_open_by_priority", ["queue", "priority", "id"]),
                    ("task_open_by_priority_lifo", ["queue", "priority", "-id"]),
                    ("task_open_by_age", ["queue", "id"]),
                    ("task_open_by_topic", ["queue", "topic", "priority", "id"]),
                )
            ),
            models.Index(
                name="task_open_by_target",
                fields=["target_reviewer", "queue"],
                condition=Q(status__in=OPEN, target_reviewer__isnull=False),
            ),
            models.Index(name="task_due", fields=["schedule_to"], condition=Q(status=TaskStatus.SCHEDULED)),
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


class Event(models.Model):
    """Something that happened, written in the transaction that made it happen. No foreign keys: it outlives its object.

    `sequence` counts the events of one object from 1 without gaps; `delta` holds the values that changed, small.
    """

    type = models.CharField(max_length=40)
    object_type = models.CharField(max_length=20)
    object_id = models.BigIntegerField()
    queue_id = models.BigIntegerField(null=True)
    task_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=64, blank=True, default="")
    sequence = models.PositiveIntegerField()
    delta = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(name="event_sequence", fields=["object_type", "object_id", "sequence"]),
            models.CheckConstraint(name="event_sequence_from_one", condition=Q(sequence__gte=1)),
        ]
        indexes = [models.Index(name="event_by_task", fields=["task_id", "id"], condition=Q(task_id__isnull=False))]

    def __str__(self) -> str:
        return f"{self.type} {self.object_type} {self.object_id}"


class EventPending(models.Model):
    """An event that the sequencer has not yet given its place in the feed."""

    event = models.OneToOneField(Event, on_delete=models.CASCADE, primary_key=True, related_name="pending")

    class Meta:
        verbose_name = _("pending event")
        verbose_name_plural = _("pending events")

    def __str__(self) -> str:
        return f"{self.event_id}"


class Token(models.Model):
    """A bearer token of the API. Only the SHA-256 of its text is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(max_length=12, editable=False, help_text=_("How the token's text begins."))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IdempotencyRecord(models.Model):
    """What became of a request that carried an Idempotency-Key: under way (no status yet) or answered."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    fence = models.PositiveIntegerField(default=1)
    leased_until = models.DateTimeField()
    created_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    body: Any = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="idempotency_scope", fields=["user", "method", "path", "key"])]
        indexes = [models.Index(name="idempotency_by_age", fields=["created_at"])]
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"
