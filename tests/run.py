"""Run the tests on SQLite and, beside it, on a real PostgreSQL with a real Valkey that are started for the run.

`python -m tests.run [--backend sqlite|postgres] -- [pytest's arguments]`; `make test` calls it.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers import ServerMissing, postgresql, valkey

BACKENDS = ("sqlite", "postgres")

# What of the caller's environment must not reach the tests: they say themselves what they run on.
SITE_VARIABLES = frozenset(
    [
        "DJANGO_SETTINGS_MODULE",
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "DEBUG",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "HTTPS",
        "TRUST_PROXY",
        "PORT",
        "WS_PORT",
        "WS_URL",
        "WEB_WORKERS",
        "WEB_THREADS",
        "WEB_CONCURRENCY",
        "DEMO",
        "IMAGE_SOURCES",
        "CROWDSITE_HOST",
        "CROWDSITE_DATA_DIR",
        "CROWDSITE_DB_POOL",
        "CROWDSITE_PREPARE_STATEMENTS",
        "CROWDSITE_SOCKETS_PER_USER",
        "CROWDSITE_THROTTLE_GRAB",
        "CROWDSITE_THROTTLE_CREATE",
        "CROWDSITE_THROTTLE_TOKENS",
        "CROWDSITE_THROTTLE_SIGN_IN",
        "CROWDSITE_USER_EMAIL_FIELD",
        "CROWDSITE_ENCRYPTION_KEYS",
        "CROWDSITE_WEBHOOK_SECONDS",
        "CROWDSITE_WEBHOOK_PORTS",
        "CROWDSITE_WEBHOOKS_LOOPBACK",
        "CROWDSITE_URL",
        "CROWDSITE_MARKETPLACES",
        "CROWDSITE_METRICS_TOKEN",
        "CROWDSITE_LOG_FORMAT",
        "CROWDSITE_ACCESS_LOG",
        "CROWDSITE_MARKETPLACE_OPTIONS",
        "EMAIL_HOST",
    ]
)


@contextmanager
def environment(backend: str) -> Iterator[dict[str, str]]:
    """The environment of a run on `backend`; its servers live as long as the block."""
    clean = {name: value for name, value in os.environ.items() if name not in SITE_VARIABLES}
    with ExitStack() as stack:
        if backend == "postgres":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-servers-")))
            clean["DATABASE_URL"] = stack.enter_context(postgresql(folder))
            clean["REDIS_URL"] = stack.enter_context(valkey(folder))
        yield clean


def run(backend: str, arguments: list[str]) -> int:
    """Run pytest on `backend`; the answer is its exit status, or 1 when a required server is missing."""
    try:
        with environment(backend) as variables:
            process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], env=variables)
            try:
                return process.wait()
            except KeyboardInterrupt:
                # Ctrl-C reached pytest as well; a signal to this process alone did not.
                process.send_signal(signal.SIGINT)
                process.wait()
                raise
    except ServerMissing as missing:
        required = os.environ.get("CROWDSITE_REQUIRE_ALL") == "1"
        print(f"{missing}: the tests on {backend} {'cannot' if required else 'do not'} run.", file=sys.stderr)
        return 1 if required else 0


def run_both(arguments: list[str]) -> list[int]:
    """Run on both databases at once, as two cores allow; what the second one printed comes after the first one's."""
    first, second = BACKENDS
    print(f"=== the tests on {first}; those on {second} run beside them and are told of afterwards ===", flush=True)
    command = [sys.executable, "-m", "tests.run", "--backend", second, "--", *arguments]
    with tempfile.TemporaryFile() as output:
        beside = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            statuses = [run(first, arguments), beside.wait()]
        except KeyboardInterrupt:
            beside.send_signal(signal.SIGINT)
            beside.wait()
            raise
        print(f"=== the tests on {second} ===", flush=True)
        output.seek(0)
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
    return statuses


def main() -> int:
    """Run what the command line asks for; the answer is the first status that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="only this one")
    parser.add_argument("arguments", nargs="*", help="for pytest")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.backend:
            statuses = [run(backend, options.arguments) for backend in options.backend]
        else:
            statuses = run_both(options.arguments)
    except KeyboardInterrupt:
        return 130
    return next(filter(None, statuses), 0)


if __name__ == "__main__":
    sys.exit(main())
