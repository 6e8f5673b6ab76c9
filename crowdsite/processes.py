"""What each process of the site runs when they are several: the servers and Celery.

Each function runs in a process of its own, until SIGTERM.
"""

import logging
import os
import socket
import sys
import time
from typing import Any

from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import connections

from crowdsite import environment
from crowdsite.celery import app
from queues.bell import bell
from queues.consumers.base import FRAME_MAX

logger = logging.getLogger(__name__)

# How long open requests may take when the site ends, in seconds.
PATIENCE = 5

# How long a thread of gunicorn keeps its database connection, in seconds.
CONNECTION_AGE = 600

# How many requests of one process may wait for events where each request has a thread of its own, as under uvicorn.
# All of them look when something happens that others do.
WAITING = 16

# How long a client may take nothing of what was sent, before the kernel gives the connection up, in milliseconds.
# uvicorn closes such a one, and what waits for it would stay in memory as long as its other end lives.
UNREAD_PATIENCE = 60_000

# Threads of the worker: its jobs wait for the database and the network, so threads do, and they leave no
# processes behind.
JOBS_AT_ONCE = 4

# How long a worker that ended by itself waits, in seconds, and what it runs then.
PAUSE = 2
ANEW = "import django; django.setup(); from crowdsite import processes; processes.worker()"


def gunicorn(listener: socket.socket) -> None:
    """Serve HTTP on `listener`: WEB_WORKERS processes of WEB_THREADS threads."""
    from gunicorn.app.base import BaseApplication
    from gunicorn.glogging import Logger

    from crowdsite.wsgi import application

    class PlainLogger(Logger):
        """What gunicorn complains of goes where all else goes."""

        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            self.error_log.handlers.clear()
            self.error_log.propagate = True

    class Application(BaseApplication):
        def load_config(self) -> None:
            for name, value in {
                "bind": f"fd://{listener.fileno()}",
                "worker_class": "gthread",
                "workers": settings.WEB_WORKERS,
                "threads": settings.WEB_THREADS,
                "graceful_timeout": PATIENCE,
                "loglevel": "warning",
                "logger_class": PlainLogger,
                "control_socket_disable": True,
            }.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return application

    keep_connections()
    # Half of the threads stay free for whoever does not wait.
    bell.seats = settings.WEB_THREADS // 2
    Application().run()


def uvicorn(listener: socket.socket) -> None:
    """Serve sockets (and HTTP, should it be asked) on `listener`."""
    from uvicorn import Config, Server

    pool_connections(settings.WEB_THREADS)
    bell.seats = WAITING
    give_up_the_unread(listener)
    Server(Config("crowdsite.asgi:application", **uvicorn_options())).run(sockets=[listener])


def give_up_the_unread(listener: socket.socket) -> None:
    """Have connections that come in by `listener` end where nobody reads them. Only Linux can do that."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_PATIENCE)


def uvicorn_options() -> dict[str, Any]:
    """How uvicorn is run, in the embedded form too."""
    return {
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": PATIENCE,
        "ws_max_size": FRAME_MAX,
        # Frames are short: compressing them costs memory and time for each socket, and saves nothing.
        "ws_per_message_deflate": False,
    }


def worker() -> None:
    """Carry out Celery's jobs.

    Celery ends where the broker answers what it does not expect, as one does that is full. The site must not end with
    it: what Celery does is done later, and all else needs no broker.
    """
    asked: list[str] = []
    worker_shutting_down.connect(lambda sig, **_more: asked.append(sig), weak=False)
    options = ["--loglevel", "WARNING", "--pool", "threads", "--concurrency", str(JOBS_AT_ONCE)]
    app.start(["--quiet", "worker", *options, "--without-gossip", "--without-mingle"])
    if not asked:
        logger.error("The worker ended by itself, and begins anew.")
        time.sleep(PAUSE)
        # The same process, with nothing left in it of what went wrong.
        os.execv(sys.executable, [sys.executable, "-c", ANEW])


def beat() -> None:
    """Send the jobs of CELERY_BEAT_SCHEDULE when they are due."""
    schedule = settings.DATA_DIR / "celerybeat-schedule"
    app.start(["--quiet", "beat", "--loglevel", "WARNING", "--pidfile", "", "--schedule", str(schedule)])


def courier() -> None:
    """Sequence events, send webhooks, and tell open sockets."""
    from django.core.management import call_command

    call_command("courier")


def keep_connections() -> None:
    """Have each thread of this process and its children keep its PostgreSQL connection from request to request.

    For threads that stay: taking a connection from a pool and giving it back would cost each request as much again as
    knowing who asks.
    """
    for connection in connections.all():
        if connection.vendor == "postgresql":
            connection.settings_dict["OPTIONS"].pop("pool", None)
            connection.settings_dict["CONN_MAX_AGE"] = CONNECTION_AGE


def pool_connections(size: int) -> None:
    """Keep up to `size` PostgreSQL connections open in this process and in its children; none is open yet."""
    for connection in connections.all():
        if connection.vendor == "postgresql":
            connection.settings_dict["OPTIONS"]["pool"] = environment.pool(size)
