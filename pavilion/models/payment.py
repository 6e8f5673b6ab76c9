"""Payment: the ledger."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from pavilion.models.pool import money
from pavilion.models.seat import Seat
from pavilion.models.session import Session
from pavilion.querysets import PaymentQuerySet
from pavilion.states import PaymentKind, PaymentStatus


class Payment(models.Model):
    """What a seat has earned, of one kind: written when it ends, sent once at most.

    `request_token` is sent with each try, so that a try whose answer was lost pays once. `reference`: the
    marketplace's word for it.
    """

    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="payments", db_index=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="payments", db_index=False)
    kind = models.CharField(_("for"), max_length=7, choices=PaymentKind.choices)
    amount = money(_("amount"))
    status = models.CharField(_("status"), max_length=7, choices=PaymentStatus.choices, default=PaymentStatus.OWED)
    request_token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    reference = models.CharField(_("reference"), max_length=200, blank=True, default="")
    error = models.CharField(_("what went wrong"), max_length=500, blank=True, default="")
    created_at = models.DateTimeField(_("owed since"))
    due_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    sent_at = models.DateTimeField(_("sent"), null=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.UniqueConstraint(name="payment_once", fields=["seat", "kind"]),
            models.CheckConstraint(name="payment_is_something", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="payment_kind_known", condition=Q(kind__in=PaymentKind.values)),
            models.CheckConstraint(
                name="payment_sent_fits",
                condition=Q(status=PaymentStatus.SENT, sent_at__isnull=False, due_at__isnull=True)
                | Q(status=PaymentStatus.FAILED, sent_at__isnull=True, due_at__isnull=True)
                | Q(status__in=[PaymentStatus.OWED, PaymentStatus.SENDING], sent_at__isnull=True, due_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="payment_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
            models.Index(name="payment_by_session", fields=["session", "status"]),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.kind}"
