"""The site in one process: uvicorn in the main thread, a Celery worker, beat and the courier on threads beside it.

Celery's `memory://` broker lives inside one process, so neither may be a process of its own.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import uvicorn
from celery.beat import Scheduler, Service
from celery.signals import task_postrun
from celery.worker import WorkController, state
from django.db import close_old_connections

from crowdsite.announce import Say, announce
from crowdsite.celery import app
from crowdsite.ending import CannotServe
from crowdsite.processes import PATIENCE, WAITING, give_up_the_unread, uvicorn_options
from queues.bell import bell
from queues.consumers import tell
from queues.courier import Courier
from queues.pushes import Push


def run(listener: socket.socket, url: str, say: Say) -> None:
    """Serve on `listener`, which people reach at `url`, until a signal comes.

    uvicorn hands the signal on to the handler that was there before. Raises CannotServe when the worker, beat
    or the courier ends by itself.
    """
    give_up_the_unread(listener)
    server = Server(uvicorn.Config("crowdsite.asgi:application", **uvicorn_options()))
    task_postrun.connect(hand_back_connection)
    worker = WorkController(
        app=app, pool="solo", concurrency=1, without_heartbeat=True, without_mingle=True, without_gossip=True
    )
    beat = Service(app, scheduler_cls=Scheduler)
    courier = Courying(server)
    broken: list[str] = []

    def beside(name: str, work: Callable[[], Any]) -> threading.Thread:
        def watched() -> None:
            try:
                work()
            finally:
                if not server.should_exit:
                    broken.append(name)
                    server.should_exit = True

        thread = threading.Thread(target=watched, name=name, daemon=True)
        thread.start()
        return thread

    bell.seats = WAITING
    announce(url, say)
    threads = [beside("worker", worker.start), beside("beat", beat.start), beside("courier", courier.run)]
    try:
        server.run(sockets=[listener])
    finally:
        courier.stop()
        # The worker first: it looks up from its wait for work when beat sends some.
        state.should_stop = 0
        threads[0].join(PATIENCE)
        beat.stop()
        threads[1].join(PATIENCE)
        threads[2].join(PATIENCE)
    if broken:
        raise CannotServe(f"The {broken[0]} has ended by itself, so the site ends too; see the log above.")


class Server(uvicorn.Server):
    """Remembers the loop that it runs on."""

    loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)


class Courying:
    """The courier on a thread and a loop of its own. The in-memory layer belongs to the server's loop: told from there.

    The layer is not safe to use from another thread; a coroutine that is handed over takes 1 to 2 ms.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.loop = asyncio.new_event_loop()
        self.ended = asyncio.Event()

    def run(self) -> None:
        """Work until it is stopped."""
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(Courier(self.tell).run(self.ended))

    async def tell(self, pushes: Sequence[Push]) -> None:
        """Hand pushes over to the server's loop, unless that is about to end."""
        if self.server.loop is not None and not self.server.should_exit:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tell(pushes), self.server.loop))

    def stop(self) -> None:
        """Have it end, if it has not ended by itself; to be called on another thread."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.ended.set)


def hand_back_connection(**kwargs: Any) -> None:
    """Close the job's database connection when it is too old or broken, as Django does after each request."""
    close_old_connections()
