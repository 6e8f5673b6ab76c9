"""What must always be true, each rule a query for the rows that break it: no row, no fault.

Every rule is one statement and so sees one moment: they may be asked of a busy system. Apps add theirs in a module
of this name, which `check_invariants` finds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, TextField, Value, Window
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Lag
from django.utils.module_loading import autodiscover_modules

from queues.models import Delivery, Event, EventPending, FeedEntry, FeedMark, GlobalKey, Membership, Task
from queues.states import CLOSED, CLOSING_EVENT, OPEN, TRANSITIONS, UNDELIVERED, EventType, TaskStatus

Rule = Callable[[], QuerySet[Any, Any]]


@dataclass(frozen=True)
class Invariant:
    """A rule by its name; `says` is what is true, `broken` asks for what breaks it."""

    name: str
    says: str
    broken: Rule


registry: dict[str, Invariant] = {}


def invariant(rule: Rule) -> Rule:
    """Register a function as a rule: its name is the rule's, its docstring what is true."""
    registry[rule.__name__] = Invariant(rule.__name__, rule.__doc__ or "", rule)
    return rule


def rules() -> dict[str, Invariant]:
    """The rules of all apps by name."""
    autodiscover_modules("invariants")
    return dict(sorted(registry.items()))


def broken() -> dict[str, list[Any]]:
    """Rule name → the first ten rows that break it, for the rules that are broken."""
    found = {name: list(rule.broken()[:10]) for name, rule in rules().items()}
    return {name: rows for name, rows in found.items() if rows}


TOLD = Coalesce(KT("delta__task_status"), KT("delta__status"))
"""The status of its task that an event names, if any."""

OWN = Coalesce(KT("delta__status"), Value(""), output_field=TextField())
"""The status of its object that an event names, or ""."""

SAYS = {
    EventType.TASK_SCHEDULED: TaskStatus.SCHEDULED,
    EventType.TASK_AVAILABLE: TaskStatus.AVAILABLE,
    **{type_: status for status, type_ in CLOSING_EVENT.items()},
}
"""The status that an event of this type says its object has."""


FIRST = (TaskStatus.SCHEDULED, TaskStatus.AVAILABLE, TaskStatus.FINISHED)
"""The status in which a task may begin."""

NEVER = Value(datetime(1970, 1, 1, tzinfo=UTC))


def purged_until() -> Coalesce:
    """Until when what happened may have been purged."""
    return Coalesce(Subquery(FeedMark.objects.values("purged_until")[:1]), NEVER)


def may_be_forgotten(prefix: str = "") -> Q:
    """That a task closed so long ago that its history may have been purged. `prefix` leads to the task."""
    return Q(**{f"{prefix}status__in": CLOSED, f"{prefix}updated_at__lte": purged_until()})


def saying_something_else(says: Mapping[Any, Any]) -> QuerySet[Any, Any]:
    """Events that do not name the status that their type says."""
    wrong = [Q(type=str(type_)) & ~Q(said=str(status)) for type_, status in says.items()]
    return Event.objects.annotate(said=OWN).filter(reduce(or_, wrong))


@invariant
def history_tells_the_status() -> QuerySet[Any, Any]:
    """The last event of a task that names a status names the one the task has."""
    told = Event.objects.filter(task_id=OuterRef("pk")).annotate(told=TOLD)
    last = told.filter(told__isnull=False).order_by("-id").values("told")[:1]
    return Task.objects.annotate(told=Subquery(last)).filter(
        (Q(told__isnull=True) & ~may_be_forgotten()) | (Q(told__isnull=False) & ~Q(told=F("status")))
    )


@invariant
def every_move_was_allowed() -> QuerySet[Any, Any]:
    """From one event of a task to the next, its status stays or makes a move that there is; it begins somewhere."""
    told = Event.objects.filter(task_id__isnull=False).annotate(told=TOLD).filter(told__isnull=False)
    moves = told.annotate(before=Window(Lag("told"), partition_by=F("task_id"), order_by="id"))
    begun = Q(told__in=FIRST) | Q(created_at__lte=purged_until())
    other = [~Q(before=source) | ~Q(told__in=[source, *targets]) for source, targets in TRANSITIONS.items()]
    return moves.filter((Q(before__isnull=True) & ~begun) | (Q(before__isnull=False) & reduce(and_, other)))


@invariant
def a_type_says_the_status() -> QuerySet[Any, Any]:
    """An event names the status that its type says."""
    return saying_something_else(SAYS)


@invariant
def history_has_no_gap() -> QuerySet[Any, Any]:
    """The events of an object are numbered from 1 without a gap; only the beginning of it may be purged."""
    objects = Event.objects.order_by().values("object_type", "object_id")
    counted = objects.annotate(events=Count("id"), first=Min("sequence"), last=Max("sequence"), since=Min("created_at"))
    return counted.exclude(Q(first=1) | Q(since__lte=purged_until()), events=F("last") - F("first") + 1)


@invariant
def history_is_complete() -> QuerySet[Any, Any]:
    """A task has as many events of its own as its sequence says."""
    own = (
        Event.objects.filter(object_type="task", object_id=OuterRef("pk")).order_by("-sequence").values("sequence")[:1]
    )
    tasks = Task.objects.annotate(told=Coalesce(Subquery(own), 0))
    return tasks.exclude(told=F("sequence")).exclude(may_be_forgotten(), told=0)


@invariant
def a_closed_task_tells_nothing_more() -> QuerySet[Any, Any]:
    """The event that closes a task is its last."""
    closing = (EventType.TASK_FINISHED, EventType.TASK_CANCELED, EventType.TASK_EXPIRED)
    later = Event.objects.filter(object_type="task", object_id=OuterRef("object_id"), sequence__gt=OuterRef("sequence"))
    return Event.objects.filter(Exists(later), object_type="task", type__in=closing)


@invariant
def a_target_may_review() -> QuerySet[Any, Any]:
    """The target of an open task has review access to its queue."""
    access = Membership.objects.reviewers().filter(queue=OuterRef("queue"), user=OuterRef("target_reviewer"))
    return Task.objects.filter(~Exists(access), status__in=OPEN, target_reviewer__isnull=False)


@invariant
def shown_keys_are_the_kept_ones() -> QuerySet[Any, Any]:
    """A task without keys has no key rows, and one with keys has some."""
    rows = Exists(GlobalKey.objects.filter(task=OuterRef("pk")))
    return Task.objects.filter(Q(rows, global_keys=[]) | (~Q(global_keys=[]) & ~Q(rows)))


@invariant
def every_event_is_pending_or_has_its_place() -> QuerySet[Any, Any]:
    """An event is pending, or has its place in the feed, or had it and was purged from there."""
    pending = Exists(EventPending.objects.filter(event=OuterRef("pk")))
    placed = Exists(FeedEntry.objects.filter(event=OuterRef("pk")))
    lost = ~pending & ~placed & Q(created_at__gt=purged_until())
    return Event.objects.filter(Q(pending, placed) | lost)


@invariant
def what_is_pending_happened() -> QuerySet[Any, Any]:
    """A pending row is an event's."""
    return EventPending.objects.filter(~Exists(Event.objects.filter(pk=OuterRef("event_id"))))


@invariant
def the_feed_has_no_gap() -> QuerySet[Any, Any]:
    """Positions rise by one, from the last that was purged."""
    purged_to = Coalesce(Subquery(FeedMark.objects.values("purged_to")[:1]), 0)
    before = Window(Lag("position"), order_by="position")
    return FeedEntry.objects.annotate(before=Coalesce(before, purged_to)).exclude(position=F("before") + 1)


@invariant
def the_feed_keeps_the_order_of_a_task() -> QuerySet[Any, Any]:
    """The events of a task have their places in the order in which they happened."""
    before = Window(Lag("event_id"), partition_by=F("event__task_id"), order_by="position")
    return (
        FeedEntry.objects.filter(event__task_id__isnull=False).annotate(before=before).filter(before__gt=F("event_id"))
    )


@invariant
def no_delivery_is_due_before_its_endpoint() -> QuerySet[Any, Any]:
    """While something waits for an endpoint, that knows when the first of it is due, or an earlier time."""
    unknown = Q(endpoint__due_at__isnull=True) | Q(endpoint__due_at__gt=F("next_try_at"))
    return Delivery.objects.filter(unknown, status__in=UNDELIVERED)
