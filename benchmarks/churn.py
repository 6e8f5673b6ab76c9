"""Work that goes on: tasks are created as fast as they are answered, and events get their places in the feed."""

import threading
import time
from typing import Any

from benchmarks.backlog import Backlog
from benchmarks.hands import hands, working
from benchmarks.pace import Pace

CHUNK = 500
"""Tasks created at once."""

LOOK = 0.03
"""Seconds between two looks at what there is to do, where there was nothing."""

SHOWN = 8
"""So many of the biggest tables and indexes are told of."""


def create(queue: int, requester: int, backlog: int, until: float) -> int:
    """Keep about so many tasks available until a moment; how many were created."""
    from django.contrib.auth import get_user_model

    from queues import intake
    from queues.drafts import TaskDraft
    from queues.models import Queue, Task

    place, person = Queue.objects.get(pk=queue), get_user_model()._default_manager.get(pk=requester)
    created = 0
    while time.time() < until:
        if Task.objects.filter(queue=place, status="AVAILABLE").count() >= backlog:
            time.sleep(LOOK)
            continue
        drafts = [TaskDraft(input_data={"n": n}, priority=100 if n % 7 == 0 else 500) for n in range(CHUNK)]
        created += len(intake.create_many(queue=place, requester=person, drafts=drafts).ids)
    return created


def sequence(until: float) -> int:
    """Move pending events into the feed, as a courier does, until a moment; how many there were."""
    from queues.sequencer import outlook

    count = 0
    while time.time() < until:
        moved = outlook.keep_up().count
        count += moved
        if not moved:
            time.sleep(LOOK)
    return count


def churn(backlog: Backlog, *, open_tasks: int, minutes: int, minute: float) -> dict[str, Any]:
    """Cycles in each of so many `minutes` of so many seconds, and how big tables and indexes were at each one's end."""
    seconds = minutes * minute
    backlog.fill(open_tasks)
    sizes: list[dict[str, int]] = []
    pending: list[int] = []

    def weigh(begin: float) -> None:
        for number in range(minutes):
            time.sleep(max(0.0, begin + (number + 1) * minute - time.time()))
            sizes.append(backlog.sizes())
            pending.append(backlog.execute("SELECT count(*) FROM crowd_queues_eventpending")[0][0])

    with (
        hands(backlog.url, backlog.membership) as app,
        working(backlog.url, threads=1) as creator,
        working(backlog.url, threads=1) as sequencer,
    ):
        app.get_ready("next", backlog.people)
        begin = time.time()
        until = begin + seconds
        creator.begin(create, [(backlog.queue, backlog.requester, open_tasks, until)])
        sequencer.begin(sequence, [(until,)])
        watching = threading.Thread(target=weigh, args=(begin,))
        watching.start()
        app.start("next", backlog.people, seconds)
        pace = Pace.of(begin, until, *app.end())
        created, sequenced = creator.end()[0], sequencer.end()[0]
        watching.join()
    biggest = sorted(sizes[-1], key=lambda name: -sizes[-1][name])[:SHOWN]
    return {
        "minute": minute,
        "rates": [rate for _at, rate in pace.curve(minute)],
        "p99": pace.p99,
        "created": created,
        "answered": len(pace.ends),
        "sequenced": sequenced,
        "pending": pending,
        "sizes": {name: [one.get(name, 0) for one in sizes] for name in biggest},
        "open": backlog.open,
    }
