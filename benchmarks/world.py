"""What `events.py` measures at: a database with people, work and endpoints, and two sites that serve it."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.outbox import HANGING, HANGING_ROWS, Outbox
from benchmarks.receivers import Alone, Receiver, alone, hanging, receiver
from benchmarks.sockets import Sockets
from tests.servers import free_port

QUICK = os.environ.get("QUICK") == "1"

MANY = 32
"""Endpoints that are sent to at once, besides the one that is sent to alone."""

SOCKETS, WAITING = (200, 100_000) if QUICK else (500, 1_000_000)
"""Reviewers with an open socket each, and deliveries that wait for the dead endpoint."""


@dataclass
class Place:
    """A site that is served, and what is measured at it."""

    url: str
    outbox: Outbox
    sockets: str
    listening: Sockets | None = None


@dataclass(frozen=True)
class World:
    """What all measures share. Ids and tokens are the same at both sites."""

    receiver: Receiver
    alone: Alone
    body: str
    one: int
    many: list[int]
    dead: int
    hanging: list[int]
    urls: dict[int, str]
    program: str
    reviewers: list[str]
    big: Any
    listened: Any


def fill(stack: ExitStack) -> World:
    """Fill the database with people, work, and endpoints, and start what these lead to."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection, transaction

    from benchmarks import crowd
    from queues import administration, bodies, notifications, tokens
    from queues.models import Membership, Task
    from queues.notifications import NotificationDraft
    from queues.sequencer import message
    from queues.states import EventType, Level, Role
    from queues.transactions import database_now

    call_command("migrate", verbosity=0)
    print("Filling people and work …", flush=True)
    made = crowd.fill(tasks=20_000, reviewers=SOCKETS)
    listened = administration.create_queue(name="listened", actor=made.operator, fields={})
    people = list(get_user_model()._default_manager.filter(username__startswith="reviewer").order_by("pk"))
    now = database_now()
    Membership.objects.bulk_create(
        [Membership(queue=listened, user=user, role=Role.REVIEWER, created_at=now) for user in people]
    )
    with transaction.atomic():
        reviewers = [tokens.issue(user=user, name="bench")[1] for user in people]
    finished = Task.objects.filter(queue=made.big, status="FINISHED")[0]
    shown = bodies.render("task", [finished.pk])[finished.pk]
    takes, hangs = stack.enter_context(receiver()), stack.enter_context(hanging())
    draft = NotificationDraft(endpoint=takes.url + "told", events_to_notify=(EventType.TASK_FINISHED,))
    notifications.create(level=Level.QUEUE, draft=draft, owner=made.operator, queue=made.big)
    urls = [
        *(f"{takes.url}{number}" for number in range(MANY + 1)),
        f"http://127.0.0.1:{free_port()}/dead",
        *(f"{hangs}{number}" for number in range(HANGING)),
    ]
    with transaction.atomic():
        endpoints = {notifications.endpoint_of(owner=made.operator, url=url, now=now)[0].pk: url for url in urls}
    ids = list(endpoints)
    world = World(
        receiver=takes,
        alone=stack.enter_context(alone()),
        body=message(EventType.TASK_FINISHED, {**shown, "sequence": 3}, at=now),
        one=ids[0],
        many=ids[1 : MANY + 1],
        dead=ids[MANY + 1],
        hanging=ids[MANY + 2 :],
        urls=endpoints,
        program=tokens.issue(user=made.operator, name="bench")[1],
        reviewers=reviewers,
        big=made.big,
        listened=listened,
    )
    connection.close()
    return world


def serve(
    stack: ExitStack, folder: Path, database: str, redis: str, given: dict[str, str], world: World
) -> tuple[Place, Place]:
    """Serve the database and a copy of it, which gets the rows for the dead endpoint."""
    from tests.site.serving import serving

    burdened = database.rsplit("/", 1)[0] + "/burdened"
    with psycopg.connect(burdened.rsplit("/", 1)[0] + "/template1", autocommit=True) as server:
        server.execute("CREATE DATABASE burdened TEMPLATE postgres")
    row = {"queue": world.big.pk, "task": 1, "body": world.body}
    quiet, dead = (Outbox(url, **row) for url in (database, burdened))
    print(f"Filling {WAITING:,} deliveries …", flush=True)
    dead.fill([world.dead], WAITING)
    quiet.fill(world.hanging, HANGING_ROWS)
    places = []
    for number, outbox in enumerate((quiet, dead)):
        outbox.stop([world.dead, *world.hanging])
        outbox.settle()
        own = folder / str(number)
        own.mkdir()
        where = {"DATABASE_URL": (database, burdened)[number], "REDIS_URL": f"{redis.rsplit('/', 1)[0]}/{number}"}
        site = stack.enter_context(serving(own, **given, **where))
        site.wait_until_ready()
        address = f"ws://127.0.0.1:{site.given['WS_PORT']}/ws/queues/{world.listened.name}/"
        places.append(Place(site.url, outbox, address))
    return places[0], places[1]
