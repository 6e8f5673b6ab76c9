"""What becomes of a delivery: taken under a lease, tried, tried again, given up, replayed.

Everything about an endpoint's deliveries is changed under the lock of its row, which also holds the time at which the
next of them is due; so whoever looks for work reads a few endpoints, however many deliveries wait for a dead one.
Locks are taken endpoints first, by id, then their deliveries.
"""

import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.translation import gettext as _

from queues import conf
from queues.exceptions import DeliveryOpen, EndpointDisabled
from queues.models import Delivery, DeliveryTry, Endpoint
from queues.models.notification import ERROR_LENGTH, EXCERPT_LENGTH
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

QUICK = 2000
"""An endpoint whose last answer took more milliseconds waits with those that failed, lest it hold up the others."""

REST_SHARE, REST_MAX = 0.1, timedelta(seconds=30)
"""Between two tries an endpoint that keeps failing rests for this share of the time it has failed, at most so long.

Else one that refuses at once would be tried, for the sake of all that waits for it, as fast as we can.
"""

ASKED_MAX, ASKED_REST_MAX = timedelta(hours=24), timedelta(minutes=5)
"""How long Retry-After may put off a delivery, and, with 429 or 503, all of its endpoint's."""

BATCH = 500
TOO_MANY, UNAVAILABLE, GONE = 429, 503, 410


@dataclass(frozen=True)
class Claimed:
    """A delivery under a lease. `headers` and `secrets` are sealed; `fence` names this try of it.

    `ahead`: how far the database's clock was ahead of this process's.
    """

    id: int
    endpoint_id: int
    url: str
    headers: str
    secrets: tuple[str, ...]
    body: str
    fence: int
    ahead: timedelta = timedelta(0)


@dataclass(frozen=True)
class Outcome:
    """How a try went. `status_code` is None where no answer came, and `error` says why.

    `retry_after`: seconds the endpoint asked to wait. `ours`: it was not sent, by a fault of the site's own.
    """

    claimed: Claimed
    started_at: datetime
    milliseconds: int
    status_code: int | None = None
    excerpt: str = ""
    error: str = ""
    retry_after: float | None = None
    ours: bool = False

    @property
    def delivered(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def proves(self) -> bool:
        """Whether it shows that its endpoint answers well."""
        return self.delivered and self.milliseconds <= QUICK


def due(*, proven: bool, besides: Collection[int] = (), limit: int, now: datetime | None = None) -> list[int]:
    """Endpoints for which something is due, `proven` ones or the others, in turn.

    One that is new, or was tried longest ago, comes first: neither many that hang nor one for which much waits keep
    another from its turn.
    """
    moment = database_now(now)
    waiting = Endpoint.objects.filter(
        Q(rests_until__isnull=True) | Q(rests_until__lte=moment),
        proven=proven,
        disabled_at__isnull=True,
        due_at__lte=moment,
    ).exclude(pk__in=besides)
    in_turn = waiting.order_by(F("taken_at").asc(nulls_first=True), "pk")
    return list(in_turn.values_list("pk", flat=True)[:limit])


@writer
def claim(*, endpoint_ids: Collection[int], limit: int, lease: timedelta, now: datetime | None = None) -> list[Claimed]:
    """Take up to `limit` deliveries of each of these endpoints that are due, each for one try before the lease ends.

    What nobody tells of until then is due again.
    """
    locked = _locked(endpoint_ids)
    moment = database_now(now)
    endpoints = {pk: one for pk, one in locked.items() if one.disabled_at is None and not _rests(one, moment)}
    open_ = Delivery.objects.filter(status__in=UNDELIVERED)
    found = open_.filter(next_try_at__lte=moment).order_by("next_try_at", "id")
    rows = [row for endpoint in endpoints.values() for row in found.filter(endpoint=endpoint)[:limit]]
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
    _set_due(endpoints, taken_at=moment)
    ahead = moment - datetime.now(UTC)
    return [_claimed(row, endpoints[row.endpoint_id], moment, ahead) for row in rows]


def _rests(endpoint: Endpoint, now: datetime) -> bool:
    return endpoint.rests_until is not None and endpoint.rests_until > now


def _claimed(row: Delivery, endpoint: Endpoint, now: datetime, ahead: timedelta) -> Claimed:
    secrets = [endpoint.secret]
    if endpoint.old_secret_until is not None and endpoint.old_secret_until > now:
        secrets += endpoint.old_secret.split()
    return Claimed(row.pk, endpoint.pk, endpoint.url, row.headers, tuple(secrets), row.body, row.tries + 1, ahead)


def _set_due(ids: Collection[int], **fields: Any) -> None:
    """Bring `due_at` of locked endpoints in line with what they wait for, and set `fields` of theirs."""
    waiting = Delivery.objects.filter(endpoint=OuterRef("pk"), status__in=UNDELIVERED).order_by("next_try_at", "id")
    Endpoint.objects.filter(pk__in=ids).update(due_at=Subquery(waiting.values("next_try_at")[:1]), **fields)


@writer
def give_back(*, claimed: Sequence[Claimed], now: datetime | None = None) -> None:
    """Undo a claim of deliveries that were not tried after all; they are due at once."""
    endpoints = _locked({one.endpoint_id for one in claimed})
    moment = database_now(now)
    by_fence: dict[int, list[int]] = defaultdict(list)
    for one in claimed:
        by_fence[one.fence].append(one.id)
    for fence, ids in by_fence.items():
        # One that was replayed meanwhile is not of this claim any more.
        mine = Delivery.objects.filter(pk__in=ids, tries=fence, tries_before__lt=fence, status__in=UNDELIVERED)
        mine.update(
            status=Case(When(status=DeliveryStatus.FIRST_TRY, then=Value(DeliveryStatus.WAITING)), default=F("status")),
            tries=F("tries") - 1,
            next_try_at=moment,
        )
    _set_due(endpoints)


def _locked(ids: Collection[int]) -> dict[int, Endpoint]:
    rows = Endpoint.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return {endpoint.pk: endpoint for endpoint in rows}


@writer
def record(*, outcomes: Sequence[Outcome], now: datetime | None = None) -> None:
    """Write down how tries went: what was delivered, what is tried again and when, what is given up, who is disabled.

    A try that outlasted its lease counts where it succeeded, and is only noted where it failed. One from before a
    replay is only noted. Deliveries that are not there any more are passed by.
    """
    endpoints = _locked({outcome.claimed.endpoint_id for outcome in outcomes})
    moment = database_now(now)
    found = Delivery.objects.filter(pk__in=[outcome.claimed.id for outcome in outcomes]).defer("body", "headers")
    rows = {row.pk: row for row in found.order_by("pk").select_for_update(no_key=True)}
    outcomes = [outcome for outcome in outcomes if outcome.claimed.id in rows]
    DeliveryTry.objects.bulk_create(map(_try, outcomes), ignore_conflicts=True)
    _judge(endpoints, outcomes, moment)
    delivered, failed = set(), {}
    for outcome in outcomes:
        row = rows[outcome.claimed.id]
        if outcome.claimed.fence <= row.tries_before or row.status == DeliveryStatus.FINISHED:
            continue
        if outcome.delivered:
            delivered.add(row.pk)
        elif row.status in UNDELIVERED and row.tries == outcome.claimed.fence:
            failed[row.pk] = outcome
    Delivery.objects.filter(pk__in=delivered).update(status=DeliveryStatus.FINISHED, next_try_at=None, ended_at=moment)
    _again_or_never([(rows[pk], outcome) for pk, outcome in failed.items() if pk not in delivered], moment)
    _set_due(endpoints)


def _judge(endpoints: dict[int, Endpoint], outcomes: Sequence[Outcome], now: datetime) -> None:
    """What tries say of their endpoints."""
    judged = ["proven", "failing_since", "disabled_at", "disabled_reason", "told_at", "rests_until"]
    before = {pk: [getattr(endpoint, name) for name in judged] for pk, endpoint in endpoints.items()}
    for outcome in outcomes:
        endpoint = endpoints[outcome.claimed.endpoint_id]
        endpoint.proven = outcome.proves
        if outcome.delivered:
            endpoint.failing_since = None
        elif not outcome.ours:
            _blame(endpoint, outcome, now)
    changed = [one for pk, one in endpoints.items() if [getattr(one, name) for name in judged] != before[pk]]
    Endpoint.objects.bulk_update(changed, judged)


def _blame(endpoint: Endpoint, outcome: Outcome, now: datetime) -> None:
    """What a failed try says of its endpoint."""
    endpoint.failing_since = endpoint.failing_since or now
    failing = now - endpoint.failing_since
    rest = min(failing * REST_SHARE, REST_MAX)
    if outcome.retry_after is not None and outcome.status_code in (TOO_MANY, UNAVAILABLE):
        rest = max(rest, _at_most(outcome.retry_after, ASKED_REST_MAX))
    endpoint.rests_until = max(endpoint.rests_until or now, now + rest)
    if endpoint.disabled_at is not None:
        return
    if outcome.status_code == GONE:
        endpoint.disabled_at, endpoint.disabled_reason, endpoint.told_at = now, Disabled.GONE, None
    elif failing >= PATIENCE:
        endpoint.disabled_at, endpoint.disabled_reason, endpoint.told_at = now, Disabled.FAILING, None


def _at_most(seconds: float, limit: timedelta) -> timedelta:
    return timedelta(seconds=min(seconds, limit.total_seconds()))


def _again_or_never(failed: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
    """Set when failed deliveries are tried again, or that they are not."""
    noted = DeliveryTry.objects.filter(
        delivery__in=[row.pk for row, _outcome in failed], number__gt=F("delivery__tries_before")
    )
    # What was taken and never tried, by a courier that was killed, used up none of the tries.
    tried = dict(noted.values_list("delivery").annotate(Count("pk")).order_by())
    for row, outcome in failed:
        again = None if outcome.status_code == GONE else _next_try(row, tried[row.pk], outcome.retry_after, now)
        row.status = DeliveryStatus.FAILED if again is None else DeliveryStatus.RETRY
        row.next_try_at, row.ended_at = again, now if again is None else None
    Delivery.objects.bulk_update([row for row, _outcome in failed], ["status", "next_try_at", "ended_at"])


def _next_try(row: Delivery, failed: int, retry_after: float | None, now: datetime) -> datetime | None:
    """When a delivery that failed so often is tried again; None for never."""
    if failed > len(RETRIES):
        return None
    wait = RETRIES[failed - 1] * random.uniform(1, 1 + JITTER)
    if retry_after is not None:
        wait = max(wait, _at_most(retry_after, ASKED_MAX))
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
        error=outcome.error[:ERROR_LENGTH],
    )


@writer
def replay(*, delivery_id: int, now: datetime | None = None) -> Delivery:
    """Send a delivery that has ended once more, at once: the same id and body, with all its retries before it.

    Raises Delivery.DoesNotExist, DeliveryOpen, EndpointDisabled.
    """
    endpoint_id = Delivery.objects.values_list("endpoint_id", flat=True).get(pk=delivery_id)
    endpoint = _locked([endpoint_id])[endpoint_id]
    if endpoint.disabled_at is not None:
        raise EndpointDisabled(_("The endpoint %(url)s is disabled; switch it on first.") % {"url": endpoint.url})
    ended = Delivery.objects.exclude(status__in=UNDELIVERED).filter(pk=delivery_id)
    replayed = _replay(ended, database_now(now))
    delivery = Delivery.objects.select_related("endpoint").get(pk=delivery_id)
    if not replayed:
        raise DeliveryOpen(_("Delivery %(id)s is still on its way.") % {"id": delivery_id})
    _set_due([endpoint_id], rests_until=None)
    return delivery


def _replay(ended: QuerySet[Delivery], now: datetime) -> int:
    return ended.update(
        status=DeliveryStatus.RETRY,
        tries_before=F("tries"),
        next_try_at=now,
        give_up_at=now + GIVE_UP_AFTER,
        ended_at=None,
    )


def given_up_since(*, since: datetime, among: QuerySet[Delivery] | None = None) -> QuerySet[Delivery]:
    """Deliveries that were given up since a time, of endpoints that are not disabled; `among` narrows them."""
    given_up = Q(status=DeliveryStatus.FAILED, ended_at__gte=since)
    return (Delivery.objects.all() if among is None else among).filter(given_up, endpoint__disabled_at__isnull=True)


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
    wanted = given_up_since(since=since, among=among)
    # Endpoint by endpoint, as the index has them: what others have failed is read again with no batch.
    some = Endpoint.objects.filter(Exists(wanted.filter(endpoint=OuterRef("pk"))), disabled_at__isnull=True)
    chosen = wanted.filter(endpoint__in=list(some.order_by("pk").values_list("pk", flat=True)[:limit]))
    found = dict(chosen.order_by("endpoint", "ended_at").values_list("pk", "endpoint_id")[:limit])
    enabled = [pk for pk, endpoint in _locked(set(found.values())).items() if endpoint.disabled_at is None]
    ids = [pk for pk, endpoint_id in found.items() if endpoint_id in enabled]
    count = _replay(Delivery.objects.filter(pk__in=ids, status=DeliveryStatus.FAILED), database_now(now))
    _set_due(enabled)
    return count


@writer
def give_up(*, limit: int = BATCH, now: datetime | None = None) -> int:
    """End up to `limit` deliveries whose time is over although nobody tried them, for a disabled endpoint; how many."""
    moment = database_now(now)
    over = Delivery.objects.filter(status__in=UNDELIVERED, give_up_at__lte=moment).order_by("give_up_at")
    found = dict(over.values_list("pk", "endpoint_id")[:limit])
    endpoints = _locked(set(found.values()))
    rows = Delivery.objects.filter(pk__in=found, status__in=UNDELIVERED, give_up_at__lte=moment)
    count = rows.update(status=DeliveryStatus.FAILED, next_try_at=None, ended_at=moment)
    _set_due(endpoints)
    return count


@writer
def purge(*, limit: int = BATCH, now: datetime | None = None) -> int:
    """Delete up to `limit` deliveries that ended longer ago than they are kept, with their tries; how many it was.

    One that is being replayed is passed by; a replay that comes later finds it gone.
    """
    old = database_now(now) - timedelta(days=conf.deliveries_kept_days())
    ended = Delivery.objects.filter(ended_at__lt=old).order_by("ended_at").select_for_update(skip_locked=True)
    ids = list(ended.values_list("pk", flat=True)[:limit])
    database: Any = router.db_for_write(Delivery)
    DeliveryTry.objects.filter(delivery__in=ids)._raw_delete(database)
    Delivery.objects.filter(pk__in=ids)._raw_delete(database)
    return len(ids)
