"""Running `manage.py serve` as a process of its own, and watching it and what it starts."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg

from tests.run import SITE_VARIABLES
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]

# The longest that anything waited for may take before the test fails, in seconds.
LONG = 60


def until(happened: Callable[[], object]) -> None:
    """Wait until `happened()` is true; raises AssertionError after LONG seconds."""
    deadline = time.monotonic() + LONG
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def variables(**given: object) -> dict[str, str]:
    """The caller's environment without what the site reads, and `given`."""
    clean = {name: value for name, value in os.environ.items() if name not in SITE_VARIABLES}
    return clean | {name: str(value) for name, value in given.items()}


def manage(*arguments: str, **given: object) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` to its end, with `given` in the environment."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=variables(**given), capture_output=True, text=True, timeout=LONG)


class Served:
    """A site that is being served, with everything that it printed in `output`; `root`: from this tree of sources.

    `prefix`: what the command begins with, such as what runs it elsewhere.
    """

    def __init__(self, folder: Path, root: Path = ROOT, prefix: Sequence[str] = (), **given: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder / f"serve-{self.port}.log"
        where = {"PORT": self.port, "WS_PORT": free_port(), "CROWDSITE_DATA_DIR": folder, "DEMO": 0}
        # A test's client asks oftener than anybody may.
        where |= {"CROWDSITE_THROTTLE_GRAB": 0, "CROWDSITE_THROTTLE_CREATE": 0}
        self.given = where | given
        self.seen: set[psutil.Process] = set()
        with self.log.open("wb") as log:
            self.process = psutil.Popen(
                [*prefix, sys.executable, "manage.py", "serve"],
                cwd=root,
                env=variables(**self.given),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What the site has printed so far."""
        return self.log.read_text()

    def wait_until_ready(self) -> None:
        """Wait until the site says that it is ready."""
        until(lambda: "is ready at" in self.output or self.process.poll() is not None)
        assert self.process.poll() is None, self.output

    def status_of(self, path: str) -> int:
        """The HTTP status of a GET of `path`."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=LONG) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return refusal.code

    def part(self, name: str) -> psutil.Process:
        """The process of the part `name`, which the site says when it starts it."""
        number = self.output.split(f"{name} (process ")[1].split(")")[0]
        return psutil.Process(int(number))

    def family(self) -> list[psutil.Process]:
        """The site's process and all below it."""
        found = [self.process, *self.process.children(recursive=True)]
        self.seen.update(found)
        return found

    def wait(self) -> int:
        """Wait until the site has ended; the answer is its status."""
        return self.process.wait(LONG)


def gone(process: psutil.Process) -> bool:
    """Whether the process has ended, even if nobody has asked for its status yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def serving(folder: Path, root: Path = ROOT, **given: object) -> Iterator[Served]:
    """A site that is served from `folder` and whose processes end with the block, whatever happens."""
    site = Served(folder, root, **given)
    try:
        yield site
    finally:
        with suppress(psutil.NoSuchProcess):
            site.family()
        for process in site.seen:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        site.wait()


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """The address of a new PostgreSQL database on the server at `url`, dropped at the end."""
    name = f"site_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield url.rsplit("/", 1)[0] + f"/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
