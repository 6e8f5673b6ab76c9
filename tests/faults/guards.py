"""Take guards of the product away, one at a time, and see a fault run go red that was green with them.

`python -m tests.faults.guards [word …] [--report docs/proof.md]`. With words, only the guards whose name has one of
them. Each mutation is made in a copy of the tree, where a round with its seed and its faults must find something wrong;
the same round must find nothing in the tree as it is. The status is 1 where that is not so.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.faults import report
from tests.guard import Edit
from tests.guards import LEFT_OUT, REASON, ROOT

LONG = 600
"""The longest that a round may take, in seconds."""


@dataclass(frozen=True)
class Guard:
    """A guard, how it is taken away, and the round that must miss it."""

    name: str
    removed: str
    edits: tuple[Edit, ...]
    faults: tuple[str, ...]
    seed: int = 1
    seconds: float = 5


LATER = "transaction.on_commit(lambda: (__import__('time').sleep(0.2), {}))"
"""How what belonged into a transaction is done after it, with time for a kill in between."""

TABLE: Sequence[Guard] = [
    Guard(
        "a request with a key is carried out once",
        "the look for the Idempotency-Key",
        (Edit("queues/api/base.py", "if key is None or not self.keeps_answers", "if True or not self.keeps_answers"),),
        ("a web process sleeps past a lease",),
    ),
    Guard(
        "the answer to a key is kept in the transaction of its effect",
        "the transaction around both",
        (
            Edit(
                "queues/api/base.py",
                """            idempotency.complete(turn=turn, status=response.status_code, body=kept)
            return response
""",
                """            transaction.on_commit(
                lambda: (
                    __import__("time").sleep(0.3),
                    idempotency.complete(turn=turn, status=response.status_code, body=kept),
                )
            )
            return response
""",
            ),
            Edit("queues/api/base.py", "import json\n", "import json\n\nfrom django.db import transaction\n"),
        ),
        ("a child of gunicorn is killed",),
        seconds=20,
    ),
    Guard(
        "an event is pending from its transaction on",
        "the transaction around both",
        (
            Edit(
                "queues/events.py",
                "    EventPending.objects.bulk_create([EventPending(event=event) for event in events], batch_size=500)",
                "    " + LATER.format("EventPending.objects.bulk_create([EventPending(event=one) for one in events])"),
            ),
        ),
        ("a child of gunicorn is killed",),
        seconds=20,
    ),
    Guard(
        "an answer after the lease is refused",
        "the time in the statement that ends an assignment",
        (
            Edit(
                "assignments/statements/ending.py",
                "    AND (own.expire_at IS NULL OR own.expire_at > clock.now)\n",
                "",
            ),
            Edit(
                "assignments/lifecycle.py",
                "    lapsed = assignment.expire_at is not None and assignment.expire_at <= now\n",
                "    lapsed = False\n",
            ),
        ),
        ("the beats are dead",),
        seconds=45,
    ),
    Guard(
        "a claim locks its task",
        "FOR NO KEY UPDATE SKIP LOCKED",
        (
            Edit(
                "assignments/statements/claiming.py", ' FOR NO KEY UPDATE OF task SKIP LOCKED"\n    keys', '"\n    keys'
            ),
        ),
        ("the broker forgets",),
        seconds=20,
    ),
    Guard(
        "what a courier has taken is due again when its lease ends",
        "the end of the lease",
        (
            Edit(
                "queues/deliveries.py",
                '        tries=F("tries") + 1,\n        next_try_at=moment + lease,',
                '        tries=F("tries") + 1,\n        next_try_at=None,',
            ),
        ),
        ("the courier is killed",),
        seconds=15,
    ),
    Guard(
        "what was not taken is sent again",
        "the next try",
        (
            Edit(
                "queues/deliveries.py",
                "again = None if outcome.status_code == GONE else _next_try(",
                "again = None if True else _next_try(",
            ),
        ),
        ("the receiver is killed",),
    ),
    Guard(
        "deliveries are written with the event's place in the feed",
        "the transaction around both",
        (
            Edit(
                "queues/sequencer.py",
                "    _address(events, now=now)\n",
                "    from django.db import transaction\n\n    " + LATER.format("_address(events, now=now)") + "\n",
            ),
        ),
        ("the courier is killed",),
        seconds=15,
    ),
    Guard(
        "without a database the answer is 503",
        "the problem for OperationalError and InterfaceError",
        (
            Edit(
                "queues/api/problems.py",
                "isinstance(exc, (OperationalError, InterfaceError))",
                "isinstance(exc, ())",
            ),
        ),
        ("back ends are terminated",),
    ),
    Guard(
        "webhooks are signed by the database's clock",
        "how far it is ahead",
        (Edit("queues/posting.py", "datetime.now(UTC) + claimed.ahead", "datetime.now(UTC)"),),
        ("clocks are two hours off",),
        seconds=15,
    ),
    Guard(
        "leases go by the database's clock",
        "statement_timestamp() of database_now()",
        (Edit("queues/transactions.py", 'if connection.vendor != "postgresql":', "if True:"),),
        ("clocks are two hours off",),
        seconds=15,
    ),
    Guard(
        "the parts of a host end with it",
        "the signal at their parent's death",
        (
            Edit(
                "crowdsite/supervisor.py",
                "        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)\n",
                "",
            ),
        ),
        ("the supervisor is killed",),
    ),
]


def played(tree: Path, guard: Guard) -> tuple[bool, str]:
    """Whether the guard's round finds all right in a tree, and what is wrong first."""
    only = [word for fault in guard.faults for word in ("--only", fault)]
    times = ["--seed", str(guard.seed), "--seconds", str(guard.seconds)]
    command = [sys.executable, "-m", "tests.faults", *times, *only]
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            output, errors = process.communicate(timeout=LONG)
        except BaseException:
            # It takes its stage down.
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
    wrong = [line.removeprefix("WRONG: ") for line in output.splitlines() if line.startswith("WRONG: ")]
    if process.returncode and not wrong:
        wrong = [f"the round itself failed: {errors[-300:]}"]
    return not process.returncode, wrong[0][:REASON] if wrong else ""


def verdict(guard: Guard) -> tuple[str, str]:
    """What becomes of the guard's round without it: "red", or what is wrong; and why."""
    with tempfile.TemporaryDirectory(prefix="crowdsite-guard-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        try:
            for edit in guard.edits:
                edit.apply(tree)
            right, why = played(tree, guard)
        except ValueError as problem:
            return "NOT REMOVED", str(problem)
        except subprocess.TimeoutExpired:
            return "HANGS", ""
    if why.startswith("the round itself failed"):
        return "BROKEN", why
    return ("GREEN", "") if right else ("red", why)


def main() -> int:
    """Print the table; the answer is 0 when every guard is missed, and none of its rounds is red with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only the guards whose name has one of these")
    parser.add_argument("--report", type=Path, help="write the table into this page (docs/proof.md)")
    given = parser.parse_args()
    chosen = [one for one in TABLE if not given.words or any(word in one.name for word in given.words)]
    green: dict[str, tuple[bool, str]] = {}
    rows: list[tuple[object, ...]] = []
    wrong = 0
    for guard in chosen:
        began = monotonic()
        round_ = json.dumps([guard.faults, guard.seed, guard.seconds])
        if round_ not in green:
            green[round_] = played(ROOT, guard)
        whole, why_not = green[round_]
        result, why = verdict(guard) if whole else ("RED WITH IT", why_not)
        wrong += result != "red"
        rows.append((guard.name, guard.removed, guard.seed, ", ".join(guard.faults), result, why))
        print("|", " | ".join(map(str, rows[-1])), f"| {monotonic() - began:.0f} s |", flush=True)
        if given.report:
            report.replace(given.report, "guards", report.guards(rows))
    print(f"{len(chosen) - wrong} of {len(chosen)} guards are missed when they are gone.")
    return 1 if wrong or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
