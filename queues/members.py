"""Who belongs to a queue: granting, changing and revoking a role."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from queues import events, lifecycle, signals, strategy
from queues.exceptions import InvalidInput, MembershipExists, QueueArchived
from queues.models import Membership, Queue
from queues.states import LIVE_MAX, EventType, Role
from queues.transactions import database_now, is_unique_violation, writer


def _check(*, role: str, chosen: Any, max_live: int | None, queue: Queue) -> None:
    if role not in Role.values:
        raise InvalidInput.at("/role", f"Must be one of {', '.join(Role.values)}.")
    if role != Role.REVIEWER and (chosen is not None or max_live is not None):
        pointer = "/max_live" if chosen is None else "/strategy"
        raise InvalidInput.at(pointer, "Only reviewers have a strategy and a limit.")
    if chosen is not None:
        strategy.check(chosen, pointer="/strategy", stored=True, max_lease=queue.max_lease_seconds)
    if max_live is not None and not 1 <= max_live <= LIVE_MAX:
        raise InvalidInput.at("/max_live", f"Must be from 1 to {LIVE_MAX}.")


def _tell(queue_id: int, change: str, membership: Membership, *, actor: Any, now: datetime) -> None:
    """A queue's members are part of it: their changes are events of the queue."""
    queue = Queue.objects.select_for_update(no_key=True).get(pk=queue_id)
    event = events.of_queue(
        EventType.QUEUE_UPDATED,
        queue,
        now=now,
        actor=actor,
        user=str(membership.user_id),
        **{change: membership.role},
    )
    queue.save(update_fields=["sequence"])
    events.record([event])


@writer
def grant(
    *,
    queue: Queue,
    user: Any,
    role: str,
    strategy: dict[str, Any] | None = None,
    max_live: int | None = None,
    actor: Any = None,
    now: datetime | None = None,
) -> Membership:
    """Give `user` a role in `queue`. Raises InvalidInput, MembershipExists, QueueArchived."""
    _check(role=role, chosen=strategy, max_live=max_live, queue=queue)
    now = database_now(now)
    if not Queue.objects.alive().filter(pk=queue.pk).exists():
        raise QueueArchived(f"The queue {queue.name} was deleted.")
    try:
        with transaction.atomic():
            membership = Membership.objects.create(
                queue=queue, user=user, role=role, strategy=strategy, max_live=max_live, created_at=now
            )
    except IntegrityError as error:
        if not is_unique_violation(error, Membership):
            raise
        raise MembershipExists(f"{user} is a {role} of {queue.name} already.") from None
    _tell(queue.pk, "granted", membership, actor=actor, now=now)
    return membership


@writer
def change(
    *, membership: Membership, changes: dict[str, Any], actor: Any = None, now: datetime | None = None
) -> Membership:
    """Set `strategy` or `max_live` of a reviewer. Raises InvalidInput, Membership.DoesNotExist."""
    membership = (
        Membership.objects.select_for_update(no_key=True, of=("self",)).select_related("queue").get(pk=membership.pk)
    )
    for field in changes.keys() & {"strategy", "max_live"}:
        setattr(membership, field, changes[field])
    _check(role=membership.role, chosen=membership.strategy, max_live=membership.max_live, queue=membership.queue)
    membership.save(update_fields=["strategy", "max_live"])
    _tell(membership.queue_id, "changed", membership, actor=actor, now=database_now(now))
    return membership


@writer
def revoke(*, membership: Membership, actor: Any = None, now: datetime | None = None) -> None:
    """Take a role away. A reviewer's leases in the queue are released and their targeted tasks opened to anyone.

    A claim that is under way holds the membership (see `access.hold_review_access`), so it ends before or fails after.
    Raises Membership.DoesNotExist when it was revoked already.
    """
    membership = (
        Membership.objects.select_for_update(of=("self",)).select_related("queue", "user").get(pk=membership.pk)
    )
    now = database_now(now)
    pk = membership.pk
    membership.delete()
    membership.pk = pk
    if membership.role == Role.REVIEWER:
        # Tasks first: what hears that a lease was taken back may lock rows of upper floors.
        lifecycle.clear_targets(queue=membership.queue, user=membership.user, actor=actor, now=now)
        signals.review_revoked.send(Membership, queue=membership.queue, user=membership.user, actor=actor, now=now)
    _tell(membership.queue_id, "revoked", membership, actor=actor, now=now)
