"""A reviewer's wish for work, and the policy that holds for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from assignments.models import Assignment, Reviewer
from assignments.querysets import claimable
from assignments.states import AssignmentStatus
from queues import strategy
from queues.exceptions import QueueArchived
from queues.models import Membership, Queue, Task
from queues.querysets import TaskQuerySet
from queues.states import LIVE_MAX
from queues.transactions import database_now


@dataclass
class Claim:
    """One reviewer's wish, and the policy that holds for it. `now` is None but in tests."""

    membership: Membership
    policy: strategy.Policy
    now: datetime | None

    @property
    def queue(self) -> Queue:
        return self.membership.queue

    @cached_property
    def reviewer(self) -> Reviewer:
        """The reviewer, made where missing."""
        user = self.membership.user
        reviewer = Reviewer.objects.of_users([user], now=database_now(self.now))[user.pk]
        reviewer.user = user
        return reviewer

    def live(self) -> list[Assignment]:
        """What the reviewer holds of the queue, by id; leases that are over but not swept included."""
        rows = Assignment.objects.filter(queue=self.queue, reviewer=self.reviewer, status=AssignmentStatus.CREATED)
        held = list(rows.select_related("task__target_reviewer").order_by("id"))
        for assignment in held:
            assignment.queue = assignment.task.queue = self.queue
        return held

    def candidates(self, moment: datetime) -> TaskQuerySet:
        """The tasks that may be handed out, in any order."""
        tasks = claimable(Task.objects.all(), queue=self.queue, reviewer=self.reviewer, now=moment)
        return tasks if self.policy.topic is None else tasks.filter(topic=self.policy.topic)


def prepare(
    *, membership: Membership, call: Mapping[str, Any] | None, now: datetime | None, pointer: str = ""
) -> Claim:
    """Raises QueueArchived, InvalidInput (below `pointer`) unless this queue can be asked in this way."""
    queue = membership.queue
    if queue.archived_at is not None:
        raise QueueArchived(f"The queue {queue.name} was deleted.")
    if call:
        longest, until = queue.max_lease_seconds, call.get("expire_at")
        strategy.check(call, pointer=pointer, max_lease=longest)
        if until is not None:
            strategy.check_lease_end(until, now=database_now(now), max_lease=longest, pointer=pointer)
    policy = strategy.resolve(
        member=membership.strategy,
        call=call,
        queue=queue.default_assignment_strategy,
        max_lease=queue.max_lease_seconds,
        cap=min(queue.max_multitask, membership.max_live or LIVE_MAX),
    )
    return Claim(membership=membership, policy=policy, now=now)
