"""What can be asked of projects, pools, sessions, hires, workers, seats and payments."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from pavilion.states import OFFERED, SeatStatus, SessionStatus
from queues.models import Membership
from queues.querysets import is_operator

if TYPE_CHECKING:
    from pavilion.models import Hire, Payment, Pool, Project, Seat, Session, Worker  # noqa: F401


def _model(name: str) -> Any:
    """A model of this app: models stand on this module, so the name is looked up when it is asked for."""
    return apps.get_model("crowd_pavilion", name)


def _managed(user: Any, queue: str) -> Exists:
    """Whether the user manages the queue at this path."""
    return Exists(Membership.objects.managers().filter(user=user, queue=OuterRef(queue)))


def _number(rows: Any) -> Coalesce:
    """How many rows there are, as a subquery."""
    counted = rows.order_by().values("session").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=models.IntegerField()), 0)


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: Any) -> "ProjectQuerySet":
        """One's own, and those with a pool for a queue that one manages; operators see all."""
        if is_operator(user):
            return self
        pools = _model("Pool").objects.filter(project=OuterRef("pk")).visible_to(user)
        return self.filter(Q(owner=user) | Exists(pools))


class PoolQuerySet(models.QuerySet["Pool"]):
    def visible_to(self, user: Any) -> "PoolQuerySet":
        """Those for queues that one manages; operators see all."""
        return self if is_operator(user) else self.filter(_managed(user, "queue"))


class SessionQuerySet(models.QuerySet["Session"]):
    def visible_to(self, user: Any) -> "SessionQuerySet":
        """Those of pools that one sees."""
        return self if is_operator(user) else self.filter(_managed(user, "pool__queue"))

    def with_counts(self) -> "SessionQuerySet":
        """Each with how many are `waiting`, `active` and `offered` now."""
        live = _model("Seat").objects.filter(session=OuterRef("pk")).live()
        offers = _model("Hire").objects.filter(session=OuterRef("pk")).offered()
        return self.annotate(
            waiting=_number(live.filter(status=SeatStatus.WAITING)),
            active=_number(live.filter(status=SeatStatus.ACTIVE)),
            offered=_number(offers),
        )

    def open(self) -> "SessionQuerySet":
        """Those that have not ended."""
        return self.exclude(status=SessionStatus.EXPIRED)


class HireQuerySet(models.QuerySet["Hire"]):
    def offered(self) -> "HireQuerySet":
        """Those that somebody may take."""
        return self.filter(status__in=OFFERED)

    def due(self, now: datetime) -> "HireQuerySet":
        """Those that are to be posted or withdrawn now, and that nobody sees to."""
        free = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
        return self.filter(free, due_at__lte=now).order_by("due_at", "id")


class WorkerQuerySet(models.QuerySet["Worker"]):
    def visible_to(self, user: Any) -> "WorkerQuerySet":
        """Those who have had a seat in a session that one sees."""
        if is_operator(user):
            return self
        seats = _model("Seat").objects.filter(_managed(user, "session__pool__queue"), worker=OuterRef("pk"))
        return self.filter(Exists(seats))


class SeatQuerySet(models.QuerySet["Seat"]):
    def live(self) -> "SeatQuerySet":
        return self.filter(live=True)

    def waiting(self) -> "SeatQuerySet":
        """Those who wait, the longest first."""
        return self.filter(live=True, status=SeatStatus.WAITING).order_by("joined_at", "id")

    def active(self) -> "SeatQuerySet":
        return self.filter(live=True, status=SeatStatus.ACTIVE)

    def visible_to(self, user: Any) -> "SeatQuerySet":
        return self if is_operator(user) else self.filter(_managed(user, "session__pool__queue"))

    def counts(self) -> tuple[int, int]:
        """How many wait and how many are active, among these."""
        waiting = Count("pk", filter=Q(status=SeatStatus.WAITING))
        found = self.live().order_by().aggregate(waiting=waiting, active=Count("pk") - waiting)
        return found["waiting"], found["active"]


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, user: Any) -> "PaymentQuerySet":
        return self if is_operator(user) else self.filter(_managed(user, "session__pool__queue"))

    def due(self, now: datetime) -> "PaymentQuerySet":
        """Those that are to be sent now, and that nobody is sending."""
        free = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
        return self.filter(free, due_at__lte=now).order_by("due_at", "id")

    def totals(self) -> dict[str, Decimal]:
        """Status → the sum of these payments in it, for those statuses that there are."""
        rows = self.order_by().values_list("status").annotate(Sum("amount"))
        return {status: Decimal(str(amount)).quantize(Decimal("0.01")) for status, amount in rows}
