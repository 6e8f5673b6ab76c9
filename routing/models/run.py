"""Run, Lane and Step: a workflow that goes on across people and days."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from queues.models import Task
from routing.querysets import RunQuerySet, StepQuerySet
from routing.states import ENDED, LIVE, NAME_MAX, OPEN, RunStatus, StepKind, StepStatus


class Run(models.Model):
    """A workflow that was started. Its row is the lock under which it moves.

    `workflow` is where the class is found, as "module:name", and `name` what it is called. `version` is the class's at
    the start; the run goes on in the order that it had then. `data` is what the run came to, once it is FINISHED.
    """

    workflow = models.CharField(_("class"), max_length=255)
    name = models.CharField(_("workflow"), max_length=NAME_MAX)
    version = models.CharField(_("version"), max_length=40)
    status = models.CharField(_("status"), max_length=8, choices=RunStatus.choices, default=RunStatus.RUNNING)
    reason = models.CharField(_("reason"), max_length=500, blank=True, default="")
    input = models.JSONField(_("input"))
    data = models.JSONField(_("result"), null=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    sequence = models.PositiveIntegerField(default=0)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        indexes = [
            models.Index(name="run_by_starter", fields=["started_by", "-id"]),
            models.Index(name="run_by_name", fields=["name", "status", "-id"]),
            models.Index(name="run_by_status", fields=["status", "-id"]),
        ]
        constraints = [
            models.CheckConstraint(name="run_status_known", condition=Q(status__in=RunStatus.values)),
            models.CheckConstraint(
                name="run_end_fits",
                condition=Q(status__in=OPEN, ended_at__isnull=True) | Q(status__in=ENDED, ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="run_finished_has_data",
                condition=Q(status=RunStatus.FINISHED, data__isnull=False)
                | (~Q(status=RunStatus.FINISHED) & Q(data__isnull=True)),
            ),
            models.CheckConstraint(name="run_failed_says_why", condition=~Q(status=RunStatus.FAILED) | ~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"

    @property
    def key(self) -> str:
        """The global key of its tasks."""
        return f"run:{self.pk}"


class Lane(models.Model):
    """One order of steps, from its first to its last: the run's own, and one for each item that a step fans out into.

    `plan` names the elements in their order; `data` is what the last step left, once the lane has ended.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="lanes")
    parent = models.ForeignKey("Step", on_delete=models.CASCADE, related_name="lanes", null=True, db_index=False)
    index = models.PositiveIntegerField(default=0)
    plan = models.JSONField()
    data = models.JSONField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")
        constraints = [
            models.UniqueConstraint(name="lane_root_once", fields=["run"], condition=Q(parent__isnull=True)),
            models.UniqueConstraint(name="lane_index_once", fields=["parent", "index"]),
            models.CheckConstraint(
                name="lane_end_fits",
                condition=Q(data__isnull=True, ended_at__isnull=True) | Q(data__isnull=False, ended_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.index}"


class Step(models.Model):
    """One step of a lane, from its opening to its end. That a number exists once makes an answer move its run once.

    `position` is its place in the lane's plan and `element` the name that stands there; `name` is the task's, which
    differs where the element is a choice or a loop; `way` has the names from the one to the other. `data` is the pipe
    data as the step found it, `output` what it gave. `task` is the queue's, of a HUMAN step; `earlier_tasks` are the
    ids of those before it, which were not answered. `internal`: the reason is of an error that was not meant for
    people, and may tell of the inside of the site. `to_cancel`: its run was canceled, its task not yet.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps", db_index=False)
    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="steps", db_index=False)
    number = models.PositiveIntegerField()
    position = models.PositiveIntegerField()
    element = models.CharField(max_length=NAME_MAX)
    name = models.CharField(_("step"), max_length=NAME_MAX)
    way = models.JSONField(default=list)
    kind = models.CharField(_("kind"), max_length=7, choices=StepKind.choices)
    status = models.CharField(_("status"), max_length=16, choices=StepStatus.choices, default=StepStatus.WAITING)
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="step", null=True)
    earlier_tasks = models.JSONField(default=list)
    data = models.JSONField()
    output = models.JSONField(null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True, default="")
    internal = models.BooleanField(default=False)
    traceback = models.TextField(blank=True, default="")
    attempts = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(_("begun"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    to_cancel = models.BooleanField(default=False)

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        indexes = [
            models.Index(name="step_by_run", fields=["run", "id"]),
            models.Index(name="step_to_cancel", fields=["id"], condition=Q(to_cancel=True)),
            models.Index(name="step_waiting", fields=["task"], condition=Q(status=StepStatus.WAITING)),
            models.Index(name="step_failed", fields=["run"], condition=Q(status=StepStatus.FAILED_RETRYABLE)),
        ]
        constraints = [
            models.UniqueConstraint(name="step_number_once", fields=["lane", "number"]),
            models.UniqueConstraint(name="step_live_once", fields=["lane"], condition=Q(status__in=LIVE)),
            models.CheckConstraint(name="step_status_known", condition=Q(status__in=StepStatus.values)),
            models.CheckConstraint(name="step_kind_known", condition=Q(kind__in=StepKind.values)),
            models.CheckConstraint(
                name="step_end_fits",
                condition=Q(status__in=LIVE, ended_at__isnull=True) | (~Q(status__in=LIVE) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="step_failed_says_why", condition=~Q(status=StepStatus.FAILED_RETRYABLE) | ~Q(reason="")
            ),
            models.CheckConstraint(
                name="step_has_a_task_of_a_queue", condition=Q(task__isnull=True) | Q(kind=StepKind.HUMAN)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.name}"
