"""Replaying all that failed of an endpoint since a time: a kind of batch over the ids of deliveries."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from queues import batches, deliveries
from queues.batches import Outcome
from queues.bulk import ITEMS_MAX
from queues.models import Batch, Delivery, Endpoint
from queues.states import DeliveryStatus

KIND = "replay"

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def failed(endpoint: Endpoint, *, since: datetime) -> QuerySet[Delivery]:
    """What was given up of an endpoint since a time, the first first."""
    found = deliveries.given_up_since(since=since, among=Delivery.objects.filter(endpoint=endpoint))
    return found.order_by("ended_at")


def plan(*, endpoint: Endpoint, since: datetime, actor: Any, now: datetime | None = None) -> Batch:
    """Plan to replay them, ITEMS_MAX at most."""
    ids = failed(endpoint, since=since).values_list("pk", flat=True)[:ITEMS_MAX]
    parameters = {"endpoint": endpoint.url, "since": since.isoformat()}
    return batches.plan(kind=KIND, items=ids.iterator(chunk_size=2000), actor=actor, parameters=parameters, now=now)


def apply(batch: Batch, items: list[int], now: datetime | None) -> Outcome:
    """Replay those of a part that are still failed."""
    among = Delivery.objects.filter(pk__in=items)
    count = deliveries.replay_failed(since=_EVER, among=among, limit=len(items), now=now)
    still = among.filter(status=DeliveryStatus.FAILED).order_by("pk").values_list("pk", flat=True)
    sentence = _("Its endpoint is disabled; switch it on first.")
    return Outcome(count, [{"item": pk, "detail": sentence} for pk in still])
