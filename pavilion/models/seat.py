"""Worker, Seat, and each move of a seat."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assignments.models import Reviewer
from pavilion.models.pool import money
from pavilion.models.session import Hire, Session
from pavilion.querysets import SeatQuerySet, WorkerQuerySet
from pavilion.states import ENDS, LIVE, Left, SeatStatus


class Worker(models.Model):
    """A person at a marketplace, as a reviewer here."""

    marketplace = models.CharField(_("marketplace"), max_length=20)
    external_id = models.CharField(_("id at the marketplace"), max_length=100)
    name = models.CharField(_("name"), max_length=100, blank=True, default="")
    reviewer = models.OneToOneField(Reviewer, on_delete=models.PROTECT, related_name="worker")
    created_at = models.DateTimeField(_("since"))
    blocked_at = models.DateTimeField(_("blocked"), null=True)
    blocked_reason = models.CharField(_("why blocked"), max_length=200, blank=True, default="")

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        constraints = [
            models.UniqueConstraint(name="worker_identity_once", fields=["marketplace", "external_id"]),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.marketplace} {self.external_id}"


class Seat(models.Model):
    """A worker in a session, from joining to the end; a worker has one live seat at most, anywhere.

    `live`: true while WAITING or ACTIVE, then null, so that it is unique with the worker. `connection` is the fencing
    number of the window that may act for it: the latest that was opened. `reserved`: what it may cost at most.
    `answers` were given while active, `answers_allowed` is for how many money is put aside; `backlog_answers` were
    given while waiting. `paid_until`: the end of what is paid for. `to_release`: assignments may have to be taken back.
    """

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="seats", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="seats")
    hire = models.ForeignKey(Hire, on_delete=models.PROTECT, related_name="seats")
    external_id = models.CharField(_("assignment at the marketplace"), max_length=100, blank=True, default="")
    submit_url = models.CharField(_("where it is submitted"), max_length=300, blank=True, default="")
    status = models.CharField(_("status"), max_length=9, choices=SeatStatus.choices, default=SeatStatus.WAITING)
    live = models.BooleanField(null=True, default=True)
    joined_at = models.DateTimeField(_("joined"))
    active_at = models.DateTimeField(_("promoted"), null=True)
    confirm_by = models.DateTimeField(_("to be confirmed by"), null=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    heard_at = models.DateTimeField(_("last heard of"))
    ends_at = models.DateTimeField(_("time limit"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    left = models.CharField(_("how it ended"), max_length=11, choices=Left.choices, blank=True, default="")
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="")
    paid_until = models.DateTimeField(null=True)
    connection = models.PositiveIntegerField(default=0)
    answers = models.PositiveIntegerField(_("answers"), default=0)
    answers_allowed = models.PositiveIntegerField(default=0)
    backlog_answers = models.PositiveIntegerField(_("answers from the backlog"), default=0)
    reserved = money(_("reserved"), default=Decimal(0))
    to_release = models.BooleanField(default=False)
    sequence = models.PositiveIntegerField(default=0)

    objects = SeatQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("seat")
        verbose_name_plural = _("seats")
        constraints = [
            models.UniqueConstraint(name="seat_live_once", fields=["worker"], condition=Q(live=True)),
            models.UniqueConstraint(name="seat_of_hire_once", fields=["hire"], condition=Q(live=True)),
            models.CheckConstraint(name="seat_status_known", condition=Q(status__in=SeatStatus.values)),
            models.CheckConstraint(
                name="seat_live_fits",
                condition=Q(status__in=LIVE, live=True, ended_at__isnull=True, paid_until__isnull=True, left="")
                | Q(status__in=ENDS, live__isnull=True, ended_at__isnull=False, paid_until__isnull=False, reserved=0)
                & ~Q(left=""),
            ),
            models.CheckConstraint(
                name="seat_active_fits",
                condition=(Q(status=SeatStatus.WAITING) & Q(active_at__isnull=True, confirm_by__isnull=True))
                | (Q(status=SeatStatus.ACTIVE) & Q(active_at__isnull=False, confirm_by__isnull=False))
                | Q(status__in=ENDS),
            ),
            models.CheckConstraint(
                name="seat_answers_fit", condition=Q(answers=0) | Q(answers__lte=models.F("answers_allowed"))
            ),
            models.CheckConstraint(
                name="seat_works_when_confirmed", condition=Q(answers=0) | Q(confirmed_at__isnull=False)
            ),
        ]
        indexes = [
            # heard_at is in no index: each heartbeat writes it.
            models.Index(name="seat_live", fields=["session", "status", "joined_at", "id"], condition=Q(live=True)),
            models.Index(name="seat_by_session", fields=["session", "-id"]),
            models.Index(name="seat_to_release", fields=["id"], condition=Q(to_release=True)),
            models.Index(name="seat_by_external_id", fields=["external_id"], condition=~Q(external_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def is_active(self) -> bool:
        return self.status == SeatStatus.ACTIVE


class SeatTransition(models.Model):
    """One move of a seat. Rows are added and never changed; what is paid is computed from the times in them.

    `from_status` is "" for joining.
    """

    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    number = models.PositiveSmallIntegerField()
    from_status = models.CharField(max_length=9, blank=True, default="")
    to_status = models.CharField(max_length=9, choices=SeatStatus.choices)
    left = models.CharField(max_length=11, choices=Left.choices, blank=True, default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["seat", "number"]
        verbose_name = _("move of a seat")
        verbose_name_plural = _("moves of seats")
        constraints = [
            models.UniqueConstraint(name="transition_number_once", fields=["seat", "number"]),
            models.UniqueConstraint(name="transition_to_once", fields=["seat", "to_status"]),
        ]

    def __str__(self) -> str:
        return f"{self.seat_id}: {self.to_status}"
