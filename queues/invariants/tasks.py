"""What must always be true of queues and tasks."""

from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import (
    Count,
    Exists,
    F,
    IntegerField,
    JSONField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    Window,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Lag

from queues.invariants.registry import invariant
from queues.invariants.telling import TOLD, AsTime, as_id, may_be_forgotten, purged_until, saying_something_else
from queues.models import Event, GlobalKey, Membership, Queue, Task
from queues.states import CLOSING_EVENT, OPEN, TRANSITIONS, EventType, TaskStatus

SAYS = {
    EventType.TASK_SCHEDULED: TaskStatus.SCHEDULED,
    EventType.TASK_AVAILABLE: TaskStatus.AVAILABLE,
    **{type_: status for status, type_ in CLOSING_EVENT.items()},
}
"""The status that an event of this type says its object has."""


FIRST = (TaskStatus.SCHEDULED, TaskStatus.AVAILABLE, TaskStatus.FINISHED)
"""The status in which a task may begin."""

CLOSING = [str(type_) for type_ in CLOSING_EVENT.values()]


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
    """The event that closes a task is the last of its own and of its assignments'."""
    later = Event.objects.filter(task_id=OuterRef("task_id"), pk__gt=OuterRef("pk"))
    return Event.objects.filter(Exists(later), object_type="task", type__in=CLOSING)


@invariant
def a_closed_task_has_not_changed() -> QuerySet[Any, Any]:
    """A closed task was last changed when its closing event says."""
    told = Task.objects.filter(pk=OuterRef("object_id"), updated_at=OuterRef("created_at"))
    return Event.objects.filter(~Exists(told), object_type="task", type__in=CLOSING)


@invariant
def finished_has_an_output() -> QuerySet[Any, Any]:
    """A task has an output exactly when it is finished."""
    # The JSON text `null`: None alone means it too, but Django warns of that from 6.1 on.
    nothing = Q(output_data__isnull=True) | Q(output_data=Value(None, JSONField()))
    return Task.objects.filter((Q(status=TaskStatus.FINISHED) & nothing) | (~Q(status=TaskStatus.FINISHED) & ~nothing))


def _last(key: str) -> Q:
    """That a change of a task names this field, and is the last that does."""
    naming = {"type": str(EventType.TASK_UPDATED), "delta__has_key": key}
    later = Event.objects.filter(task_id=OuterRef("task_id"), pk__gt=OuterRef("pk"), **naming)
    return Q(~Exists(later), **naming)


@invariant
def changes_tell_the_fields() -> QuerySet[Any, Any]:
    """The last change of a task's priority, target, topic or times names the value that the task has."""
    told: dict[str, tuple[Any, Any]] = {
        "priority": (Cast(KT("delta__priority"), IntegerField()), F("priority")),
        "target_reviewer_id": (as_id(KT("delta__target_reviewer_id")), as_id(Cast("target_reviewer", TextField()))),
        "topic": (KT("delta__topic"), F("topic")),
        "schedule_to": (AsTime(KT("delta__schedule_to")), AsTime("schedule_to")),
        "expire_at": (AsTime(KT("delta__expire_at")), AsTime("expire_at")),
    }
    wrong = []
    for key, (_said, has) in told.items():
        tasks = Task.objects.filter(pk=OuterRef("object_id")).annotate(has=has)
        same = Exists(tasks.filter(has=OuterRef(f"said_{key}")))
        none = Q(**{f"said_{key}__isnull": True}) & Exists(tasks.filter(has__isnull=True))
        wrong.append(_last(key) & ~same & ~none)
    updates = Event.objects.filter(type=str(EventType.TASK_UPDATED))
    return updates.alias(**{f"said_{key}": said for key, (said, _has) in told.items()}).filter(reduce(or_, wrong))


@invariant
def events_name_the_topic() -> QuerySet[Any, Any]:
    """Every event that names a task's topic names the one it has, or it was changed later."""
    other = Task.objects.filter(pk=OuterRef("task_id")).exclude(topic=OuterRef("said"))
    naming = {"type": str(EventType.TASK_UPDATED), "delta__has_key": "topic"}
    later = Event.objects.filter(task_id=OuterRef("task_id"), pk__gte=OuterRef("pk"), **naming)
    named = Event.objects.filter(task_id__isnull=False).annotate(said=KT("delta__topic"))
    return named.filter(Exists(other), ~Exists(later), said__isnull=False)


@invariant
def events_are_of_their_tasks_queue() -> QuerySet[Any, Any]:
    """The queue that an event of a task names is the task's."""
    task = Task.objects.filter(pk=OuterRef("task_id"), queue=OuterRef("queue_id"))
    return Event.objects.filter(~Exists(task), task_id__isnull=False)


@invariant
def a_queues_history_is_complete() -> QuerySet[Any, Any]:
    """A queue has as many events as its sequence says, and one of its deletion exactly where it was deleted."""
    own = Event.objects.filter(object_type="queue", object_id=OuterRef("pk"))
    last = Subquery(own.order_by("-sequence").values("sequence")[:1])
    deleted = Exists(own.filter(type=str(EventType.QUEUE_DELETED)))
    queues = Queue.objects.annotate(told=Coalesce(last, 0))
    return queues.filter(
        ~Q(told=F("sequence")) | (Q(archived_at__isnull=False) & ~deleted) | Q(deleted, archived_at__isnull=True)
    )


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
