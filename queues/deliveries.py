"""What becomes of a delivery: taken under a lease, tried, tried again, given up, replayed.

Everything about an endpoint's deliveries is changed under the lock of its row, which also holds the time at which the
next of them is due; so whoever looks for work reads a few endpoints, however many deliveries wait for a dead one.
Locks are taken endpoints first, by id, then their deliveries.
"""

import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import Case, F, QuerySet, Value, When
from django.utils.translation import gettext as _

from queues import conf
from queues.exceptions import DeliveryOpen, EndpointDisabled
from queues.models import Delivery, DeliveryTry, Endpoint
from queues.models.notification import EXCERPT_LENGTH
from queues.sequencer import GIVE_UP_AFTER
from queues.states import UNDELIVERED, DeliveryStatus, Disabled
from queues.transactions import database_now, writer

RETRIES = tuple(
    timedelta(**wait)
    for wait in (
        {"seconds": 5},
        {"minutes": 5},
        {"minutes": 30},
        {"hours": 2},
        {"hours": 5},
        {"hours": 10},
        {"hours": 14},
        {"hours": 20},
    )
)
"""How long to wait after the first, second, … failed try (Standard Webhooks' advice); then it is given up."""

JITTER = 0.1
"""The share of a wait that chance may add, so that what failed together is not tried together."""

PATIENCE = timedelta(days=3)
"""An endpoint that has failed so long is switched off."""

BATCH = 500
GONE = 410


@dataclass(frozen=True)
class Claimed:
    """A delivery under a lease. `headers` and `secrets` are sealed; `fence` names this try of it."""

    id: int
    endpoint_id: int
    url: str
    headers: str
    secrets: tuple[str, ...]
    body: str
    fence: int


@dataclass(frozen=True)
class Outcome:
    """How a try went. `status_code` is None where no answer came, and `error` says why.

    `retry_after`: seconds the endpoint asked to wait.
    """

    claimed: Claimed
    started_at: datetime
    milliseconds: int
    status_code: int | None = None
    excerpt: str = ""
    error: str = ""
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


def due(*, proven: bool, besides: Collection[int] = (), limit: int, now: datetime | None = None) -> list[int]:
    """Endpoints for which something is due: the `proven` ones by how long it waits, the others in turn.

    In turn: one that is new, or was tried longest ago, comes first, so many that hang keep none from its turn.
    """
    waiting = Endpoint.objects.filter(proven=proven, disabled_at__isnull=True, due_at__lte=database_now(now)).exclude(
        pk__in=besides
    )
    order = F("due_at") if proven else F("taken_at").asc(nulls_first=True)
    return list(waiting.order_by(order).values_list("pk", flat=True)[:limit])


@writer
def claim(*, endpoint_id: int, limit: int, lease: timedelta, now: datetime | None = None) -> list[Claimed]:
    """Take up to `limit` deliveries of an endpoint that are due, each for one try before the lease ends.

    What nobody tells of until then is due again.
    """
    endpoint = Endpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id, disabled_at__isnull=True).first()
    if endpoint is None:
        return []
    moment = database_now(now)
    open_ = Delivery.objects.filter(endpoint=endpoint, status__in=UNDELIVERED)
    rows = list(open_.filter(next_try_at__lte=moment).order_by("next_try_at", "id")[:limit])
    over = [row.pk for row in rows if row.give_up_at <= moment]
    if over:
        open_.filter(pk__in=over).update(status=DeliveryStatus.FAILED, next_try_at=None, ended_at=moment)
    rows = [row for row in rows if row.give_up_at > moment]
    open_.filter(pk__in=[row.pk for row in rows]).update(
        status=Case(
            When(status=DeliveryStatus.WAITING, then=Value(DeliveryStatus.FIRST_TRY)),
            default=Value(DeliveryStatus.RETRY),
        ),
        tries=F("tries") + 1,
        next_try_at=moment + lease,
    )
    endpoint.taken_at = moment
    endpoint.save(update_fields=["taken_at"])
    _set_due(endpoint)
    secrets = [endpoint.secret]
    if endpoint.old_secret_until is not None and endpoint.old_secret_until > moment:
        secrets.append(endpoint.old_secret)
    return [
        Claimed(row.pk, endpoint.pk, endpoint.url, row.headers, tuple(secrets), row.body, row.tries + 1) for row in rows
    ]


def _set_due(endpoint: Endpoint) -> None:
    """Bring a locked endpoint's `due_at` in line with what it waits for, and save it."""
    waiting = Delivery.objects.filter(endpoint=endpoint, status__in=UNDELIVERED).order_by("next_try_at")
    endpoint.due_at = waiting.values_list("next_try_at", flat=True).first()
    endpoint.save(update_fields=["due_at"])


@writer
def give_back(*, claimed: Sequence[Claimed], now: datetime | None = None) -> None:
    """Undo a claim of deliveries that were not tried after all; they are due at once."""
    endpoints = _locked({one.endpoint_id for one in claimed})
    moment = database_now(now)
    for one in claimed:
        mine = Delivery.objects.filter(pk=one.id, tries=one.fence, status__in=UNDELIVERED)
        mine.update(
            status=DeliveryStatus.WAITING if one.fence == 1 else DeliveryStatus.RETRY,
            tries=one.fence - 1,
            next_try_at=moment,
        )
    for endpoint in endpoints.values():
        _set_due(endpoint)


def _locked(ids: Collection[int]) -> dict[int, Endpoint]:
    rows = Endpoint.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return {endpoint.pk: endpoint for endpoint in rows}


@writer
def record(*, outcomes: Sequence[Outcome], now: datetime | None = None) -> None:
    """Write down how tries went: what was delivered, what is tried again and when, what is given up, who is disabled.

    A try that outlasted its lease counts where it succeeded, and is only noted where it failed.
    """
    endpoints = _locked({outcome.claimed.endpoint_id for outcome in outcomes})
    moment = database_now(now)
    rows = Delivery.objects.filter(status__in=UNDELIVERED).in_bulk([outcome.claimed.id for outcome in outcomes])
    changed = []
    for outcome in outcomes:
        endpoint, row = endpoints[outcome.claimed.endpoint_id], rows.get(outcome.claimed.id)
        _judge(endpoint, outcome, moment)
        if row is not None and (outcome.delivered or row.tries == outcome.claimed.fence):
            _move(row, outcome, moment)
            changed.append(row)
    Delivery.objects.bulk_update(changed, ["status", "next_try_at", "ended_at"], batch_size=BATCH)
    DeliveryTry.objects.bulk_create(map(_try, outcomes), ignore_conflicts=True)
    for endpoint in endpoints.values():
        _set_due(endpoint)
        endpoint.save(update_fields=["proven", "failing_since", "disabled_at", "disabled_reason", "told_at"])


def _judge(endpoint: Endpoint, outcome: Outcome, now: datetime) -> None:
    """What one try says of its endpoint."""
    endpoint.proven = outcome.delivered
    if outcome.delivered:
        endpoint.failing_since = None
        return
    endpoint.failing_since = endpoint.failing_since or now
    if endpoint.disabled_at is None and outcome.status_code == GONE:
        endpoint.disabled_at, endpoint.disabled_reason, endpoint.told_at = now, Disabled.GONE, None
    elif endpoint.disabled_at is None and now - endpoint.failing_since >= PATIENCE:
        endpoint.disabled_at, endpoint.disabled_reason, endpoint.told_at = now, Disabled.FAILING, None


def _move(row: Delivery, outcome: Outcome, now: datetime) -> None:
    """What becomes of a delivery after a try."""
    again = None if outcome.delivered or outcome.status_code == GONE else _next_try(row, outcome.retry_after, now)
    if again is not None:
        row.status, row.next_try_at = DeliveryStatus.RETRY, again
        return
    row.status = DeliveryStatus.FINISHED if outcome.delivered else DeliveryStatus.FAILED
    row.next_try_at, row.ended_at = None, now


def _next_try(row: Delivery, retry_after: float | None, now: datetime) -> datetime | None:
    failed = row.tries - row.tries_before
    if failed > len(RETRIES):
        return None
    wait = RETRIES[failed - 1] * random.uniform(1, 1 + JITTER)
    if retry_after is not None:
        wait = max(wait, timedelta(seconds=min(retry_after, GIVE_UP_AFTER.total_seconds())))
    again = now + wait
    return again if again < row.give_up_at else None


def _try(outcome: Outcome) -> DeliveryTry:
    return DeliveryTry(
        delivery_id=outcome.claimed.id,
        number=outcome.claimed.fence,
        started_at=outcome.started_at,
        milliseconds=outcome.milliseconds,
        status_code=outcome.status_code,
        excerpt=outcome.excerpt[:EXCERPT_LENGTH],
        error=outcome.error[:300],
    )


@writer
def replay(*, delivery_id: int, now: datetime | None = None) -> Delivery:
    """Send a delivery that has ended once more: the same id and body, with all its retries before it.

    Raises Delivery.DoesNotExist, DeliveryOpen, EndpointDisabled.
    """
    endpoint_id = Delivery.objects.values_list("endpoint_id", flat=True).get(pk=delivery_id)
    endpoint = _locked([endpoint_id])[endpoint_id]
    if endpoint.disabled_at is not None:
        raise EndpointDisabled(_("The endpoint %(url)s is disabled; switch it on first.") % {"url": endpoint.url})
    ended = Delivery.objects.exclude(status__in=UNDELIVERED).filter(pk=delivery_id)
    if not _again(ended, database_now(now)):
        raise DeliveryOpen(_("Delivery %(id)s is still on its way.") % {"id": delivery_id})
    _set_due(endpoint)
    return Delivery.objects.select_related("endpoint").get(pk=delivery_id)


def _again(ended: QuerySet[Delivery], now: datetime) -> int:
    return ended.update(
        status=DeliveryStatus.RETRY,
        tries_before=F("tries"),
        next_try_at=now,
        give_up_at=now + GIVE_UP_AFTER,
        ended_at=None,
    )


@writer
def replay_failed(
    *,
    since: datetime,
    among: QuerySet[Delivery] | None = None,
    limit: int = BATCH,
    now: datetime | None = None,
) -> int:
    """Replay up to `limit` deliveries that were given up since a time, of endpoints that are not disabled; how many.

    `among` narrows them. Call it until it is 0.
    """
    failed = (Delivery.objects.all() if among is None else among).filter(
        status=DeliveryStatus.FAILED, ended_at__gte=since, endpoint__disabled_at__isnull=True
    )
    found: dict[int, list[int]] = defaultdict(list)
    for pk, endpoint_id in failed.order_by("ended_at").values_list("pk", "endpoint_id")[:limit]:
        found[endpoint_id].append(pk)
    moment, count = database_now(now), 0
    for endpoint in _locked(found).values():
        rows = Delivery.objects.filter(pk__in=found[endpoint.pk], status=DeliveryStatus.FAILED)
        count += _again(rows, moment)
        _set_due(endpoint)
    return count


@writer
def give_up(*, limit: int = BATCH, now: datetime | None = None) -> int:
    """End up to `limit` deliveries whose time is over although nobody tried them, for a disabled endpoint; how many."""
    moment = database_now(now)
    over = Delivery.objects.filter(status__in=UNDELIVERED, give_up_at__lte=moment).order_by("give_up_at")
    found: dict[int, list[int]] = defaultdict(list)
    for pk, endpoint_id in over.values_list("pk", "endpoint_id")[:limit]:
        found[endpoint_id].append(pk)
    count = 0
    for endpoint in _locked(found).values():
        rows = Delivery.objects.filter(pk__in=found[endpoint.pk], status__in=UNDELIVERED, give_up_at__lte=moment)
        count += rows.update(status=DeliveryStatus.FAILED, next_try_at=None, ended_at=moment)
        _set_due(endpoint)
    return count


@writer
def purge(*, limit: int = BATCH, now: datetime | None = None) -> int:
    """Delete up to `limit` deliveries that ended longer ago than they are kept, with their tries; how many it was."""
    old = database_now(now) - timedelta(days=conf.deliveries_kept_days())
    ended = Delivery.objects.filter(ended_at__lt=old).order_by("ended_at")
    ids = list(ended.values_list("pk", flat=True)[:limit])
    database: Any = router.db_for_write(Delivery)
    DeliveryTry.objects.filter(delivery__in=ids)._raw_delete(database)
    # Asked again: one that was replayed meanwhile is on its way.
    return Delivery.objects.filter(pk__in=ids, ended_at__lt=old)._raw_delete(database)
