"""The pool written down a second time, from the rules alone (docs/pool.md): plain data, sorted lists, no database.

Sessions, hires and seats are numbered from 1 in the order in which they were made, people are names, times are whole
seconds, amounts whole cents. A refusal is `Refused` with the slugs of all that speaks against it.
"""

from dataclasses import dataclass, field, replace
from typing import Any

ANSWERS_AT_ONCE, FEW_LEFT = 10, 5

END = {
    "submit": "SUBMITTED",
    "stop": "SUBMITTED",
    "return": "RETURNED",
    "silence": "ABANDONED",
    "time": "ABANDONED",
    "unconfirmed": "DISMISSED",
    "dismiss": "DISMISSED",
    "block": "DISMISSED",
}

PROMOTE, HIRE, AGAIN = "promote", "hire", "again"
BASE, WAITING, ANSWERS, IF_IT_CAN = "base", "waiting", "answers", "if it can"
SUBMITTING = {"ACTIVE": {PROMOTE, HIRE, BASE, WAITING, ANSWERS}, "WAITING": {HIRE, BASE, WAITING}}
RETURNING = {"ACTIVE": {PROMOTE, AGAIN, WAITING, ANSWERS, IF_IT_CAN}, "WAITING": {AGAIN, WAITING, IF_IT_CAN}}
DISMISSING = {"ACTIVE": {PROMOTE, HIRE, WAITING, ANSWERS}, "WAITING": {HIRE, WAITING, ANSWERS}}
STOPPING = {"ACTIVE": {BASE, WAITING, ANSWERS}, "WAITING": {BASE, WAITING, ANSWERS}}

TABLE = {
    "submit": SUBMITTING,
    "return": RETURNING,
    "silence": RETURNING,
    "time": RETURNING,
    "unconfirmed": DISMISSING,
    "dismiss": DISMISSING,
    "block": DISMISSING,
    "stop": STOPPING,
}
"""The table of departures: by what, from where → what follows. AGAIN: the marketplace offers the same place anew."""


class Refused(Exception):
    """What was asked is not done. `reasons`: each slug that may be said."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = set(reasons)


def refuse_if(**reasons: bool) -> None:
    """Raise Refused with those reasons that hold."""
    if found := [name.replace("_", "-") for name, holds in reasons.items() if holds]:
        raise Refused(*found)


@dataclass(frozen=True)
class Terms:
    """`wage`: hundredths of a cent a minute. `budget` None: there is no limit."""

    base: int = 5
    answer: int = 2
    wage: int = 500
    time_limit: int = 120
    posting: int = 600
    confirm: int = 30
    heartbeat: int = 60
    min_waiting: int = 1
    min_active: int = 1
    max_waiting: int = 3
    max_active: int = 2
    budget: int | None = None

    @property
    def each(self) -> int:
        """The most that somebody may cost who takes an offer."""
        return self.base + -(-self.wage * self.time_limit // 6000) + ANSWERS_AT_ONCE * self.answer

    @property
    def places(self) -> int:
        return self.max_active + self.max_waiting

    def waiting(self, seconds: int) -> int:
        """The pay for so many seconds; half a cent is a cent."""
        return (self.wage * seconds + 3000) // 6000

    @property
    def in_order(self) -> bool:
        return (
            self.min_waiting <= self.max_waiting
            and self.min_active <= self.max_active
            and self.min_active + self.min_waiting <= self.max_waiting
            and min(self.max_waiting, self.max_active) >= 1
        )


@dataclass(frozen=True)
class Marketplace:
    pays_the_departed: bool = True
    offers_again: bool = True


@dataclass
class Hire:
    id: int
    status: str = "OFFERED"


@dataclass
class Seat:
    id: int
    name: str
    session: "Session"
    hire: Hire
    joined: int
    heard: int
    ends: int
    status: str = "WAITING"
    connection: int = 0
    promoted: int | None = None
    confirm_by: int | None = None
    confirmed: int | None = None
    ended: int | None = None
    left: str = ""
    answers: int = 0
    allowed: int = 0
    backlog_answers: int = 0
    paid: dict[str, int] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return self.status in ("WAITING", "ACTIVE")

    @property
    def kept(self) -> int:
        """The most that it may still cost."""
        terms = self.session.terms
        if self.status == "WAITING":
            return terms.each
        if self.status == "ACTIVE":
            return terms.base + terms.waiting((self.promoted or 0) - self.joined) + self.allowed * terms.answer
        return 0

    def due(self) -> tuple[int, str]:
        """When it ends by itself, and how."""
        ends = [(self.heard + self.session.terms.heartbeat, "silence"), (self.ends, "time")]
        if self.confirm_by is not None and self.confirmed is None:
            ends.insert(0, (self.confirm_by, "unconfirmed"))
        return min(ends, key=lambda end: end[0])


@dataclass
class Session:
    id: int
    pool: str
    terms: Terms
    marketplace: Marketplace
    has_backlog: bool
    posted: int
    status: str = "LIVE"
    started: int | None = None
    stopped: int | None = None
    ended: int | None = None
    hires: list[Hire] = field(default_factory=list)
    seats: list[Seat] = field(default_factory=list)

    @property
    def expires(self) -> int:
        return self.posted + self.terms.posting

    @property
    def is_live(self) -> bool:
        return self.status == "LIVE"

    @property
    def waiting(self) -> list[Seat]:
        """Those who wait, the longest first."""
        return sorted((s for s in self.seats if s.status == "WAITING"), key=lambda s: (s.joined, s.id))

    @property
    def active(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.status == "ACTIVE"]

    @property
    def offers(self) -> list[Hire]:
        return [hire for hire in self.hires if hire.status == "OFFERED"]

    @property
    def owed(self) -> int:
        return sum(sum(seat.paid.values()) for seat in self.seats)

    @property
    def committed(self) -> int:
        return self.owed + sum(seat.kept for seat in self.seats) + len(self.offers) * self.terms.each

    def that_fit(self, price: int, wanted: int) -> int:
        if self.terms.budget is None or not price:
            return wanted
        return min(wanted, max(0, self.terms.budget - self.committed) // price)

    @property
    def is_full(self) -> bool:
        return len(self.waiting) >= self.terms.max_waiting and len(self.active) >= self.terms.max_active


@dataclass
class Pavilion:
    """All pools: name → terms, marketplace and whether there is a backlog; at the time `now`."""

    pools: dict[str, tuple[Terms, Marketplace, bool]]
    now: int = 0
    sessions: list[Session] = field(default_factory=list)
    seats: list[Seat] = field(default_factory=list)
    hires: list[Hire] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)

    # What an operator does.

    def post(self, pool: str) -> Session:
        terms, marketplace, backlog = self.pools[pool]
        session = Session(len(self.sessions) + 1, pool, terms, marketplace, backlog, self.now)
        refuse_if(
            session_live=any(s.pool == pool and s.is_live for s in self.sessions),
            budget_used_up=not session.that_fit(terms.each, terms.places),
        )
        self.sessions.append(session)
        self._hire(session, terms.places)
        return session

    def start(self, session: Session) -> None:
        self.catch_up(session)
        refuse_if(session_over=not session.is_live, session_started=session.started is not None)
        self._start(session)

    def stop(self, session: Session) -> None:
        self.catch_up(session)
        refuse_if(session_over=not session.is_live)
        self._end(session, "DRAINING")

    def expire(self, session: Session) -> None:
        self.catch_up(session)
        refuse_if(session_over=session.status == "EXPIRED")
        self._end(session, "EXPIRED")

    def migrate(self, session: Session, count: int) -> list[Seat]:
        refuse_if(invalid_input=count < 1)
        self.catch_up(session)
        possible = min(count, len(session.waiting), session.terms.max_active - len(session.active))
        refuse_if(
            session_over=not session.is_live,
            session_not_started=session.started is None,
            nobody_to_promote=possible < 1,
        )
        return [self._promote(session) for _ in range(possible)]

    def hire(self, session: Session, count: int) -> int:
        refuse_if(invalid_input=count < 1)
        self.catch_up(session)
        fit = session.that_fit(session.terms.each, count)
        refuse_if(session_over=not session.is_live, budget_used_up=not fit)
        return self._hire(session, count)

    def change(self, session: Session, changes: dict[str, Any]) -> None:
        self.catch_up(session)
        before, after = session.terms, replace(session.terms, **changes)
        refuse_if(
            session_over=not session.is_live,
            invalid_input=not after.in_order or (after.budget is not None and after.budget < session.committed),
        )
        session.terms = after
        more, offers = after.places - before.places, session.offers
        if more > 0:
            self._hire(session, more)
        elif more < 0:
            for hire in offers[max(0, len(offers) + more) :]:
                hire.status = "WITHDRAWN"
        self._settle(session)

    def block(self, name: str) -> None:
        self.blocked.add(name)
        for seat in self.seats:
            if seat.name == name and seat.live:
                self.catch_up(seat.session)
                if seat.live:
                    self._depart(seat, "block")

    # What workers do.

    def join(self, session: Session, name: str, hire: Hire | None = None) -> Seat:
        """`hire` None: the oldest that is open."""
        self.catch_up(session)
        mine = next((seat for seat in self.seats if seat.name == name and seat.live), None)
        elsewhere = mine is not None and mine.session is not session
        new = mine is None
        refuse_if(
            session_over=not session.is_live,
            worker_blocked=name in self.blocked,
            already_seated=elsewhere,
            pool_full=new and (session.is_full or (hire is None and not session.offers)),
            offer_closed=new and hire is not None and (hire not in session.offers),
        )
        if mine is not None:
            mine.heard = self.now
            return mine
        hire = hire or session.offers[0]
        hire.status = "TAKEN"
        ends = self.now + session.terms.time_limit
        seat = Seat(len(self.seats) + 1, name, session, hire, joined=self.now, heard=self.now, ends=ends)
        self.seats.append(seat)
        session.seats.append(seat)
        self._settle(session)
        return seat

    def enter(self, seat: Seat) -> int:
        refuse_if(seat_over=not seat.live)
        seat.connection += 1
        seat.heard = self.now
        return seat.connection

    def heard(self, connections: list[tuple[Seat, int]]) -> list[Seat]:
        mine = [seat for seat, connection in connections if seat.live and seat.connection == connection]
        for seat in mine:
            seat.heard = self.now
        return mine

    def confirm(self, seat: Seat, connection: int | None) -> None:
        """It waits for nothing else that is late in the session, unless it is late itself."""
        elsewhere = seat.live and connection not in (None, seat.connection)
        if seat.live and not elsewhere and (seat.due()[0] <= self.now or seat.session.expires <= self.now):
            self.catch_up(seat.session)
            elsewhere = False
        not_active = seat.status == "WAITING"
        refuse_if(seat_over=not seat.live, seat_elsewhere=elsewhere, seat_not_active=not_active)
        if seat.confirmed is None:
            seat.confirmed = seat.heard = self.now

    def leave(self, seat: Seat, left: str, connection: int | None = None) -> None:
        self._reach(seat, connection)
        self._depart(seat, left)

    def may_work(self, seat: Seat, connection: int) -> None:
        """A worker asks for a task. Raises Refused."""
        refuse_if(
            seat_over=not seat.live,
            seat_elsewhere=seat.live and seat.connection != connection,
            seat_not_active=(seat.status == "ACTIVE" and seat.confirmed is None)
            or (seat.status == "WAITING" and not seat.session.has_backlog),
        )
        if seat.status != "ACTIVE":
            return
        if seat.allowed - seat.answers < FEW_LEFT:
            self.catch_up(seat.session)
            refuse_if(seat_over=not seat.live)
            wanted = ANSWERS_AT_ONCE - (seat.allowed - seat.answers)
            seat.allowed += seat.session.that_fit(seat.session.terms.answer, wanted)
        refuse_if(budget_used_up=seat.allowed <= seat.answers)

    def answer(self, seat: Seat, connection: int) -> None:
        self.may_work(seat, connection)
        if seat.status == "ACTIVE":
            seat.answers += 1
        else:
            seat.backlog_answers += 1

    def _reach(self, seat: Seat, connection: int | None, **reasons: bool) -> None:
        was_live = seat.live
        self.catch_up(seat.session)
        if was_live and not seat.live:
            reasons = {}
        elsewhere = seat.live and connection not in (None, seat.connection)
        refuse_if(seat_over=not seat.live, seat_elsewhere=elsewhere, **reasons)

    # What time does.

    def is_late(self, session: Session) -> bool:
        seats = session.is_live and any(seat.live and seat.due()[0] <= self.now for seat in session.seats)
        return session.status != "EXPIRED" and (session.expires <= self.now or seats)

    def catch_up(self, session: Session) -> bool:
        """Do what is overdue; whether there was any."""
        if not self.is_late(session):
            return False
        if session.expires <= self.now:
            self._end(session, "EXPIRED")
            return True
        late = [seat for seat in session.seats if seat.live and seat.due()[0] <= self.now]
        for seat in sorted(late, key=lambda seat: (seat.status == "ACTIVE", seat.due()[0], seat.id)):
            until, left = seat.due()
            self._depart(seat, left, until)
        return True

    def sweep(self) -> int:
        return sum(self.catch_up(session) for session in self.sessions)

    # The rules.

    def _start(self, session: Session) -> None:
        session.started = self.now
        for _ in range(min(session.terms.min_active, len(session.waiting))):
            self._promote(session)
        self._settle(session)

    def _settle(self, session: Session) -> None:
        terms = session.terms
        if session.started is None:
            if len(session.waiting) >= terms.min_active + terms.min_waiting:
                self._start(session)
            return
        while len(session.active) < terms.max_active and len(session.waiting) > terms.min_waiting:
            self._promote(session)

    def _promote(self, session: Session) -> Seat:
        seat = session.waiting[0]
        seat.status, seat.promoted, seat.allowed = "ACTIVE", self.now, ANSWERS_AT_ONCE
        seat.confirm_by = self.now + session.terms.confirm
        return seat

    def _hire(self, session: Session, count: int) -> int:
        fit = session.that_fit(session.terms.each, count)
        for _ in range(fit):
            hire = Hire(len(self.hires) + 1)
            self.hires.append(hire)
            session.hires.append(hire)
        return fit

    def _end(self, session: Session, status: str) -> None:
        live = [seat for seat in session.seats if seat.live]
        session.status = status
        if status == "DRAINING":
            session.stopped = self.now
        else:
            session.ended = self.now
        for seat in live:
            at, by_itself = seat.due()
            self._depart(seat, by_itself if at <= min(self.now, session.expires) else "stop", at)
        for hire in session.offers:
            hire.status = "WITHDRAWN"

    def _depart(self, seat: Seat, left: str, until: int | None = None) -> None:
        session, terms = seat.session, seat.session.terms
        follows = TABLE[left][seat.status]
        paid_until = min(time for time in (self.now, seat.ends, until) if time is not None)
        waited = min(seat.promoted if seat.promoted is not None else paid_until, paid_until) - seat.joined
        earned = {"base": terms.base, "waiting": terms.waiting(waited), "answers": seat.answers * terms.answer}
        if IF_IT_CAN not in follows or session.marketplace.pays_the_departed:
            seat.paid = {kind: cents for kind, cents in earned.items() if kind in follows and cents}
        seat.status, seat.left, seat.ended = END[left], left, self.now
        if AGAIN not in follows or not session.marketplace.offers_again:
            seat.hire.status = "SPENT"
        else:
            seat.hire.status = "OFFERED" if session.is_live and session.that_fit(terms.each, 1) else "WITHDRAWN"
        if not session.is_live:
            return
        if HIRE in follows:
            self._hire(session, 1)
        if PROMOTE in follows and session.waiting and len(session.active) < terms.max_active:
            self._promote(session)
