"""What a reviewer did: their ended assignments, newest first, page by page, filtered.

A page costs the same wherever it is: it begins at an id, and what a filter passes over is bounded by LOOKED_THROUGH.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from assignments.models import Assignment, Exclusion, Reviewer, ReviewerHour
from assignments.querysets import AssignmentQuerySet
from assignments.states import AssignmentStatus
from queues.models import Membership, Queue

PAGE = 25
LOOKED_THROUGH = 10_000
ENDS = [status for status in AssignmentStatus if status != AssignmentStatus.CREATED]


@dataclass(frozen=True)
class Filter:
    """What to show: one queue, one end, and the days (inclusive, in the present time zone) on which it ended."""

    queue: Queue | None = None
    status: AssignmentStatus | None = None
    first: date | None = None
    last: date | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in (self.queue, self.status, self.first, self.last))


@dataclass(frozen=True)
class Page:
    """Assignments with their queues. `older`: the id below which the next page begins, None on the last one.

    `back_to`: when a filter's page ends because so much was looked through, when the oldest of that was handed out.
    """

    rows: list[Assignment]
    older: int | None = None
    back_to: datetime | None = None


def queues(user: Any) -> QuerySet[Queue]:
    """The queues, deleted ones too, in which this user may work or, as far as it is rolled up, has worked."""
    members = Membership.objects.reviewers().filter(user=user)
    worked = ReviewerHour.objects.filter(reviewer__user=user).order_by()
    return Queue.objects.filter(Q(pk__in=members.values("queue")) | Q(pk__in=worked.values("queue")))


def page(user: Any, *, wanted: Filter, before: int | None = None) -> Page:
    """One page of what this user did, of assignments with ids below `before`."""
    # By the id itself, not through a join: so the index (reviewer, id) gives the order too.
    reviewer = Reviewer.objects.filter(user=user).first()
    if reviewer is None:
        return Page([])
    mine = Assignment.objects.filter(reviewer=reviewer).order_by("-id")
    if before is not None:
        mine = mine.filter(pk__lt=before)
    edge = _edge(mine) if wanted else None
    looked = mine if edge is None else mine.filter(pk__gte=edge.pk)
    found = list(_matching(looked, wanted).select_related("queue")[: PAGE + 1])
    if len(found) > PAGE:
        return Page(found[:PAGE], older=found[PAGE - 1].pk)
    if edge is not None:
        return Page(found, older=edge.pk, back_to=edge.created_at)
    return Page(found)


def _edge(mine: AssignmentQuerySet) -> Assignment | None:
    """The last that a filter may look at; None where it may look at all there are."""
    return mine.only("pk", "created_at")[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()


def _matching(mine: AssignmentQuerySet, wanted: Filter) -> AssignmentQuerySet:
    mine = mine.filter(status__in=ENDS if wanted.status is None else [wanted.status])
    if wanted.queue is not None:
        mine = mine.filter(queue=wanted.queue)
    if wanted.first is not None:
        mine = mine.filter(ended_at__gte=_midnight(wanted.first))
    if wanted.last is not None:
        mine = mine.filter(ended_at__lt=_midnight(wanted.last + timedelta(days=1)))
    return mine


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@dataclass(frozen=True)
class Detail:
    """One ended assignment with its task and queue; for a skipped one, until when its task stays away.

    `stays_away` without `away_until`: for ever.
    """

    assignment: Assignment
    stays_away: bool = False
    away_until: datetime | None = None


def detail(user: Any, pk: int) -> Detail:
    """One of this user's assignments. Raises Assignment.DoesNotExist for anybody else's, and for a live one."""
    ended = Assignment.objects.filter(reviewer__user=user, status__in=ENDS)
    assignment = ended.select_related("task", "queue").get(pk=pk)
    if assignment.status != AssignmentStatus.SKIPPED:
        return Detail(assignment)
    exclusion = Exclusion.objects.filter(task=assignment.task_id, reviewer=assignment.reviewer_id).first()
    return Detail(assignment, exclusion is not None, exclusion.until if exclusion else None)
