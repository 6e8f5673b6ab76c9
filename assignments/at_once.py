"""The claim in one statement, on PostgreSQL: asking for it, and making objects of the rows.

What it leaves undone, claims.py does in the portable way, which also says why nothing is left.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from assignments.asking import Claim
from assignments.models import Assignment, Reviewer
from assignments.statements import claiming, ending
from assignments.statements.claiming import OWN, TASK, Way
from queues import events, statements
from queues.models import Task
from queues.places import HEAD, Rank, Start, places
from queues.rows import read_json, relate, stored
from queues.statements import Statement
from queues.transactions import is_unique_violation

_FLAGS = 9
"""Columns of a row before those of its assignment."""


@dataclass(frozen=True)
class Given:
    """What a reviewer holds after it, oldest first; `new` was handed out just now. `ended`: what of an answered one."""

    held: list[Assignment]
    new: list[Assignment]
    is_paused: bool = False
    ended: tuple[Any, ...] = ()

    @property
    def assignments(self) -> list[Assignment]:
        return self.held + self.new


def grab(claim: Claim) -> Given | None:
    """Fill up what the reviewer holds. None: not done in this way, or not to the end."""
    given = _ask(claiming.grab, claim)
    return given if given is not None and (given.is_paused or _is_full(given, claim)) else None


def assign(claim: Claim, task_id: int) -> Assignment | None:
    """Hand a chosen task out. None: not done in this way."""
    given = _ask(claiming.assign, claim, looks=False, task=task_id)
    return given.new[0] if given is not None and given.new else None


def finalize_and_grab(claim: Claim, assignment: Assignment, data: Any) -> tuple[Assignment | None, Given | None]:
    """Answer, and fill up what the reviewer holds. Each None: not done in this way, or not to the end."""
    if not ending.closes_alone(assignment) or assignment.reviewer.user_id != claim.membership.user_id:
        return None, None
    given = _ask(ending.finalize_and_grab, claim, assignment=assignment.pk, data=json.dumps(data))
    if given is None or given.ended[0] is None:
        return None, None
    ending.note_answer(assignment, data, given.ended)
    return assignment, given if given.is_paused or _is_full(given, claim) else None


def _is_full(given: Given, claim: Claim) -> bool:
    return len(given.held) + len(given.new) >= claim.policy.multitask_index


def _ask(make: Callable[[Way], Statement], claim: Claim, *, looks: bool = True, **more: Any) -> Given | None:
    """None where they may not come in, sweeps are behind, or another request of the same reviewer was faster.

    `looks`: whether it looks for a task, which begins at a place, but with a time that is given.
    """
    if not statements.are_supported():
        return None
    queue, policy, user = claim.queue, claim.policy, claim.membership.user
    way = Way.of(policy, own_too=queue.requester_may_review)
    start = places.start(queue.pk, policy, user.pk) if looks and claim.now is None else None
    swept_to = places.swept_to(queue.pk) if claim.now is None else None
    try:
        rows = make(way).ask(
            queue=queue.pk,
            user=user.pk,
            actor=events.actor_id(user),
            now=claim.now,
            swept_to=swept_to or "-infinity",
            topic=policy.topic,
            most=policy.multitask_index,
            lease=policy.lease,
            lease_until=policy.lease_until,
            **way.place("own", start.own if start else HEAD),
            **way.place("head", start.head if start else HEAD),
            **more,
        )
    except IntegrityError as error:
        if is_unique_violation(error, Assignment):
            return None
        raise
    return _read(rows, claim, way, start, swept_to)


def _read(
    rows: list[tuple[Any, ...]], claim: Claim, way: Way, start: Start | None, swept_to: datetime | None
) -> Given | None:
    is_paused, is_archived, is_behind, reviewer_id, since, now, key, seconds, _is_new = rows[0][:_FLAGS]
    columns = _FLAGS + len(OWN) + len(TASK)
    ended = rows[0][columns:]
    if now is None or reviewer_id is None or is_archived or (is_behind and not ended):
        return Given([], [], ended=ended) if ended else None
    user = claim.membership.user
    reviewer = stored(Reviewer, {"id": reviewer_id, "user_id": user.pk, "created_at": since}, user=user)
    pairs = sorted(((row[_FLAGS - 1], _assignment(row, claim, reviewer)) for row in rows if row[_FLAGS]), key=_by_id)
    held = [assignment for is_new, assignment in pairs if not is_new]
    new = [assignment for is_new, assignment in pairs if is_new]
    if start is not None and not is_paused:
        _remember(claim, way, start, key=key, new=new, seconds=seconds)
        if swept_to is None and not is_behind:
            places.was_swept(claim.queue.pk, now, seconds=seconds)
    return Given(held, new, is_paused=is_paused, ended=ended)


def _by_id(pair: tuple[bool, Assignment]) -> int:
    return pair[1].pk


def _remember(
    claim: Claim, way: Way, start: Start, *, key: list[int | None], new: list[Assignment], seconds: float
) -> None:
    first = None if key[0] is None else way.rank(key)  # type: ignore[arg-type]
    ranks = [_rank(claim, assignment.task) for assignment in new if assignment.task.target_reviewer_id is None]
    places.found(start, claim.membership.user_id, first=first, taken=min(ranks, default=None), seconds=seconds)


def _rank(claim: Claim, task: Task) -> Rank:
    return claim.policy.rank(task.priority, task.pk)


_READ = tuple(field.attname for field in TASK)
_JSON = tuple(field.attname for field in TASK if field.get_internal_type() == "JSONField")
_TASK = dict.fromkeys(field.attname for field in Task._meta.concrete_fields)
_ASSIGNMENT = dict.fromkeys(field.attname for field in Assignment._meta.concrete_fields) | {
    "counted": True,
    "reason": "",
}
"""What is not read of an open task and of a live assignment is so."""


def _assignment(row: tuple[Any, ...], claim: Claim, reviewer: Reviewer) -> Assignment:
    """The assignment of a row, with its task; both have their queue, and whom they are for."""
    queue, user = claim.queue, claim.membership.user
    read = dict(zip(_READ, row[_FLAGS + len(OWN) :], strict=False))
    for name in _JSON:
        read[name] = read_json(read[name])
    task = stored(Task, {**_TASK, **read}, queue=queue)
    if task.target_reviewer_id == user.pk:
        relate(task, target_reviewer=user)
    own = dict(zip(OWN, row[_FLAGS:], strict=False))
    whose = {"queue_id": queue.pk, "reviewer_id": reviewer.pk}
    return stored(Assignment, {**_ASSIGNMENT, **own, **whose}, task=task, queue=queue, reviewer=reviewer)
