"""Whatever happens to pools, in any order and at any moment, against the plain model in model.py.

CROWDSITE_STATE_MACHINE_EXAMPLES sets the number of walks for a longer run, CROWDSITE_STATE_MACHINE_STEPS their length;
with CROWDSITE_STATE_MACHINE_SHRINK=0 a failing walk is shown as it was found, without minutes of shortening.
`--hypothesis-show-statistics` tells how often each outcome came up.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import Phase, currently_in_test_context, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from assignments import lifecycle
from pavilion import hiring, paying, pool, sessions, work
from pavilion.conf import MARKETPLACES
from pavilion.marketplaces.local import Local
from pavilion.models import Hire, Payment, Seat, SeatTransition, Session, Worker
from queues import invariants
from queues.exceptions import CrowdError
from tests import cast
from tests import pools as people
from tests.pavilion import model
from tests.pavilion.model import Refused, Terms

EXAMPLES = int(os.environ.get("CROWDSITE_STATE_MACHINE_EXAMPLES", "5"))
STEPS = int(os.environ.get("CROWDSITE_STATE_MACHINE_STEPS", "40"))
SHRINK = os.environ.get("CROWDSITE_STATE_MACHINE_SHRINK", "1") == "1"

START = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
NAMES = ("ann", "ben", "cyd", "dan", "eve", "fay", "gus")
POOLS = ("day", "night")


class Strict(Local):
    """A marketplace that pays nobody who has left by themselves, and offers no place twice."""

    slug = "strict"
    title = "Strict"
    pays_the_departed = False
    offers_again = False


PLACES = {
    "local": model.Marketplace(),
    "strict": model.Marketplace(pays_the_departed=False, offers_again=False),
}

which = st.integers(0, 59)
"""Which of those that there are at that moment: its remainder by their number. Mostly live ones."""

which_window = st.sampled_from(["its own", "its own", "its own", "anyone's", "an older one"])


def limits() -> st.SearchStrategy[dict[str, int]]:
    """Limits that fit together, the narrow ones more often."""
    return st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 2), st.sampled_from([0, 0, 1, 2])).map(
        lambda drawn: {
            "max_active": drawn[0],
            "min_active": min(drawn[:2]),
            "min_waiting": drawn[2],
            "max_waiting": max(1, min(drawn[:2]) + drawn[2]) + drawn[3],
        }
    )


all_terms = st.tuples(
    limits(),
    st.fixed_dictionaries(
        {
            "base": st.sampled_from([5, 0, 10]),
            "answer": st.sampled_from([2, 0, 3]),
            "wage": st.sampled_from([500, 0, 333, 6000]),
            "time_limit": st.sampled_from([120, 60, 95]),
            "posting": st.sampled_from([900, 300, 60]),
            "confirm": st.sampled_from([30, 5]),
            "heartbeat": st.sampled_from([60, 20, 10]),
        }
    ),
    st.none() | st.tuples(st.integers(0, 7), st.integers(0, 30)),
).map(lambda drawn: with_budget(Terms(**drawn[0], **drawn[1]), drawn[2]))


def with_budget(terms: Terms, room: tuple[int, int] | None) -> Terms:
    """Terms with room for so many places, and so many cents."""
    return terms if room is None else model.replace(terms, budget=room[0] * terms.each + room[1])


def at(seconds: int | None) -> datetime | None:
    """A time of the model on the calendar."""
    return None if seconds is None else START + timedelta(seconds=seconds)


def money(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents) / 100


def fields(terms: Terms) -> dict[str, Any]:
    """The terms as the writers take them."""
    return {
        "base_reward": money(terms.base),
        "answer_reward": money(terms.answer),
        "waiting_wage": Decimal(terms.wage) / 10_000,
        "time_limit": terms.time_limit,
        "posting_seconds": terms.posting,
        "confirm_seconds": terms.confirm,
        "heartbeat_seconds": terms.heartbeat,
        "min_waiting": terms.min_waiting,
        "min_active": terms.min_active,
        "max_waiting": terms.max_waiting,
        "max_active": terms.max_active,
        "budget": money(terms.budget),
    }


ACTS: dict[str, tuple[int, str, st.SearchStrategy[dict[str, Any]]]] = {}
"""What may be done: how likely it is, to what (left out while there are none), and its arguments."""


def act(weight: int, *, to: str = "pools", **arguments: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A method of Standby that may be any step of a walk.

    Not a rule: of those Hypothesis leaves out half in each walk, and few walks would come as far as a payment.
    """

    def keep(method: Any) -> Any:
        ACTS[method.__name__] = (weight, to, st.fixed_dictionaries(arguments))
        return method

    return keep


def acts() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """An act and its arguments. The likely ones come first: Hypothesis has a liking for the first of a list."""
    likely_first = sorted(ACTS, key=lambda name: -ACTS[name][0])
    names = [name for name in likely_first for _ in range(ACTS[name][0])]
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), ACTS[name][2]))


class Standby(RuleBasedStateMachine):
    """Two pools for one queue, one of them with a backlog; each act does the same to the database and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.marketplaces = override_settings(
            CROWDSITE_MARKETPLACES={**MARKETPLACES, "strict": f"{Strict.__module__}.{Strict.__qualname__}"}
        )
        self.marketplaces.enable()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.pool_keys: dict[str, int] = {}
        self.session_keys: list[int] = []
        self.seat_keys: list[int] = []
        self.model = model.Pavilion({})
        self.outcomes: set[str] = set()

    def teardown(self) -> None:
        try:
            # The invariants go by the real time, which is long before that of the walk.
            lifecycle.expire_assignments(limit=1000, now=self.now)
            assert invariants.broken() == {}
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)
            self.marketplaces.disable()

    # Doing the same to both.

    def tell(self, outcome: str) -> None:
        self.outcomes.add(outcome)
        if currently_in_test_context():
            event(outcome)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.model.now)

    def both(self, name: str, expected: Callable[[], Any], done: Callable[[], Any]) -> tuple[Any, Any]:
        """Do it to the model and to the database: both do it, or both refuse it for a reason of the model's."""
        wanted = got = problem = None
        reasons: set[str] = set()
        try:
            wanted = expected()
        except Refused as refused:
            reasons = refused.reasons
        try:
            got = done()
        except CrowdError as error:
            problem = error.slug
        assert problem in reasons or {problem} == reasons | {None}, f"{name}: {problem}, but expected {reasons}"
        self.tell(f"{name}: {problem or 'done'}")
        return wanted, got

    def session(self, number: int) -> tuple[model.Session, int]:
        """One of the sessions, with its key; mostly a live one."""
        some = [one for one in self.model.sessions if one.is_live or number % 6 == 5] or self.model.sessions
        session = some[number // 6 % len(some)]
        return session, self.session_keys[session.id - 1]

    def seat(self, number: int, window: str = "") -> tuple[model.Seat, int, int | None]:
        """One of the seats, with its key and the number of a window; mostly a live one."""
        some = [one for one in self.model.seats if one.live or number % 6 == 5] or self.model.seats
        seat = some[number // 6 % len(some)]
        windows = {"its own": seat.connection, "an older one": seat.connection - 1}
        return seat, self.seat_keys[seat.id - 1], windows.get(window)

    def learn(self, expected: list[model.Seat], got: list[int]) -> None:
        """Those seats are meant, and a new one has a new key."""
        for wanted, key in zip(expected, got, strict=True):
            if wanted.id > len(self.seat_keys):
                assert key not in self.seat_keys
                self.seat_keys.append(key)
            assert key == self.seat_keys[wanted.id - 1]

    # Pools and sessions.

    @initialize(terms=st.tuples(all_terms, all_terms), place=st.sampled_from(["local", "local", "strict"]))
    def begin(self, terms: tuple[Terms, Terms], place: str) -> None:
        self.queues = cast.queue("digits"), cast.queue("old")
        backlogs = True, False
        for name, its, backlog in zip(POOLS, terms, backlogs, strict=True):
            self.model.pools[name] = its, PLACES[place], backlog
            more = {"marketplace": place, "backlog_queue": self.queues[1] if backlog else None}
            made = people.make(name, queue=self.queues[0], **fields(its), **more)
            self.pool_keys[name] = made.pk
        self.post("day")
        for name in NAMES[:2]:
            if self.model.sessions:
                self.join(name, 0, None)

    @act(2, name=st.sampled_from(POOLS))
    def post(self, name: str) -> None:
        wanted, got = self.both(
            "post",
            lambda: self.model.post(name),
            lambda: sessions.post(pool_id=self.pool_keys[name], actor=cast.person("mia"), now=self.now),
        )
        if got is not None:
            self.session_keys.append(got.pk)
            assert got.expires_at == at(wanted.expires)

    @act(1, to="sessions", number=which)
    def start(self, number: int) -> None:
        session, key = self.session(number)
        self.both("start", lambda: self.model.start(session), lambda: sessions.start(session_id=key, now=self.now))

    @act(1, to="sessions", number=which, certain=st.integers(0, 2))
    def stop(self, number: int, certain: int) -> None:
        session, key = self.session(number)
        if certain == 2:
            self.both("stop", lambda: self.model.stop(session), lambda: sessions.stop(session_id=key, now=self.now))

    @act(1, to="sessions", number=which, certain=st.integers(0, 2))
    def expire(self, number: int, certain: int) -> None:
        session, key = self.session(number)
        if certain == 2:
            self.both(
                "expire", lambda: self.model.expire(session), lambda: sessions.expire(session_id=key, now=self.now)
            )

    @act(2, to="sessions", number=which, count=st.integers(0, 3))
    def migrate(self, number: int, count: int) -> None:
        session, key = self.session(number)
        wanted, got = self.both(
            "migrate",
            lambda: self.model.migrate(session, count),
            lambda: pool.migrate(session_id=key, count=count, now=self.now),
        )
        if got is not None:
            self.learn(wanted, [seat.pk for seat in got])

    @act(2, to="sessions", number=which, count=st.integers(0, 3))
    def hire(self, number: int, count: int) -> None:
        session, key = self.session(number)
        wanted, got = self.both(
            "hire",
            lambda: self.model.hire(session, count),
            lambda: pool.hire(session_id=key, count=count, now=self.now),
        )
        assert wanted == got

    @act(
        3,
        to="sessions",
        number=which,
        changes=limits()
        | st.fixed_dictionaries(
            {}, optional={"max_active": st.integers(0, 4), "max_waiting": st.integers(0, 4), "min_waiting": st.just(1)}
        ),
        room=st.sampled_from([None, None, "none", -1, 0, 30, 200]),
    )
    def change(self, number: int, changes: dict[str, int], room: Any) -> None:
        """`room`: cents that are to be left in the budget; "none": there is to be none."""
        session, key = self.session(number)
        known: dict[str, Any] = dict(changes)
        if room is not None:
            known["budget"] = None if room == "none" else max(0, session.committed + room)
        said = {name: money(value) if name == "budget" else value for name, value in known.items()}
        self.both(
            "change",
            lambda: self.model.change(session, known),
            lambda: sessions.change(session_id=key, changes=said, now=self.now),
        )

    # Workers.

    @act(9, to="sessions", name=st.sampled_from(NAMES), number=which, offer=st.none() | st.none() | which)
    def join(self, name: str, number: int, offer: int | None) -> None:
        session, key = self.session(number)
        hire = self.chosen(session, offer)
        hire_key = None if hire is None else self.hire_keys(session)[session.hires.index(hire)]
        worker = people.worker(name, Session.objects.select_related("pool").get(pk=key))
        wanted, got = self.both(
            "join",
            lambda: self.model.join(session, name, hire),
            lambda: pool.join(session_id=key, worker=worker, hire_id=hire_key, now=self.now),
        )
        if got is not None:
            self.learn([wanted], [got.pk])

    def chosen(self, session: model.Session, offer: int | None) -> model.Hire | None:
        """The place that was chosen: mostly one that is open."""
        some = session.hires if offer is None or offer % 4 == 3 else session.offers or session.hires
        return None if offer is None else some[offer // 4 % len(some)]

    def hire_keys(self, session: model.Session) -> list[int]:
        key = self.session_keys[session.id - 1]
        return list(Hire.objects.filter(session=key).order_by("pk").values_list("pk", flat=True))

    @act(1, to="seats", number=which)
    def enter(self, number: int) -> None:
        seat, key, _window = self.seat(number)
        wanted, got = self.both(
            "enter", lambda: self.model.enter(seat), lambda: pool.enter(seat_id=key, now=self.now).connection
        )
        assert wanted == got

    @act(5, to="seats", but=which)
    def all_are_heard_but_one(self, but: int) -> None:
        live = [seat for seat in self.model.seats if seat.live]
        self.hear([(seat, seat.connection) for n, seat in enumerate(live) if n != but % 8])

    @act(1, to="seats", number=which, window=which_window)
    def one_is_heard(self, number: int, window: str) -> None:
        seat, _key, connection = self.seat(number, window)
        self.hear([(seat, seat.connection if connection is None else connection)])

    def hear(self, connections: list[tuple[model.Seat, int]]) -> None:
        known = {self.seat_keys[seat.id - 1]: connection for seat, connection in connections}
        wanted = self.model.heard(connections)
        assert pool.heard(connections=known, now=self.now) == {self.seat_keys[seat.id - 1] for seat in wanted}

    @act(5, to="seats", number=which, window=which_window)
    def confirm(self, number: int, window: str) -> None:
        active = [seat for seat in self.model.seats if seat.status == "ACTIVE" and seat.confirmed is None]
        seat, _key, connection = self.seat(number, window)
        if active and number % 6 != 5:
            seat = active[number % len(active)]
            connection = seat.connection
        key = self.seat_keys[seat.id - 1]
        self.both(
            "confirm",
            lambda: self.model.confirm(seat, connection),
            lambda: pool.confirm(seat_id=key, connection=connection, now=self.now),
        )

    @act(3, to="seats", number=which, window=which_window)
    def submit(self, number: int, window: str) -> None:
        seat, key, connection = self.seat(number, window)
        self.both(
            f"submit from {seat.status}",
            lambda: self.model.leave(seat, "submit", connection),
            lambda: pool.submit(seat_id=key, connection=connection, now=self.now),
        )

    @act(2, to="seats", number=which, window=which_window)
    def give_back(self, number: int, window: str) -> None:
        seat, key, connection = self.seat(number, window)
        self.both(
            f"give_back from {seat.status}",
            lambda: self.model.leave(seat, "return", connection),
            lambda: pool.give_back(seat_id=key, connection=connection, now=self.now),
        )

    @act(1, to="seats", number=which)
    def abandon(self, number: int) -> None:
        seat, key, _window = self.seat(number)
        self.both(
            f"abandon from {seat.status}",
            lambda: self.model.leave(seat, "time"),
            lambda: pool.abandon(seat_id=key, now=self.now),
        )

    @act(1, to="seats", number=which)
    def dismiss(self, number: int) -> None:
        seat, key, _window = self.seat(number)
        self.both(
            f"dismiss from {seat.status}",
            lambda: self.model.leave(seat, "dismiss"),
            lambda: pool.dismiss(seat_id=key, now=self.now),
        )

    @act(1, to="seats", name=st.sampled_from(NAMES), again=st.booleans())
    def block(self, name: str, again: bool) -> None:
        worker = Worker.objects.filter(external_id=name).first()
        if worker is not None and again:
            self.model.blocked.discard(name)
            pool.unblock(worker_id=worker.pk)
        elif worker is not None:
            self.both("block", lambda: self.model.block(name), lambda: pool.block(worker_id=worker.pk, now=self.now))

    @act(7, to="seats", number=which, window=st.sampled_from(["its own", "its own", "its own", "an older one"]))
    def answer(self, number: int, window: str) -> None:
        """Answers come from whoever is at work, mostly, and many at a time."""
        at_work = [seat for seat in self.model.seats if seat.status == "ACTIVE" and seat.confirmed is not None]
        seat = at_work[number % len(at_work)] if at_work and number % 6 < 4 else self.seat(number)[0]
        times = 1 + (number % 7 if seat.status == "ACTIVE" else 0)
        for _ in range(times):
            connection = seat.connection - (window == "an older one")
            key = self.seat_keys[seat.id - 1]
            self.both(
                f"answer from {seat.status}",
                lambda connection=connection: self.model.answer(seat, connection),
                lambda key=key, connection=connection: self.answered(key, connection),
            )

    def answered(self, key: int, connection: int) -> None:
        """A task is there, handed out, and answered."""
        seat = work.seat_of(seat_id=key, connection=connection)
        cast.post(work.queue_for(seat), now=self.now)
        found = work.grab(seat=seat, now=self.now)
        data = {"by": key, "task": found.assignments[0].task_id}
        first = work.finalize(seat=seat, assignment=found.assignments[0], data=data, now=self.now)
        again = work.finalize(seat=seat, assignment=found.assignments[0], data=data, now=self.now)
        assert first.assignment.pk == again.assignment.pk

    @act(1, to="seats", number=which)
    def take(self, number: int) -> None:
        """A task is handed out, and not answered for now."""
        seat, key, _window = self.seat(number)

        def grabbed() -> None:
            known = work.seat_of(seat_id=key, connection=seat.connection)
            cast.post(work.queue_for(known), now=self.now)
            work.grab(seat=known, now=self.now)

        self.both(f"take from {seat.status}", lambda: self.model.may_work(seat, seat.connection), grabbed)

    # Time, and what follows.

    @act(3, seconds=st.sampled_from([1, 3, 10, 20, 60, 61]))
    def wait(self, seconds: int) -> None:
        self.model.now += seconds

    @act(5, number=which, early=st.booleans())
    def wait_for_a_moment(self, number: int, early: bool) -> None:
        """Go to the very second at which something's time is over, or to the one before."""
        ends = {seat.due()[0] for seat in self.model.seats if seat.live}
        ends |= {session.expires for session in self.model.sessions if session.status != "EXPIRED" and number % 8 == 7}
        if moments := sorted(time for time in ends if time > self.model.now):
            self.model.now = max(self.model.now, moments[number % min(3, len(moments))] - early)

    @act(3)
    def sweep(self) -> None:
        late = [self.session_keys[s.id - 1] for s in self.model.sessions if self.model.is_late(s)]
        assert pool.late_sessions(now=self.now) == late
        wanted = self.model.sweep()
        assert pool.sweep(now=self.now) == wanted == len(late)
        self.tell(f"sweep: {'something' if late else 'nothing'}")

    @act(2, to="sessions", number=which)
    def tick(self, number: int) -> None:
        session, key = self.session(number)
        wanted, got = self.both(
            "tick", lambda: self.model.catch_up(session), lambda: pool.tick(session_id=key, now=self.now)
        )
        assert wanted == got

    @act(2)
    def follow_up(self) -> None:
        """Places are posted and withdrawn, what is owed is sent, and tasks are taken back: the rules know of none."""
        hiring.work(now=self.now)
        paying.work(now=self.now)
        work.release(now=self.now)

    @rule(chosen=st.deferred(acts))
    def step(self, chosen: tuple[str, dict[str, Any]]) -> None:
        name, arguments = chosen
        if getattr(self.model, ACTS[name][1]):
            getattr(self, name)(**arguments)

    # What is compared.

    @invariant()
    def all_is_alike(self) -> None:
        self.sessions_are_alike()
        self.seats_are_alike()
        self.offers_are_alike()
        self.payments_are_alike()
        self.moves_are_alike()

    def sessions_are_alike(self) -> None:
        names = ("status", "started_at", "stopped_at", "ended_at", "owed", "committed", "budget")
        rows = [tuple(row) for row in Session.objects.order_by("pk").values_list("pk", *names)]
        wanted = [
            (self.session_keys[s.id - 1], s.status, at(s.started), at(s.stopped), at(s.ended))
            + (money(s.owed), money(s.committed), money(s.terms.budget))
            for s in self.model.sessions
        ]
        assert rows == wanted
        for session in self.model.sessions:
            assert session.terms.budget is None or session.committed <= session.terms.budget

    def seats_are_alike(self) -> None:
        names = ("worker__external_id", "status", "left", "connection", "joined_at", "active_at", "confirm_by")
        names += ("confirmed_at", "heard_at", "ended_at", "answers", "answers_allowed", "backlog_answers", "reserved")
        rows = [tuple(row) for row in Seat.objects.order_by("pk").values_list("pk", *names)]
        wanted = [
            (self.seat_keys[s.id - 1], s.name, s.status, s.left, s.connection)
            + (at(s.joined), at(s.promoted), at(s.confirm_by), at(s.confirmed), at(s.heard), at(s.ended))
            + (s.answers, s.allowed, s.backlog_answers, money(s.kept))
            for s in self.model.seats
        ]
        assert rows == wanted

    def offers_are_alike(self) -> None:
        said = {"PLANNED": "OFFERED", "POSTED": "OFFERED", "WITHDRAWING": "WITHDRAWN"}
        rows = Hire.objects.order_by("pk").values_list("session", "status")
        wanted = [
            (self.session_keys[session.id - 1], hire.status)
            for session in self.model.sessions
            for hire in session.hires
        ]
        assert sorted((session, said.get(status, status)) for session, status in rows) == sorted(wanted)
        in_order = [said.get(status, status) for _session, status in rows]
        assert in_order == [hire.status for hire in self.model.hires]

    def payments_are_alike(self) -> None:
        rows = Payment.objects.values_list("seat", "kind", "amount")
        assert {(seat, kind): amount for seat, kind, amount in rows} == {
            (self.seat_keys[seat.id - 1], kind): money(cents)
            for seat in self.model.seats
            for kind, cents in seat.paid.items()
        }

    def moves_are_alike(self) -> None:
        rows = SeatTransition.objects.values_list("seat", "number", "from_status", "to_status", "at")
        wanted = set()
        for seat in self.model.seats:
            steps = [("WAITING", seat.joined)]
            steps += [("ACTIVE", seat.promoted)] if seat.promoted is not None else []
            steps += [(seat.status, seat.ended)] if seat.ended is not None else []
            before = ["", *[status for status, _time in steps]]
            numbers = {"": 1, "WAITING": 2, "ACTIVE": 3}
            wanted |= {
                (self.seat_keys[seat.id - 1], numbers[source], source, status, at(time))
                for source, (status, time) in zip(before, steps, strict=False)
            }
        assert set(rows) == wanted


PHASES = (Phase.generate, *([Phase.shrink] if SHRINK else []))

Standby.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, phases=PHASES)
TestStandby = pytest.mark.django_db(Standby.TestCase)


OUTCOMES = {
    "post": "done session-live budget-used-up",
    "start": "done session-started session-over",
    "stop": "done session-over",
    "expire": "done session-over",
    "migrate": "done invalid-input session-over session-not-started nobody-to-promote",
    "hire": "done invalid-input session-over budget-used-up",
    "change": "done invalid-input session-over",
    "join": "done session-over pool-full offer-closed worker-blocked already-seated",
    "enter": "done seat-over",
    "confirm": "done seat-over seat-elsewhere seat-not-active",
    "submit from WAITING": "done seat-elsewhere",
    "submit from ACTIVE": "done seat-elsewhere seat-over",
    "submit from SUBMITTED": "seat-over",
    "give_back from WAITING": "done",
    "give_back from ACTIVE": "done",
    "abandon from WAITING": "done",
    "abandon from ACTIVE": "done",
    "dismiss from WAITING": "done",
    "dismiss from ACTIVE": "done",
    "block": "done",
    "answer from WAITING": "done seat-elsewhere seat-not-active",
    "answer from ACTIVE": "done seat-elsewhere seat-not-active budget-used-up",
    "answer from SUBMITTED": "seat-over",
    "sweep": "something nothing",
}
"""What must be met at least once, whatever chance brings."""


@pytest.fixture
def walk(db: None) -> Iterator[Callable[..., Standby]]:
    """Return `walk(day, night)`: a walk that is led by hand, with these terms. The one before it is undone."""
    with ExitStack() as stack:

        def begin(day: Terms, night: Terms) -> Standby:
            stack.close()
            standby = Standby()
            stack.callback(standby.teardown)
            standby.begin((day, night), "local")
            standby.all_is_alike()
            return standby

        yield begin


def led(standby: Standby, act_name: str, /, **arguments: Any) -> None:
    """Do an act of the walk by its name, and compare."""
    standby.step((act_name, arguments))
    standby.all_is_alike()


def nth(number: int) -> int:
    """The number under which the acts find the seat or session that was made as this one."""
    return 6 * (number - 1) + 5


def joins(standby: Standby, *names: str, session: int = 1, offer: int | None = None) -> None:
    for name in names:
        led(standby, "join", name=name, number=nth(session), offer=offer)


def test_one_walk_meets_every_outcome(walk):
    terms = Terms(
        min_waiting=1, min_active=1, max_waiting=2, max_active=2, time_limit=3600, posting=7200, heartbeat=600
    )
    # Room for two places, and two cents.
    narrow = model.replace(terms, budget=2 * terms.each + 2, min_waiting=0, min_active=0, max_active=1)
    standby = walk(terms, narrow)
    own, older = {"window": "its own"}, {"window": "an older one"}

    def do(act_name: str, number: int | None = None, /, **arguments: Any) -> None:
        if number is not None:
            arguments["number"] = nth(number)
        led(standby, act_name, **arguments)

    def one(status: str) -> int:
        return next(seat.id for seat in standby.model.seats if seat.status == status)

    # Ann and ben have joined, which starts the session.
    assert [seat.status for seat in standby.model.seats] == ["ACTIVE", "WAITING"]
    do("post", name="day")
    do("start", 1)
    do("sweep")
    for act_name in ("submit", "answer"):
        do(act_name, one("ACTIVE"), **older)
        do(act_name, one("WAITING"), **older)
    do("confirm", 2, **own)
    do("confirm", 1, **older)
    do("answer", 1, **own)
    do("confirm", 1, **own)
    do("answer", 1, **own)
    do("answer", 2, **own)
    do("migrate", 1, count=0)
    do("migrate", 1, count=2)
    do("migrate", 1, count=1)
    joins(standby, "cyd", "dan", "eve")
    assert len(standby.model.seats) == 4
    do("dismiss", one("ACTIVE"))
    joins(standby, "fay")
    do("dismiss", one("WAITING"))
    do("hire", 1, count=0)
    do("hire", 1, count=2)
    do("change", 1, changes={"max_waiting": 0}, room=None)
    do("change", 1, changes={"max_waiting": 4, "max_active": 3}, room=None)
    do("change", 1, changes={}, room=-1)
    joins(standby, "ann", "eve", "fay", "gus")
    for act_name in ("give_back", "submit"):
        for status in ("WAITING", "ACTIVE"):
            do(act_name, one(status), **own)
    joins(standby, "ann", "eve", "fay", "ben")
    do("change", 1, changes={"max_waiting": 2, "max_active": 1}, room=None)
    do("abandon", one("ACTIVE"))
    do("abandon", one("WAITING"))
    over = one("SUBMITTED")
    for act_name in ("submit", "answer", "confirm"):
        do(act_name, over, **own)
    do("enter", over)
    do("enter", one("ACTIVE"))
    # The other pool: nobody need wait, and money is short.
    do("post", name="night")
    do("migrate", 2, count=1)
    joins(standby, standby.model.seats[one("ACTIVE") - 1].name, session=2)
    do("block", name="gus", again=False)
    joins(standby, "gus", session=2)
    do("block", name="gus", again=True)
    joins(standby, "gus", session=2)
    last = standby.model.seats[-1]
    assert last.name == "gus"
    do("answer", last.id, **own)
    do("confirm", last.id, **own)
    free = [name for name in NAMES if not any(seat.live and seat.name == name for seat in standby.model.seats)]
    joins(standby, free[0], session=2)
    joins(standby, free[1], session=2, offer=3)
    do("answer", one("WAITING"), **own)
    do("answer", standby.model.seats[-1].id, **own)
    do("hire", 2, count=1)
    do("change", 2, changes={}, room=0)
    for _ in range(4):
        do("answer", last.id, **own)
    # Time passes: somebody does not confirm, somebody is silent.
    do("wait", seconds=601)
    do("submit", one("ACTIVE"), **own)
    do("sweep")
    do("follow_up")
    joins(standby, "ann", "ben", "cyd")
    do("stop", 1, certain=2)
    for act_name in ("stop", "expire", "expire"):
        do(act_name, 1, certain=2)
    do("start", 1)
    do("migrate", 1, count=1)
    do("hire", 1, count=1)
    do("change", 1, changes={"max_active": 2}, room=None)
    joins(standby, "ann")
    # A pool whose budget has room for nobody.
    met = standby.outcomes
    standby = walk(model.replace(terms, min_waiting=2, max_waiting=3), model.replace(terms, budget=1))
    do("start", 1)
    do("post", name="night")
    met |= standby.outcomes
    assert {f"{name}: {outcome}" for name, said in OUTCOMES.items() for outcome in said.split()} - met == set()
