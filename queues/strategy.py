"""What a reviewer is handed: parsing, checking and merging assignment strategies.

A strategy is an object with any of: `seconds_to_expire` or `expire_at` (the lease), `order` (fifo | lifo by id),
`priority_order` (important_first | important_last | no), `topic` (null: any), `multitask_index` (hold up to 1–10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.db.models.expressions import OrderBy

from queues.exceptions import InvalidInput
from queues.querysets import NewestFirst
from queues.states import LEASE_MIN_SECONDS, LIVE_MAX, SECONDS_MAX

ORDERS = ("fifo", "lifo")
PRIORITY_ORDERS = ("important_first", "important_last", "no")
SITE = {"order": "fifo", "priority_order": "important_first", "topic": None, "multitask_index": 1}
KEYS = ("seconds_to_expire", "expire_at", "order", "priority_order", "topic", "multitask_index")


@dataclass(frozen=True)
class Policy:
    """The strategy that holds for a claim. `lease`: seconds (None: no end); `lease_until`, where given, beats it."""

    lease: int | None
    lease_until: datetime | None
    order: str
    priority_order: str
    topic: str | None
    multitask_index: int

    def lease_end(self, *, now: datetime, task_expire_at: datetime | None) -> datetime | None:
        """When a lease given now ends: never after the task itself."""
        ends = [task_expire_at] if task_expire_at else []
        if self.lease_until is not None:
            ends.append(self.lease_until)
        elif self.lease is not None:
            ends.append(now + timedelta(seconds=self.lease))
        return min(ends, default=None)

    def ordering(self) -> tuple[OrderBy, ...]:
        """What to order tasks by. Each is an index, or an index backward: see queues.models.task."""
        if self.priority_order == "no":
            return (OrderBy(F("id"), descending=self.order == "lifo"),)
        is_backward = self.priority_order == "important_last"
        by_id = F("id") if (self.order == "fifo") != is_backward else NewestFirst()
        return OrderBy(F("priority"), descending=is_backward), OrderBy(by_id, descending=is_backward)

    def rank(self, priority: int, task_id: int) -> tuple[int, int]:
        """Where a task stands in this order: the lower rank comes first."""
        by_priority = {"important_first": priority, "important_last": -priority, "no": 0}[self.priority_order]
        return by_priority, task_id if self.order == "fifo" else -task_id


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _faults(strategy: Mapping[str, Any], *, stored: bool) -> list[tuple[str, str]]:
    faults = [(key, "There is no such strategy field.") for key in strategy if key not in KEYS]
    seconds, until = strategy.get("seconds_to_expire"), strategy.get("expire_at")
    if seconds is not None and not (_is_int(seconds) and LEASE_MIN_SECONDS <= seconds <= SECONDS_MAX):
        faults.append(("seconds_to_expire", f"Must be a whole number of seconds, at least {LEASE_MIN_SECONDS}."))
    if stored and "expire_at" in strategy:
        faults.append(("expire_at", "A stored strategy cannot name a moment; use seconds_to_expire."))
    elif until is not None and (not isinstance(until, datetime) or until.tzinfo is None):
        faults.append(("expire_at", "Must be a time with an offset."))
    elif seconds is not None and until is not None:
        faults.append(("expire_at", "Give seconds_to_expire or expire_at, not both."))
    if "order" in strategy and strategy["order"] not in ORDERS:
        faults.append(("order", f"Must be one of {', '.join(ORDERS)}."))
    if "priority_order" in strategy and strategy["priority_order"] not in PRIORITY_ORDERS:
        faults.append(("priority_order", f"Must be one of {', '.join(PRIORITY_ORDERS)}."))
    topic = strategy.get("topic")
    if topic is not None and not (isinstance(topic, str) and len(topic) <= 100):
        faults.append(("topic", "Must be text of at most 100 characters, or null for any."))
    index = strategy.get("multitask_index", 1)
    if not (_is_int(index) and 1 <= index <= LIVE_MAX):
        faults.append(("multitask_index", f"Must be a whole number from 1 to {LIVE_MAX}."))
    return faults


def check(strategy: Any, *, pointer: str = "", stored: bool = False, max_lease: int | None = None) -> None:
    """Raise InvalidInput, with pointers below `pointer`, unless `strategy` is one.

    `stored`: of a queue or a member rather than of a call. `max_lease`: the queue's longest lease, in seconds.
    """
    if not isinstance(strategy, Mapping):
        raise InvalidInput.at(pointer, "A strategy is an object.")
    faults = _faults(strategy, stored=stored)
    seconds = strategy.get("seconds_to_expire")
    if not faults and max_lease is not None and seconds is not None and seconds > max_lease:
        faults.append(("seconds_to_expire", f"This queue's longest lease is {max_lease} seconds."))
    if faults:
        raise InvalidInput([{"pointer": f"{pointer}/{key}", "detail": detail} for key, detail in faults])


def check_lease_end(until: datetime | None, *, now: datetime, max_lease: int | None, pointer: str = "") -> None:
    """Raise InvalidInput, below `pointer`, unless a lease may end then: ten seconds away or more, at most the queue's
    longest lease.
    """
    if until is None:
        return
    if until < now + timedelta(seconds=LEASE_MIN_SECONDS):
        raise InvalidInput.at(f"{pointer}/expire_at", f"Must be at least {LEASE_MIN_SECONDS} seconds from now.")
    if max_lease is not None and until > now + timedelta(seconds=max_lease):
        raise InvalidInput.at(f"{pointer}/expire_at", f"This queue's longest lease is {max_lease} seconds.")


def _names_a_lease(source: Mapping[str, Any]) -> bool:
    return source.get("seconds_to_expire") is not None or source.get("expire_at") is not None


def resolve(
    *,
    member: Mapping[str, Any] | None,
    call: Mapping[str, Any] | None,
    queue: Mapping[str, Any] | None,
    max_lease: int | None,
    cap: int,
) -> Policy:
    """Merge the sources, strongest first: the member's, the call's, the queue's, the site's; all were checked before.

    The lease is one field of two spellings: the strongest source that names either decides. A stored lease longer than
    `max_lease` (set later) is cut to it, and without any the lease is `max_lease` itself. `cap` bounds multitask_index.
    """
    merged = {**SITE, **(queue or {}), **(call or {}), **(member or {})}
    lease = next((source for source in (member, call, queue) if source and _names_a_lease(source)), {})
    seconds = lease.get("seconds_to_expire")
    if seconds is None or (max_lease is not None and seconds > max_lease):
        seconds = max_lease
    return Policy(
        lease=seconds,
        lease_until=lease.get("expire_at"),
        order=merged["order"],
        priority_order=merged["priority_order"],
        topic=merged["topic"] or None,
        multitask_index=min(merged["multitask_index"], cap),
    )
