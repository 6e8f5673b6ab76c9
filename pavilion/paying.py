"""Sending what is owed, once at most: each payment is a row that says how far it has come."""

from datetime import datetime
from typing import Any

from pavilion import errands, marketplaces
from pavilion.exceptions import PaymentNotFailed
from pavilion.models import Payment
from pavilion.states import PaymentKind, PaymentStatus
from queues.transactions import database_now, writer

BATCH = 20

REASONS = {
    PaymentKind.WAITING: "For the time that you waited.",
    PaymentKind.ANSWERS: "For the answers that you gave.",
}


def work(*, limit: int = BATCH, now: datetime | None = None) -> int:
    """Send up to so many payments that are due; how many were seen to."""
    ids = errands.take(Payment.objects.all(), limit=limit, now=now, status=PaymentStatus.SENDING)
    payments = Payment.objects.filter(pk__in=ids).select_related("session__pool", "seat__worker", "seat__hire")
    for payment in payments.order_by("pk"):
        _send(payment, now)
    return len(ids)


def _send(payment: Payment, now: datetime | None) -> None:
    # Whose lease has ended meanwhile says nothing any more: another sends it.
    mine = Payment.objects.filter(pk=payment.pk, status=PaymentStatus.SENDING, tries=payment.tries)
    free: dict[str, Any] = {"leased_until": None, "due_at": None}

    def send() -> str:
        marketplace = marketplaces.of(payment.session.pool.marketplace)
        if payment.kind == PaymentKind.BASE:
            return marketplace.approve(payment)
        return marketplace.bonus(payment, REASONS[PaymentKind(payment.kind)])

    errands.attempt(
        payment,
        send,
        done=lambda reference: mine.update(
            **free, status=PaymentStatus.SENT, reference=reference[:200], error="", sent_at=database_now(now)
        ),
        refused=lambda reason: mine.update(**free, status=PaymentStatus.FAILED, error=reason),
        later=lambda at, reason: mine.update(status=PaymentStatus.OWED, due_at=at, leased_until=None, error=reason),
        now=now,
    )


@writer
def send_again(*, payment_id: int, now: datetime | None = None) -> Payment:
    """Try a payment that failed again. Raises Payment.DoesNotExist, PaymentNotFailed."""
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    if payment.status != PaymentStatus.FAILED:
        raise PaymentNotFailed(f"The payment did not fail: {PaymentStatus(payment.status).label}.")
    payment.status, payment.due_at, payment.tries = PaymentStatus.OWED, database_now(now), 0
    payment.save(update_fields=["status", "due_at", "tries"])
    return payment
