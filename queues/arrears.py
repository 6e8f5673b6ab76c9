"""How far the courier is behind: what committed and has no place in the feed yet, what is due and nobody sends."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, IntegerField, OuterRef, Q, Subquery

from queues import deliveries as sending
from queues.models import Delivery, Endpoint, EventPending
from queues.states import UNDELIVERED, DeliveryStatus
from queues.transactions import database_now

COUNTED_MAX = 1000
"""Pending events that are counted."""

ENDPOINTS_MAX = 1000
"""Endpoints whose undelivered deliveries are counted, COUNTED_MAX of each."""

FAILED_MAX = 10_000
"""Deliveries that failed that are counted."""

PATIENCE = timedelta(minutes=1)
"""A courier that lives leaves nothing lying for so long."""


@dataclass(frozen=True)
class Arrears:
    """`pending`: events without a place in the feed, COUNTED_MAX + 1 where there are more.

    `event`: how long the first of them has been there; `delivery`: how long the endpoint whose turn is next has had
    something due, or, where that was later, has not been looked after. None where there is nothing.
    """

    pending: int
    event: timedelta | None
    delivery: timedelta | None

    @property
    def behind(self) -> bool:
        """Whether it looks as if no courier were at work."""
        return any(age is not None and age > PATIENCE for age in (self.event, self.delivery))


def look(*, now: datetime | None = None) -> Arrears:
    """How it is now."""
    moment = database_now(now)
    pending = EventPending.objects.order_by("event_id")
    ages = list(pending.values_list("event__created_at", flat=True)[:1])
    return Arrears(
        pending=pending.order_by()[: COUNTED_MAX + 1].count(),
        event=max(moment - ages[0], timedelta(0)) if ages else None,
        delivery=_neglected(moment),
    )


def _neglected(now: datetime) -> timedelta | None:
    """How long the endpoint whose turn is next has waited for it.

    Only those that answered well the last time are asked about: the others wait for one another. And an endpoint with
    much to catch up has old deliveries, however well it is served, so what counts is when it last had its turn.
    """
    found = Endpoint.objects.filter(pk__in=sending.due(proven=True, limit=1, now=now))
    times = found.values_list("due_at", "taken_at", "rests_until").first()
    since = max((at for at in times or () if at is not None), default=None)
    return None if since is None else max(now - since, timedelta(0))


def deliveries() -> dict[str, int]:
    """How many deliveries are in each state but the last, FINISHED.

    Counted up to COUNTED_MAX of one endpoint and state, of ENDPOINTS_MAX endpoints; those that failed to FAILED_MAX.
    """
    waiting = Endpoint.objects.filter(due_at__isnull=False).order_by("due_at")[:ENDPOINTS_MAX]
    rows = list(waiting.values_list(*map(_counted, UNDELIVERED)))
    failed = Delivery.objects.filter(status=DeliveryStatus.FAILED).order_by()[:FAILED_MAX].count()
    counts = {str(status): sum(row[place] for row in rows) for place, status in enumerate(UNDELIVERED)}
    return {**counts, str(DeliveryStatus.FAILED): failed}


def _counted(status: DeliveryStatus) -> Subquery:
    found = Delivery.objects.filter(endpoint=OuterRef("pk"), status=status).order_by()
    return Subquery(
        found.values("pk")[:COUNTED_MAX],
        template="(SELECT COUNT(*) FROM (%(subquery)s) AS counted)",
        output_field=IntegerField(),
    )


def endpoints() -> dict[str, int]:
    """How many endpoints are switched off (`disabled`), have failed the last time (`failing`), or neither."""
    disabled, failing = Q(disabled_at__isnull=False), Q(disabled_at__isnull=True, failing_since__isnull=False)
    return Endpoint.objects.aggregate(
        disabled=Count("pk", filter=disabled),
        failing=Count("pk", filter=failing),
        working=Count("pk", filter=~disabled & ~failing),
    )
