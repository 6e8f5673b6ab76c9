"""Sixteen threads in two pools at once, on real transactions: what must hold whatever races."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Event, Lock
from typing import Any

import pytest
from django.db.models import Count, F, Q
from django.utils import timezone

from assignments.models import Assignment
from pavilion import errands, hiring, paying, pool, sessions, work
from pavilion.conf import MARKETPLACES
from pavilion.exceptions import AlreadySeated, OfferClosed, PoolFull, SeatOver
from pavilion.marketplaces.local import Local
from pavilion.models import Hire, Payment, Pool, Seat, SeatTransition, Session, Worker
from pavilion.states import OFFERED, HireStatus, Left, PaymentStatus, SeatStatus
from queues import invariants
from queues.exceptions import CrowdError
from queues.transactions import database_now
from tests import cast, pools
from tests.assignments.test_guards import InTurn
from tests.assignments.test_guards import in_turn as in_turn
from tests.assignments.test_races import deadlocks
from tests.pavilion import model
from tests.site.serving import until

pytestmark = pytest.mark.threads

SECONDS, PROMOTIONS = 4, 3
"""How long the crowd is let loose at least, and how many it promotes in each pool."""

NAMES = tuple(f"w{number}" for number in range(13))

LIMITS = {"min_waiting": 1, "min_active": 1, "max_waiting": 3, "max_active": 2}

TERMS = {"base_reward": "0.10", "answer_reward": "0.03", "waiting_wage": "6", "time_limit": 60, "heartbeat_seconds": 60}

IN_CENTS = model.Terms(base=10, answer=3, wage=60_000, time_limit=60, heartbeat=60, **LIMITS)


class Recorder(Local):
    """A marketplace that remembers what is open in it, and each time that somebody was paid."""

    slug = "recorder"
    title = "Recorder"
    lock = Lock()
    open: set[int] = set()
    paid: list[int] = []

    def post(self, hire: Hire, url: str) -> str:
        with self.lock:
            self.open.add(hire.pk)
        return super().post(hire, url)

    def withdraw(self, hire: Hire) -> None:
        with self.lock:
            self.open.discard(hire.pk)

    def approve(self, payment: Payment) -> str:
        with self.lock:
            self.paid.append(payment.pk)
        return super().approve(payment)

    def bonus(self, payment: Payment, reason: str) -> str:
        return self.approve(payment)


@pytest.fixture(autouse=True)
def recorder(settings: Any) -> type[Recorder]:
    settings.CROWDSITE_MARKETPLACES = {**MARKETPLACES, "recorder": f"{Recorder.__module__}.{Recorder.__qualname__}"}
    Recorder.open, Recorder.paid = set(), []
    return Recorder


@pytest.fixture(autouse=True)
def no_deadlock(db: None) -> Iterator[None]:
    before = deadlocks()
    yield
    assert deadlocks() == before


def make(name: str = "pool", **fields: Any) -> Pool:
    return pools.make(name, **{**LIMITS, **TERMS, "marketplace": "recorder", **fields})


def raised(answers: list[Any]) -> list[Exception]:
    """What went wrong that no rule says."""
    return [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, CrowdError)]


def refused(answers: list[Any], kind: type[Exception]) -> int:
    return sum(isinstance(answer, kind) for answer in answers)


# Everything at once.


class Crowd:
    """Two sessions, and what those who are let loose on them were told."""

    def __init__(self, *those: Session) -> None:
        self.sessions = those
        self.over = Event()
        self.answered: list[int] = []
        self.migrated: list[int] = []
        self.most: Counter[tuple[int, str]] = Counter()

    def worker(self, worker: Worker, seed: int) -> Callable[[], None]:
        """Somebody who joins now here, now there, works when promoted, and goes in one way or another."""

        def come_and_go() -> None:
            dice = random.Random(seed)
            while not self.over.is_set():
                try:
                    seat = pool.join(session_id=dice.choice(self.sessions).pk, worker=worker)
                    self.stay(pool.enter(seat_id=seat.pk), dice)
                except (AlreadySeated, PoolFull):
                    Event().wait(0.02)
                except CrowdError:
                    continue

        return come_and_go

    def stay(self, seat: Seat, dice: random.Random) -> None:
        """Raises CrowdError where the seat ends meanwhile."""
        mine = Seat.objects.live().filter(pk=seat.pk)
        for _ in range(dice.randint(1, 6)):
            if not pool.heard(connections={seat.pk: seat.connection}):
                return
            known = work.seat_of(seat_id=seat.pk, connection=seat.connection)
            if known.is_active and known.confirmed_at is None:
                pool.confirm(seat_id=seat.pk, connection=seat.connection)
            elif known.is_active:
                found = work.grab(seat=known)
                for assignment in found.assignments:
                    work.finalize(seat=known, assignment=assignment, data={"by": seat.pk})
                    self.answered.append(assignment.pk)
            else:
                Event().wait(0.02)
        long_ago = timezone.now() - timedelta(seconds=90)
        match dice.randrange(5):
            case 0 | 1:
                pool.submit(seat_id=seat.pk, connection=seat.connection)
            case 2:
                pool.give_back(seat_id=seat.pk, connection=seat.connection)
            case 3:
                mine.update(heard_at=F("heard_at") - timedelta(seconds=90))
            case 4:
                mine.filter(confirmed_at=None, confirm_by__isnull=False).update(confirm_by=long_ago)
                mine.filter(status=SeatStatus.WAITING).update(heard_at=F("heard_at") - timedelta(seconds=90))

    def operator(self, seed: int) -> Callable[[], None]:
        """Somebody who migrates, hires, dismisses, blocks and unblocks."""

        def meddle() -> None:
            dice = random.Random(seed)
            while not self.over.is_set():
                session = dice.choice(self.sessions)
                seat = Seat.objects.live().filter(session=session).order_by("?").first()
                try:
                    match dice.randrange(6):
                        case 0 | 1:
                            self.migrated += [s.pk for s in pool.migrate(session_id=session.pk, count=2)]
                        case 2:
                            pool.hire(session_id=session.pk, count=1)
                        case 3 if seat is not None:
                            pool.dismiss(seat_id=seat.pk)
                        case 4 if seat is not None:
                            pool.block(worker_id=seat.worker_id)
                            pool.unblock(worker_id=seat.worker_id)
                except CrowdError:
                    pass
                Event().wait(0.02)

        return meddle

    def sweeper(self) -> None:
        """The sweeps and what follows; before them it counts who waits and who is active, in one statement."""
        while not self.over.is_set():
            counted = Seat.objects.live().order_by().values_list("session", "status").annotate(Count("pk"))
            for session, status, count in counted:
                self.most[session, status] = max(self.most[session, status], count)
            pool.sweep()
            work.release()
            hiring.work()
            paying.work()

    def at_last(self) -> None:
        """Both are stopped while the others go on, once there is something to be told of each."""
        promoted = SeatTransition.objects.filter(to_status="ACTIVE")
        try:
            self.over.wait(SECONDS)
            for session in self.sessions:
                until(lambda session=session: promoted.filter(seat__session=session).count() >= PROMOTIONS)
            sessions.stop(session_id=self.sessions[0].pk)
            self.over.wait(SECONDS / 10)
            sessions.expire(session_id=self.sessions[1].pk)
        finally:
            self.over.set()


def promotions_due(terms: model.Terms, waiting: int, active: int, started: bool) -> tuple[int, bool]:
    """How many go active when somebody has joined, and whether the session has started."""
    count = 0
    if not started:
        if waiting < terms.min_active + terms.min_waiting:
            return 0, False
        count = min(terms.min_active, waiting)
    while active + count < terms.max_active and waiting - count > terms.min_waiting:
        count += 1
    return count, True


def replay(session: Session, by_hand: set[int]) -> int:
    """Go through the moves of a session in their order, and demand each promotion that the rules have, and no other.

    The answer is how many there were. `by_hand`: seats that an operator has promoted.
    """
    terms, waiting, active, started, due, count = IN_CENTS, {}, set(), False, 0, 0
    moves = SeatTransition.objects.filter(seat__session=session).order_by("pk")
    for move in moves.values("seat", "from_status", "to_status", "left", "at", "seat__joined_at"):
        seat = move["seat"]
        if move["to_status"] == "ACTIVE":
            assert seat == min(waiting, key=lambda pk: (waiting[pk], pk)), "somebody else had waited longer"
            assert due or seat in by_hand, "nobody had left, and nobody has promoted them"
            due = max(0, due - 1)
            count += 1
            del waiting[seat]
            active.add(seat)
        else:
            assert not due, f"{due} promotions are missing"
            if move["to_status"] == "WAITING":
                waiting[seat] = move["seat__joined_at"]
                due, started = promotions_due(terms, len(waiting), len(active), started)
            elif move["from_status"] == "WAITING":
                del waiting[seat]
            else:
                active.remove(seat)
                due = int(bool(waiting) and move["left"] != Left.STOP)
        assert len(active) <= terms.max_active
        assert len(waiting) - due <= terms.max_waiting
    assert (due, waiting, active) == (0, {}, set())
    return count


def owed_by_the_model(seat: Seat) -> dict[str, int]:
    """What this seat has earned, in cents, from the times of its moves and its answers."""
    moves = {move.to_status: move for move in seat.transitions.all()}
    was = SeatStatus.ACTIVE if "ACTIVE" in moves else SeatStatus.WAITING
    until = min(moves["ACTIVE"].at if was == "ACTIVE" else seat.paid_until, seat.paid_until)
    waited = int((until - moves["WAITING"].at).total_seconds())
    earned = {"base": IN_CENTS.base, "waiting": IN_CENTS.waiting(waited), "answers": IN_CENTS.answer * seat.answers}
    follows = model.TABLE[seat.left][was]
    return {kind: cents for kind, cents in earned.items() if kind in follows and cents}


def test_a_crowd_in_two_pools_keeps_every_rule(together: Any) -> None:
    # In the second there is room for a dozen places, so that money runs short.
    budget = Decimal(IN_CENTS.each * 12) / 100
    both = pools.post(make()), pools.post(make("short", budget=budget))
    workers = [pools.worker(name, both[0]) for name in NAMES]
    cast.post(both[0].pool.queue, 1000)
    crowd = Crowd(*both)

    answers = together(
        *(crowd.worker(worker, seed) for seed, worker in enumerate(workers)),
        crowd.operator(99),
        crowd.sweeper,
        crowd.at_last,
    )

    assert raised(answers) == []
    assert answers[-1] is None
    work.release()
    assert not Seat.objects.live().exists()
    for session in both:
        assert replay(session, set(crowd.migrated)) >= PROMOTIONS
    for (_session, status), most in crowd.most.items():
        assert most <= LIMITS["max_active" if status == "ACTIVE" else "max_waiting"]
    for seat in Seat.objects.prefetch_related("transitions", "payments"):
        paid = {payment.kind: int(payment.amount * 100) for payment in seat.payments.all()}
        assert paid == owed_by_the_model(seat)
    finished = Assignment.objects.filter(status="FINISHED")
    assert sorted(crowd.answered) == sorted(finished.values_list("pk", flat=True))
    assert sum(Seat.objects.values_list("answers", flat=True)) == len(crowd.answered)
    for worker in workers:
        stays = list(Seat.objects.filter(worker=worker).order_by("pk").values_list("joined_at", "ended_at"))
        assert all(end <= begin for (_, end), (begin, _) in pairwise(stays))
    assert not Hire.objects.filter(Q(status__in=OFFERED) | Q(status=HireStatus.TAKEN)).exists()
    assert invariants.broken() == {}


# One thing at once.


def test_no_more_get_a_seat_than_there_are_places(together: Any) -> None:
    session = pools.post(make(max_waiting=3, max_active=2))
    workers = [pools.worker(name, session) for name in NAMES]
    pool.hire(session_id=session.pk, count=10)
    answers = together(*(lambda w=worker: pool.join(session_id=session.pk, worker=w) for worker in workers))
    assert raised(answers) == []
    assert refused(answers, PoolFull) == len(NAMES) - 5
    assert Counter(pools.statuses(session).values()) == {"ACTIVE": 2, "WAITING": 3}
    replayed = SeatTransition.objects.filter(to_status="ACTIVE").count()
    assert replayed == 2


def test_one_offer_goes_to_one_of_those_who_take_it_at_once(together: Any) -> None:
    session = pools.post(make(max_waiting=10))
    workers = [pools.worker(name, session) for name in NAMES[:8]]
    hire = Hire.objects.filter(session=session).first()
    answers = together(
        *(lambda w=worker: pool.join(session_id=session.pk, worker=w, hire_id=hire.pk) for worker in workers)
    )
    assert refused(answers, OfferClosed) == 7
    assert Seat.objects.filter(hire=hire).count() == 1


def test_a_worker_who_joins_two_pools_at_once_is_in_one(together: Any) -> None:
    both = pools.post(make()), pools.post(make("other"))
    for name in NAMES[:5]:
        ann = pools.worker(name, both[0])
        answers = together(
            *(lambda s=session, w=ann: pool.join(session_id=s.pk, worker=w) for session in both for _ in range(3))
        )
        assert raised(answers) == []
        assert refused(answers, AlreadySeated) == 3
        seat = Seat.objects.get(worker=ann)
        assert sum(isinstance(answer, Seat) and answer.pk == seat.pk for answer in answers) == 3
        pool.give_back(seat_id=seat.pk)
    assert invariants.broken() == {}


@pytest.mark.only("postgresql")
def test_a_seat_begins_after_the_end_of_the_one_elsewhere_that_it_waited_for(in_turn: InTurn) -> None:
    """Else the time between the two were paid for twice."""
    here, there = pools.post(make()), pools.post(make("other"))
    before = pools.join(here, "ann")
    workers = Worker.objects.select_for_update(no_key=True)
    ended, seat = in_turn(
        lambda: workers.get(pk=before.worker_id),
        lambda: pool.join(session_id=there.pk, worker=before.worker),
        lambda: pool.submit(seat_id=before.pk),
    )
    assert ended.ended_at <= seat.joined_at
    assert invariants.broken() == {}


def test_one_departure_that_many_report_at_once_promotes_one(together: Any) -> None:
    session = pools.post(make(max_active=2, max_waiting=10, min_waiting=0, min_active=0))
    for name in NAMES[:8]:
        pools.join(session, name)
    for _round in range(3):
        before = SeatTransition.objects.filter(to_status="ACTIVE").count()
        seat = Seat.objects.active().order_by("pk").first()
        Seat.objects.filter(pk=seat.pk).update(confirm_by=timezone.now())
        answers = together(
            *(lambda s=seat: pool.submit(seat_id=s.pk) for _ in range(3)),
            *(lambda s=seat: pool.dismiss(seat_id=s.pk) for _ in range(3)),
            pool.sweep,
            pool.sweep,
        )
        assert raised(answers) == []
        assert Counter(pools.statuses(session).values())["ACTIVE"] == 2
        assert SeatTransition.objects.filter(to_status="ACTIVE").count() == before + 1
        assert SeatTransition.objects.filter(seat=seat).count() == 3
    assert invariants.broken() == {}


def test_an_answer_that_races_with_a_departure_is_paid_or_refused(together: Any) -> None:
    session = pools.post(make(max_active=1, min_waiting=0, max_waiting=3))
    met = Counter()
    for round_ in range(12):
        seat = pools.join(session, f"racer{round_}")
        pool.confirm(seat_id=seat.pk)
        known = work.seat_of(seat_id=seat.pk, connection=0)
        cast.post(session.pool.queue)
        held = work.grab(seat=known).assignments[0]
        answered, _left = together(
            lambda s=known, a=held: work.finalize(seat=s, assignment=a, data=1),
            lambda s=seat: pool.submit(seat_id=s.pk),
        )
        taken = pools.fresh(held).status == "FINISHED"
        assert taken != isinstance(answered, SeatOver)
        assert Payment.objects.filter(seat=seat, kind="answers").exists() == taken
        met[taken] += 1
        work.release()
    assert sum(met.values()) == 12
    assert invariants.broken() == {}


def test_what_is_offered_while_the_session_stops_is_not_left_open(together: Any, recorder: type[Recorder]) -> None:
    for round_ in range(4):
        session = pools.post(make(f"round {round_}", max_waiting=10))
        together(
            lambda: hiring.work(limit=6),
            lambda: hiring.work(limit=6),
            lambda s=session: sessions.stop(session_id=s.pk),
        )
        later = database_now() + errands.LEASE
        while hiring.work(now=later):
            continue
        assert set(Hire.objects.filter(session=session).values_list("status", flat=True)) == {HireStatus.WITHDRAWN}
    assert recorder.open == set()
    assert invariants.broken() == {}


def test_those_who_pay_at_once_pay_each_once(together: Any, recorder: type[Recorder]) -> None:
    session = pools.post(make(max_waiting=40, min_waiting=30))
    for number in range(20):
        pool.submit(seat_id=pools.join(session, f"payee{number}").pk)
    owed = set(Payment.objects.values_list("pk", flat=True))

    def pay() -> None:
        while paying.work(limit=3):
            continue

    assert raised(together(*(pay for _ in range(8)))) == []
    assert Counter(recorder.paid) == dict.fromkeys(owed, 1)
    assert set(Payment.objects.values_list("status", flat=True)) == {PaymentStatus.SENT}
