"""Reading what the environment says: the values that take more than one call of environs."""

import os
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from environs import EnvError

from queues.throttles import read_rate

SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "django.db.backends.postgresql"

# How long a writer waits for SQLite's only write lock, in seconds.
SQLITE_WAIT = 20

SQLITE_OPTIONS = {
    # A deferred transaction that turns into a writer fails at once while another one writes; an immediate
    # one waits.
    "transaction_mode": "IMMEDIATE",
    "timeout": SQLITE_WAIT,
    # FULL: an answer that was acknowledged is on the disk and survives a power cut, as on PostgreSQL. NORMAL would
    # survive a killed process only; it makes 24,000 commits a second instead of 380, of which people need few.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
}


def database(url: str, pool_size: int | None = 0) -> dict[str, Any]:
    """Return Django's settings of the database at `url` (sqlite:///path or postgres://…).

    `pool_size` is the most connections that one process keeps open on PostgreSQL; 0 or None: no pool.
    Raises EnvError, with a sentence, when the address cannot be read or names another kind of database.
    """
    try:
        settings: dict[str, Any] = {**dj_database_url.parse(url)}
    except (ValueError, KeyError) as problem:
        raise EnvError(f"This is not the address of a database: {problem}.") from problem
    options = settings.setdefault("OPTIONS", {})
    if settings["ENGINE"] == SQLITE:
        options.update(SQLITE_OPTIONS)
    elif settings["ENGINE"] == POSTGRESQL:
        # What a site asks takes milliseconds; compiling it, where the planner expects much, takes hundreds. And what
        # is prepared is planned once: left to itself PostgreSQL may plan it each time, for longer than it runs.
        # What the address says comes later, and so has the last word.
        said = options.get("options", "")
        options["options"] = f"-c jit=off -c plan_cache_mode=force_generic_plan {said}".rstrip()
        if pool_size:
            options["pool"] = pool(pool_size)
    else:
        raise EnvError("Only SQLite (sqlite:///path) and PostgreSQL (postgres://…) are supported.")
    return settings


def pool(size: int) -> dict[str, Any]:
    """How psycopg keeps between 1 and `size` connections to PostgreSQL open in a process."""
    return {"min_size": 1, "max_size": size}


def redis(url: str) -> str:
    """Return `url`, the address of a Redis or Valkey server, or "" for none.

    Raises EnvError for another scheme.
    """
    if url and urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise EnvError("Only redis://, rediss:// and unix:// addresses are supported.")
    return url


def rate(text: str) -> str:
    """Return `text`, a rate such as 3000/m; "" and 0 are no limit. Raises EnvError for anything else."""
    try:
        read_rate(text)
    except ValueError as problem:
        raise EnvError(str(problem)) from problem
    return text


def local_url(host: str, port: int | None) -> str:
    """Return where a person on this machine opens what listens on `host`:`port`, without a slash at the end."""
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{named}:{port}"


def sockets(at: str) -> str:
    """Return where browsers reach the sockets: "", ":port" or "wss://host:port", as it is given.

    Raises EnvError for anything else.
    """
    if at and not re.fullmatch(r":[0-9]{1,5}|wss?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", at):
        raise EnvError("This is neither empty (where the pages are) nor like :8001 or wss://live.example.org.")
    return at


def socket_sources(at: str, hosts: list[str]) -> list[str]:
    """Return what pages under these hosts may connect to besides their own server, to have sockets `at`.

    `at` is "" (the pages' own server), ":port" (of the same host) or "wss://host". A policy has no word for an IPv6
    address, so a page at one looks now and then.
    """
    if not at.startswith(":"):
        return [at] if at else []
    named = ["*" + host if host.startswith(".") else host for host in hosts if not host.startswith("[")]
    return [f"{scheme}://{host}{at}" for host in named for scheme in ("ws", "wss")]


def random_text() -> str:
    """Return 50 random bytes as text."""
    return secrets.token_urlsafe(50)


def encryption_key() -> str:
    """Return a new key for Fernet: 32 random bytes in URL-safe base64."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


def kept_secret(path: Path, make: Callable[[], str] = random_text) -> str:
    """Return the secret kept in the file `path`, readable by its owner only; make it at the first call.

    Two processes that start together get the same one: whoever comes second reads what the first wrote.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
