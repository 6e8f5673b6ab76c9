"""What must be true after a round, of the clients' journals, the database, and what the receiver got."""

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from tests.faults.journal import read
from tests.faults.stage import Stage
from tests.faults.waiting import until
from tests.site.serving import manage

UNDELIVERED = "status IN ('WAITING', 'FIRST_TRY', 'RETRY')"

CLOSED = {"lease-expired", "assignment-closed"}
"""What a client may be told of an assignment that it had: that it came too late."""

REST = 240
"""Seconds in which what is left must be delivered, with what is hurried."""


@dataclass
class Request:
    """One request of a client: how often it was sent, and what came of each time."""

    what: str
    path: str
    body: Any
    key: str | None
    by: str
    tries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any]:
        return self.tries[-1]

    @property
    def acknowledged(self) -> bool:
        return self.last["status"] is not None and self.last["status"] < 300

    @property
    def slug(self) -> str:
        answer = self.last["answer"]
        return answer.get("type", "").rsplit(":", 1)[-1] if isinstance(answer, dict) else ""


def requests(stage: Stage) -> Iterator[Request]:
    """Everything that all clients sent, each request once."""
    for name in stage.clients:
        found: dict[int, Request] = {}
        for line in read(stage.journal(name)):
            if "sent" in line:
                fresh = Request(line["what"], line["path"], line["body"], line["key"], name)
                begun = {"began": line["at"], "status": None, "answer": None}
                found.setdefault(line["sent"], fresh).tries.append(begun)
            elif "got" in line:
                found[line["got"]].last.update(line)
        yield from found.values()


class Judge:
    """Collects what is wrong, in `faults`; `told`: what was counted."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.wrong: list[str] = []
        self.told: dict[str, int] = {}

    def expect(self, right: object, said: str) -> None:
        """Note what is wrong, unless it is right."""
        if not right:
            self.wrong.append(said)

    def judge(self) -> None:
        """All of it."""
        self.sent = list(requests(self.stage))
        self.done = [one for one in self.sent if one.acknowledged]
        self.told = {what: sum(one.what == what for one in self.done) for what in sorted({o.what for o in self.sent})}
        self.told["acknowledged"] = len(self.done)
        tries = [try_ for one in self.sent for try_ in one.tries]
        self.told["too late"] = sum(one.slug in CLOSED for one in self.sent)
        self.told["no answer"] = sum(try_["status"] is None for try_ in tries)
        self.told["503"] = sum(try_["status"] == 503 for try_ in tries)
        self.told["sent more than once"] = sum(len(one.tries) > 1 for one in self.sent)
        self._answers()
        self._database()
        self._leases()
        self._webhooks()
        self._deadlocks()
        for host in self.stage.hosts:
            ended = [line for line in host.output().splitlines() if "has ended with status" in line]
            self.expect(not ended, f"a part of a host ended by itself: {ended}")
        checked = manage("check_invariants", **self.stage.given, CROWDSITE_DATA_DIR=self.stage.folder / "host0")
        self.expect(checked.returncode == 0, f"check_invariants: {checked.stdout[-500:]}{checked.stderr[-1500:]}")

    def _excused(self, began: float, ended: float) -> bool:
        return any(began <= until_ and ended >= since for since, until_ in self.stage.windows)

    def _answers(self) -> None:
        """Nobody got an answer that a client cannot act on; and none was left without one but while a part was away."""
        for one in self.sent:
            for try_ in one.tries:
                status, at = try_["status"], try_.get("at", try_["began"] + 10)
                if status is None or status == 503:
                    self.expect(self._excused(try_["began"], at), f"no answer outside of an outage: {one.what} {try_}")
                    self.expect(status is None or try_["wait"], f"503 without Retry-After: {one.what} {try_}")
                elif status >= 500:
                    self.expect(False, f"{status}: {one.what} {one.path} {try_['answer']}")
            if not one.acknowledged:
                allowed = CLOSED if one.what in ("finalize", "skip", "extend") else set()
                known = one.last["status"] is not None
                self.expect(not known or one.slug in allowed, f"refused: {one.what} {one.path} {one.last}")
                self.expect(known, f"never known: {one.what} {one.path}")

    def _database(self) -> None:
        """What was acknowledged is there once, and nothing else is."""
        posted = [one for one in self.done if one.what == "post"]
        made = [one.last["answer"] for one in posted]
        tasks = [task for answer in made for task in (answer if isinstance(answer, list) else [answer])]
        self.tasks = {task["id"]: task for task in tasks}
        rows = self.stage.execute(
            "SELECT k.task_id, k.key FROM crowd_queues_globalkey k JOIN crowd_queues_task t ON t.id = k.task_id"
        )
        self.expect(
            sorted(rows) == sorted((task["id"], task["global_keys"][0]) for task in tasks),
            f"{len(tasks)} tasks were acknowledged, {len(rows)} keys are there",
        )
        ((count,),) = self.stage.execute("SELECT count(*) FROM crowd_queues_task")
        self.expect(count == len(tasks), f"{len(tasks)} tasks were acknowledged, {count} are there")

        self.rows = {
            id_: (task, reviewer, status, data)
            for id_, task, reviewer, status, data in self.stage.execute(
                "SELECT a.id, a.task_id, u.username, a.status, a.data FROM crowd_assignments_assignment a"
                " JOIN crowd_assignments_reviewer r ON r.id = a.reviewer_id JOIN auth_user u ON u.id = r.user_id"
            )
        }
        answers = {id_: data for id_, (_task, _who, status, data) in self.rows.items() if status == "FINISHED"}
        finalized = {self._about(one): one for one in self.done if one.what == "finalize"}
        for id_, one in finalized.items():
            self.expect(answers.get(id_) == one.body["data"], f"an answer was acknowledged and is not there: {id_}")
        self.expect(set(answers) <= set(finalized), f"answers nobody was told of: {set(answers) - set(finalized)}")
        for one in self.done:
            if one.what == "skip":
                row = self.rows.get(self._about(one))
                self.expect(row and row[2] == "SKIPPED", f"a skip was acknowledged and is not there: {one.path}")
        for one, held in self._handed():
            row = self.rows.get(held["id"])
            self.expect(row, f"an assignment was handed out and is not there: {held['id']}")
            self.expect(not row or row[:2] == (held["task"]["id"], one.by), f"{held['id']} is another's: {row}")
        late = self.stage.execute(
            "SELECT id FROM crowd_assignments_assignment WHERE status = 'FINISHED' AND ended_at > expire_at"
        )
        self.expect(not late, f"answers taken after their leases: {late[:5]}")
        doubled = self.stage.execute(
            "SELECT object_id, count(*) FROM crowd_queues_event WHERE type = 'ASSIGNMENT_FINISHED' GROUP BY 1"
            " HAVING count(*) > 1"
        )
        self.expect(not doubled, f"ended more than once: {doubled}")

    def _about(self, one: Request) -> int:
        return int(one.path.split("/")[1])

    def _handed(self) -> Iterator[tuple[Request, dict[str, Any]]]:
        for one in self.done:
            answer = one.last["answer"]
            grab = answer if one.what == "grab" else answer.get("next") if one.what == "finalize" else None
            yield from ((one, held) for held in (grab or {}).get("assignments", ()))

    def _leases(self) -> None:
        """A task was never in more hands at one time than it needs."""
        crowded = self.stage.execute(
            """
SELECT a.task_id, a.id, count(*) FROM crowd_assignments_assignment a
JOIN crowd_queues_task t ON t.id = a.task_id
JOIN crowd_assignments_assignment b ON b.task_id = a.task_id
  AND b.created_at <= a.created_at AND coalesce(least(b.ended_at, b.expire_at), b.expire_at) > a.created_at
GROUP BY a.task_id, a.id, t.judgments_required HAVING count(*) > t.judgments_required"""
        )
        self.expect(not crowded, f"in too many hands: {crowded[:5]}")
        ends: dict[int, str] = {}
        for _one, held in self._handed():
            ends[held["id"]] = held["expire_at"]
        for one in self.sent:
            # Extending is left out of it: a lease that was extended ended later than this.
            over = datetime.fromisoformat(ends[self._about(one)]).timestamp() if one.slug == "lease-expired" else 0
            self.expect(not over or one.last["at"] > over - 1, f"told too early that a lease is over: {one.path}")
        hands = defaultdict(set)
        for one, held in self._handed():
            hands[held["id"]].add(one.by)
        shared = {id_: who for id_, who in hands.items() if len(who) > 1}
        self.expect(not shared, f"one assignment in several hands: {shared}")
        for task, held in self._held().items():
            for began, _ended, by in held:
                besides = {who for since, till, who in held if since <= began < till and who != by}
                needed = self.tasks[task]["judgments_required"] if task in self.tasks else 1
                self.expect(len(besides) < needed, f"task {task} was in the hands of {sorted({by, *besides})} at once")

    def _held(self) -> dict[int, list[tuple[float, float, str]]]:
        """Task → from when until when who was sure to have it, by their own journals."""
        ended: dict[int, float] = defaultdict(lambda: math.inf)
        for one in self.sent:
            if one.what in ("finalize", "skip"):
                ended[self._about(one)] = min(ended[self._about(one)], one.tries[0]["began"])
        held: dict[int, dict[int, tuple[float, float, str]]] = defaultdict(dict)
        for one, assignment in self._handed():
            over = datetime.fromisoformat(assignment["expire_at"]).timestamp()
            span = (one.last["at"], min(over, ended[assignment["id"]]), one.by)
            held[assignment["task"]["id"]].setdefault(assignment["id"], span)
        return {task: list(spans.values()) for task, spans in held.items()}

    def _webhooks(self) -> None:
        """What the acknowledgements promise was received, each message under one id with one body."""
        promised = {("TASK_CREATED", id_) for id_ in self.tasks}
        promised |= {("ASSIGNMENT_FINISHED", self._about(one)) for one in self.done if one.what == "finalize"}
        bodies: dict[str, set[str]] = defaultdict(set)
        signer, now = Webhook(self.stage.secret), time.time()
        for line in read(self.stage.received):
            at = int(line["headers"]["webhook-timestamp"])
            # Receivers refuse what is signed five minutes off.
            signed = self.stage.began - 5 <= at <= now + 5
            self.expect(signed, f"signed {at - now:.0f} s from now, in a round of {now - self.stage.began:.0f} s")
            right = signer.sign(line["id"], datetime.fromtimestamp(at, UTC), line["body"])
            self.expect(right in line["headers"]["webhook-signature"].split(), f"wrongly signed: {line['id']}")
            bodies[line["id"]].add(line["body"])
        self.expect(all(len(different) == 1 for different in bodies.values()), "an id has two bodies")
        said = [json.loads(next(iter(body))) for body in bodies.values()]
        heard = {(one["type"], one["data"]["id"]) for one in said}
        missing = sorted(promised - heard)
        self.expect(not missing, f"{len(missing)} of {len(promised)} webhooks did not come: {missing[:5]}")
        self.told["webhooks promised"], self.told["webhooks received"] = len(promised), len(bodies)

    def _deadlocks(self) -> None:
        """PostgreSQL broke none. Its counter is lost when it is killed; its log is not."""
        logged = self.stage.postgresql_log.read_text().count("deadlock detected")
        ((counted,),) = self.stage.execute("SELECT sum(deadlocks)::int FROM pg_stat_database")
        self.told["deadlocks"] = max(logged, counted)
        self.expect(not self.told["deadlocks"], f"{self.told['deadlocks']} deadlocks")


def wait_for_the_rest(stage: Stage) -> int:
    """Wait until all that happened was told; how many deliveries were hurried, whose next try is minutes away."""
    hurried = 0

    def told() -> bool:
        nonlocal hurried
        late = f"{UNDELIVERED} AND next_try_at > now() + interval '20 seconds'"
        ((many,),) = stage.execute(f"SELECT count(*) FROM crowd_queues_delivery WHERE {late}")
        if many:
            stage.execute(f"UPDATE crowd_queues_delivery SET next_try_at = created_at WHERE {late}")
            stage.execute("UPDATE crowd_queues_endpoint SET due_at = created_at, disabled_at = NULL")
            hurried += many
        waiting = f"EXISTS (SELECT FROM crowd_queues_delivery WHERE {UNDELIVERED})"
        return not stage.execute(f"SELECT {waiting} OR EXISTS (SELECT FROM crowd_queues_eventpending)")[0][0]

    until(told, "that all is told", REST)
    return hurried
