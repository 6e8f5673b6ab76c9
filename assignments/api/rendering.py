"""The answers that people wait for, as plain JSON values: what the serializers of this app make of them, but sooner."""

from typing import Any

from assignments.claims import Grab
from assignments.models import Assignment
from queues.moments import show
from queues.people import ANYONE, email_of


def grab(found: Grab) -> dict[str, Any]:
    """As GrabSerializer shows it."""
    return {
        "assignments": [_grabbed(assignment) for assignment in found.assignments],
        "reason": found.reason,
        "retry_at": show(found.retry_at),
    }


def one(assignment: Assignment) -> dict[str, Any]:
    """As OneAssignmentSerializer shows it."""
    return {
        "assignment": {
            **_grabbed(assignment),
            "queue": assignment.queue.name,
            "reviewer": email_of(assignment.reviewer.user),
            "ended_at": show(assignment.ended_at),
            "data": assignment.data,
            "reason": assignment.reason,
        }
    }


def finalized(assignment: Assignment, next_: Grab | None) -> dict[str, Any]:
    """As FinalizedSerializer shows it."""
    return {**one(assignment), "next": None if next_ is None else grab(next_)}


def _grabbed(assignment: Assignment) -> dict[str, Any]:
    task = assignment.task
    return {
        "id": assignment.pk,
        "status": assignment.status,
        "created_at": show(assignment.created_at),
        "expire_at": show(assignment.expire_at),
        "task": {
            "id": task.pk,
            "queue": task.queue.name,
            "input_data": task.input_data,
            "topic": task.topic,
            "priority": task.priority,
            "target_reviewer": ANYONE if task.target_reviewer_id is None else email_of(task.target_reviewer),
            "global_keys": task.global_keys,
            "created_at": show(task.created_at),
            "expire_at": show(task.expire_at),
        },
    }
