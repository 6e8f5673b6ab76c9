"""The site in one process: uvicorn in the main thread, a Celery worker and beat on threads beside it.

Celery's `memory://` broker lives inside one process, so neither may be a process of its own.
"""

import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from celery.beat import Scheduler, Service
from celery.signals import task_postrun
from celery.worker import WorkController, state
from django.db import close_old_connections

from crowdsite.announce import Say, announce
from crowdsite.celery import app
from crowdsite.ending import CannotServe
from crowdsite.processes import PATIENCE, uvicorn_options


def run(listener: socket.socket, url: str, say: Say) -> None:
    """Serve on `listener`, which people reach at `url`, until a signal comes.

    uvicorn hands the signal on to the handler that was there before. Raises CannotServe when the worker or
    beat ends by itself.
    """
    server = uvicorn.Server(uvicorn.Config("crowdsite.asgi:application", **uvicorn_options()))
    task_postrun.connect(hand_back_connection)
    worker = WorkController(
        app=app, pool="solo", concurrency=1, without_heartbeat=True, without_mingle=True, without_gossip=True
    )
    beat = Service(app, scheduler_cls=Scheduler)
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

    announce(url, say)
    threads = [beside("worker", worker.start), beside("beat", beat.start)]
    try:
        server.run(sockets=[listener])
    finally:
        # The worker first: it looks up from its wait for work when beat sends some.
        state.should_stop = 0
        threads[0].join(PATIENCE)
        beat.stop()
        threads[1].join(PATIENCE)
    if broken:
        raise CannotServe(f"The {broken[0]} has ended by itself, so the site ends too; see the log above.")


def hand_back_connection(**kwargs: Any) -> None:
    """Close the job's database connection when it is too old or broken, as Django does after each request."""
    close_old_connections()
