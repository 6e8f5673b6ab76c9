"""Idempotency-Key: the same request sent again gets the first one's answer, and its effect happens once.

The marker commits first, with a lease and a fencing number; effect and answer commit together under that number. So a
server that dies in between leaves a marker that the next try takes over, and one that dawdles past its lease loses.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from queues.exceptions import IdempotencyBusy, IdempotencyLost, IdempotencyMismatch
from queues.models import IdempotencyRecord
from queues.transactions import database_now, writer

LEASE = timedelta(seconds=60)
KEPT = timedelta(hours=24)
PURGE_BATCH = 1000


@dataclass(frozen=True)
class Turn:
    """The right to carry out one request: `record` under the number `fence`, or the `answer` it had before."""

    record: int
    fence: int
    answer: tuple[int, Any] | None = None


@writer
def begin(*, user: Any, method: str, path: str, key: str, fingerprint: str, now: datetime | None = None) -> Turn:
    """Take the turn for this key, or learn the answer that the first request had.

    `fingerprint` stands for the body. Raises IdempotencyMismatch when it differs, IdempotencyBusy while the first
    request is still under way.
    """
    scope = {"user": user, "method": method, "path": path, "key": key}
    moment = database_now(now)
    fresh = {"fingerprint": fingerprint, "leased_until": moment + LEASE, "created_at": moment}
    try:
        with transaction.atomic():
            record = IdempotencyRecord.objects.create(**scope, **fresh)
            return Turn(record=record.pk, fence=record.fence)
    except IntegrityError:
        found = IdempotencyRecord.objects.select_for_update(no_key=True).filter(**scope).first()
        if found is None:
            raise IdempotencyBusy(
                "This Idempotency-Key was being forgotten just now; send the request again."
            ) from None
        record = found
    moment = database_now(now)
    if record.created_at > moment - KEPT:
        given_up = record.status is None and record.leased_until <= record.created_at
        if record.fingerprint != fingerprint and not given_up:
            raise IdempotencyMismatch("This Idempotency-Key was used before, with another body.")
        if record.status is not None:
            return Turn(record=record.pk, fence=record.fence, answer=(record.status, record.body))
        if record.leased_until > moment:
            raise IdempotencyBusy("The first request with this Idempotency-Key is still under way.")
    record.fingerprint, record.created_at, record.leased_until = fingerprint, moment, moment + LEASE
    record.fence, record.status, record.body = record.fence + 1, None, None
    record.save()
    return Turn(record=record.pk, fence=record.fence)


def complete(*, turn: Turn, status: int, body: Any) -> None:
    """Keep the answer, in the transaction of its effect. Raises IdempotencyLost when the turn was taken over."""
    mine = IdempotencyRecord.objects.filter(pk=turn.record, fence=turn.fence, status__isnull=True)
    if not mine.update(status=status, body=body):
        raise IdempotencyLost("Another request with this Idempotency-Key took over; nothing was done here.")


def abandon(*, turn: Turn) -> None:
    """Give the turn up without an answer: the next try need not wait for the lease to end, and its body may differ."""
    mine = IdempotencyRecord.objects.filter(pk=turn.record, fence=turn.fence, status__isnull=True)
    mine.update(leased_until=F("created_at"))


@writer
def purge(*, now: datetime | None = None) -> int:
    """Delete up to PURGE_BATCH records older than a day; how many it was."""
    old = IdempotencyRecord.objects.filter(created_at__lte=database_now(now) - KEPT).order_by("created_at")
    ids = list(old.values_list("pk", flat=True)[:PURGE_BATCH])
    # Asked again in the DELETE: a key that was taken anew meanwhile is young.
    return old.order_by().filter(pk__in=ids).delete()[0]
