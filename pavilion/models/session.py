"""Session: a pool at work, from posting to its end. Hire: one place in it that a marketplace offers."""

import uuid
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from pavilion.models.pool import Pool, Terms, money
from pavilion.querysets import HireQuerySet, SessionQuerySet
from pavilion.states import OFFERED, HireStatus, SessionStatus


class Session(Terms):
    """A pool at work. Its row is locked by whatever changes who waits, who is active, or what is committed.

    `owed`: what seats that ended have earned. `committed`: that, and what live seats and open offers may still cost at
    most; never more than the budget.
    """

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="sessions")
    status = models.CharField(_("status"), max_length=10, choices=SessionStatus.choices, default=SessionStatus.LIVE)
    posted_at = models.DateTimeField(_("posted"))
    posted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, verbose_name=_("posted by")
    )
    expires_at = models.DateTimeField(_("ends by itself"))
    started_at = models.DateTimeField(_("started"), null=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    owed = money(_("earned"), default=Decimal(0))
    committed = money(_("committed"), default=Decimal(0))
    sequence = models.PositiveIntegerField(default=0)
    kept: Any = models.JSONField(
        default=dict, help_text=_("What the marketplace keeps with the session, such as the type of its HITs.")
    )

    objects = SessionQuerySet.as_manager()

    class Meta(Terms.Meta):
        ordering = ["-id"]
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        constraints = [
            *Terms.Meta.constraints,
            models.UniqueConstraint(name="session_live_once", fields=["pool"], condition=Q(status=SessionStatus.LIVE)),
            models.CheckConstraint(name="session_status_known", condition=Q(status__in=SessionStatus.values)),
            models.CheckConstraint(
                name="session_ends_fit",
                condition=Q(status=SessionStatus.LIVE, stopped_at__isnull=True, ended_at__isnull=True)
                | Q(status=SessionStatus.DRAINING, stopped_at__isnull=False, ended_at__isnull=True)
                | Q(status=SessionStatus.EXPIRED, ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="session_within_budget",
                condition=Q(owed__gte=0, committed__gte=F("owed"))
                & (Q(budget__isnull=True) | Q(budget__gte=F("committed"))),
            ),
        ]
        indexes = [
            models.Index(name="session_ending", fields=["expires_at"], condition=~Q(status=SessionStatus.EXPIRED)),
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.status == SessionStatus.LIVE


class Hire(models.Model):
    """One place in a session, offered through the pool's marketplace: an invitation there, or a HIT.

    `request_token` is sent with each try to post it, so that a try whose answer was lost posts it once. `due_at`: when
    it is to be seen to next (posted, withdrawn); null while nothing is to be done. `leased_until`: who sees to it has
    it until then.
    """

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="hires", db_index=False)
    status = models.CharField(_("status"), max_length=11, choices=HireStatus.choices, default=HireStatus.PLANNED)
    request_token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    external_id = models.CharField(_("id at the marketplace"), max_length=100, blank=True, default="")
    reserved = money(_("reserved"), default=Decimal(0))
    created_at = models.DateTimeField(_("planned"))
    posted_at = models.DateTimeField(_("posted"), null=True)
    opened_at = models.DateTimeField(_("open since"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    due_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    error = models.CharField(_("what went wrong"), max_length=500, blank=True, default="")

    objects = HireQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("hire")
        verbose_name_plural = _("hires")
        constraints = [
            models.CheckConstraint(name="hire_status_known", condition=Q(status__in=HireStatus.values)),
            models.CheckConstraint(
                name="hire_keeps_money_while_offered",
                condition=Q(status__in=OFFERED, reserved__gte=0) | (~Q(status__in=OFFERED) & Q(reserved=0)),
            ),
            models.UniqueConstraint(
                name="hire_external_id_once", fields=["session", "external_id"], condition=~Q(external_id="")
            ),
        ]
        indexes = [
            models.Index(name="hire_open", fields=["session", "id"], condition=Q(status__in=OFFERED)),
            models.Index(name="hire_by_session", fields=["session", "status", "id"]),
            models.Index(name="hire_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
            models.Index(name="hire_by_external_id", fields=["external_id"], condition=~Q(external_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
