"""What happens to PostgreSQL."""

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import psycopg

from tests.faults.kinds import Impossible, bitten, fault
from tests.faults.stage import Stage
from tests.faults.waiting import kill, until
from tests.site.serving import gone


@fault
def postgresql_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of PostgreSQL and its back-ends; it comes back after a while."""
    return _postgresql_ends(stage, seconds, "killed", kill)


@fault
def postgresql_is_stopped_at_once(stage: Stage, dice: random.Random, seconds: float) -> str:
    """PostgreSQL's immediate shutdown, as of a machine that is switched off in order."""

    def quit_(*family: psutil.Process) -> None:
        family[0].send_signal(signal.SIGQUIT)
        until(lambda: all(gone(process) for process in family), "PostgreSQL's end")

    return _postgresql_ends(stage, seconds, "stopped", quit_)


def _postgresql_ends(stage: Stage, seconds: float, how: str, end: Callable[..., None]) -> str:
    server = stage.postgresql.started()
    with stage.outage():
        end(server, *server.children(recursive=True))
        stage.postgresql.end()
        refused = False
        try:
            psycopg.connect(stage.cluster.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            refused = True
        time.sleep(seconds / 2)
        stage.postgresql.start()
    recovered = stage.postgresql_log.read_text().count("database system was not properly shut down")
    return bitten(refused and recovered, f"it was {how}, refused connections, and recovered")


@fault
def back_ends_are_terminated(stage: Stage, dice: random.Random, seconds: float) -> str:
    """pg_terminate_backend of others at random, some each tenth of a second."""
    ended = 0
    with stage.outage():
        until_ = time.monotonic() + seconds
        while time.monotonic() < until_:
            rows = stage.execute(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 3) victims"
            )
            ended += rows[0][0]
            time.sleep(0.1)
    return bitten(ended > seconds, f"{ended} back-ends were terminated")


@fault
def a_transaction_is_held_open(stage: Stage, dice: random.Random, seconds: float) -> str:
    """Somebody's transaction keeps its snapshot, as a backup does."""
    with psycopg.connect(stage.cluster.url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        begun = connection.execute("SELECT txid_snapshot_xmin(txid_current_snapshot())").fetchone()
        time.sleep(seconds)
        now = stage.execute("SELECT txid_snapshot_xmax(txid_current_snapshot())")
        connection.rollback()
    assert begun is not None
    passed = now[0][0] - begun[0]
    return bitten(passed > 0, f"{passed} transactions came and went meanwhile")


@fault
def the_disk_is_full(stage: Stage, dice: random.Random, seconds: float) -> str:
    """PostgreSQL finds no room for what it is to keep."""
    if stage.disk is None:
        raise Impossible("no small file system can be mounted")
    filler, complaint = stage.disk / "filler", "No space left on device"
    before = stage.postgresql_log.read_text().count(complaint)
    with stage.outage():
        try:
            until_ = time.monotonic() + max(seconds, 20)
            while stage.postgresql_log.read_text().count(complaint) == before and time.monotonic() < until_:
                # What PostgreSQL frees meanwhile is taken, too.
                with filler.open("ab", buffering=0) as file, suppress(OSError):
                    while True:
                        file.write(b"\0" * 2**20)
                _use_room(stage)
                time.sleep(0.1)
            time.sleep(seconds / 2)
        finally:
            filler.unlink(missing_ok=True)
        if gone(stage.postgresql.started()):
            # It gives up where it cannot write its log, and whoever runs it starts it again.
            stage.postgresql.end()
            stage.postgresql.start()
    more = stage.postgresql_log.read_text().count(complaint) - before
    return bitten(more, f"PostgreSQL complained {more} times")


def _use_room(stage: Stage) -> None:
    """Have PostgreSQL want more of the disk than the crowd alone makes it want."""
    with suppress(psycopg.Error):
        stage.execute("CREATE TABLE IF NOT EXISTS room (words text)")
        stage.execute("INSERT INTO room SELECT repeat(md5(random()::text), 60) FROM generate_series(1, 2000)")
    with suppress(psycopg.Error):
        stage.execute("DROP TABLE IF EXISTS room")
