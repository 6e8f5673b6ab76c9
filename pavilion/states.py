"""The states of sessions, seats, hires and payments, the moves between them, and the event types of this floor."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class SessionStatus(models.TextChoices):
    """LIVE takes workers in; DRAINING was stopped, so everybody has been submitted; EXPIRED is the end."""

    LIVE = "LIVE", _("live")
    DRAINING = "DRAINING", _("stopped")
    EXPIRED = "EXPIRED", _("ended")


SESSION_TRANSITIONS: dict[SessionStatus, frozenset[SessionStatus]] = {
    SessionStatus.LIVE: frozenset({SessionStatus.DRAINING, SessionStatus.EXPIRED}),
    SessionStatus.DRAINING: frozenset({SessionStatus.EXPIRED}),
    SessionStatus.EXPIRED: frozenset(),
}


class SeatStatus(models.TextChoices):
    """WAITING and ACTIVE are live; the others are ends. ABANDONED: silent for too long, or beyond the time limit."""

    WAITING = "WAITING", _("waiting")
    ACTIVE = "ACTIVE", _("active")
    SUBMITTED = "SUBMITTED", _("submitted")
    RETURNED = "RETURNED", _("returned")
    ABANDONED = "ABANDONED", _("abandoned")
    DISMISSED = "DISMISSED", _("dismissed")


LIVE = (SeatStatus.WAITING, SeatStatus.ACTIVE)
ENDS = (SeatStatus.SUBMITTED, SeatStatus.RETURNED, SeatStatus.ABANDONED, SeatStatus.DISMISSED)

SEAT_TRANSITIONS: dict[SeatStatus, frozenset[SeatStatus]] = {
    SeatStatus.WAITING: frozenset({SeatStatus.ACTIVE, *ENDS}),
    SeatStatus.ACTIVE: frozenset(ENDS),
    **{end: frozenset() for end in ENDS},
}


class Left(models.TextChoices):
    """Why a seat ended. Each goes with one end: see LEAVES."""

    SUBMIT = "submit", _("submitted")
    STOP = "stop", _("the session was stopped")
    RETURN = "return", _("returned")
    SILENCE = "silence", _("not heard of any more")
    TIME = "time", _("the time limit was reached")
    UNCONFIRMED = "unconfirmed", _("did not confirm being promoted")
    DISMISS = "dismiss", _("dismissed")
    BLOCK = "block", _("blocked")


LEAVES: dict[Left, SeatStatus] = {
    Left.SUBMIT: SeatStatus.SUBMITTED,
    Left.STOP: SeatStatus.SUBMITTED,
    Left.RETURN: SeatStatus.RETURNED,
    Left.SILENCE: SeatStatus.ABANDONED,
    Left.TIME: SeatStatus.ABANDONED,
    Left.UNCONFIRMED: SeatStatus.DISMISSED,
    Left.DISMISS: SeatStatus.DISMISSED,
    Left.BLOCK: SeatStatus.DISMISSED,
}


class HireStatus(models.TextChoices):
    """PLANNED is to be posted; POSTED is open to anyone; TAKEN has a live seat; SPENT had one; WITHDRAWING is to be
    taken back from the marketplace. FAILED: the marketplace refused it.
    """

    PLANNED = "PLANNED", _("to be posted")
    POSTED = "POSTED", _("posted")
    TAKEN = "TAKEN", _("taken")
    SPENT = "SPENT", _("done with")
    WITHDRAWING = "WITHDRAWING", _("to be withdrawn")
    WITHDRAWN = "WITHDRAWN", _("withdrawn")
    FAILED = "FAILED", _("failed")


OFFERED = (HireStatus.PLANNED, HireStatus.POSTED)
"""Nobody has it yet, somebody may: money is kept for it."""

HIRE_TRANSITIONS: dict[HireStatus, frozenset[HireStatus]] = {
    HireStatus.PLANNED: frozenset({HireStatus.POSTED, HireStatus.FAILED, HireStatus.WITHDRAWING, HireStatus.TAKEN}),
    HireStatus.POSTED: frozenset({HireStatus.TAKEN, HireStatus.WITHDRAWING}),
    HireStatus.TAKEN: frozenset({HireStatus.POSTED, HireStatus.SPENT, HireStatus.WITHDRAWING}),
    HireStatus.SPENT: frozenset(),
    HireStatus.WITHDRAWING: frozenset({HireStatus.WITHDRAWN, HireStatus.FAILED}),
    HireStatus.WITHDRAWN: frozenset(),
    HireStatus.FAILED: frozenset(),
}


class PaymentKind(models.TextChoices):
    """What a payment is for. A seat has one of each kind at most."""

    BASE = "base", _("base reward")
    WAITING = "waiting", _("waiting")
    ANSWERS = "answers", _("answers")


class PaymentStatus(models.TextChoices):
    """OWED is to be sent; SENDING is under way, or was when its sender was lost; SENT and FAILED are ends."""

    OWED = "OWED", _("owed")
    SENDING = "SENDING", _("being sent")
    SENT = "SENT", _("sent")
    FAILED = "FAILED", _("failed")


PAYMENT_TRANSITIONS: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.OWED: frozenset({PaymentStatus.SENDING}),
    PaymentStatus.SENDING: frozenset({PaymentStatus.OWED, PaymentStatus.SENT, PaymentStatus.FAILED}),
    PaymentStatus.SENT: frozenset(),
    # Tried again by hand.
    PaymentStatus.FAILED: frozenset({PaymentStatus.OWED}),
}


class EventType(StrEnum):
    """The event types that this floor writes."""

    SESSION_POSTED = "SESSION_POSTED"
    SESSION_STARTED = "SESSION_STARTED"
    SESSION_STOPPED = "SESSION_STOPPED"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    SESSION_UPDATED = "SESSION_UPDATED"
    SEAT_WAITING = "SEAT_WAITING"
    SEAT_ACTIVE = "SEAT_ACTIVE"
    SEAT_CONFIRMED = "SEAT_CONFIRMED"
    SEAT_SUBMITTED = "SEAT_SUBMITTED"
    SEAT_RETURNED = "SEAT_RETURNED"
    SEAT_ABANDONED = "SEAT_ABANDONED"
    SEAT_DISMISSED = "SEAT_DISMISSED"


SEAT_EVENT = {status: EventType(f"SEAT_{status}") for status in SeatStatus}

ANSWERS_AT_ONCE = 10
"""For so many answers money is put aside for a worker at a time."""

HIRES_MAX = 1000
"""The most that one call hires, migrates or posts."""
