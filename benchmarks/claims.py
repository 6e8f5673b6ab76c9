"""How quick tasks are handed out and answered: `python -m benchmarks.claims [PART …]`.

The parts: writers, http, flat, held, churn, sharing, layers.

Each part in a database of its own on a PostgreSQL (fsync on), beside what pgbench reaches there with the app's own
statements. What each part found is kept in docs/benchmarks/claims.json, from which docs/benchmarks/claims.md and its
plot are written with whatever is there; `report` does that alone. All parts take about an hour.

QUICK=1: all but the last two, smaller, in a minute where nothing else runs; nothing is written. HUGE=1: `flat`
with ten million open tasks and as many closed behind.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import churn, flat, held, layers, sharing, throughput, verdicts
from benchmarks.backlog import Backlog, copied, prepare
from benchmarks.desk import DURABLE
from benchmarks.figures import machine
from benchmarks.hands import working
from benchmarks.held import Plan
from tests.servers import postgresql, valkey

QUICK, HUGE = (os.environ.get(name) == "1" for name in ("QUICK", "HUGE"))
PEOPLE = 16 if QUICK else 1_000
OPEN = 10_000 if QUICK else 1_000_000
CLOSED = 5_000 if QUICK else 10_000_000 if HUGE else 1_000_000
SIZES = [10_000, 30_000] if QUICK else [10_000, 100_000, 1_000_000, *([10_000_000] if HUGE else [])]


def _writers(there: Backlog) -> dict[str, Any]:
    there.fill(OPEN)
    return throughput.writers(there, **_each())


def _http(there: Backlog) -> dict[str, Any]:
    return throughput.http(there, sizes=[OPEN] if QUICK else [10_000, 100_000, OPEN], **_each())


def _each() -> dict[str, Any]:
    return {"repetitions": 1, "seconds": 1, "warm": 0.3} if QUICK else {"repetitions": 5, "seconds": 6, "warm": 1.0}


def _flat(there: Backlog) -> dict[str, Any]:
    repetitions, each = (1, 6) if QUICK else (5, 40)
    return flat.flat(there, sizes=SIZES, closed=CLOSED, repetitions=repetitions, grabs_each=each)


def _held(there: Backlog) -> dict[str, Any]:
    # So that the planner knows the assignments as a site's are: hardly one of them live.
    there.close(1_000 if QUICK else 100_000)
    if QUICK:
        plans = [Plan(normal=1, moments=(1,), window=1, warm=0.3, rival=1)]
    else:
        minute = Plan(normal=10, moments=(10, 60), window=5, warm=1.0, rival=60)
        # Once for as long as a backup may take.
        plans = [*[minute] * 4, replace(minute, moments=(10, 60, 300))]
    return held.held(there, open_tasks=OPEN, plans=plans, many=not QUICK)


def _churn(there: Backlog) -> dict[str, Any]:
    if QUICK:
        return churn.churn(there, open_tasks=2_000, minutes=2, minute=1)
    return churn.churn(there, open_tasks=10_000, minutes=10, minute=60)


def _sharing(there: Backlog) -> dict[str, Any]:
    return sharing.sharing(there, open_tasks=OPEN, repetitions=1 if QUICK else 5)


def _layers(there: Backlog) -> dict[str, Any]:
    repetitions, cycles = (1, 20) if QUICK else (5, 500)
    return layers.layers(there, open_tasks=OPEN, cycles=cycles, repetitions=repetitions)


PARTS: dict[str, Callable[[Backlog], dict[str, Any]]] = {
    "writers": _writers,
    "http": _http,
    "flat": _flat,
    "held": _held,
    "churn": _churn,
    "sharing": _sharing,
    "layers": _layers,
}


NOT_QUICK = ("sharing", "layers")
"""Parts that QUICK=1 runs only where they are named: what is without a floor."""


def main() -> None:
    asked = sys.argv[1:] or [part for part in PARTS if not (QUICK and part in NOT_QUICK)]
    if set(asked) - {*PARTS, "report"}:
        raise SystemExit(__doc__)
    # So that what was started ends with this, however it is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    found = {} if QUICK else verdicts.kept()
    with ExitStack() as stack:
        parts = [part for part in PARTS if part in asked]
        if parts:
            empty = prepared(stack)
        for part in parts:
            print(f"# {part}, after {time.monotonic() - began:.0f} s", flush=True)
            with copied(empty, part) as there:
                found[part] = said(there) | PARTS[part](there)
            if not QUICK:
                verdicts.keep(found)
    print("\n" + verdicts.write(found, keep=not QUICK) + f"\nTook {time.monotonic() - began:.0f} s.")


def prepared(stack: ExitStack) -> Backlog:
    """A server with a database from which that of each part is copied."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-bench-")))
    os.environ |= {
        "CROWDSITE_DATA_DIR": str(folder / "site"),
        # Throttles count in it, as where the site runs.
        "REDIS_URL": stack.enter_context(valkey(folder)),
        "DJANGO_SETTINGS_MODULE": "crowdsite.settings",
    }
    url = stack.enter_context(postgresql(folder, **DURABLE))
    with working(url, threads=1) as worker:
        return worker.ask(prepare, url, PEOPLE)


def said(there: Backlog) -> dict[str, Any]:
    """When and where a part was measured."""
    ((version,),) = there.execute("SHOW server_version")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(version.split()[0]),
        "load": round(os.getloadavg()[1], 1),
    }


if __name__ == "__main__":
    main()
