"""What the calls that people wait for ask before they write: who may review where, and what is whose.

Each is a look (see queues.looks). What is long and only people read (a queue's instructions), and the times of rows,
are left out of it; where they are needed after all they are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assignments.models import Assignment, Reviewer
from queues.looks import Look
from queues.models import Membership, Queue, Task
from queues.rows import Columns, relate, table
from queues.states import Role

UNREAD = ("description", "instructions", "reviewer_frontend_url", "input_schema", "created_at", "updated_at")


@dataclass(frozen=True)
class Held:
    """An assignment of the one who asks, in whatever state, and their review access to its queue while they have it.

    The assignment comes with its task, queue and reviewer, and they with the user.
    """

    assignment: Assignment
    membership: Membership | None


def _membership_columns() -> Sequence[Columns[Any]]:
    return (
        Columns(Membership, "member", without=("created_at",)),
        Columns(Queue, "queue", without=(*UNREAD, "output_schema")),
    )


def _member(user: str = "who.user_id") -> str:
    return f"member.queue_id = queue.id AND member.user_id = {user} AND member.role = '{Role.REVIEWER}'"


def _to_queue() -> str:
    return f"""
LEFT JOIN ({table(Queue)} queue JOIN {table(Membership)} member ON member.queue_id = queue.id)
  ON queue.name = %(queue)s AND queue.archived_at IS NULL AND {_member()}"""


def _to_task() -> str:
    return f"""
LEFT JOIN ({table(Task)} task JOIN {table(Queue)} queue ON queue.id = task.queue_id
    JOIN {table(Membership)} member ON member.queue_id = queue.id)
  ON task.id = %(task)s::bigint AND queue.archived_at IS NULL AND {_member()}"""


def _membership(user: Any, membership: Membership | None, queue: Queue | None) -> Membership | None:
    if membership is not None:
        relate(membership, queue=queue, user=user)
    return membership


def _accesses(user: Any) -> Any:
    rows = Membership.objects.reviewers().filter(user=user.pk, queue__archived_at__isnull=True)
    return rows.select_related("queue", "user")


ACCESS_TO_QUEUE: Look[Membership | None] = Look(
    _membership_columns, _to_queue, _membership, lambda user, queue: _accesses(user).filter(queue__name=queue).first()
)
"""The user's review access to the living queue of the name `queue`, with queue and user."""

ACCESS_TO_TASK: Look[Membership | None] = Look(
    _membership_columns, _to_task, _membership, lambda user, task: _accesses(user).filter(queue__tasks=task).first()
)
"""The same for the queue of `task`, an id."""


def _held_columns() -> Sequence[Columns[Any]]:
    return (
        Columns(Assignment, "own"),
        Columns(Task, "task", without=("output_data", "updated_at", "schedule_to")),
        Columns(Queue, "queue", without=UNREAD),
        Columns(Reviewer, "reviewer", without=("created_at",)),
        Columns(Membership, "member", without=("created_at",)),
    )


def _to_assignment() -> str:
    return f"""
LEFT JOIN ({table(Assignment)} own JOIN {table(Reviewer)} reviewer ON reviewer.id = own.reviewer_id
    JOIN {table(Task)} task ON task.id = own.task_id JOIN {table(Queue)} queue ON queue.id = own.queue_id)
  ON own.id = %(assignment)s::bigint AND reviewer.user_id = who.user_id
LEFT JOIN {table(Membership)} member ON queue.archived_at IS NULL AND {_member("reviewer.user_id")}"""


def _held(
    user: Any,
    own: Assignment | None,
    task: Task | None,
    queue: Queue | None,
    reviewer: Reviewer | None,
    member: Membership | None,
) -> Held | None:
    if own is None or task is None or queue is None or reviewer is None:
        return None
    relate(own, task=task, queue=queue, reviewer=reviewer)
    relate(reviewer, user=user)
    relate(task, queue=queue)
    if task.target_reviewer_id == user.pk:
        relate(task, target_reviewer=user)
    return Held(own, _membership(user, member, queue))


def _held_portably(user: Any, assignment: int) -> Held | None:
    rows = Assignment.objects.select_related("task__target_reviewer", "queue", "reviewer")
    own = rows.filter(pk=assignment, reviewer__user=user.pk).first()
    if own is None:
        return None
    member = _accesses(user).filter(queue=own.queue_id).first()
    return _held(user, own, own.task, own.queue, own.reviewer, member)


HELD: Look[Held | None] = Look(_held_columns, _to_assignment, _held, _held_portably)
"""The assignment of this id, where it was handed to the user."""
