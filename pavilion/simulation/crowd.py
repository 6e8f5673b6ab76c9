"""Many synthetic workers at once, for a given time."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from pavilion.simulation import behaviour
from pavilion.simulation.site import PASSING, Closed, Full, Over, Refused, Site
from pavilion.simulation.tally import Tally
from pavilion.simulation.worker import Answer, Worker, choose

GOODBYE, GOODBYE_EACH = 20.0, 0.05
"""Seconds that all may take to submit when the time is over: at least, and more for each worker."""

TICK = 0.5
"""Seconds between two reports."""


@dataclass(frozen=True)
class Crowd:
    """`workers` at a time, for `seconds`, who come to a pool by its many-use `invitation`. The same seed makes the same
    people; what they meet depends on the site.
    """

    url: str
    invitation: str
    workers: int
    seconds: float
    seed: int = 0
    answer: Answer = choose


async def run(crowd: Crowd, *, report: Callable[[float, Tally], None], over: asyncio.Event | None = None) -> Tally:
    """Let them work; what has happened. `report` is told of seconds and counts all the time. `over` ends it earlier.

    It lasts no longer than `crowd.seconds` and what GOODBYE adds.
    """
    tally, over = Tally(), over or asyncio.Event()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Site(crowd.url) as site:
        people = [asyncio.create_task(_place(crowd, site, number, tally, over)) for number in range(crowd.workers)]
        pending = set(people)
        try:
            while pending and not over.is_set():
                left = crowd.seconds - (loop.time() - began)
                if left <= 0:
                    over.set()
                _, pending = await asyncio.wait(people, timeout=max(0.0, min(TICK, left)))
                report(min(crowd.seconds, loop.time() - began), tally)
            goodbye = GOODBYE + GOODBYE_EACH * crowd.workers
            if pending:
                _, pending = await asyncio.wait(people, timeout=goodbye)
            if pending:
                tally.errors[f"did not come to an end within {goodbye:.0f} s"] += len(pending)
        finally:
            for person in people:
                person.cancel()
            ends = await asyncio.gather(*people, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return tally


async def _place(crowd: Crowd, site: Site, number: int, tally: Tally, over: asyncio.Event) -> None:
    """One person after the other, until the end."""
    chance = behaviour.generator(crowd.seed, number)
    pace = behaviour.pace(crowd.seconds)
    await _sleep(behaviour.arrival(chance, crowd.seconds), over)
    count = 0
    while not over.is_set():
        count += 1
        plan = behaviour.plan(chance, pace)
        try:
            await _person(crowd, site, f"Worker {number + 1}-{count}", plan, tally, over, chance)
        except Full:
            tally.turned_away += 1
        except Closed:
            # Nobody is taken in any more: for the others it is the same.
            over.set()
        except Over:
            tally.ended_by_site += 1
        except Refused as no:
            tally.errors[str(no)] += 1
        except PASSING as lost:
            tally.errors[f"{type(lost).__name__}: {lost}".rstrip(": ")] += 1
        except (ValueError, KeyError, TypeError) as odd:
            tally.errors[f"an answer was not understood: {odd!r}"] += 1
        await _sleep(plan.rest, over)


async def _person(
    crowd: Crowd,
    site: Site,
    name: str,
    plan: behaviour.Plan,
    tally: Tally,
    over: asyncio.Event,
    chance: random.Random,
) -> None:
    """Raises Full, Closed, Over, Refused, and what PASSING names."""
    room = await site.accept(crowd.invitation, name)
    tally.joins += 1
    window = await site.open(room)
    worker = Worker(site, window, plan, tally, over=over, chance=chance, answer=crowd.answer)
    await worker.live()


async def _sleep(seconds: float, over: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        return
