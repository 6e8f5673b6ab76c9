"""What must always be true of what is owed and paid."""

from decimal import Decimal
from typing import Any

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    Window,
)
from django.db.models.functions import Abs, Coalesce, Lead, Least, Round

from assignments.models import Assignment
from assignments.states import AssignmentStatus
from pavilion import conf
from pavilion.models import Hire, Payment, Seat, Session, Worker
from pavilion.models.pool import money
from pavilion.pay import ONLY_WHERE_THE_MARKETPLACE_CAN, WITH_BASE
from pavilion.states import PaymentKind, SeatStatus
from queues.invariants import invariant

HALF_A_CENT = Decimal("0.0051")
"""What rounding to cents may take away or add; a little more, for SQLite reckons in floats."""


def _sum(rows: Any, field: str, *, of: str = "session") -> Coalesce:
    """The sum of a field over the rows of the session at hand, as a subquery."""
    own = rows.filter(**{of: OuterRef("pk")}).order_by().values(of).annotate(sum=Sum(field)).values("sum")
    return Coalesce(Subquery(own, output_field=money("")), Value(Decimal(0), output_field=money("")))


def _cents(amount: Any) -> Round:
    """An amount that can be compared: SQLite adds amounts as floats."""
    return Round(amount, 2)


class _Seconds(Func):
    """The whole seconds between two times."""

    arity = 2
    output_field = BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "floor(extract(epoch FROM (%(expressions)s)))"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" - ", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="(django_timestamp_diff(%(expressions)s) / 1000000)", **context
        )


@invariant
def owed_is_what_the_ledger_says() -> QuerySet[Any, Any]:
    """What a session owes is the sum of its payments."""
    return Session.objects.annotate(sum=_cents(_sum(Payment.objects, "amount"))).exclude(sum=_cents(F("owed")))


@invariant
def committed_is_owed_and_kept() -> QuerySet[Any, Any]:
    """What is committed is what is owed, and what is kept for live seats and open offers."""
    seated, offered = _sum(Seat.objects.live(), "reserved"), _sum(Hire.objects.offered(), "reserved")
    sessions = Session.objects.annotate(sum=_cents(F("owed") + seated + offered))
    return sessions.exclude(sum=_cents(F("committed")))


@invariant
def only_who_has_left_is_paid() -> QuerySet[Any, Any]:
    """A payment is of a seat that has ended, in the session that the seat was in."""
    return Payment.objects.filter(Q(seat__live=True) | ~Q(session=F("seat__session")))


@invariant
def the_base_reward_is_for_who_submits() -> QuerySet[Any, Any]:
    """Whoever submitted, or was there when the session stopped, is owed the base reward; nobody else is."""
    base = Payment.objects.filter(seat=OuterRef("pk"), kind=PaymentKind.BASE)
    right = Exists(base.filter(amount=OuterRef("session__base_reward")))
    entitled = Q(left__in=WITH_BASE, session__base_reward__gt=0)
    return Seat.objects.filter((entitled & ~right) | (~entitled & Exists(base)))


@invariant
def answers_are_paid_by_the_piece() -> QuerySet[Any, Any]:
    """Whoever answered and has left is owed the reward for each answer, but those whom the marketplace cannot pay."""
    owed = Payment.objects.filter(seat=OuterRef("pk"), kind=PaymentKind.ANSWERS)
    sum_ = _cents(OuterRef("answers") * OuterRef("session__answer_reward"))
    right = Exists(owed.alias(cents=_cents(F("amount"))).filter(cents=sum_))
    entitled = Q(live__isnull=True, answers__gt=0, session__answer_reward__gt=0)
    by_themselves = Q(status__in=[SeatStatus.RETURNED, SeatStatus.ABANDONED])
    return Seat.objects.filter(
        (entitled & ~by_themselves & ~right) | (entitled & Exists(owed) & ~right) | (~entitled & Exists(owed))
    )


@invariant
def no_answer_is_paid_that_was_not_given() -> QuerySet[Any, Any]:
    """The answers of a seat are at most those that its worker gave to the pool's queue since being promoted."""
    given = Assignment.objects.filter(
        reviewer=OuterRef("worker__reviewer"),
        queue=OuterRef("session__pool__queue"),
        status=AssignmentStatus.FINISHED,
        ended_at__gte=OuterRef("active_at"),
    )
    counted = given.order_by().values("reviewer").annotate(n=Count("pk")).values("n")
    seats = Seat.objects.filter(answers__gt=0)
    return seats.annotate(given=Coalesce(Subquery(counted, output_field=IntegerField()), 0)).filter(
        answers__gt=F("given")
    )


@invariant
def every_answer_is_counted() -> QuerySet[Any, Any]:
    """A worker's seats count each answer that they gave; unless the host makes users who may answer elsewhere."""
    if conf.make_worker_user():
        return Worker.objects.none()
    given = Assignment.objects.filter(reviewer=OuterRef("reviewer"), status=AssignmentStatus.FINISHED)
    number = given.order_by().values("reviewer").annotate(n=Count("pk")).values("n")
    seats = Seat.objects.filter(worker=OuterRef("pk")).order_by().values("worker")
    sum_ = seats.annotate(n=Sum(F("answers") + F("backlog_answers"))).values("n")
    return Worker.objects.annotate(
        given=Coalesce(Subquery(number, output_field=IntegerField()), 0),
        counted=Coalesce(Subquery(sum_, output_field=IntegerField()), 0),
    ).exclude(given=F("counted"))


@invariant
def waiting_is_paid_by_the_second() -> QuerySet[Any, Any]:
    """Whoever has left is owed the wage for each second that they waited, but those whom the marketplace cannot pay."""
    owed = Payment.objects.filter(seat=OuterRef("pk"), kind=PaymentKind.WAITING).values("amount")[:1]
    seats = Seat.objects.filter(live__isnull=True).annotate(
        seconds=_Seconds(Least(Coalesce("active_at", "paid_until"), "paid_until"), F("joined_at")),
        owed=Subquery(owed, output_field=money("")),
    )
    off = seats.annotate(
        off=Abs(
            Coalesce("owed", Value(Decimal(0)), output_field=money("")) * 60 - F("session__waiting_wage") * F("seconds")
        )
    ).filter(off__gt=HALF_A_CENT * 60)
    return off.exclude(left__in=ONLY_WHERE_THE_MARKETPLACE_CAN, owed__isnull=True)


@invariant
def paid_times_do_not_overlap() -> QuerySet[Any, Any]:
    """A worker's seats follow each other, and none is paid for beyond its end."""
    following = Window(Lead("joined_at"), partition_by=F("worker"), order_by=["joined_at", "id"])
    seats = Seat.objects.annotate(following=following)
    together = Q(following__isnull=False) & (Q(ended_at__isnull=True) | Q(ended_at__gt=F("following")))
    beyond = Q(paid_until__gt=F("ended_at")) | Q(paid_until__lt=F("joined_at"))
    return seats.filter(together | beyond)


@invariant
def nothing_is_paid_twice() -> QuerySet[Any, Any]:
    """A seat has one payment of a kind at most, and a payment a key of its own, by which it is sent once."""
    of_kind = Window(Count("pk"), partition_by=[F("seat"), F("kind")])
    of_key = Window(Count("pk"), partition_by=F("request_token"))
    return Payment.objects.annotate(of_kind=of_kind, of_key=of_key).filter(Q(of_kind__gt=1) | Q(of_key__gt=1))


@invariant
def no_session_passes_its_budget() -> QuerySet[Any, Any]:
    """What was earned in a session, and what is committed, is within its budget."""
    paid = Session.objects.annotate(paid=_cents(_sum(Payment.objects, "amount")), most=_cents(F("budget")))
    return paid.filter(Q(paid__gt=F("most")) | Q(committed__gt=F("budget")) | Q(owed__gt=F("committed")))
