"""Reviewer, Assignment and Exclusion: fields and the constraints that make the claim exact whatever races. And what
is counted from their events.

Rows are changed by claims.py, lifecycle.py, rollup.py and census.py alone.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assignments.querysets import AssignmentQuerySet, ExclusionQuerySet, ReviewerQuerySet
from assignments.states import AssignmentStatus
from queues.models import Queue, Task
from queues.people import shown
from queues.states import LIVE_MAX

COUNTED = [AssignmentStatus.CREATED, AssignmentStatus.FINISHED]


class Reviewer(models.Model):
    """A user as one who answers. Made when first needed; kept as long as their answers."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("since"), editable=False)

    objects = ReviewerQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("reviewer")
        verbose_name_plural = _("reviewers")

    def __str__(self) -> str:
        return shown(self.user)


class Assignment(models.Model):
    """One handing of one task to one reviewer. Every handing is a new row, so its id is the fencing token.

    `live_slot`, 1–10 while live and null afterwards, is unique with queue and reviewer: that bounds what one person
    holds. `counted`, true while live or finished and null otherwise, is unique with task and reviewer: that keeps the
    judgments of a task from different people.
    """

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="assignments", db_index=False)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+", db_index=False)
    reviewer = models.ForeignKey(Reviewer, on_delete=models.PROTECT, related_name="assignments", db_index=False)
    status = models.CharField(
        _("status"), max_length=10, choices=AssignmentStatus.choices, default=AssignmentStatus.CREATED
    )
    created_at = models.DateTimeField(_("handed out"))
    expire_at = models.DateTimeField(_("lease ends"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    data = models.JSONField(_("answer"), null=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="")
    live_slot = models.PositiveSmallIntegerField(null=True)
    counted = models.BooleanField(null=True, default=True)
    sequence = models.PositiveIntegerField(default=0)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        constraints = [
            models.UniqueConstraint(
                name="assignment_live_slot",
                fields=["queue", "reviewer", "live_slot"],
                condition=Q(live_slot__isnull=False),
            ),
            models.UniqueConstraint(name="assignment_counted", fields=["task", "reviewer"], condition=Q(counted=True)),
            models.CheckConstraint(name="assignment_status_known", condition=Q(status__in=AssignmentStatus.values)),
            models.CheckConstraint(
                name="assignment_live_has_slot",
                condition=Q(status=AssignmentStatus.CREATED, live_slot__range=(1, LIVE_MAX), ended_at__isnull=True)
                | (~Q(status=AssignmentStatus.CREATED) & Q(live_slot__isnull=True, ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="assignment_counted_fits",
                condition=Q(status__in=COUNTED, counted=True) | (~Q(status__in=COUNTED) & Q(counted__isnull=True)),
            ),
            models.CheckConstraint(
                name="assignment_finished_has_data",
                condition=Q(status=AssignmentStatus.FINISHED, data__isnull=False)
                | (~Q(status=AssignmentStatus.FINISHED) & Q(data__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(
                name="assignment_leases",
                fields=["queue", "expire_at"],
                condition=Q(status=AssignmentStatus.CREATED),
            ),
            models.Index(name="assignment_lapsing", fields=["expire_at"], condition=Q(status=AssignmentStatus.CREATED)),
            models.Index(name="assignment_by_task", fields=["task", "status"]),
            models.Index(name="assignment_by_reviewer", fields=["reviewer", "id"]),
            # Without what is live: else a plan may look for a queue's lapsed leases among all that were live since
            # somebody holds a transaction open.
            models.Index(
                name="assignment_ended", fields=["queue", "status", "id"], condition=~Q(status=AssignmentStatus.CREATED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class Exclusion(models.Model):
    """This task is not for this reviewer until then (null: for ever): they skipped it, or its requester said so."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="exclusions", db_index=False)
    reviewer = models.ForeignKey(Reviewer, on_delete=models.CASCADE, related_name="exclusions")
    until = models.DateTimeField(_("until"), null=True)

    objects = ExclusionQuerySet.as_manager()

    class Meta:
        verbose_name = _("exclusion")
        verbose_name_plural = _("exclusions")
        constraints = [models.UniqueConstraint(name="exclusion_once", fields=["task", "reviewer"])]

    def __str__(self) -> str:
        return f"{self.reviewer} / {self.task_id}"


class ReviewerHour(models.Model):
    """What a reviewer did in a queue within an hour (UTC), rolled up from events by rollup.py; it can be made anew.

    `handling` and `response` are histograms of seconds, bucket → number (see assignments.durations).
    """

    reviewer = models.ForeignKey(Reviewer, on_delete=models.CASCADE, related_name="+", db_index=False)
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="+", db_index=False)
    hour = models.DateTimeField(_("hour"))
    completed = models.PositiveIntegerField(_("completed"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    expired = models.PositiveIntegerField(_("expired"), default=0)
    canceled = models.PositiveIntegerField(_("canceled"), default=0)
    handling: Any = models.JSONField(default=dict)
    response: Any = models.JSONField(default=dict)
    active_seconds = models.FloatField(default=0)
    slack_seconds = models.FloatField(default=0)

    class Meta:
        ordering = ["-hour"]
        verbose_name = _("hour of a reviewer")
        verbose_name_plural = _("hours of reviewers")
        constraints = [
            models.UniqueConstraint(name="reviewerhour_once", fields=["reviewer", "queue", "hour"]),
            models.CheckConstraint(
                name="reviewerhour_seconds_fit", condition=Q(active_seconds__gte=0, slack_seconds__gte=0)
            ),
        ]
        indexes = [
            models.Index(name="reviewerhour_by_hour", fields=["hour", "queue"]),
            models.Index(name="reviewerhour_by_reviewer", fields=["reviewer", "hour"]),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer_id} {self.hour:%Y-%m-%d %H}"


class MetricsMark(models.Model):
    """How far the roll-up has come: one row. Everything before `as_of` is counted."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    as_of = models.DateTimeField()

    class Meta:
        verbose_name = _("mark of the metrics")
        verbose_name_plural = _("marks of the metrics")
        constraints = [models.CheckConstraint(name="metricsmark_alone", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"{self.as_of}"


class Census(models.Model):
    """How many tasks of a queue and topic have a status, as of the mark's position in the feed.

    `what`: the status; or the type of an event of assignments, for how many it has told of (under topic "").
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="+", db_index=False)
    topic = models.CharField(max_length=100, blank=True)
    what = models.CharField(max_length=40)
    n = models.BigIntegerField()

    class Meta:
        verbose_name = _("number of tasks")
        verbose_name_plural = _("numbers of tasks")
        constraints = [models.UniqueConstraint(name="census_once", fields=["queue", "topic", "what"])]

    def __str__(self) -> str:
        return f"{self.queue_id} {self.topic} {self.what}: {self.n}"


class CensusMark(models.Model):
    """The position of the feed up to which the census counts: one row. None: nothing was counted yet."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    position = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("mark of the census")
        verbose_name_plural = _("marks of the census")
        constraints = [models.CheckConstraint(name="censusmark_alone", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"{self.position}"


class QueueAtWork(Queue):
    """A queue as its operator watches it: what the dashboard of the admin is about. No table of its own."""

    class Meta:
        proxy = True
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")
