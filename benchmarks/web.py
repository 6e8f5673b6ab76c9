"""The site's web server by itself, and a client so lean that it does not decide what comes out."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.backlog import QUEUE
from benchmarks.hands import ANSWER, CLIENTS, Worker, working
from benchmarks.pace import Cycle, Pace

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 30


class Talk:
    """One connection, kept alive, of reviewers who take turns. `held`: token → the assignment they hold.

    `form`: as in hands.FORMS; or `ready`, where each grabs once.
    """

    def __init__(self, port: int, tokens: Sequence[str], held: dict[str, int], form: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.turns, self.held, self.form = cycle(tokens), held, form
        self.cycles: list[Cycle] = []
        self.got = b""
        self.token, self.began = "", 0.0

    def begin(self) -> None:
        """The next reviewer's cycle."""
        self.token, self.began = next(self.turns), time.perf_counter()
        if self.form == "next":
            self._finalize()
        else:
            self._post(f"queues/{QUEUE}/grab/", b"{}")

    def _finalize(self) -> None:
        said: dict[str, Any] = {"data": ANSWER}
        if self.form == "next":
            said["assign_new_task"] = True
        self._post(f"assignments/{self.held[self.token]}/finalize/", json.dumps(said).encode())

    def _post(self, path: str, body: bytes) -> None:
        head = (
            f"POST /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.got = b""
        self.socket.sendall(head.encode() + body)

    def answer(self) -> Any:
        """What was answered, once all of it is there; before that None."""
        part = self.socket.recv(65536)
        self.got += part
        head, end, body = self.got.partition(b"\r\n\r\n")
        if not part or (end and not head.startswith(b"HTTP/1.1 200")):
            raise RuntimeError(f"Answered: {self.got!r}")
        if not end:
            return None
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return json.loads(body) if len(body) >= size else None

    def ends_cycle(self) -> bool:
        """Read; whether that was the end of a cycle."""
        answer = self.answer()
        if answer is None:
            return False
        if "assignments" in answer:
            self.held[self.token] = answer["assignments"][0]["id"]
            if self.form == "pair":
                self._finalize()
                return False
        elif self.form == "next":
            self.held[self.token] = answer["next"]["assignments"][0]["id"]
        self.cycles.append((time.time(), (time.perf_counter() - self.began) * 1000))
        return True


def get_ready(port: int, tokens: list[list[str]]) -> dict[str, int]:
    """Have each reviewer hold a task: token → its assignment."""
    held: dict[str, int] = {}
    _talk([Talk(port, own, held, "ready") for own in tokens], lambda one: len(one.cycles) < len(tokens[0]))
    return held


def talk(
    port: int, tokens: list[list[str]], held: dict[str, int], form: str, seconds: float
) -> tuple[float, list[Cycle], float]:
    """When it began, the cycles over a connection for each list of tokens, the share of a core that they took here."""
    begin, busy = time.time(), time.process_time()
    talks = [Talk(port, own, held, form) for own in tokens]
    _talk(talks, lambda _one: time.time() < begin + seconds)
    return begin, [found for one in talks for found in one.cycles], (time.process_time() - busy) / seconds


def _talk(talks: list[Talk], goes_on: Callable[[Talk], bool]) -> None:
    """Have each begin another cycle as long as it is to go on, and wait for what is under way."""
    with selectors.DefaultSelector() as selector:
        for one in talks:
            selector.register(one.socket, selectors.EVENT_READ, one)
            one.begin()
        while selector.get_map():
            for key, _events in selector.select(PATIENCE):
                if key.data.ends_cycle():
                    if goes_on(key.data):
                        key.data.begin()
                    else:
                        selector.unregister(key.fileobj)
                        key.data.socket.close()


class Web:
    """The site at a port, and its client."""

    def __init__(self, server: psutil.Process, client: Worker, port: int, tokens: Sequence[str]) -> None:
        self.server, self.client, self.port, self.tokens = server, client, port, tokens
        self.held: dict[str, int] = {}
        self.shares: list[float] = []

    def run(self, form: str, people: int, seconds: float, warm: float) -> Pace:
        """Cycles over eight connections for so long, of which the first seconds do not count."""
        tokens = [list(self.tokens[client:people:CLIENTS]) for client in range(CLIENTS)]
        if form == "next":
            self.held = self.client.ask(get_ready, self.port, tokens)
        busy = self._busy()
        begin, cycles, share = self.client.ask(talk, self.port, tokens, self.held, form, seconds)
        self.shares.append(share)
        return Pace.of(begin + warm, begin + seconds, cycles, self._busy() - busy)

    def _busy(self) -> float:
        """Seconds of processor time that the server's processes have taken."""
        times = [one.cpu_times() for one in (self.server, *self.server.children(recursive=True))]
        return sum(one.user + one.system for one in times)


def tokens_of(first: int, people: int) -> list[str]:
    """A token for each of the users whose ids follow one another."""
    from django.contrib.auth import get_user_model
    from django.db import transaction

    from queues import tokens

    users = get_user_model()._default_manager.filter(pk__gte=first, pk__lt=first + people).order_by("pk")
    with transaction.atomic():
        return [tokens.issue(user=user, name="bench")[1] for user in users]


@contextmanager
def serving(url: str, tokens: Sequence[str]) -> Iterator[Web]:
    """gunicorn as `manage.py serve` has it, without what runs beside it there."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.set_inheritable(True)
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.web", str(listener.fileno())],
            cwd=ROOT,
            # It is counted how often each asks, and nobody is refused.
            env={**os.environ, "DATABASE_URL": url, "CROWDSITE_THROTTLE_GRAB": "100000000/m"},
            pass_fds=[listener.fileno()],
        )
    try:
        with working(url, threads=1) as client:
            yield Web(psutil.Process(process.pid), client, port, tokens)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def main() -> None:
    """Serve on the listener whose number is given."""
    import django

    django.setup()
    from crowdsite import processes

    processes.gunicorn(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
