"""What the database alone reaches: pgbench, which sends the very statements that the app sends."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from benchmarks.backlog import Backlog
from benchmarks.hands import ANSWER, CLIENTS, Worker
from benchmarks.pace import Cycle, Pace
from tests.servers import postgresql_programs

LOOKS = 250
"""One in so many claims of a client looks from the head: about one a second, as in the app."""

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
PLACE = re.compile(r"\w+_[01]\Z")

HELD = (
    "(SELECT id FROM crowd_assignments_assignment"
    " WHERE queue_id = :queue AND reviewer_id = :reviewer AND live_slot = 1)"
)

# Who is next: each client has every eighth reviewer, as in the app's processes.
WHO = r"""
\set turn (:turn + 1) % :turns
\set who :client_id + :turn * :clients
\set user :first_user + :who
\set reviewer :first_reviewer + :who
"""

NAIVE = r"""
WITH first AS MATERIALIZED (
  SELECT id FROM crowd_queues_task
  WHERE queue_id = :queue AND status = 'AVAILABLE' AND target_reviewer_id IS NULL
  ORDER BY priority, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
), took AS (
  UPDATE crowd_queues_task task SET status = 'ASSIGNED', open_slots = 0, updated_at = now()
  FROM first WHERE task.id = first.id RETURNING task.id
)
INSERT INTO crowd_assignments_assignment
  (task_id, queue_id, reviewer_id, status, created_at, expire_at, reason, live_slot, counted, sequence)
SELECT id, :queue, :reviewer, 'CREATED', now(), now() + interval '1 hour', '', 1, true, 1 FROM took
RETURNING id AS own_id, task_id AS own_task_id
\gset got_
WITH ended AS (
  UPDATE crowd_assignments_assignment SET status = 'FINISHED', ended_at = now(), data = '"cat"', live_slot = NULL,
    sequence = 2
  WHERE id = :got_own_id AND status = 'CREATED' RETURNING task_id
)
UPDATE crowd_queues_task SET status = 'FINISHED', output_data = '"cat"', updated_at = now()
WHERE id = (SELECT task_id FROM ended);
"""
"""The two statements that first come to mind, without events and all else that a site needs."""


@dataclass(frozen=True)
class Sent:
    """A statement that the app sent, and its values."""

    text: str
    values: dict[str, Any]


@contextmanager
def heard() -> Iterator[list[Sent]]:
    """What the app sends in the block of statements that hand out or end assignments."""
    from queues.statements import Statement

    sent: list[Sent] = []
    ask = Statement.ask

    def listening(statement: Statement, **values: Any) -> Any:
        if "live_slot" in statement.text:
            sent.append(Sent(statement.text, values))
        return ask(statement, **values)

    with patch.object(Statement, "ask", listening):
        yield sent


def hear(backlog: Backlog) -> dict[str, Sent]:
    """Listen to the app: `grab`, `finalize` and `next`, each as it is when the app has been at it for a while."""
    from assignments import claims, lifecycle
    from queues.models import Membership

    membership = Membership.objects.select_related("queue", "user").get(pk=backlog.membership)

    def grab() -> Any:
        return claims.grab(membership=membership).assignments[0]

    def end(assignment: Any) -> Any:
        return lifecycle.finalize(assignment_id=assignment.pk, data=ANSWER, actor=membership.user, known=assignment)

    def following(assignment: Any) -> Any:
        _done, more = claims.finalize_and_grab(assignment=assignment, data=ANSWER, user=membership.user, grab_next=True)
        assert more is not None
        return more.assignments[0]

    end(grab())
    end(following(grab()))
    assignment, first = _one(grab)
    assignment, both = _one(lambda: following(assignment))
    return {"grab": first, "next": both, "finalize": _one(lambda: end(assignment))[1]}


def _one(call: Callable[[], Any]) -> tuple[Any, Sent]:
    with heard() as sent:
        done = call()
    if len(sent) != 1:
        raise SystemExit(f"The app sent {len(sent)} statements where the benchmark knows one.")
    return done, sent[0]


class Script:
    """A statement of the app as pgbench has it, and the constants that it needs."""

    def __init__(self) -> None:
        self.constants: dict[str, str] = {}

    def statement(self, sent: Sent, *, held: str = ":got_own_id") -> str:
        """Its text with pgbench's variables. `held`: what stands for the assignment that is answered."""

        def variable(found: re.Match[str]) -> str:
            name, value = found[1], sent.values[found[1]]
            if name == "assignment":
                return held
            if name in ("user", "reviewer"):
                return f":{name}"
            if name == "actor":
                return ":user"
            if PLACE.match(name):
                self.constants[f"head_{name[-1]}"] = str(HEAD[name[-1]])
                return f":place_{name[-1]}"
            if value is None:
                return "NULL"
            self.constants[name] = value.isoformat() if hasattr(value, "isoformat") else str(value)
            return f":{name}"

        return PLACEHOLDER.sub(variable, sent.text)


HEAD = {"0": -(2**30), "1": -(2**62)}
"""Before every place in the site's order, which is by priority and id."""

FROM_THE_HEAD = r"""
\set look (:look + 1) % :looks
\if :look = 0
\set place_0 :head_0
\set place_1 :head_1
\endif
"""
BEHIND = r"""
\set place_0 :got_priority
\set place_1 :got_id
"""


def pair(said: dict[str, Sent], script: Script) -> str:
    """A claim and an answer."""
    grab, finalize = script.statement(said["grab"]), script.statement(said["finalize"])
    return f"{WHO}{FROM_THE_HEAD}{grab}\n\\gset got_\n{BEHIND}{finalize}\n\\gset ended_\n"


def following(said: dict[str, Sent], script: Script, people: int) -> str:
    """An answer that brings the next task. With more reviewers than clients each has to hold a task before."""
    if people > CLIENTS:
        first, both = "", script.statement(said["next"], held=HELD)
    else:
        grab, both = script.statement(said["grab"]), script.statement(said["next"])
        first = f"\\if :look = 0\n{grab}\n\\gset got_\n\\endif\n"
    return f"{WHO}{FROM_THE_HEAD}{first}{both}\n\\gset got_\n{BEHIND}"


def text(form: str, said: dict[str, Sent], people: int) -> tuple[str, dict[str, str]]:
    """The script of a form (`pair`, `next`, `naive`), and its constants."""
    script = Script()
    if form == "naive":
        return WHO + NAIVE, {}
    return (pair(said, script) if form == "pair" else following(said, script, people)), script.constants


def tuned() -> str:
    """What the app's connection has the planner do, as options of another connection."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, setting FROM pg_settings"
            " WHERE category LIKE 'Query Tuning%' AND source IN ('client', 'session')"
        )
        return " ".join(f"-c {name}={setting}" for name, setting in cursor.fetchall())


class Limit:
    """pgbench at a database, with what the app says there in a process that is listened to."""

    def __init__(self, backlog: Backlog, app: Worker) -> None:
        self.backlog, self.app = backlog, app
        self.said: dict[str, Sent] = {}
        self.options = ""

    def listen(self) -> None:
        """Hear the app's statements, with the values that they have at present."""
        self.said = self.app.ask(hear, self.backlog)
        self.options = self.app.ask(tuned)

    def run(self, form: str, people: int, seconds: float, warm: float) -> Pace:
        """Cycles of eight clients for so long, of which the first seconds do not count."""
        with started(self, form, people, seconds) as end:
            begin = time.time()
            return Pace.of(begin + warm, begin + seconds, end())


def known(backlog: Backlog, clients: int) -> dict[str, Any]:
    """What pgbench's scripts need to know: who there is, and that nobody has looked anywhere yet."""
    return {
        "queue": backlog.queue,
        "first_user": backlog.user,
        "first_reviewer": backlog.reviewer,
        "clients": clients,
        "looks": LOOKS,
        "turn": -1,
        "look": -1,
        "place_0": HEAD["0"],
        "place_1": HEAD["1"],
    }


@contextmanager
def started(limit: Limit, form: str, people: int, seconds: float) -> Iterator[Callable[[], list[Cycle]]]:
    """pgbench running; what is given waits for its end."""
    written, constants = text(form, limit.said, people)
    backlog = limit.backlog
    variables = known(backlog, CLIENTS) | {"turns": people // CLIENTS, **constants}
    with pgbench(backlog.url, written, variables, limit.options, "-c", str(CLIENTS), "-T", str(ceil(seconds))) as end:
        yield end


@contextmanager
def pgbench(
    url: str, script: str, variables: dict[str, Any], options: str, *arguments: str
) -> Iterator[Callable[[], list[Cycle]]]:
    """pgbench at a database with a script, its variables, the connection's options, and more arguments."""
    with tempfile.TemporaryDirectory(prefix="crowdsite-pgbench-") as name:
        folder = Path(name)
        (folder / "script").write_text(script.strip() + "\n")
        where = urlsplit(url)
        command = [
            str(postgresql_programs() / "pgbench"),
            *("-n", "-M", "prepared", "-j", "2", "-l", *arguments),
            *("--log-prefix", str(folder / "log"), "-f", str(folder / "script")),
            *(f"-D{name}={value}" for name, value in variables.items()),
            *("-h", str(where.hostname), "-p", str(where.port), "-U", str(where.username), where.path[1:]),
        ]
        given: dict[str, Any] = {"env": {**os.environ, "PGOPTIONS": options}, "text": True}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **given)

        def end() -> list[Cycle]:
            said, _nothing = process.communicate()
            if process.returncode or "aborted" in said:
                raise SystemExit(f"pgbench failed: {said}")
            lines = [line.split() for log in folder.glob("log.*") for line in log.read_text().splitlines()]
            return [(int(line[4]) + int(line[5]) / 1e6, int(line[2]) / 1000) for line in lines]

        try:
            yield end
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
