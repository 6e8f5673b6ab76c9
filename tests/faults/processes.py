"""Processes of the hosts that are killed, stopped, or believe in another time."""

import random
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import psutil

from tests.faults.hosts import Host
from tests.faults.kinds import Impossible, bitten, fault
from tests.faults.stage import Stage
from tests.faults.waiting import kill, until
from tests.site.serving import gone


def _some(stage: Stage, dice: random.Random) -> Host:
    return dice.choice(stage.hosts)


def _again(host: Host, starts: int) -> str:
    """What is said of a host that had to be started again."""
    return bitten(host.starts > starts, f"its host was started for the {host.starts}. time")


def _kill_part(stage: Stage, dice: random.Random, name: str) -> str:
    host = _some(stage, dice)
    with stage.outage():
        starts, victim = host.starts, host.part(name)
        kill(victim)
        until(lambda: host.starts > starts, "a new start of the host")
    return f"{name} (process {victim.pid}) was killed; {_again(host, starts)}"


@fault
def gunicorn_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of the process over gunicorn's workers."""
    return _kill_part(stage, dice, "gunicorn")


@fault
def uvicorn_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of the process that has the sockets."""
    return _kill_part(stage, dice, "uvicorn")


@fault
def the_worker_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of Celery's worker, whose pool are threads."""
    return _kill_part(stage, dice, "worker")


@fault
def beat_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of Celery's beat."""
    return _kill_part(stage, dice, "beat")


@fault
def the_courier_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of who sends the webhooks."""
    return _kill_part(stage, dice, "courier")


@fault
def the_supervisor_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of the process above all parts of a host, which must not outlive it: they hold its ports."""
    host = _some(stage, dice)
    with stage.outage():
        starts, family = host.starts, host.family()
        kill(family[0])
        until(lambda: all(gone(process) for process in family), "the end of its parts")
        until(lambda: host.starts > starts, "a new start of the host")
    return f"{len(family) - 1} processes ended with it; {_again(host, starts)}"


@fault
def a_child_of_gunicorn_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of one of the processes that answer, once a second."""
    killed = []
    with stage.outage():
        until_ = time.monotonic() + seconds
        while time.monotonic() < until_:
            with suppress(psutil.Error, IndexError):
                victim = dice.choice(_some(stage, dice).part("gunicorn").children())
                kill(victim)
                killed.append(victim.pid)
            time.sleep(1)
    new = {child.pid for host in stage.hosts for child in host.part("gunicorn").children()}
    return bitten(killed and not new & set(killed), f"{len(killed)} were killed, and others came")


@fault
def a_whole_host_is_killed(stage: Stage, dice: random.Random, seconds: float) -> str:
    """kill -9 of all processes of a host at once."""
    host = _some(stage, dice)
    with stage.outage():
        starts, family = host.starts, host.family()
        kill(*family)
        until(lambda: host.starts > starts, "a new start of the host")
    return f"{len(family)} processes were killed; {_again(host, starts)}"


@fault
def the_beats_are_dead(stage: Stage, dice: random.Random, seconds: float) -> str:
    """No beat of any host does anything, for a minute in a long round."""
    seconds, before = max(seconds, min(60, stage.seconds)), stage.answered()
    beats = [host.part("beat") for host in stage.hosts]
    with _stopped(beats):
        time.sleep(seconds)
        still = all(beat.status() == psutil.STATUS_STOPPED for beat in beats)
    more = stage.answered() - before
    return bitten(still and more, f"both were stopped for {seconds:.0f} s, in which {more} requests were acknowledged")


@contextmanager
def _stopped(processes: list[psutil.Process]) -> Iterator[None]:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


@fault
def a_web_process_sleeps_past_a_lease(stage: Stage, dice: random.Random, seconds: float) -> str:
    """A process that answers is stopped for longer than leases last, and goes on with what it had begun.

    Where it answered nobody who held a task, for all had gone to the other host, that of the other host is.
    """
    hosts = dice.sample(stage.hosts, len(stage.hosts))
    with stage.outage():
        lapsed = _lapsed(stage)
        for host in hosts:
            children = host.part("gunicorn").children()
            # gunicorn kills a child that it has not heard of for 30 s.
            with _stopped(children), suppress(TimeoutError):
                until(lambda: _lapsed(stage) > lapsed, "that a lease is over", 20)
            if _lapsed(stage) > lapsed:
                break
        more = _lapsed(stage) - lapsed
    return bitten(children and more, f"{len(children)} processes slept until {more} leases were over")


def _lapsed(stage: Stage) -> int:
    return int(stage.execute("SELECT count(*) FROM crowd_assignments_assignment WHERE status = 'EXPIRED'")[0][0])


@fault
def clocks_are_two_hours_off(stage: Stage, dice: random.Random, seconds: float) -> str:
    """The second host's processes believe that it is two hours later, or earlier, and work on like that."""
    offset, host = dice.choice([7200, -7200]), stage.hosts[1]
    with stage.outage():
        host.extra = {"LD_PRELOAD": _wrong_clock(stage), "CLOCK_OFF": offset}
        starts = host.starts
        kill(*host.family())
        until(lambda: host.starts > starts and host.works(), "that the host works", 120)
    host.extra = {}
    off = _said_by(host) - time.time()
    time.sleep(seconds)
    return bitten(abs(off - offset) < 60, f"its clock is {off:.0f} s off, from then on")


def _wrong_clock(stage: Stage) -> Path:
    """The library that makes clocks wrong, of clock.c. (libfaketime breaks Python's sleep.) Raises Impossible."""
    library = stage.folder / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(Path(__file__).with_name("clock.c"))]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as why:
        raise Impossible(f"no C compiler makes it: {why}") from None
    return library


def _said_by(host: Host) -> float:
    """What time it is, as the host's answers say."""
    with urllib.request.urlopen(f"{host.url}healthz", timeout=10) as answer:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
