"""The ledger as operators read it: narrowed, summed, and as a table.

It grows without end, so nothing here reads all of it at once: rows are found along an index or looked through
backwards, the sum of everything is that of the sessions, and a table is read by ids, so many at a time.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Max, Min, Q, Sum

from pavilion.models import Payment, Session
from pavilion.querysets import PaymentQuerySet
from pavilion.states import PaymentStatus
from queues.csvjson import guarded
from queues.moments import show

WINDOW = 500
"""Rows that one statement of an export reads."""

HEADER = (
    *("payment", "session", "project", "pool", "marketplace", "worker", "worker_id", "seat", "kind", "amount"),
    *("status", "owed_since", "sent_at", "reference", "error"),
)

_BOM = "\ufeff"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which payments: of a session, of a worker, in a status; None is any."""

    session: int | None = None
    worker: int | None = None
    status: str | None = None

    def walked(self) -> PaymentQuerySet:
        """The rows that an index leads to."""
        rows: PaymentQuerySet = Payment.objects.all()
        if self.worker is not None:
            rows = rows.filter(seat__worker=self.worker)
        if self.session is not None:
            rows = rows.filter(session=self.session)
        return rows.filter(status=self.status) if self._by_index and self.status else rows

    def besides(self) -> Q | None:
        """What is asked of each of these besides."""
        return Q(status=self.status) if self.status and not self._by_index else None

    @property
    def _by_index(self) -> bool:
        return self.session is not None or self.worker is not None

    def totals(self) -> dict[str, Decimal]:
        """Status → the sum, in the order of their states; of all there are, whatever status is asked for.

        For all sessions together what was sent and what failed are one sum, `SENT`: no index tells them apart.
        """
        if self._by_index:
            sums = Asked(session=self.session, worker=self.worker).walked().totals()
            return {status: sums[status] for status in PaymentStatus if status in sums}
        pending = Payment.objects.filter(due_at__isnull=False).totals()
        earned = Session.objects.aggregate(earned=Sum("owed"))["earned"] or Decimal(0)
        sent = {PaymentStatus.SENT.value: Decimal(earned) - sum(pending.values(), Decimal(0))}
        return {status: amount for status, amount in (pending | sent).items() if amount}

    @property
    def tells_failed_apart(self) -> bool:
        """Whether `totals` has a sum of its own for what failed."""
        return self._by_index

    def lines(self) -> Iterator[str]:
        """The payments as CSV, the oldest first, a line at a time."""
        table = csv.writer(_Passing(), quoting=csv.QUOTE_ALL)
        # The mark tells spreadsheets that this is UTF-8.
        yield _BOM + table.writerow(HEADER)
        for payment in self._read():
            yield table.writerow(_cells(payment))

    def _read(self) -> Iterator[Payment]:
        wanted = self.walked().filter(self.besides() or Q())
        # Those of a worker are few. Those of a session lie close together, and are looked for where they lie.
        windows = wanted if self.worker is not None else Payment.objects.all()
        ends = self.walked().order_by().aggregate(first=Min("pk"), last=Max("pk"))
        if ends["first"] is None:
            return
        last = ends["first"] - 1
        windows = windows.filter(pk__lte=ends["last"]).order_by("pk")
        while ids := list(windows.filter(pk__gt=last).values_list("pk", flat=True)[:WINDOW]):
            # By their ids, not by the ends of the window: that leads to all of a session, for each window anew.
            within = wanted.filter(pk__in=ids).order_by("pk")
            yield from within.select_related("session__pool__project", "seat__worker")
            last = ids[-1]


class _Passing:
    """A file for csv.writer whose write gives the text back."""

    def write(self, text: str) -> str:
        return text


def _cells(payment: Payment) -> list[str]:
    pool, worker = payment.session.pool, payment.seat.worker
    values: list[Any] = [
        *(payment.pk, payment.session_id, pool.project.name, pool.name, worker.marketplace, worker.name),
        *(worker.external_id, payment.seat_id, payment.kind, f"{payment.amount:.2f}", payment.status),
        *(show(payment.created_at), show(payment.sent_at), payment.reference, payment.error),
    ]
    return ["" if value is None else guarded(str(value)) for value in values]
