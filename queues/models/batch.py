"""Work over many rows that is done in parts: imports, cancellations, new priorities."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from queues.models.queue import Queue
from queues.states import BatchStatus


class Batch(models.Model):
    """A change of many tasks, or an import. Its parts say what is left, so it goes on wherever it was stopped.

    `kind` names the function that does a part (see queues.batches); `whole` means all or nothing: one transaction.
    `faults` are those found when it was planned, at most a thousand of `faults_total`.
    """

    kind = models.CharField(_("kind"), max_length=20)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+", null=True, blank=True, db_index=False)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(_("status"), max_length=10, choices=BatchStatus.choices)
    whole = models.BooleanField(_("all or nothing"), default=False)
    items = models.PositiveIntegerField(_("items"))
    faults: Any = models.JSONField(_("faults"), default=list, blank=True)
    faults_total = models.PositiveIntegerField(_("number of faults"), default=0)
    created_at = models.DateTimeField(_("created"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        constraints = [
            models.CheckConstraint(name="batch_status_known", condition=Q(status__in=BatchStatus.values)),
            models.CheckConstraint(
                name="batch_ended_has_time",
                condition=Q(status__in=BatchStatus.ended(), ended_at__isnull=False)
                | (~Q(status__in=BatchStatus.ended()) & Q(ended_at__isnull=True)),
            ),
        ]
        indexes = [models.Index(name="batch_running", fields=["id"], condition=Q(status=BatchStatus.RUNNING))]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class BatchPart(models.Model):
    """A share of a batch that is done in one transaction, in which it is also marked as done."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="parts", db_index=False)
    ordinal = models.PositiveIntegerField()
    payload: Any = models.JSONField()
    items = models.PositiveIntegerField()
    done_at = models.DateTimeField(null=True)
    changed = models.PositiveIntegerField(default=0)
    faults: Any = models.JSONField(default=list)

    class Meta:
        ordering = ["batch", "ordinal"]
        verbose_name = _("part of a batch")
        verbose_name_plural = _("parts of batches")
        constraints = [
            models.UniqueConstraint(name="batchpart_once", fields=["batch", "ordinal"]),
            models.CheckConstraint(name="batchpart_changed_fits", condition=Q(changed__lte=F("items"))),
        ]
        indexes = [models.Index(name="batchpart_left", fields=["batch", "ordinal"], condition=Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.batch_id}.{self.ordinal}"
