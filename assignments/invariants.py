"""What must always be true of assignments (see queues.invariants)."""

from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Window,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Greatest, Least

from assignments import census
from assignments.models import Assignment, Exclusion
from assignments.plurality import plurality
from assignments.states import ENDING_EVENT, AssignmentStatus, EventType
from queues import strictjson
from queues.invariants import OWN, AsTime, as_id, invariant, may_be_forgotten, purged_until, saying_something_else
from queues.models import Event, Membership, Task
from queues.states import CLOSED, LIVE_MAX, OPEN, TaskStatus
from queues.states import EventType as QueueEvent

LIVE, FINISHED = AssignmentStatus.CREATED, AssignmentStatus.FINISHED

A_MINUTE = timedelta(minutes=1)


def _with_counts() -> QuerySet[Any, Any]:
    """Tasks with the number of their `live` and `judged` assignments."""
    return Task.objects.annotate(
        live=Count("assignments", filter=Q(assignments__status=LIVE)),
        judged=Count("assignments", filter=Q(assignments__status=FINISHED)),
    )


@invariant
def slots_add_up() -> QuerySet[Any, Any]:
    """While a task is open, its open slots, live assignments and judgments make up the judgments required."""
    sum_ = F("open_slots") + F("live") + F("judged")
    return _with_counts().filter(status__in=OPEN).exclude(judgments_required=sum_)


@invariant
def a_status_says_whether_a_slot_is_open() -> QuerySet[Any, Any]:
    """A task has an open slot while it is available, all of them while it is scheduled, and otherwise none."""
    some = Q(status=TaskStatus.AVAILABLE, open_slots__gte=1, open_slots__lte=F("judgments_required"))
    all_ = Q(status=TaskStatus.SCHEDULED, open_slots=F("judgments_required"))
    return Task.objects.exclude(some | all_ | Q(status__in=[TaskStatus.ASSIGNED, *CLOSED], open_slots=0))


@invariant
def finished_means_judged() -> QuerySet[Any, Any]:
    """A task is finished exactly when it has its judgments, but for those created with their answer (no judgment)."""
    enough = Q(judged=F("judgments_required"))
    # What is created with its answer tells two things and never anything more; what is judged tells three at least.
    with_answer = Q(judged=0, sequence=2)
    finished = Q(status=TaskStatus.FINISHED)
    return _with_counts().filter((finished & ~enough & ~with_answer) | (~finished & enough))


@invariant
def the_output_is_the_answer() -> QuerySet[Any, Any]:
    """The output of a task that was judged once is the answer that was given."""
    alone = Assignment.objects.filter(status=FINISHED, task__judgments_required=1, task__status=TaskStatus.FINISHED)
    return alone.exclude(task__output_data=F("data"))


@invariant
def nothing_is_live_under_a_closed_task() -> QuerySet[Any, Any]:
    """A closed task has no live assignment."""
    return Assignment.objects.filter(status=LIVE, task__status__in=CLOSED)


@invariant
def the_output_is_what_most_said() -> list[Task]:
    """The output of a task that several judged is the answer that most of them gave, with its share."""
    given = Assignment.objects.filter(status=FINISHED, task__status=TaskStatus.FINISHED, task__judgments_required__gt=1)
    rows = given.order_by("task", "ended_at", "id").values_list("task", "task__output_data", "data")
    wrong = []
    for (task, output), judged in groupby(rows.iterator(), key=itemgetter(0, 1)):
        if not strictjson.same(output, plurality([answer for *_task, answer in judged])):
            wrong.append(Task(pk=task))
    return wrong


@invariant
def one_live_assignment_a_slot() -> QuerySet[Any, Any]:
    """A reviewer's live slot in a queue holds one assignment."""
    slots = Assignment.objects.filter(status=LIVE).order_by().values("queue", "reviewer", "live_slot")
    return slots.annotate(n=Count("id")).filter(n__gt=1)


@invariant
def what_is_live_has_a_slot() -> QuerySet[Any, Any]:
    """A live assignment has one of its reviewer's slots and has not ended; any other has none, and has."""
    live = Q(status=LIVE, live_slot__range=(1, LIVE_MAX), ended_at__isnull=True)
    return Assignment.objects.exclude(live | (~Q(status=LIVE) & Q(live_slot__isnull=True, ended_at__isnull=False)))


@invariant
def nobody_is_over_capacity() -> QuerySet[Any, Any]:
    """Nobody holds more of a queue's tasks than they might when they got the last of them."""
    member = Membership.objects.reviewers().filter(queue=OuterRef("queue"), user=OuterRef("reviewer__user"))
    held = Assignment.objects.filter(status=LIVE).annotate(
        number=Window(Count("id"), partition_by=[F("queue"), F("reviewer")], order_by="id"),
        may=Least(F("queue__max_multitask"), Coalesce(Subquery(member.values("max_live")[:1]), LIVE_MAX)),
        user=as_id(Cast("reviewer__user", TextField())),
    )
    # Who reads a limit just before it is changed may still go by it a moment later.
    since = {
        "object_type": "queue",
        "object_id": OuterRef("queue"),
        "created_at__gte": OuterRef("created_at") - A_MINUTE,
    }
    changes = Event.objects.filter(**since).annotate(user=as_id(KT("delta__user")))
    changed = Exists(changes.filter(Q(delta__has_key="max_multitask") | Q(user=OuterRef("user"))))
    return held.annotate(changed=changed).filter(Q(number__gt=LIVE_MAX) | Q(number__gt=F("may"), changed=False))


@invariant
def nobody_is_twice_on_a_task() -> QuerySet[Any, Any]:
    """A person counts once for a task, live and finished together."""
    counted = Assignment.objects.filter(status__in=[LIVE, FINISHED]).order_by().values("task", "reviewer")
    return counted.annotate(n=Count("id")).filter(n__gt=1)


@invariant
def exclusions_are_honoured() -> QuerySet[Any, Any]:
    """Nobody was handed a task from which they were excluded."""
    whose = {"task": OuterRef("task"), "reviewer": OuterRef("reviewer")}
    excluded = Exclusion.objects.filter(Q(until__isnull=True) | Q(until__gt=OuterRef("created_at")), **whose)
    # The exclusion is that of their last skip, and says nothing of what they were handed before.
    skipped = Assignment.objects.filter(status=AssignmentStatus.SKIPPED, pk__gte=OuterRef("pk"), **whose)
    return Assignment.objects.filter(Exists(excluded), ~Exists(skipped))


@invariant
def a_skip_keeps_the_task_away() -> QuerySet[Any, Any]:
    """Nobody was handed a task again before the end of the time for which they had skipped it."""
    again = Assignment.objects.filter(
        task=OuterRef("task_id"), pk__gt=OuterRef("object_id"), reviewer=OuterRef("by")
    ).alias(handed=AsTime("created_at"))
    skips = Event.objects.filter(type=str(EventType.ASSIGNMENT_SKIPPED), delta__has_key="until").alias(
        by=Subquery(Assignment.objects.filter(pk=OuterRef("object_id")).values("reviewer")[:1]),
        until=AsTime(KT("delta__until")),
    )
    return skips.filter((Q(until__isnull=True) & Exists(again)) | Exists(again.filter(handed__lt=OuterRef("until"))))


@invariant
def a_lease_ends_with_its_task() -> QuerySet[Any, Any]:
    """No live lease outlives its task."""
    return Assignment.objects.filter(
        Q(expire_at__isnull=True) | Q(expire_at__gt=F("task__expire_at")),
        status=LIVE,
        task__expire_at__isnull=False,
    )


@invariant
def holders_may_review() -> QuerySet[Any, Any]:
    """Whoever holds a task has review access to its queue."""
    access = Membership.objects.reviewers().filter(queue=OuterRef("queue"), user=OuterRef("reviewer__user"))
    return Assignment.objects.filter(~Exists(access), status=LIVE)


@invariant
def a_targeted_task_is_in_the_targets_hands() -> QuerySet[Any, Any]:
    """A task with a target is held by nobody else."""
    held = Assignment.objects.filter(status=LIVE, task__target_reviewer__isnull=False)
    return held.exclude(reviewer__user=F("task__target_reviewer"))


@invariant
def nobody_judges_their_own() -> QuerySet[Any, Any]:
    """Where a queue forbids it, nobody holds a task that they posted themselves, nor got or judged one since then."""
    said = Event.objects.filter(type=str(QueueEvent.QUEUE_UPDATED), queue_id=OuterRef("queue"))
    forbidden = said.filter(delta__requester_may_review=False).order_by("-id").values("created_at")[:1]
    own = Assignment.objects.filter(reviewer__user=F("task__requester"), queue__requester_may_review=False)
    # What was purged or never said has been so for long.
    since = own.annotate(since=Greatest(Coalesce(Subquery(forbidden), F("queue__created_at")), purged_until()))
    return since.filter(
        Q(status=LIVE) | Q(created_at__gt=F("since")) | Q(status=FINISHED, ended_at__gt=F("since")),
    )


@invariant
def an_assignment_is_of_its_tasks_queue() -> QuerySet[Any, Any]:
    """The queue written on an assignment is its task's."""
    return Assignment.objects.exclude(queue=F("task__queue"))


@invariant
def the_judge_is_named() -> QuerySet[Any, Any]:
    """A task judged by one person names them; judged by several or by none, nobody."""
    one = Assignment.objects.filter(task=OuterRef("pk"), status=FINISHED, reviewer__user=OuterRef("reviewer"))
    judged = _with_counts().filter(status=TaskStatus.FINISHED)
    return judged.filter(
        (Q(judged=1, judgments_required=1) & (Q(reviewer__isnull=True) | ~Exists(one)))
        | (~Q(judged=1) & Q(reviewer__isnull=False))
    )


SAYS = {
    EventType.ASSIGNMENT_CREATED: LIVE,
    EventType.ASSIGNMENT_EXTENDED: LIVE,
    **{type_: status for status, type_ in ENDING_EVENT.items()},
}
"""The status that an event of this type says its assignment has."""


def _with_last_event(value: Any) -> QuerySet[Any, Any]:
    """Assignments with a value of their last event, `told`."""
    own = Event.objects.filter(object_type="assignment", object_id=OuterRef("pk")).annotate(value=value)
    return Assignment.objects.annotate(told=Subquery(own.order_by("-sequence").values("value")[:1]))


@invariant
def history_tells_the_assignments_status() -> QuerySet[Any, Any]:
    """The last event of an assignment names the status that it has."""
    assignments = _with_last_event(OWN)
    return assignments.filter(
        (Q(told__isnull=True) & ~may_be_forgotten("task__")) | (Q(told__isnull=False) & ~Q(told=F("status")))
    )


@invariant
def an_assignments_history_is_complete() -> QuerySet[Any, Any]:
    """An assignment has as many events as its sequence says."""
    assignments = _with_last_event(F("sequence")).annotate(events=Coalesce("told", 0))
    return assignments.exclude(events=F("sequence")).exclude(may_be_forgotten("task__"), events=0)


@invariant
def an_ended_assignment_tells_nothing_more() -> QuerySet[Any, Any]:
    """An assignment tells first that it was handed out, and last how it ended, when it did."""
    own = {"object_type": "assignment", "object_id": OuterRef("object_id")}
    later = Exists(Event.objects.filter(sequence__gt=OuterRef("sequence"), **own))
    row = Exists(Assignment.objects.filter(pk=OuterRef("object_id"), ended_at=OuterRef("created_at")))
    created = Q(type=str(EventType.ASSIGNMENT_CREATED))
    ends = Q(type__in=[str(type_) for type_ in ENDING_EVENT.values()])
    first = (created & ~Q(sequence=1)) | (~created & Q(sequence=1))
    return Event.objects.filter(first | (ends & later) | (ends & ~row), object_type="assignment")


@invariant
def events_tell_the_lease() -> QuerySet[Any, Any]:
    """Who has an assignment, and until when, is what the last event that names it says."""
    types = [str(EventType.ASSIGNMENT_CREATED), str(EventType.ASSIGNMENT_EXTENDED)]
    later = Event.objects.filter(
        object_type="assignment", object_id=OuterRef("object_id"), sequence__gt=OuterRef("sequence"), type__in=types
    )
    told = Event.objects.alias(
        whose=Cast(KT("delta__reviewer"), BigIntegerField()), until=AsTime(KT("delta__expire_at"))
    )
    row = Assignment.objects.filter(pk=OuterRef("object_id"), reviewer=OuterRef("whose"))
    same = row.alias(ends=AsTime("expire_at")).filter(ends=OuterRef("until"))
    endless = Q(until__isnull=True) & Exists(row.filter(expire_at__isnull=True))
    return told.filter(~Exists(same) & ~endless, ~Exists(later), object_type="assignment", type__in=types)


@invariant
def a_type_says_the_assignments_status() -> QuerySet[Any, Any]:
    """An event names the status that its type says."""
    return saying_something_else(SAYS)


@invariant
def events_count_the_open_slots() -> QuerySet[Any, Any]:
    """While a task is open, each handing out took one of its slots, and each end but an answer gave one back."""
    back = [EventType.ASSIGNMENT_EXPIRED, EventType.ASSIGNMENT_SKIPPED, EventType.ASSIGNMENT_CANCELED]
    taken = Count("id", filter=Q(type=str(EventType.ASSIGNMENT_CREATED)))
    given_back = Count("id", filter=Q(type__in=[str(type_) for type_ in back]))
    counted = Event.objects.filter(task_id=OuterRef("pk")).order_by().values("task_id").annotate(n=taken - given_back)
    tasks = Task.objects.filter(status__in=OPEN).annotate(
        taken=Coalesce(Subquery(counted.values("n"), output_field=IntegerField()), 0)
    )
    return tasks.exclude(open_slots=F("judgments_required") - F("taken"))


@invariant
def the_census_is_right() -> Any:
    """What was counted, with what events say since, is what all rows say."""
    return census.differing()
