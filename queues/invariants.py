"""What must always be true, each rule a query for the rows that break it: no row, no fault.

Every rule is one statement and so sees one moment: they may be asked of a busy system. Apps add theirs in a module
of this name, which `check_invariants` finds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.utils.module_loading import autodiscover_modules

from queues.models import Event, GlobalKey, Membership, Task
from queues.states import OPEN, EventType

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


def broken() -> dict[str, list[Any]]:
    """Rule name → the first ten rows that break it, for the rules of all apps that are broken."""
    autodiscover_modules("invariants")
    found = {name: list(rule.broken()[:10]) for name, rule in sorted(registry.items())}
    return {name: rows for name, rows in found.items() if rows}


@invariant
def history_tells_the_status() -> QuerySet[Any, Any]:
    """The last event of a task that names a status names the one the task has."""
    told = Event.objects.filter(task_id=OuterRef("pk")).annotate(
        told=Coalesce(KT("delta__task_status"), KT("delta__status"))
    )
    last = told.filter(told__isnull=False).order_by("-id").values("told")[:1]
    return Task.objects.annotate(told=Subquery(last)).filter(Q(told__isnull=True) | ~Q(told=F("status")))


@invariant
def history_has_no_gap() -> QuerySet[Any, Any]:
    """The events of an object are numbered from 1 without a gap."""
    objects = Event.objects.order_by().values("object_type", "object_id")
    return objects.annotate(events=Count("id"), last=Max("sequence")).exclude(events=F("last"))


@invariant
def history_is_complete() -> QuerySet[Any, Any]:
    """A task has as many events of its own as its sequence says."""
    own = (
        Event.objects.filter(object_type="task", object_id=OuterRef("pk")).order_by("-sequence").values("sequence")[:1]
    )
    return Task.objects.annotate(told=Coalesce(Subquery(own), 0)).exclude(told=F("sequence"))


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
