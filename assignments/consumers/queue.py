"""`ws/queues/{name}/`: what a member of a queue hears while they work in it, or wait for work."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assignments import pushes, standing
from assignments.standing import Member, Standing
from queues import moments
from queues.consumers.base import Socket
from queues.consumers.endings import Closed, Code
from queues.models import Queue

WARNING_SECONDS, WARNING_SHARE = 30.0, 0.2
"""A lease is about to lapse so long before its end, or in so much of it, whichever is less."""

AVAILABLE, CHANGED = '{"type":"available"}', '{"type":"queue.changed"}'
"""Frames that many sockets send at once."""

ENDED_KEPT = 20

NEEDED = ("name", "is_paused", "requester_may_review", "default_assignment_strategy")
"""Of a queue; its instructions and schemas are long."""


@dataclass(frozen=True)
class Held:
    """An assignment whose lease has an end, and the timers that tell of it."""

    until: datetime
    timers: tuple[asyncio.TimerHandle, ...]

    def stop(self) -> None:
        for timer in self.timers:
            timer.cancel()


class QueueSocket(Socket):
    """Reviewers of the queue hear of work that they could be handed and of their own leases; its managers, and
    operators, of any work.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._name: str = self.scope["url_route"]["kwargs"]["name"]
        self._queue_id: int | None = None
        self._member: Member | None = None
        self._held: dict[int, Held] = {}
        self._ended: dict[int, None] = {}
        self._skew = 0.0

    def admit(self, user: Any) -> Member:
        """The user as a member of the queue. What they never saw is missing; what was taken from them is forbidden."""
        known = {"name": self._name} if self._queue_id is None else {"pk": self._queue_id}
        queue = Queue.objects.alive().only(*NEEDED).filter(**known).first()
        if queue is None:
            raise Closed(Code.MISSING, "There is no such queue, or none that you may see.")
        member = standing.member(user, queue)
        if member is None:
            if self._queue_id is None and not Queue.objects.visible_to(user).filter(pk=queue.pk).exists():
                raise Closed(Code.MISSING, "There is no such queue, or none that you may see.")
            raise Closed(Code.NOT_ALLOWED, "You may not review or manage in this queue.")
        self._queue_id = queue.pk
        return member

    def groups(self, admission: Member) -> Collection[str]:
        queue_id = admission.queue.pk
        return {pushes.of_queue(queue_id), pushes.of_member(queue_id, admission.user.pk)}

    def snapshot(self, admission: Member) -> Standing:
        return standing.of(admission)

    def show(self, type_: str, snapshot: Standing) -> None:
        self._member = snapshot.member
        self._skew = snapshot.as_of.timestamp() - time.time()
        if type_:
            self.say(
                type_,
                key="state",
                available=snapshot.available,
                paused=snapshot.member.queue.is_paused,
                assignments=[
                    {"id": lease.assignment, "task": lease.task, "expires_at": moments.show(lease.expire_at)}
                    for lease in snapshot.held
                ],
            )
        for gone in self._held.keys() - {lease.assignment for lease in snapshot.held}:
            self._forget(gone)
        for lease in snapshot.held:
            self._hold(lease.assignment, lease.task, lease.created_at, lease.expire_at)

    def heard(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "available":
                if self._is_for_me(message):
                    self.say_text(AVAILABLE, key="available")
            case "queue.changed":
                self.say_text(CHANGED, key="changed")
            case "lease":
                since, until = datetime.fromisoformat(message["from"]), message["until"]
                end = None if until is None else datetime.fromisoformat(until)
                self._hold(message["assignment"], message["task"], since, end)
            case "ended":
                self._end(message)

    def ended(self) -> None:
        for held in self._held.values():
            held.stop()
        self._held.clear()

    def _is_for_me(self, message: dict[str, Any]) -> bool:
        member = self._member
        if member is None or (member.membership is not None and str(member.user.pk) in message["but"]):
            return False
        return member.topic is None or message["topics"] is None or member.topic in message["topics"]

    def _end(self, message: dict[str, Any]) -> None:
        assignment, until = message["assignment"], message["until"]
        end = None if until is None else datetime.fromisoformat(until)
        self._forget(assignment)
        if message["how"] == "canceled":
            self._tell("canceled", assignment, message["task"], end)
        elif message["how"] == "lapsed":
            self._lapsed(assignment, message["task"], end)
        else:
            self._note_ended(assignment)

    def _hold(self, assignment: int, task: int, since: datetime, until: datetime | None) -> None:
        """Set the timers of a lease, unless they are set. One that ended stays so, whatever comes late."""
        known = self._held.get(assignment)
        if assignment in self._ended or (known is not None and known.until == until):
            return
        self._forget(assignment)
        if until is None:
            return
        left = until.timestamp() - (time.time() + self._skew)
        warning = min(WARNING_SECONDS, WARNING_SHARE * (until - since).total_seconds())
        told = (assignment, task, until)
        self._held[assignment] = Held(
            until,
            (
                self._loop.call_later(max(0.0, left - warning), self._tell, "lapsing", *told),
                self._loop.call_later(max(0.0, left), self._lapsed, *told),
            ),
        )

    def _forget(self, assignment: int) -> None:
        if held := self._held.pop(assignment, None):
            held.stop()

    def _lapsed(self, assignment: int, task: int, until: datetime | None) -> None:
        self._forget(assignment)
        if assignment not in self._ended:
            self._tell("lapsed", assignment, task, until)
            self._note_ended(assignment)

    def _note_ended(self, assignment: int) -> None:
        self._ended[assignment] = None
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    def _tell(self, what: str, assignment: int, task: int, until: datetime | None) -> None:
        key = (what, assignment)
        self.say(f"assignment.{what}", key, assignment=assignment, task=task, expires_at=moments.show(until))
