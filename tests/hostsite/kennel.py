"""The kennel: the site of somebody else, in a folder and on a database of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from tests.hostsite import walk
from tests.hostsite.environments import clean
from tests.servers import free_port, running

HERE = Path(__file__).parent

LONG = 120
"""Seconds that a command may take; the machine is shared."""


class Kennel:
    """The site with some of our apps; `server` is the address of a PostgreSQL, "" for SQLite."""

    def __init__(
        self, folder: Path, python: Path, apps: tuple[str, ...], *, server: str = "", copied: str = ""
    ) -> None:
        self.folder, self.python, self.apps, self.server = folder, python, apps, server
        self.database = f"kennel_{uuid4().hex}" if server else ""
        self.port = free_port()
        if server:
            template = f" TEMPLATE {copied}" if copied else ""
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {self.database}{template}")

    @classmethod
    def new(cls, folder: Path, python: Path, apps: tuple[str, ...], *, server: str = "") -> "Kennel":
        """A kennel on an empty database."""
        shutil.copytree(HERE / "site", folder)
        shutil.copy(HERE / "walk.py", folder)
        return cls(folder, python, apps, server=server)

    def grown(self, folder: Path, *apps: str) -> "Kennel":
        """The same site with its data, and with these apps too."""
        shutil.copytree(self.folder, folder)
        return Kennel(folder, self.python, (*self.apps, *apps), server=self.server, copied=self.database)

    def drop(self) -> None:
        """Remove its database."""
        if self.server:
            with psycopg.connect(self.server, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {self.database} WITH (FORCE)")

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its processes."""
        of_postgresql = {"KENNEL_POSTGRESQL": f"{self.server.rsplit('/', 1)[0]}/{self.database}"} if self.server else {}
        if redis := os.environ.get("REDIS_URL"):
            of_postgresql["KENNEL_REDIS"] = redis.removesuffix("/0") + "/2"
        url = f"http://127.0.0.1:{self.port}"
        return clean(KENNEL_APPS=",".join(self.apps), KENNEL_URL=url, **of_postgresql)

    def manage(self, *arguments: str, **given: str) -> str:
        """What a command prints. Raises AssertionError where it fails."""
        done = subprocess.run(
            [self.python, "manage.py", *arguments],
            cwd=self.folder,
            env=self.variables | given,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def look_around(self, *, walked: tuple[str, ...], opened: tuple[str, ...]) -> dict[str, Any]:
        """What its own command finds, after it has migrated, checked, walked through apps and opened pages."""
        said = self.manage("look_around", "--walked", *walked, "--opened", *opened)
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    @contextmanager
    def running(self, *command: str) -> Iterator[Path]:
        """A process of its Python for the block, e.g. of `manage.py`; the value is the path of what it prints."""
        log = self.folder / f"{command[-1]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.python, *command], cwd=self.folder, env=self.variables, stdout=output, stderr=output
            )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(LONG)

    @contextmanager
    def served(self) -> Iterator["Visitor"]:
        """The site, served to who walks through it."""
        serve = [self.python, "-m", "uvicorn", "kennel.asgi:application", "--port", str(self.port)]
        serve += ["--timeout-graceful-shutdown", "1"]
        visitor = Visitor(self.port)

        def answers() -> None:
            visitor.visit("GET", "/")

        options = {"cwd": self.folder, "env": self.variables}
        with running(serve, self.folder / "serve.log", answers, OSError, **options):
            yield visitor


class Visitor(walk.Walk):
    """Who walks through a served site, over real connections."""

    def __init__(self, port: int) -> None:
        super().__init__({})
        self.port = port

    def request(
        self, method: str, address: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        try:
            connection.request(method, address, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()
