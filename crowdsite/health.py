"""Answers for whoever watches the site.

`/healthz`: the process lives; `/readyz`: it can do its work; `/courierz`: some courier does its own.
"""

import logging
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from queues import arrears

logger = logging.getLogger(__name__)

# How long the broker may take to answer, in seconds: a probe that hangs says less than one that fails.
BROKER_WAIT = 2


class NotReady(Exception):
    """A part of the site cannot do its work; the text is for the public and names no address."""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 whenever the process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when each part is ready, else 503; `parts` says for each "ok" or what is missing."""
    parts: dict[str, Callable[[], None]] = {"database": database, "migrations": migrations}
    if settings.REDIS_URL:
        parts["broker"] = broker
    said = {name: report(name, check) for name, check in parts.items()}
    ready = set(said.values()) == {"ok"}
    return JsonResponse({"status": "ok" if ready else "unavailable", "parts": said}, status=200 if ready else 503)


@require_safe
@never_cache
def courierz(request: HttpRequest) -> JsonResponse:
    """200 while events and deliveries are looked after, else 503; for how many seconds the oldest of each has waited.

    No part of `readyz`: a site whose courier is away can do everything else.
    """
    try:
        found = arrears.look()
    except DatabaseError as problem:
        logger.warning("The courier cannot be judged: %s", problem)
        return JsonResponse({"status": "unavailable"}, status=503)
    said = {
        "status": "behind" if found.behind else "ok",
        "event_waits_seconds": found.event and found.event.total_seconds(),
        "delivery_waits_seconds": found.delivery and found.delivery.total_seconds(),
    }
    return JsonResponse(said, status=503 if found.behind else 200)


def report(name: str, check: Callable[[], None]) -> str:
    """Return "ok", or why the part is not ready."""
    try:
        check()
    except NotReady as missing:
        logger.warning("Not ready: %s: %s", name, missing.__cause__ or missing)
        return str(missing)
    return "ok"


def database() -> None:
    """Raise NotReady unless the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as problem:
        raise NotReady("the database does not answer") from problem


@cache
def migrations() -> None:
    """Raise NotReady while a migration of this version is not applied.

    Reading all migration files takes longer than every other part of the answer, so a success is remembered
    as long as the process lives; `cache` keeps no exception, so a failure is looked at again.
    """
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as problem:
        raise NotReady("the database does not answer") from problem
    if waiting:
        raise NotReady("migrations are not applied")


def broker() -> None:
    """Raise NotReady unless the Redis server at REDIS_URL answers."""
    # Imported here: the embedded site has no Redis, and the package takes a tenth of its start to load.
    import redis

    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=BROKER_WAIT, socket_connect_timeout=BROKER_WAIT
        ) as client:
            client.ping()
    except redis.RedisError as problem:
        raise NotReady("the broker does not answer") from problem
