"""The machines that a stage pretends to be: servers, two hosts, the cable between them, a disk that can get full."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.faults.waiting import until
from tests.servers import free_port, running
from tests.site.serving import Served

SMALL = 700
"""MiB of the file system that PostgreSQL has."""


class Server:
    """A server that is killed and started again at its port. `answers()` raises `not_yet` until it works."""

    def __init__(
        self, command: list[Any], log: Path, answers: Callable[[], Any], not_yet: Any, **identity: Any
    ) -> None:
        self.command, self.log, self.answers, self.not_yet, self.identity = command, log, answers, not_yet, identity
        self.stack = ExitStack()
        self.process: psutil.Process | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        starting = running(self.command, self.log, self.answers, self.not_yet, **self.identity)
        self.process = psutil.Process(self.stack.enter_context(starting).pid)

    def started(self) -> psutil.Process:
        """Its process."""
        assert self.process is not None
        return self.process

    def end(self) -> None:
        """Wait for its end, which somebody has seen to, or ask for it."""
        self.stack.close()


class Host:
    """One host: `manage.py serve`, started again whenever it ends, as its supervisor would."""

    def __init__(self, folder: Path, prefix: list[str], **given: object) -> None:
        folder.mkdir()
        self.folder, self.prefix, self.given = folder, prefix, given
        self.extra: dict[str, object] = {}
        self.address = str(given.get("CROWDSITE_HOST", "127.0.0.1"))
        self.ports = {"PORT": free_port(), "WS_PORT": free_port()}
        self.starts = 0
        self.over = threading.Event()
        self.site: Served | None = None
        self.watching = threading.Thread(target=self._watch, daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.ports['PORT']}/"

    def start(self) -> None:
        """Start it, and see to it from now on."""
        self._start()
        self.watching.start()

    def _start(self) -> None:
        folder = self.folder / str(self.starts)
        folder.mkdir()
        self.starts += 1
        given = {**self.given, **self.extra, "CROWDSITE_DATA_DIR": self.folder}
        self.site = Served(folder, prefix=self.prefix, **given, **self.ports)

    def _watch(self) -> None:
        while not self.over.wait(0.1):
            if self.site is not None and self.site.process.poll() is not None:
                time.sleep(0.5)
                if not self.over.is_set():
                    self._start()

    def works(self) -> bool:
        """Whether it says that it can do its work."""
        where = self.address, self.ports["PORT"]
        with suppress(OSError), socket.create_connection(where, 1) as line:
            line.settimeout(5)
            line.sendall(f"GET /readyz HTTP/1.0\r\nHost: {self.address}\r\n\r\n".encode())
            return b" 200 " in line.recv(64)
        return False

    def part(self, name: str) -> psutil.Process:
        """The process of a part: gunicorn, uvicorn, worker, beat, courier."""
        assert self.site is not None
        until(lambda: f"{name} (process " in self.site.output, f"{name} of a host", 90)
        return self.site.part(name)

    def family(self) -> list[psutil.Process]:
        """The host's processes."""
        return self.site.family() if self.site is not None and self.site.process.is_running() else []

    def end(self) -> None:
        """End it for good."""
        self.over.set()
        self.watching.join()
        with suppress(psutil.Error):
            self.family()
        for process in self.site.seen if self.site else ():
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
                process.kill()
        if self.site is not None:
            self.site.wait()

    def output(self) -> str:
        """What it printed, in all its lives."""
        return "\n".join(log.read_text() for log in sorted(self.folder.glob("*/serve-*.log")))


class Cable:
    """A network namespace, and the two ends of the way there."""

    def __init__(self) -> None:
        me = os.getpid()
        self.name, self.ours, self.theirs = f"crowd{me}", f"cr{me}a", f"cr{me}b"
        # So that two stages can stand side by side.
        net = f"10.203.{me // 64 % 256}."
        self.here, self.there = f"{net}{me % 64 * 4 + 1}", f"{net}{me % 64 * 4 + 2}"

    def lay(self) -> None:
        """Make them. Raises OSError or CalledProcessError where that is not allowed."""
        inside = ("ip", "-n", self.name)
        for command in (
            ("ip", "netns", "add", self.name),
            ("ip", "link", "add", self.ours, "type", "veth", "peer", "name", self.theirs, "netns", self.name),
            ("ip", "addr", "add", f"{self.here}/30", "dev", self.ours),
            ("ip", "link", "set", self.ours, "up"),
            (*inside, "addr", "add", f"{self.there}/30", "dev", self.theirs),
            (*inside, "link", "set", self.theirs, "up"),
            (*inside, "link", "set", "lo", "up"),
        ):
            subprocess.run(command, check=True, capture_output=True)

    def pull(self) -> None:
        """Nothing goes through any more, and nobody is told."""
        subprocess.run(["ip", "link", "set", self.ours, "down"], check=True)

    def plug(self) -> None:
        """It goes through again."""
        subprocess.run(["ip", "link", "set", self.ours, "up"], check=True)

    def remove(self) -> None:
        """Leave nothing of them."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
        subprocess.run(["ip", "link", "del", self.ours], capture_output=True)

    @property
    def prefix(self) -> list[str]:
        """What a command begins with that is to run there."""
        return ["ip", "netns", "exec", self.name]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A small file system mounted at a folder, or None where that cannot be."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def laid() -> Iterator[Cable | None]:
    """A cable, or None where there cannot be one."""
    cable = Cable()
    try:
        cable.lay()
    except (OSError, subprocess.CalledProcessError):
        cable.remove()
        yield None
        return
    try:
        yield cable
    finally:
        cable.remove()
