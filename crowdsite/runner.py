"""What `manage.py serve` does: take the addresses, prepare the database, and serve until a signal comes."""

import errno
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from crowdsite import environment
from crowdsite.announce import Say
from crowdsite.ending import SIGNALS, CannotServe

# The key of the advisory lock under which the database is prepared: "crowd" in ASCII.
PREPARING = 0x63726F7764

ASK_EVERY = 0.2
"""Seconds between two tries to get it."""


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP: not an Exception, so that nothing on the way takes it for a failure."""


def serve(say: Say) -> None:
    """Serve the site until a signal asks for the end, and tell `say` what goes on, a line at a time.

    Raises CannotServe.
    """
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        web = listen(settings.HOST, settings.PORT, "PORT")
        prepare_database(say)
        url = site_url()
        if settings.EMBEDDED:
            from crowdsite import embedded

            embedded.run(web, url, say)
        else:
            from crowdsite import supervisor

            sockets = listen(settings.HOST, settings.WS_PORT, "WS_PORT")
            supervisor.run(web, sockets, url, say)
    except Stopped:
        pass
    say("Crowdsite has stopped.")


def stop(number: int, frame: object) -> NoReturn:
    """Handle a signal that asks for the end: whatever the main thread is doing, it unwinds to `serve`."""
    raise Stopped


def listen(host: str, port: int, variable: str) -> socket.socket:
    """Return a socket that listens on `host`:`port`; raises CannotServe.

    `variable` is the environment variable that changes the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as problem:
        listener.close()
        if problem.errno == errno.EADDRINUSE:
            raise CannotServe(
                f"Port {port} of {host} is in use; choose another one, for example {variable}={port + 10}."
            ) from problem
        raise CannotServe(f"Cannot listen on port {port} of {host}: {problem.strerror}.") from problem
    return listener


def migrations_wait() -> bool:
    """Whether a migration of this version is not applied."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def demo_waits() -> bool:
    """Whether the demo belongs into this database and is not there. Asked of one that is migrated."""
    return settings.LOAD_DEMO and not get_user_model()._default_manager.exists()


@contextmanager
def alone() -> Iterator[None]:
    """Have the site's other hosts, which may start at the same time, wait until this one is ready with the database."""
    if connection.vendor != "postgresql":
        yield
        return
    # Asked again and again: an index that is built beside the work waits for every statement that began before it, and
    # one that waits for this lock would be waited for by whoever has it.
    while not _is_alone():
        time.sleep(ASK_EVERY)
    try:
        yield
    finally:
        # Where the connection is broken, the lock is gone with it.
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PREPARING])


def _is_alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [PREPARING])
        return bool(cursor.fetchone()[0])


def site_url() -> str:
    """The address at which a person on this machine opens the site."""
    return environment.local_url(settings.HOST, settings.PORT) + "/"


def prepare_database(say: Say) -> None:
    """Check the database, apply missing migrations, and load the demo into an empty one (not with DEMO=0).

    Raises CannotServe when the database does not answer or is not one that Crowdsite runs on.
    """
    try:
        for problem in run_checks(tags=[Tags.database], databases=[DEFAULT_DB_ALIAS]):
            if problem.is_serious():
                raise CannotServe(problem.msg)
        if migrations_wait() or demo_waits():
            with alone():
                if migrations_wait():
                    say("Migrating the database.")
                    call_command("migrate", interactive=False, verbosity=0)
                if demo_waits():
                    call_command("load_demo", url=site_url())
    except DatabaseError as problem:
        raise CannotServe(f"The database cannot be used: {str(problem).strip()}") from problem
    finally:
        connections.close_all()
