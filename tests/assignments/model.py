"""The loop written down a second time, from the rules alone: plain data, one queue, sorted lists, no database.

Tasks and assignments are numbered from 1 in the order in which they were made, people are names, and times are whole
seconds. A refusal is `Refused` with the slug of the problem.
"""

import json
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

OPEN = ("SCHEDULED", "AVAILABLE", "ASSIGNED")
SHORTEST_LEASE = 10

PRIORITY_CHANGES = {
    "5": lambda n: 5,
    "700": lambda n: 700,
    "+10": lambda n: n + 10,
    "-10": lambda n: n - 10,
    "(N*2)+12": lambda n: n * 2 + 12,
    "N//3-N": lambda n: n // 3 - n,
    "N//(N-500)": lambda n: n // (n - 500),
}
"""What may be asked of a priority, each with what it means before the result is brought within 5 … 995."""


class Refused(Exception):
    """What was asked is not done. The text is the problem's slug."""


def form(value: Any) -> str:
    """Two answers are the same JSON exactly when this text is the same: 1 is 1.0, the order of keys says nothing."""

    def whole(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: whole(item) for key, item in part.items()}
        if isinstance(part, list):
            return [whole(item) for item in part]
        return int(part) if isinstance(part, float) and part.is_integer() else part

    return json.dumps(whole(value), sort_keys=True)


@dataclass(frozen=True)
class Wish:
    """An assignment strategy; None: not said. `lease` counts from now, `until` is a time."""

    order: str | None = None
    priority_order: str | None = None
    topic: str | None = None
    multitask: int | None = None
    lease: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class Member:
    """Somebody who may review, with what a manager set for them."""

    wish: Wish = Wish()
    max_live: int = 10


@dataclass
class Task:
    id: int
    requester: str
    required: int
    slots: int
    status: str
    priority: int = 500
    topic: str = ""
    target: str | None = None
    schedule_to: int | None = None
    expire_at: int | None = None
    seconds_to_expire: int | None = None
    output: Any = None
    reviewer: str | None = None
    excluded: dict[str, int | None] = field(default_factory=dict)

    def overdue(self, now: int) -> bool:
        return self.expire_at is not None and self.expire_at <= now


@dataclass
class Assignment:
    id: int
    task: Task
    reviewer: str
    created_at: int
    expire_at: int | None
    status: str = "CREATED"
    ended_at: int | None = None
    data: Any = None

    def lapsed(self, now: int) -> bool:
        return self.status == "CREATED" and self.expire_at is not None and self.expire_at <= now

    def live(self, now: int) -> bool:
        return self.status == "CREATED" and not self.lapsed(now)


@dataclass
class Grabbed:
    """What somebody holds after a grab, or why it is nothing."""

    held: list[Assignment]
    reason: str | None = None


@dataclass
class Queue:
    """One queue with its members, tasks and assignments, at the time `now`."""

    now: int = 0
    judgments: int = 1
    longest_lease: int | None = 3600
    most_at_once: int = 10
    requester_may_review: bool = True
    paused: bool = False
    archived: bool = False
    wish: Wish = Wish()
    members: dict[str, Member] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)

    # Looking.

    def under(self, task: Task) -> list[Assignment]:
        """What nobody has ended yet under a task, in time or not."""
        return [a for a in self.assignments if a.task is task and a.status == "CREATED"]

    def held(self, name: str) -> list[Assignment]:
        return [a for a in self.assignments if a.reviewer == name and a.live(self.now)]

    def counts(self, task: Task, name: str) -> bool:
        """Whether this person holds or judged this task."""
        return any(
            a.task is task and a.reviewer == name and a.status in ("CREATED", "FINISHED") for a in self.assignments
        )

    def suits(self, task: Task, name: str) -> bool:
        """Whether this person may judge this task, whoever has it now."""
        until = task.excluded.get(name, 0)
        return (
            not task.overdue(self.now)
            and not self.counts(task, name)
            and until is not None
            and until <= self.now
            and task.target in (None, name)
            and (self.requester_may_review or task.requester != name)
        )

    def policy(self, name: str, call: Wish) -> Wish:
        """The strategy that holds: the member's beats the call's, that the queue's, that the site's."""
        member = self.members.get(name, Member())
        site = Wish(order="fifo", priority_order="important_first", multitask=1)
        sources = (member.wish, call, self.wish, site)

        def first(key: str) -> Any:
            return next((v for s in sources if (v := getattr(s, key)) is not None), None)

        lease = next((s for s in sources if s.lease is not None or s.until is not None), Wish())
        seconds = min((s for s in (lease.lease, self.longest_lease) if s is not None), default=None)
        return Wish(
            order=first("order"),
            priority_order=first("priority_order"),
            topic=first("topic"),
            multitask=min(first("multitask"), self.most_at_once, member.max_live),
            lease=None if lease.until is not None else seconds,
            until=lease.until,
        )

    def line(self, name: str, wish: Wish) -> list[Task]:
        """The tasks this person can be handed, the next one first."""
        up = 1 if wish.order == "fifo" else -1
        sign = {"important_first": 1, "important_last": -1, "no": 0}[str(wish.priority_order)]
        return sorted(
            (
                t
                for t in self.tasks
                if t.status == "AVAILABLE" and wish.topic in (None, t.topic) and self.suits(t, name)
            ),
            key=lambda t: (t.target != name, sign * t.priority, up * t.id),
        )

    def next_chance(self, name: str, call: Wish) -> int | None:
        """The first time from now on at which the same grab brings something though nobody does anything."""
        times = {a.expire_at for a in self.assignments if a.live(self.now)}
        times |= {t.schedule_to for t in self.tasks if t.status == "SCHEDULED"}
        times |= {t.excluded.get(name) for t in self.tasks}
        for time in sorted(at for at in times if at is not None and at > self.now):
            then = deepcopy(self)
            then.now = time
            if then.grab(name, replace(call, until=None)).held:
                return time
        return None

    # Tasks.

    def post(
        self,
        requester: str,
        *,
        required: int | None = None,
        topic: str = "",
        priority: int = 500,
        target: str | None = None,
        excluded: Iterable[str] = (),
        schedule_to: int | None = None,
        expire_at: int | None = None,
        seconds_to_expire: int | None = None,
        output: Any = None,
    ) -> Task:
        if (target and (required not in (None, 1) or target in excluded)) or None not in (expire_at, seconds_to_expire):
            raise Refused("invalid-input")
        if self.archived:
            raise Refused("queue-archived")
        if (target and (target not in self.members or self._is_own(target, requester))) or (
            expire_at is not None and (expire_at <= self.now or expire_at <= (schedule_to or 0))
        ):
            raise Refused("invalid-input")
        required = required or (1 if target else self.judgments)
        task = Task(
            id=len(self.tasks) + 1,
            requester=requester,
            required=required,
            slots=required,
            status="AVAILABLE",
            priority=priority,
            topic=topic,
            target=target,
            schedule_to=schedule_to,
            expire_at=expire_at,
            seconds_to_expire=seconds_to_expire,
            output=output,
            excluded=dict.fromkeys(excluded),
        )
        if output is not None:
            task.status, task.slots = "FINISHED", 0
        elif schedule_to is not None and schedule_to > self.now:
            task.status = "SCHEDULED"
        if task.status != "SCHEDULED":
            self._start(task)
        self.tasks.append(task)
        return task

    def _is_own(self, name: str, requester: str) -> bool:
        return name == requester and not self.requester_may_review

    def cancel(self, task: Task) -> None:
        self._require_open(task)
        self._close(task, "CANCELED")

    def update(self, task: Task, **changes: Any) -> None:
        """`priority` is a key of PRIORITY_CHANGES; the others are values."""
        target = changes.get("target")
        if target is not None and target not in self.members:
            raise Refused("invalid-input")
        self._require_open(task)
        if task.overdue(self.now):
            raise Refused("task-closed")
        if target is not None and (task.required != 1 or self._is_own(target, task.requester)):
            raise Refused("invalid-input")
        expire_at = changes.get("expire_at", task.expire_at)
        schedule_to = changes.get("schedule_to", task.schedule_to)
        if changes.get("expire_at") is not None and changes["expire_at"] <= self.now:
            raise Refused("invalid-input")
        if changes.keys() & {"expire_at", "schedule_to"} and expire_at and schedule_to and expire_at <= schedule_to:
            raise Refused("invalid-input")
        if "schedule_to" in changes and task.slots != task.required:
            raise Refused("task-in-hands")
        if "priority" in changes:
            try:
                computed = PRIORITY_CHANGES[changes["priority"]](task.priority)
            except ZeroDivisionError:
                raise Refused("invalid-input") from None
            task.priority = min(995, max(5, computed))
        moved = schedule_to != task.schedule_to
        for name in changes.keys() & {"topic", "target", "schedule_to", "expire_at"}:
            setattr(task, name, changes[name])
        if "expire_at" in changes:
            task.seconds_to_expire = None
        if moved:
            if task.schedule_to is not None and task.schedule_to > self.now:
                task.status = "SCHEDULED"
            elif task.status == "SCHEDULED":
                self._open(task)
        if target is not None:
            for assignment in self.under(task):
                if assignment.reviewer != target:
                    self._take_back(assignment)
        if expire_at is not None:
            for assignment in self.under(task):
                assignment.expire_at = min(assignment.expire_at or expire_at, expire_at)

    def _require_open(self, task: Task) -> None:
        if task.status not in OPEN:
            raise Refused("task-closed")

    def _start(self, task: Task) -> None:
        if task.seconds_to_expire is not None:
            task.expire_at, task.seconds_to_expire = self.now + task.seconds_to_expire, None

    def _open(self, task: Task) -> None:
        task.status = "AVAILABLE"
        self._start(task)

    def _close(self, task: Task, status: str) -> None:
        for assignment in self.under(task):
            self._end(assignment, "EXPIRED" if assignment.lapsed(self.now) else "CANCELED")
        task.status, task.slots = status, 0

    # Assignments.

    def grab(self, name: str, call: Wish) -> Grabbed:
        if self.archived:
            raise Refused("queue-archived")
        self._require_lease(call)
        if self.paused:
            held = self.held(name)
            return Grabbed(held, None if held else "paused")
        self.expire_assignments()
        self.release_scheduled()
        if name not in self.members:
            raise Refused("review-access-lost")
        wish = self.policy(name, call)
        held = self.held(name)
        free = max(0, (wish.multitask or 1) - len(held))
        got = held + [self._hand(task, name, wish) for task in self.line(name, wish)[:free]]
        return Grabbed(got, None if got else self._reason(name, wish))

    def _reason(self, name: str, wish: Wish) -> str:
        tasks = [
            t
            for t in self.tasks
            if t.status in ("AVAILABLE", "ASSIGNED") and not t.overdue(self.now) and wish.topic in (None, t.topic)
        ]
        if any(self.suits(t, name) for t in tasks):
            return "leased"
        return "excluded" if tasks else "empty"

    def assign(self, name: str, task: Task, call: Wish) -> Assignment:
        if self.archived:
            raise Refused("queue-archived")
        self._require_lease(call)
        self.expire_assignments()
        self.release_scheduled()
        if name not in self.members:
            raise Refused("review-access-lost")
        if self.paused:
            raise Refused("queue-paused")
        wish, held = self.policy(name, call), self.held(name)
        for assignment in held:
            if assignment.task is task:
                return assignment
        if len(held) >= (wish.multitask or 1):
            raise Refused("capacity-reached")
        if task.status != "AVAILABLE" or not self.suits(task, name):
            raise Refused("task-not-available")
        return self._hand(task, name, wish)

    def finalize(self, assignment: Assignment, data: Any) -> bool:
        """Whether it was a repetition, of which nothing came."""
        if assignment.status == "FINISHED" and form(assignment.data) == form(data):
            return True
        self._require_live(assignment)
        self._end(assignment, "FINISHED")
        assignment.data = data
        task = assignment.task
        judged = sorted(
            (a for a in self.assignments if a.task is task and a.status == "FINISHED"),
            key=lambda a: a.ended_at or 0,
        )
        if len(judged) == task.required:
            task.status, task.slots = "FINISHED", 0
            task.reviewer = judged[0].reviewer if task.required == 1 else None
            task.output = judged[0].data if task.required == 1 else self._plurality([a.data for a in judged])
        return False

    @staticmethod
    def _plurality(answers: list[Any]) -> Any:
        forms = [form(answer) for answer in answers]
        best = max(forms, key=lambda one: (forms.count(one), -forms.index(one)))
        return {**answers[forms.index(best)], "agreement": round(forms.count(best) / len(forms), 4)}

    def skip(self, assignment: Assignment, seconds: int | None) -> None:
        self._require_live(assignment)
        self._end(assignment, "SKIPPED")
        assignment.task.excluded[assignment.reviewer] = None if seconds is None else self.now + seconds
        self._give_back(assignment.task)

    def extend(self, assignment: Assignment, *, seconds: int | None = None, until: int | None = None) -> None:
        self._require_lease(Wish(lease=seconds, until=until))
        self._require_live(assignment)
        end = until if until is not None else self.now + (seconds or 0)
        if assignment.task.expire_at is not None:
            end = min(end, assignment.task.expire_at)
        if assignment.expire_at is not None:
            assignment.expire_at = max(assignment.expire_at, end)

    def release(self, assignment: Assignment) -> None:
        self._require_live(assignment)
        self._take_back(assignment)

    def _require_lease(self, wish: Wish) -> None:
        if wish.lease is not None and wish.until is not None:
            raise Refused("invalid-input")
        seconds = wish.lease if wish.until is None else wish.until - self.now
        if seconds is not None and not SHORTEST_LEASE <= seconds <= (self.longest_lease or seconds):
            raise Refused("invalid-input")

    def _require_live(self, assignment: Assignment) -> None:
        if assignment.status == "EXPIRED" or assignment.lapsed(self.now):
            raise Refused("lease-expired")
        if assignment.status != "CREATED":
            raise Refused("assignment-closed")

    def _hand(self, task: Task, name: str, wish: Wish) -> Assignment:
        task.slots -= 1
        task.status = "AVAILABLE" if task.slots else "ASSIGNED"
        end = wish.until if wish.lease is None else self.now + wish.lease
        ends = [at for at in (end, task.expire_at) if at is not None]
        assignment = Assignment(
            id=len(self.assignments) + 1,
            task=task,
            reviewer=name,
            created_at=self.now,
            expire_at=min(ends, default=None),
        )
        self.assignments.append(assignment)
        return assignment

    def _end(self, assignment: Assignment, status: str) -> None:
        assignment.status, assignment.ended_at = status, self.now

    def _give_back(self, task: Task) -> None:
        task.slots += 1
        task.status = "AVAILABLE"

    def _take_back(self, assignment: Assignment) -> None:
        """End it, and open its task again; a task that is past its time ends with it."""
        if assignment.task.overdue(self.now):
            self._close(assignment.task, "EXPIRED")
            return
        self._end(assignment, "EXPIRED" if assignment.lapsed(self.now) else "CANCELED")
        self._give_back(assignment.task)

    # The queue and its members.

    def grant(self, name: str, member: Member) -> None:
        if self.archived:
            raise Refused("queue-archived")
        if name in self.members:
            raise Refused("membership-exists")
        self.members[name] = member

    def revoke(self, name: str) -> None:
        del self.members[name]
        for assignment in self.assignments:
            if assignment.reviewer == name and assignment.status == "CREATED":
                self._take_back(assignment)
        for task in self.tasks:
            if task.target == name and task.status in OPEN:
                task.target = None

    def archive(self) -> None:
        if self.archived:
            raise Refused("queue-archived")
        self.archived = True
        self.cancel_archived()

    # Sweeps: how many rows each changed.

    def release_scheduled(self) -> int:
        scheduled = [t for t in self.tasks if t.status == "SCHEDULED" and not t.overdue(self.now)]
        due = [t for t in scheduled if (t.schedule_to or 0) <= self.now]
        for task in due:
            self._open(task)
        return len(due)

    def expire_tasks(self) -> int:
        due = [t for t in self.tasks if t.status in OPEN and t.overdue(self.now)]
        for task in due:
            self._close(task, "EXPIRED")
        return len(due)

    def expire_assignments(self) -> int:
        due = [a for a in self.assignments if a.lapsed(self.now)]
        for assignment in due:
            if assignment.status == "CREATED":
                self._take_back(assignment)
        return len(due)

    def cancel_archived(self) -> int:
        due = [t for t in self.tasks if t.status in OPEN] if self.archived else []
        for task in due:
            self._close(task, "CANCELED")
        return len(due)
