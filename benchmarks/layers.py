"""Whose processor time a cycle is: the database's, and in Python by whose code it is."""

import io
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from cProfile import Profile
from pathlib import Path
from typing import Any

from benchmarks.backlog import QUEUE, Backlog
from benchmarks.hands import ANSWER, Worker, answer, get_ready, let_go, working
from benchmarks.web import tokens_of

ROOT = Path(__file__).resolve().parents[1]
OWNERS = (
    ("this project", (f"{ROOT}{os.sep}",)),
    ("psycopg", ("/psycopg/", "/psycopg_pool/", "/psycopg_binary/")),
    ("Django's database layer", ("/django/db/",)),
    ("REST framework", ("/rest_framework/",)),
    ("the rest of Django and its middleware", ("/django/", "/whitenoise/", "/csp/", "/asgiref/")),
)
REST = "Python's own library"
"""Whose code is in none of the folders above. What is built in belongs to who calls it."""


def owner(file: str) -> str:
    """Whose code a file is."""
    for name, parts in OWNERS:
        if any(part in file for part in parts) and (name != "this project" or "/site-packages/" not in file):
            return name
    return REST


@contextmanager
def profiled(found: dict[str, float]) -> Iterator[None]:
    """Add each owner's seconds of this thread's processor time in the block to what was found."""
    profile = Profile(time.thread_time)
    with profile:
        yield
    profile.create_stats()
    stats: dict[Any, Any] = profile.stats  # type: ignore[attr-defined]
    for (file, _line, _name), (_calls, _all, own, _whole, callers) in stats.items():
        if file != "~":
            found[owner(file)] = found.get(owner(file), 0.0) + own
            continue
        for (caller, _line, _name), (*_counts, own_there, _there) in callers.items():
            found[owner(caller)] = found.get(owner(caller), 0.0) + own_there


def measure(membership: int, form: str, over: str, secret: str, cycles: int) -> dict[str, Any]:
    """Milliseconds of processor time a cycle: Python's in all, the database's, and Python's by owner.

    `over`: `writers`, or `http` for the whole site but for the server. The owners' are those of a second run, which
    is slower for being watched: what counts of it is the shares, of the time that the first one took.
    """
    step = {"writers": _writers, "http": _http}[over](membership, form, secret)
    step(max(20, cycles // 10))
    python, database = time.thread_time(), _database()
    step(cycles)
    python, database = time.thread_time() - python, _database() - database
    seconds: dict[str, float] = {}
    with profiled(seconds):
        step(cycles)
    whole = sum(seconds.values())
    let_go([membership])
    return {
        "python": python / cycles * 1000,
        "database": database / cycles * 1000,
        "owners": {name: value / whole * python / cycles * 1000 for name, value in seconds.items()},
    }


def _database() -> float:
    """Seconds of processor time that the server's process behind this thread's connection has taken."""
    import psutil  # type: ignore[import-untyped]
    from django.db import connection

    connection.ensure_connection()
    times = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return float(times.user + times.system)


def _writers(membership: int, form: str, _secret: str) -> Callable[[int], None]:
    get_ready([membership], form)

    def step(cycles: int) -> None:
        for _cycle in range(cycles):
            answer([membership], form, 0)

    return step


def _http(membership: int, form: str, secret: str) -> Callable[[int], None]:
    from crowdsite.processes import keep_connections
    from crowdsite.wsgi import application

    keep_connections()

    def post(path: str, body: dict[str, Any]) -> Any:
        sent = json.dumps(body).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/api/v1/{path}",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {secret}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(sent)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        said: list[str] = []
        response = application(environ, lambda status, _headers, *_rest: said.append(status))
        content = b"".join(response)
        response.close()
        if not said[0].startswith("200"):
            raise RuntimeError(f"{path}: {said[0]} {content!r}")
        return json.loads(content)

    def grab() -> int:
        held: int = post(f"queues/{QUEUE}/grab/", {})["assignments"][0]["id"]
        return held

    held = grab() if form == "next" else 0

    def step(cycles: int) -> None:
        nonlocal held
        for _cycle in range(cycles):
            if form == "next":
                answered = post(f"assignments/{held}/finalize/", {"data": ANSWER, "assign_new_task": True})
                held = answered["next"]["assignments"][0]["id"]
            else:
                post(f"assignments/{grab()}/finalize/", {"data": ANSWER})

    return step


def layers(backlog: Backlog, *, open_tasks: int, cycles: int, repetitions: int) -> dict[str, Any]:
    """`measure` of one client, form by form, through the writers and over HTTP, in turn."""
    backlog.fill(open_tasks)
    found: dict[str, list[dict[str, Any]]] = {}
    with working(backlog.url, threads=1) as worker:
        (secret,) = worker.ask(tokens_of, backlog.user, 1)
        for _repetition in range(repetitions):
            for over, form in _ways():
                found.setdefault(f"{form} {over}", []).append(_asked(worker, backlog, form, over, secret, cycles))
    return {"runs": found}


def _ways() -> Sequence[tuple[str, str]]:
    return [(over, form) for over in ("writers", "http") for form in ("next", "pair")]


def _asked(worker: Worker, backlog: Backlog, form: str, over: str, secret: str, cycles: int) -> dict[str, Any]:
    figures: dict[str, Any] = worker.ask(measure, backlog.membership, form, over, secret, cycles)
    print(f"{form} {over}: Python {figures['python']:.2f} ms, database {figures['database']:.2f} ms", flush=True)
    return figures
