"""What stands in the addresses and messages that workers bring: signed, so that nobody makes them up.

An offer's link leads to a place, or to whichever place is open; a seat's link is the worker's own, as long as the
seat lives; a seat's token says which window speaks, for TOKEN_SECONDS.
"""

from dataclasses import dataclass

from django.core import signing

TOKEN_SECONDS = 900

OFFER, SEAT, TOKEN = "pavilion.offer", "pavilion.seat", "pavilion.token"


class BadLink(Exception):
    """It was not made here, or is too old."""


@dataclass(frozen=True)
class OfferLink:
    """An offer of a session: one place (`hire_id`), or any that is open (None)."""

    session_id: int
    hire_id: int | None


@dataclass(frozen=True)
class SeatToken:
    """A seat, and the number of the window that speaks for it."""

    seat_id: int
    connection: int


def of_offer(*, session_id: int, hire_id: int | None = None) -> str:
    """The text that stands for an offer in an address."""
    return signing.dumps([session_id, hire_id], salt=OFFER)


def offer(text: str) -> OfferLink:
    """Raises BadLink."""
    try:
        session_id, hire_id = signing.loads(text, salt=OFFER)
    except signing.BadSignature:
        raise BadLink from None
    return OfferLink(session_id, hire_id)


def of_seat(seat_id: int) -> str:
    """The text by which a worker comes back to their seat."""
    return signing.dumps(seat_id, salt=SEAT)


def seat(text: str) -> int:
    """The seat's id. Raises BadLink."""
    try:
        return int(signing.loads(text, salt=SEAT))
    except signing.BadSignature:
        raise BadLink from None


def token(*, seat_id: int, connection: int) -> str:
    """What a window shows with each request and when it opens a socket."""
    return signing.dumps([seat_id, connection], salt=TOKEN)


def read_token(text: str) -> SeatToken:
    """Raises BadLink."""
    try:
        seat_id, connection = signing.loads(text, salt=TOKEN, max_age=TOKEN_SECONDS)
    except signing.BadSignature:
        raise BadLink from None
    return SeatToken(seat_id, connection)
