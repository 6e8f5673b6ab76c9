"""Making a queue of the demo, with its members."""

from collections.abc import Iterable
from typing import Any

from queues import administration, members
from queues.models import Queue
from queues.states import Role


def make_queue(name: str, fields: dict[str, Any], *, owner: Any, reviewers: Iterable[Any]) -> Queue:
    """A queue that its owner manages and posts to."""
    queue = administration.create_queue(name=name, actor=owner, fields=fields)
    members.grant(queue=queue, user=owner, role=Role.REQUESTER, actor=owner)
    for reviewer in reviewers:
        members.grant(queue=queue, user=reviewer, role=Role.REVIEWER, actor=owner)
    return queue
