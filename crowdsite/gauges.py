"""What a monitoring system is told, in the words of Prometheus. docs/monitoring.md says what each name means.

All of it stands in the database already, so it is right whichever process answers, and after each of them was started
anew. Nothing is counted that grows: tasks and assignments come from the census, the rest from looks along an index that
end at a cap.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from assignments import census, dashboard, rollup
from assignments.census import HANDS
from assignments.states import ENDING_EVENT, EventType
from crowdsite import health
from pavilion.models import Seat, Session
from pavilion.states import SessionStatus
from queues import arrears
from queues.states import TaskStatus
from queues.transactions import database_now

STATEMENT_MS = 2000
"""How long one statement may take on PostgreSQL before it is given up: a look must not hurt what it looks at."""

SEATS_LOOKED_AT, PROMOTED_WITHIN = 1000, timedelta(hours=1)
"""Promotions are looked for among so many of the latest seats."""

QUANTILES = (0.5, 0.9, 0.99)

ACTIVITY = """
SELECT count(*) FILTER (WHERE datname = current_database()), current_setting('max_connections')::int,
  coalesce(extract(epoch FROM max(now() - xact_start) FILTER (WHERE pid <> pg_backend_pid())), 0)
FROM pg_stat_activity WHERE backend_type = 'client backend'"""


def collect() -> list[Metric]:
    """All there is to tell now. What cannot be found out is left out, and said so by `crowdsite_scrape_failed`."""
    began = perf_counter()
    found: list[Metric] = []
    failed = GaugeMetricFamily("crowdsite_scrape_failed", "1 where a part could not be looked at.", labels=["part"])
    for name, part in PARTS.items():
        try:
            with bounded():
                metrics = list(part())
        except DatabaseError:
            failed.add_metric([name], 1)
        else:
            failed.add_metric([name], 0)
            found += metrics
    found += [failed, *parts_up()]
    took = perf_counter() - began
    return [*found, GaugeMetricFamily("crowdsite_scrape_seconds", "How long this look took.", value=took)]


@contextmanager
def bounded() -> Iterator[None]:
    """Give up statements that take long. SQLite has no such limit; there a reader holds nobody up."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
        yield


def tasks() -> Iterator[Metric]:
    """Of each living queue: its tasks, how long the oldest one waits, what was handed out and how that ended."""
    depth = GaugeMetricFamily("crowdsite_tasks", "Tasks by status.", labels=["queue", "status"])
    oldest = GaugeMetricFamily(
        "crowdsite_task_oldest_available_seconds", "How long the oldest available task waits.", labels=["queue"]
    )
    handed = CounterMetricFamily("crowdsite_assignments_handed_out", "Tasks handed out.", labels=["queue"])
    ended = CounterMetricFamily("crowdsite_assignments_ended", "How that ended.", labels=["queue", "how"])
    now, kept = database_now(), census.kept()
    for queue_id, queue, since in dashboard.waiting():
        oldest.add_metric([queue], 0 if since is None else max(0.0, (now - since).total_seconds()))
        if kept is not None:
            counts = dict.fromkeys((*TaskStatus.values, *HANDS), 0) | kept.counts.get(queue_id, {})
            for status in TaskStatus.values:
                depth.add_metric([queue, status.lower()], counts[status])
            handed.add_metric([queue], counts[EventType.ASSIGNMENT_CREATED])
            for status, event in ENDING_EVENT.items():
                ended.add_metric([queue, status.lower()], counts[event])
    yield oldest
    if kept is not None:
        yield from (depth, handed, ended)
        yield GaugeMetricFamily(
            "crowdsite_census_behind_events", "Events that these numbers do not know of yet.", value=kept.behind
        )


def webhooks() -> Iterator[Metric]:
    """How far the courier is behind, and what became of deliveries."""
    found = arrears.look()
    yield GaugeMetricFamily("crowdsite_events_pending", "Events without a place in the feed.", value=found.pending)
    yield GaugeMetricFamily(
        "crowdsite_event_oldest_pending_seconds", "How long the first of them waits.", value=_seconds(found.event)
    )
    yield GaugeMetricFamily(
        "crowdsite_delivery_oldest_due_seconds",
        "How long an endpoint that answers well has waited for its turn.",
        value=_seconds(found.delivery),
    )
    deliveries = GaugeMetricFamily("crowdsite_deliveries", "Deliveries that are not delivered.", labels=["status"])
    for status, number in arrears.deliveries().items():
        deliveries.add_metric([status.lower()], number)
    yield deliveries
    endpoints = GaugeMetricFamily("crowdsite_endpoints", "Endpoints by how they do.", labels=["state"])
    for state, number in arrears.endpoints().items():
        endpoints.add_metric([state], number)
    yield endpoints


def pools() -> Iterator[Metric]:
    """Who is in the pools that are at work, who should be, and how quickly those who are promoted say that they are."""
    of_a_pool = ["project", "pool"]
    workers = GaugeMetricFamily("crowdsite_pool_workers", "Workers in a pool.", labels=[*of_a_pool, "state"])
    wanted = GaugeMetricFamily("crowdsite_pool_wanted", "The most there may be.", labels=[*of_a_pool, "state"])
    offers = GaugeMetricFamily("crowdsite_pool_offers", "Places that somebody may take.", labels=of_a_pool)
    sessions = Session.objects.open().with_counts().select_related("pool__project").order_by("pool_id", "pk")
    for pool, among in groupby(sessions, key=lambda session: session.pool):
        # The stopped one before may have people still.
        rows: list[Any] = list(among)
        live = [row for row in rows if row.status == SessionStatus.LIVE]
        labels = [pool.project.name, pool.name]
        for state in ("waiting", "active"):
            workers.add_metric([*labels, state], sum(getattr(row, state) for row in rows))
            wanted.add_metric([*labels, state], sum(getattr(row, f"max_{state}") for row in live))
        offers.add_metric(labels, sum(row.offered for row in rows))
    yield from (workers, wanted, offers, *_promotions())


def _promotions() -> Iterator[Metric]:
    latest = Seat.objects.order_by("-pk").values_list("active_at", "confirmed_at")[:SEATS_LOOKED_AT]
    since = database_now() - PROMOTED_WITHIN
    promoted = [(active, confirmed) for active, confirmed in latest if active is not None and active >= since]
    took = sorted((confirmed - active).total_seconds() for active, confirmed in promoted if confirmed is not None)
    seconds = GaugeMetricFamily(
        "crowdsite_promotion_seconds", "From being promoted to saying “I am here”.", labels=["quantile"]
    )
    for quantile in QUANTILES if took else ():
        seconds.add_metric([str(quantile)], took[min(len(took) - 1, int(quantile * len(took)))])
    yield seconds
    yield GaugeMetricFamily("crowdsite_promotions_within_hour", "Promotions of the last hour.", value=len(promoted))


def jobs() -> Iterator[Metric]:
    """Whether beat and a worker live: what the two do each 15 seconds leaves its time in the database."""
    as_of = rollup.as_of()
    if as_of is not None:
        age = max(0.0, (database_now() - as_of).total_seconds())
        yield GaugeMetricFamily("crowdsite_jobs_age_seconds", "Since a job was last carried out.", value=age)


def database() -> Iterator[Metric]:
    """What PostgreSQL says of its connections. Transactions of other users are seen by members of pg_read_all_stats."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(ACTIVITY)
        connections, most, oldest = cursor.fetchone()
    yield GaugeMetricFamily("crowdsite_database_connections", "Connections to this database.", value=connections)
    yield GaugeMetricFamily("crowdsite_database_connections_max", "As many as the server takes.", value=most)
    yield GaugeMetricFamily(
        "crowdsite_database_oldest_transaction_seconds", "Since when the oldest transaction is open.", value=oldest
    )


PARTS: dict[str, Callable[[], Iterator[Metric]]] = {
    "tasks": tasks,
    "webhooks": webhooks,
    "pools": pools,
    "jobs": jobs,
    "database": database,
}


def parts_up() -> Iterator[Metric]:
    """Whether the database and the broker answer, and how quickly."""
    up = GaugeMetricFamily("crowdsite_part_up", "1 where a part of the site answers.", labels=["part"])
    seconds = GaugeMetricFamily("crowdsite_part_seconds", "How long it took to answer.", labels=["part"])
    for name, ask in (("database", health.database), *([("broker", health.broker)] if settings.REDIS_URL else [])):
        began = perf_counter()
        try:
            ask()
        except health.NotReady:
            up.add_metric([name], 0)
        else:
            up.add_metric([name], 1)
            seconds.add_metric([name], perf_counter() - began)
    yield from (up, seconds)


def _seconds(age: timedelta | None) -> float:
    return 0 if age is None else age.total_seconds()
