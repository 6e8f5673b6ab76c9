"""The site in several processes: gunicorn for HTTP, uvicorn for sockets, a Celery worker and beat.

They start together and end together: when one ends by itself, all are ended. Each is forked from this
process, which has imported Django and the apps already; as commands of their own they would import them five
times over, and the first page would take 10 s instead of 4 s on two cores.
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.context import ForkProcess

from crowdsite import processes
from crowdsite.announce import Say, announce
from crowdsite.ending import SIGNALS, CannotServe

logger = logging.getLogger(__name__)

# How long the parts may take to end when they are asked to, before they are killed, in seconds.
LIMIT = 10

# What the parts need and is imported once, before they are forked.
PRELOADED = (
    "crowdsite.urls",
    "crowdsite.wsgi",
    "crowdsite.asgi",
    "celery.bin.celery",
    "queues.courier",
    "channels_redis.core",
)

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Part:
    """One process of the site: its name, what it runs, and the socket that it alone keeps open."""

    name: str
    work: Callable[[], None]
    listener: socket.socket | None = None


def run(web: socket.socket, sockets: socket.socket, url: str, say: Say) -> None:
    """Run all parts until a signal's handler raises, or one of them ends; none is left afterwards.

    `web`, which people reach at `url`, and `sockets` listen already. Raises CannotServe when a part ends by
    itself.
    """
    for module in PRELOADED:
        import_module(module)
    parts = [
        Part("gunicorn", lambda: processes.gunicorn(web), web),
        Part("uvicorn", lambda: processes.uvicorn(sockets), sockets),
        Part("worker", processes.worker),
        Part("beat", processes.beat),
        Part("courier", processes.courier),
    ]
    running: list[ForkProcess] = []
    try:
        for part in parts:
            running.append(start(part, close={web, sockets} - {part.listener}))
        web.close()
        sockets.close()
        # Not earlier: a process that has threads must not be forked.
        announce(url, say)
        say("Started " + ", ".join(f"{process.name} (process {process.pid})" for process in running) + ".")
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        ended = next(process for process in running if process.exitcode is not None)
        status = ended.exitcode or 0
        how = f"was killed by signal {-status}" if status < 0 else f"has ended with status {status}"
        raise CannotServe(f"{ended.name} {how}, so the whole site ends.")
    finally:
        end(running)


def start(part: Part, close: set[socket.socket]) -> ForkProcess:
    """Fork a part, which closes the sockets in `close`.

    It leads a session of its own, so that a Ctrl-C in the terminal reaches it by way of this process only.
    """
    parent = os.getpid()

    def work() -> None:
        os.setsid()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        end_with(parent)
        for listener in close:
            listener.close()
        part.work()

    process = multiprocessing.get_context("fork").Process(target=work, name=part.name)
    process.start()
    return process


def end_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies, even by SIGKILL. Only Linux can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def end(running: list[ForkProcess]) -> None:
    """End every part: ask all of them at once, and kill what is still there after LIMIT seconds."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for process in running:
        process.terminate()
    deadline = time.monotonic() + LIMIT
    for process in running:
        process.join(max(0, deadline - time.monotonic()))
        if process.is_alive():
            logger.warning("%s did not end within %d s and is killed.", process.name, LIMIT)
        if process.pid is None:
            continue
        try:
            # Whatever the part itself has started is in its process group, and may outlive it.
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.join()
