"""Parts of the site are killed or stopped under a crowd: nobody is paid twice or forgotten, and no rule is broken.

CROWDSITE_KILL_SECONDS is how long a broker, and the worker with beat, are stopped: 2 unless set (`make soak-site`: 60).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest

from tests.site.serving import LONG, ROOT, Served, manage, until, variables
from tests.site.test_kill import execute
from tests.site.test_kill_deliveries import Program, programs, received  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.servers, pytest.mark.only("postgresql")]

STOPPED = float(os.environ.get("CROWDSITE_KILL_SECONDS", "2"))

PATIENCE = 180
"""Seconds in which some of the crowd leave."""

LIVE = "status IN ('WAITING', 'ACTIVE')"


@contextmanager
def crowd(site: Served) -> Iterator[None]:
    """People who come and go for the block; what they see while parts are away is not looked at."""
    command = [sys.executable, "manage.py", "simulate_crowd", f"--url={site.url}", "--workers=40", "--seconds=600"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=variables(**site.given),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def stopped(*processes: psutil.Process) -> Iterator[None]:
    """Processes that do nothing for the block, and then go on."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def number(site: Served, statement: str) -> int:
    ((found,),) = execute(site, statement)
    return found


def more_have_left(site: Served, count: int = 2) -> None:
    """Wait until so many more people have left their seats; they take their time."""
    ended = f"SELECT count(*) FROM crowd_pavilion_seat WHERE NOT {LIVE}"
    before, ends = number(site, ended), monotonic() + PATIENCE
    while number(site, ended) < before + count:
        assert monotonic() < ends, "nobody leaves"
        sleep(0.1)


def operate(site: Served, tmp_path: Any, path: str) -> Any:
    """Ask the site's API as the demo's operator."""
    token = json.loads((tmp_path / "demo.json").read_text())["users"]["operator"]["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(f"{site.url}api/v1/{path}", data=b"{}", headers=headers), timeout=LONG) as answer:
        return json.load(answer)


def test_nobody_is_paid_twice_or_forgotten_whatever_is_killed(
    serve: Any,
    programs: dict[str, Program],  # noqa: F811
    tmp_path: Any,
) -> None:
    site = serve(DEMO=1, REDIS_URL=f"redis://127.0.0.1:{programs['broker'].port}/0")
    site.wait_until_ready()
    session = number(site, "SELECT id FROM crowd_pavilion_session WHERE status = 'LIVE'")
    with crowd(site):
        more_have_left(site)
        site.part("gunicorn").children()[0].kill()
        more_have_left(site)
        with stopped(programs["broker"].process):
            sleep(STOPPED)
        more_have_left(site)
        with stopped(site.part("worker"), site.part("beat")):
            sleep(STOPPED)
        more_have_left(site)
        operate(site, tmp_path, f"sessions/{session}/stop/")
    assert number(site, f"SELECT count(*) FROM crowd_pavilion_seat WHERE {LIVE}") == 0
    until(lambda: number(site, "SELECT count(*) FROM crowd_pavilion_payment WHERE status <> 'SENT'") == 0)
    done = manage("check_invariants", **site.given)
    assert done.returncode == 0, done.stderr
    base = "SELECT count(*) FROM crowd_pavilion_seat s WHERE left_ IN ('submit', 'stop')".replace("left_", '"left"')
    paid = "SELECT count(DISTINCT seat_id) FROM crowd_pavilion_payment WHERE kind = 'base'"
    assert number(site, paid) == number(site, base) >= 3
