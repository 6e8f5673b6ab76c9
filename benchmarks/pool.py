"""How quickly a departure promotes the next: `python -m benchmarks.pool`. About four minutes.

Starts a PostgreSQL (fsync on) and a Valkey of its own, and a site as in production with a second process of sockets;
people join over HTTP and open sockets, half at each process. Then, one after another, whoever is active submits, and
the frame of whoever is promoted is waited for. Beside it, in the same run, a bare Channels consumer in two processes is
told something, one socket at a time. Writes docs/benchmarks/pool.md unless QUICK=1, which takes a tenth of the sockets.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.desk import DURABLE
from benchmarks.figures import machine, percentile
from benchmarks.sockets import Sockets, sockets
from tests.servers import free_port, postgresql, valkey

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "pool.md"
BEGIN, END = "<!-- written by the benchmark: begin -->\n", "<!-- written by the benchmark: end -->\n"
QUICK = os.environ.get("QUICK") == "1"
SIZES = (10, 100) if QUICK else (100, 1000)
DEPARTURES = 8 if QUICK else 60
AT_ONCE = 8
FLOOR, GOAL, TIMES, JOINED_IN = 250, 100, 3, 30
"""For a frame (p99, ms) the most and the goal, and how many times an echo's it may be; seconds for 1,000 to join."""
PATIENCE = 10.0
PAUSE = 0.25
SETTLING = 3.0


@dataclass(frozen=True)
class Measured:
    """What was seen with so many sockets. Times in milliseconds, sizes in bytes."""

    size: int
    frames: list[float]
    echoes: list[float]
    joined_in: float
    errors: int
    memory: float


@contextmanager
def uvicorn(application: str, given: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """A uvicorn of its own: its port, and the process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--log-level", "warning"]
    with psutil.Popen([*command, "--lifespan", "off"], env=os.environ | given, stdin=subprocess.DEVNULL) as process:
        try:
            until(lambda: _listens(process, port))
            yield port, process
        finally:
            process.terminate()


def _listens(process: psutil.Popen, port: int) -> bool:
    return any(one.laddr.port == port for one in process.net_connections(kind="tcp") if one.status == "LISTEN")


def until(happened: Callable[[], Any], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > ends:
            raise SystemExit("It did not happen in time.")
        time.sleep(0.01)


def join(address: str) -> str:
    """Accept an offer over HTTP; the link of the seat."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(urllib.request.Request(address, data=b"name=Bench"), timeout=PATIENCE)
    except urllib.error.HTTPError as answer:
        answer.close()
        if answer.code == 303:
            return answer.headers["Location"].rstrip("/").rpartition("/")[2]
        raise
    raise RuntimeError("The offer was not accepted.")


def measure(
    size: int, site: str, ports: Sequence[int], processes: Sequence[psutil.Process], echo: Sequence[int]
) -> Measured:
    """Have so many join, connect, and be promoted one by one."""
    from django.urls import reverse

    from pavilion import links, pool, sessions
    from pavilion.models import Pool, Seat

    made = Pool.objects.get()
    Pool.objects.update(max_waiting=size + 10)
    session = sessions.post(pool_id=made.pk)
    address = site + reverse("crowd-pool-offer", args=[links.of_offer(session_id=session.pk)]).lstrip("/")
    errors: list[BaseException] = []

    def come(_number: int) -> int | None:
        try:
            return links.seat(join(address))
        except Exception as fault:
            errors.append(fault)
            return None

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as people:
        seats = [seat for seat in people.map(come, range(size)) if seat is not None]
    joined_in = time.monotonic() - began
    tokens = [links.token(seat_id=pk, connection=pool.enter(seat_id=pk).connection) for pk in seats]
    before = sum(process.memory_info().rss for process in processes)
    with ExitStack() as stack:
        halves = [
            stack.enter_context(sockets(f"ws://127.0.0.1:{port}/ws/pool/{session.pk}/", tokens[number::2]))
            for number, port in enumerate(ports)
        ]
        memory = (sum(process.memory_info().rss for process in processes) - before) / max(1, len(tokens))
        time.sleep(SETTLING)
        frames = [departure(session.pk, halves, Seat, pool) for _time in range(DEPARTURES)]
    sessions.expire(session_id=session.pk)
    return Measured(size, frames, echoes(size, echo), joined_in, len(errors), memory)


def departure(session_id: int, halves: Sequence[Sockets], seats: Any, pool: Any) -> float:
    """Milliseconds from the commit with which the active one leaves to the frame of the one who is promoted."""
    from django.db import transaction

    active = seats.objects.filter(session=session_id).active().get()
    pool.confirm(seat_id=active.pk)
    time.sleep(PAUSE)
    for half in halves:
        half.taken(may_close=True)
    at: list[float] = []
    with transaction.atomic():
        pool.submit(seat_id=active.pk)
        transaction.on_commit(lambda: at.append(time.time()))
    return (first(halves) - at[0]) * 1000


def first(halves: Sequence[Sockets]) -> float:
    """When the frame came to whoever is promoted."""
    came: list[float] = []

    def look() -> bool:
        for half in halves:
            came.extend(when for when, _socket, type_ in half.taken(may_close=True) if type_ == "promoted")
        return bool(came)

    until(look, PATIENCE)
    return came[0]


def echoes(size: int, ports: Sequence[int]) -> list[float]:
    """Milliseconds from telling a group of a bare Channels consumer to the frame at its one socket."""
    from channels.layers import get_channel_layer

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    layer, took = get_channel_layer(), []
    with ExitStack() as stack:
        numbers = [str(number) for number in range(size)]
        halves = [
            stack.enter_context(sockets(f"ws://127.0.0.1:{port}/", numbers[number::2]))
            for number, port in enumerate(ports)
        ]
        for number in range(DEPARTURES):
            time.sleep(PAUSE / 4)
            at = time.time()
            sending = layer.group_send(f"echo.{number % size}", {"type": "told"})
            asyncio.run_coroutine_threadsafe(sending, loop).result(PATIENCE)
            took.append((first(halves) - at) * 1000)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    return took


def fill() -> None:
    """A pool for the demo's kind of queue, whose people stay for as long as it takes."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from pavilion import pools
    from queues import administration

    call_command("migrate", verbosity=0)
    operator = get_user_model()._default_manager.create_superuser("operator", "operator@example.org", "secret")
    queue = administration.create_queue(name="digits", actor=operator, fields={})
    project = pools.create_project(name="Bench", actor=operator)
    limits = {"min_waiting": 0, "min_active": 1, "max_waiting": 10, "max_active": 1}
    times = {"confirm_seconds": 600, "heartbeat_seconds": 600, "time_limit": 24 * 3600}
    fields = {"name": "bench", "title": "Bench", **limits, **times}
    pools.create_pool(project=project, queue=queue, fields=fields)


def main() -> None:
    """Measure, print, and write the report."""
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-bench-")))
        database = stack.enter_context(postgresql(folder, **DURABLE))
        redis = stack.enter_context(valkey(folder))
        given = {
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "CROWDSITE_DATA_DIR": str(folder / "site"),
            "SECRET_KEY": os.urandom(32).hex(),
            "CROWDSITE_DB_POOL": "4",
        }
        os.environ |= given | {"DJANGO_SETTINGS_MODULE": "crowdsite.settings"}
        import django

        django.setup()
        fill()
        from tests.site.serving import serving

        (folder / "served").mkdir()
        apart = {
            name: value for name, value in given.items() if name not in ("CROWDSITE_DATA_DIR", "CROWDSITE_DB_POOL")
        }
        site = stack.enter_context(serving(folder / "served", **apart))
        site.wait_until_ready()
        second, process = stack.enter_context(uvicorn("crowdsite.asgi:application", given))
        echo = [stack.enter_context(uvicorn("benchmarks.echo:application", given))[0] for _process in range(2)]
        ports = (int(site.given["WS_PORT"]), second)
        found = [measure(size, site.url, ports, (site.part("uvicorn"), process), echo) for size in SIZES]
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0].split()[0]
        connection.close()
    report = tell(found, version)
    print("\n" + report + f"\nTook {time.monotonic() - began:.0f} s.")
    if not QUICK:
        text = REPORT.read_text()
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        REPORT.write_text(f"{before}{BEGIN}\n{report}\n{END}{after}")


def tell(found: Sequence[Measured], version: str) -> str:
    """What came out, as Markdown."""
    rows = [
        f"| | {' | '.join(f'{one.size:,} sockets' for one in found)} | limit |",
        "|---|" + "---|" * (len(found) + 1),
    ]

    def row(name: str, figure: Callable[[Measured], str], limit: str = "") -> None:
        rows.append(f"| {name} | {' | '.join(figure(one) for one in found)} | {limit} |")

    for share in (0.5, 0.95, 0.99):
        limit = f"{FLOOR} ms, goal {GOAL} ms" if share == 0.99 else ""
        row(
            f"commit to the promoted worker's frame, p{share * 100:.0f}",
            lambda one, s=share: f"{percentile(one.frames, s):.0f} ms",
            limit,
        )
    for share in (0.5, 0.99):
        row(f"a bare Channels echo, p{share * 100:.0f}", lambda one, s=share: f"{percentile(one.echoes, s):.0f} ms")
    ratio = lambda one: percentile(one.frames, 0.99) / percentile(one.echoes, 0.99)  # noqa: E731
    row("ratio of the two at p99", lambda one: f"{ratio(one):.1f}", f"goal {TIMES}")
    row("time for all to join over HTTP", lambda one: f"{one.joined_in:.0f} s", f"{JOINED_IN} s for 1,000")
    row("joins that failed", lambda one: str(one.errors), "0")
    row("memory for a socket", lambda one: f"{one.memory / 1024:.0f} KiB")
    table = "\n".join(rows)
    return f"""Measured on {datetime.now(UTC):%Y-%m-%d}: {machine(version)}
{DEPARTURES} departures each, {AT_ONCE} people joining at once.
Load average over the last five minutes: {os.getloadavg()[1]:.1f}.

{table}
"""


if __name__ == "__main__":
    main()
