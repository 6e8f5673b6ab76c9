"""What a seat earns, and what one may cost at most. Plain arithmetic in whole cents; who is paid what is the table of
departures (docs/pool.md).
"""

from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Protocol

from pavilion.states import ANSWERS_AT_ONCE, Left, PaymentKind, SeatStatus

CENT = Decimal("0.01")

WITH_BASE = frozenset({Left.SUBMIT, Left.STOP})
"""Who leaves in these ways gets the base reward."""

ONLY_WHERE_THE_MARKETPLACE_CAN = frozenset({Left.RETURN, Left.SILENCE, Left.TIME})


class Terms(Protocol):
    """What pay depends on: amounts, the wage for a minute, and the time limit in seconds."""

    base_reward: Decimal
    answer_reward: Decimal
    waiting_wage: Decimal
    time_limit: int


class Seated(Protocol):
    """When somebody came, was promoted (None: never), and until when they are paid; what they have answered."""

    joined_at: datetime
    active_at: datetime | None
    answers: int


def for_waiting(terms: Terms, seconds: int) -> Decimal:
    """The pay for whole seconds of waiting; half a cent is a cent."""
    return (terms.waiting_wage * seconds / 60).quantize(CENT, ROUND_HALF_UP)


def seconds_waited(seat: Seated, until: datetime) -> int:
    """Whole seconds from joining to being promoted, or to `until`, whichever came first."""
    end = until if seat.active_at is None else min(until, seat.active_at)
    return max(0, int((end - seat.joined_at).total_seconds()))


def earned(
    terms: Terms, seat: Seated, *, left: Left, until: datetime, pays_the_departed: bool
) -> dict[PaymentKind, Decimal]:
    """What a seat that ends in this way has earned, by kind; nothing is left out.

    `pays_the_departed`: whether the marketplace can pay those who returned or abandoned.
    """
    if left in ONLY_WHERE_THE_MARKETPLACE_CAN and not pays_the_departed:
        return {}
    amounts = {
        PaymentKind.BASE: terms.base_reward if left in WITH_BASE else Decimal(0),
        PaymentKind.WAITING: for_waiting(terms, seconds_waited(seat, until)),
        PaymentKind.ANSWERS: terms.answer_reward * seat.answers,
    }
    return {kind: amount for kind, amount in amounts.items() if amount}


def at_most_for_an_offer(terms: Terms) -> Decimal:
    """What somebody who takes an offer may cost, before more answers are allowed: they may wait to the time limit."""
    waiting = (terms.waiting_wage * terms.time_limit / 60).quantize(CENT, ROUND_UP)
    return terms.base_reward + waiting + terms.answer_reward * ANSWERS_AT_ONCE


def at_most_for_a_seat(terms: Terms, seat: Seated, *, status: SeatStatus, allowed: int) -> Decimal:
    """What a live seat may cost: one that was promoted waits no more."""
    if status == SeatStatus.WAITING or seat.active_at is None:
        return at_most_for_an_offer(terms)
    waiting = for_waiting(terms, seconds_waited(seat, seat.active_at))
    return terms.base_reward + waiting + terms.answer_reward * allowed


def that_fit(room: Decimal | None, each: Decimal, wanted: int) -> int:
    """How many things of this price fit into the room (None: there is no end to it), of so many."""
    if room is None or not each:
        return wanted
    return min(wanted, int((max(room, Decimal(0)) / each).quantize(Decimal(1), ROUND_DOWN)))
