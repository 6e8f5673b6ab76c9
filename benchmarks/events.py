"""How quickly what happens reaches webhooks and open sockets, with dead and hanging endpoints beside: `make bench`.

`python -m benchmarks.events [throughput] [latency] [sockets]`. Starts a PostgreSQL (fsync on) and a Valkey of its own
and two sites as in production, alike but that one has very many rows waiting for a dead endpoint; sends to receivers
that are processes of their own; and writes its tables into docs/benchmarks/events.md where all parts ran in full.
QUICK=1: a tenth of the rows, fewer repetitions, and nothing is written.
"""

import asyncio
import bisect
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.comparison import Figures, Row, shown, table
from benchmarks.desk import DURABLE
from benchmarks.figures import machine, percentile
from benchmarks.outbox import HANGING
from benchmarks.sockets import sockets
from benchmarks.world import MANY, QUICK, SOCKETS, WAITING, Place, World, fill, serve
from tests.servers import postgresql, valkey

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "events.md"
BEGIN, END = "<!-- written by the benchmark: begin -->\n", "<!-- written by the benchmark: end -->\n"
PARTS = ("throughput", "latency", "sockets")

REPETITIONS = 2 if QUICK else 5
AT_ONCE = 2
ONE_ROWS, MANY_ROWS = (400, 32) if QUICK else (1000, 64)
"""Deliveries to the one endpoint, and to each of the many."""
RATE, SECONDS, LIVE = 25, 3 if QUICK else 6, 10
"""Finalizes a second, two events each, for how long, and how many assignments each reviewer holds before."""
TASKS, EVERY, PATIENCE = 6 if QUICK else 12, 0.3, 3
"""Tasks created for the sockets, seconds from one to the next, and seconds in which frames count."""

SHARE, FIRST_BYTE, FRAME = 0.5, 250, 100
"""The goals: the share of what the client reaches alone, milliseconds (p99) twice."""

QUIET, DEAD, HANG = "nothing besides", f"{WAITING:,} rows for a dead endpoint", f"{HANGING} endpoints that hang"
ALONE = "the client alone"
SITE = {"CROWDSITE_WEBHOOKS_LOOPBACK": "1"}


def until(happened: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise SystemExit("It did not happen in time.")
        time.sleep(0.01)


def delivered(world: World, place: Place, endpoints: Sequence[int], rows: int) -> float:
    """Deliveries a second, from when they are due to when the last is written down as delivered."""
    place.outbox.fill(endpoints, rows)
    count = world.receiver.count.value + rows * len(endpoints)
    begin = place.outbox.start(endpoints, proven=True)
    until(lambda: world.receiver.count.value >= count)
    until(lambda: not place.outbox.undelivered(endpoints))
    took = time.time() - begin
    world.receiver.taken()
    return rows * len(endpoints) / took


def sent_alone(world: World, endpoints: Sequence[int], rows: int) -> float:
    """Messages a second of the sender's client by itself."""
    took = world.alone.send([world.urls[one] for one in endpoints], [world.body] * rows, AT_ONCE)
    world.receiver.taken()
    return rows * len(endpoints) / took


def throughput(world: World, place: Place) -> dict[str, float]:
    return {
        "one": delivered(world, place, [world.one], ONE_ROWS),
        "many": delivered(world, place, world.many, MANY_ROWS),
    }


def throughput_alone(world: World) -> dict[str, float]:
    return {"one": sent_alone(world, [world.one], ONE_ROWS), "many": sent_alone(world, world.many, MANY_ROWS)}


def _session() -> aiohttp.ClientSession:
    # A connection for each request: the server closes one on which it is quiet for two seconds.
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))


async def _ask(session: aiohttp.ClientSession, url: str, token: str, body: Any) -> Any:
    async with session.post(url, json=body, headers={"Authorization": f"Bearer {token}"}) as answer:
        if answer.status >= 300:
            raise SystemExit(f"{url}: {answer.status} {(await answer.text())[:500]}")
        return await answer.json()


async def _hold(world: World, place: Place) -> list[tuple[str, int]]:
    """(token, assignment) of as many as are to be finalized, one of each reviewer in turn."""
    held: list[list[int]] = []
    reviewers = world.reviewers[: RATE * SECONDS // LIVE]
    async with _session() as session:
        for token in reviewers:
            url = f"{place.url}api/v1/queues/{world.big.name}/grab/"
            found = await _ask(session, url, token, {"multitask_index": LIVE})
            held.append([one["id"] for one in found["assignments"]])
    return [(token, some[turn]) for turn in range(LIVE) for token, some in zip(reviewers, held, strict=True)]


async def _finalize(place: Place, held: Sequence[tuple[str, int]]) -> float:
    """Finalize at an even pace, whether or not the site keeps up; the rate that was reached."""
    async with _session() as session:
        clock = asyncio.get_running_loop().time
        begin = clock()
        async with asyncio.TaskGroup() as group:
            for number, (token, assignment) in enumerate(held):
                await asyncio.sleep(max(0.0, begin + number / RATE - clock()))
                url = f"{place.url}api/v1/assignments/{assignment}/finalize/"
                group.create_task(_ask(session, url, token, {"data": "cat"}))
        return len(held) / (clock() - begin)


def latency(world: World, place: Place) -> dict[str, float]:
    """From finalize's commit to the receiver's first byte, in milliseconds; and the rate that was reached."""
    held = asyncio.run(_hold(world, place))
    world.receiver.taken()
    before, since = world.receiver.count.value, time.time()
    rate = asyncio.run(_finalize(place, held))
    until(lambda: world.receiver.count.value >= before + len(held))
    commits = place.outbox.commits("TASK_FINISHED", world.big.pk, since=since - 1)
    came = {json.loads(body)["data"]["id"]: at for at, _path, body in reversed(world.receiver.taken())}
    took = [(at - commits[task]) * 1000 for task, at in came.items()]
    return {"p50": statistics.median(took), "p99": percentile(took, 0.99), "rate": rate}


async def _create(world: World, place: Place) -> list[tuple[float, int]]:
    """Create tasks, each when the last one's frames have come; (when, which socket) of all frames that tell of them."""
    assert place.listening is not None
    frames: list[tuple[float, int]] = []
    clock = asyncio.get_running_loop().time
    async with _session() as session:
        for number in range(TASKS):
            url = f"{place.url}api/v1/queues/{world.listened.name}/tasks/"
            await _ask(session, url, world.program, {"input_data": {"n": number}})
            patience = clock() + PATIENCE
            while True:
                await asyncio.sleep(EVERY)
                frames += [(at, one) for at, one, type_ in place.listening.taken() if type_ == "available"]
                if len(frames) >= SOCKETS * (number + 1) or clock() > patience:
                    break
    return frames


def pushed(world: World, place: Place) -> dict[str, float]:
    """From the commit that makes a task available to the frame at each of the sockets, in milliseconds."""
    assert place.listening is not None
    place.listening.taken()
    since = time.time()
    frames = asyncio.run(_create(world, place))
    commits = sorted(place.outbox.commits("TASK_AVAILABLE", world.listened.pk, since=since - 0.1).values())
    first: dict[int, dict[int, float]] = defaultdict(dict)
    for at, one in sorted(frames):
        latest = bisect.bisect(commits, at) - 1
        if latest >= 0:
            first[latest].setdefault(one, (at - commits[latest]) * 1000)
    took = [each for task in first.values() for each in task.values()]
    last = [max(task.values()) for task in first.values()]
    return {
        "p50": statistics.median(took),
        "p99": percentile(took, 0.99),
        "last": statistics.median(last),
        "lost": 1 - len(took) / (SOCKETS * TASKS),
    }


def repeat(world: World, quiet: Place, dead: Place, parts: Sequence[str], repetitions: list[Figures]) -> None:
    """Measure these parts in turn, so often as there are `repetitions`, and put into each what was found."""
    measures = {"throughput": throughput, "latency": latency, "sockets": pushed}
    conditions: list[tuple[str, Place, list[int]]] = [
        (QUIET, quiet, []),
        (DEAD, dead, [world.dead]),
        (HANG, quiet, world.hanging),
    ]
    for number, figures in enumerate(repetitions):
        if "throughput" in parts:
            _keep(figures, "throughput", ALONE, throughput_alone(world))
        turn = number % len(conditions)
        for condition, place, besides in conditions[turn:] + conditions[:turn]:
            with beside(place, besides):
                for part in parts:
                    _keep(figures, part, condition, measures[part](world, place))


def _keep(figures: Figures, part: str, condition: str, found: dict[str, float]) -> None:
    said = ", ".join(f"{name} {shown(value)}" for name, value in found.items())
    print(f"{part}, {condition}: {said}", flush=True)
    for name, value in found.items():
        figures[f"{part}.{name}"][condition] = value


@contextmanager
def beside(place: Place, endpoints: Sequence[int]) -> Iterator[None]:
    """These endpoints, which do not answer, are tried as long as the block lasts."""
    if endpoints:
        place.outbox.start(endpoints, proven=False)
    # Whatever is switched on or off has then been seen, and what was under way has ended.
    time.sleep(1)
    try:
        yield
    finally:
        if endpoints:
            place.outbox.stop(endpoints)


def main() -> None:
    parts = [part for part in PARTS if part in sys.argv[1:]] or list(PARTS)
    if set(sys.argv[1:]) - set(PARTS):
        raise SystemExit(__doc__)
    # So that what was started ends with this, however it is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begin = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-bench-")))
        database = stack.enter_context(postgresql(folder, **DURABLE, track_commit_timestamp="on"))
        redis = stack.enter_context(valkey(folder))
        from cryptography.fernet import Fernet

        # Set before the settings are read: the sites are to read what this process has sealed.
        given = SITE | {"CROWDSITE_ENCRYPTION_KEYS": Fernet.generate_key().decode()}
        here = {"DATABASE_URL": database, "REDIS_URL": redis, "CROWDSITE_DATA_DIR": str(folder / "here")}
        os.environ |= given | here | {"DJANGO_SETTINGS_MODULE": "crowdsite.settings"}
        import django

        django.setup()
        world = fill(stack)
        quiet, dead = serve(stack, folder, database, redis, given, world)
        print(f"Prepared in {time.monotonic() - begin:.0f} s", flush=True)
        repetitions: list[Figures] = [defaultdict(dict) for _repetition in range(REPETITIONS)]
        repeat(world, quiet, dead, [part for part in parts if part != "sockets"], repetitions)
        if "sockets" in parts:
            for place in (quiet, dead):
                place.listening = stack.enter_context(sockets(place.sockets, world.reviewers))
            repeat(world, quiet, dead, ["sockets"], repetitions)
        ((version,),) = quiet.outbox.execute("SHOW server_version")
    report = tell(repetitions, version.split()[0])
    print("\n" + report + f"\nTook {time.monotonic() - begin:.0f} s.")
    if not QUICK and len(parts) == len(PARTS):
        text = REPORT.read_text()
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        REPORT.write_text(f"{before}{BEGIN}\n{report}\n{END}{after}")


OF_ALONE = "their share of what the client reaches alone"
ROWS = (
    Row("throughput.one", f"deliveries to one endpoint, {AT_ONCE} at once", "/s"),
    Row("throughput.one share", OF_ALONE, "", SHARE, at_least=True, compared=False),
    Row("throughput.many", f"deliveries to {MANY} endpoints, {MANY * AT_ONCE} at once", "/s"),
    Row("throughput.many share", OF_ALONE, "", SHARE, at_least=True, compared=False),
    Row("latency.rate", f"finalizes a second, two events each (of {RATE} asked for)", "/s", compared=False),
    Row("latency.p50", "finalize's commit to the receiver's first byte, p50", "ms"),
    Row("latency.p99", "finalize's commit to the receiver's first byte, p99", "ms", FIRST_BYTE),
    Row("sockets.p50", f"commit to the frame at {SOCKETS} sockets, p50", "ms"),
    Row("sockets.p99", f"commit to the frame at {SOCKETS} sockets, p99", "ms", FRAME),
    Row("sockets.last", f"commit to the last of {SOCKETS} frames, median", "ms"),
    Row("sockets.lost", "frames that did not come", "", compared=False),
)


def tell(repetitions: list[Figures], version: str) -> str:
    """What came out, as Markdown."""
    alone_ = [
        f"{statistics.median(one[f'throughput.{name}'][ALONE] for one in repetitions):.0f} messages a second {to}"
        for name, to in (("one", "to one receiver"), ("many", f"to {MANY}"))
        if f"throughput.{name}" in repetitions[0]
    ]
    for one in repetitions:
        for name in ("one", "many"):
            if rates := one.get(f"throughput.{name}"):
                one[f"throughput.{name} share"] = {
                    condition: rates[condition] / rates[ALONE] for condition in (QUIET, DEAD, HANG)
                }
    return f"""Measured on {datetime.now(UTC):%Y-%m-%d}: {machine(version)}
Medians of {REPETITIONS} repetitions, the least and the most in brackets; changes are medians of those within each.
Load average over the last five minutes: {os.getloadavg()[1]:.1f}; the benchmark itself keeps both cores busy.
{"The client alone: " + ", ".join(alone_) + "." if alone_ else ""}

{table(ROWS, repetitions, QUIET, (DEAD, HANG))}
"""


if __name__ == "__main__":
    main()
