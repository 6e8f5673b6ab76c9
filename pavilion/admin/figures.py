"""What the console shows, as texts: made here alone, for the page as it is first served and for each refresh of it.

As on the dashboard a refresh carries `texts`, `shown` and `plots`; and `bodies`, the rows of its tables as HTML.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assignments.admin.figures import NONE, clock, number, share, span
from pavilion.console import POINTS, Move, Now, Person, Series
from pavilion.models import Seat
from pavilion.sizing import Advice
from pavilion.states import Left, SeatStatus, SessionStatus

MINUTE, HOUR, WEEK = 60, 3600, 7 * 86_400

WHAT = {
    "WAITING": gettext_lazy("joined"),
    "ACTIVE": gettext_lazy("promoted"),
    "SESSION_POSTED": gettext_lazy("Posted"),
    "SESSION_STARTED": gettext_lazy("Started"),
    "SESSION_STOPPED": gettext_lazy("Stopped"),
    "SESSION_EXPIRED": gettext_lazy("Ended"),
    "SESSION_UPDATED": gettext_lazy("Changed"),
}
"""What happened, by the state of a seat or the type of an event."""

HEADS = [gettext_lazy("Waiting"), gettext_lazy("Active")]

Link = Callable[[Seat], str | None]
"""The address of a page about a seat, or None where there is none for this user."""


def amount(value: Any) -> str:
    """An amount of money, such as 1,234.50."""
    return NONE if value is None else number_format(value, 2, use_l10n=True, force_grouping=True)


def texts(now: Now) -> dict[str, str]:
    """The text of each place."""
    session, money, offers = now.session, now.money, now.offers
    return {
        "as_of": clock(now.as_of),
        "status": str(SessionStatus(session.status).label),
        "waiting": number(now.waiting),
        "active": number(now.active),
        "waiting_limits": _("at most {most}, reserve {least}").format(
            most=number(session.max_waiting), least=number(session.min_waiting)
        ),
        "active_limits": _("at most {most}, begins with {least}").format(
            most=number(session.max_active), least=number(session.min_active)
        ),
        "begins_with": number(session.min_active + session.min_waiting),
        "open": number(offers.open),
        "earned": amount(money.earned),
        "reserved": amount(money.reserved),
        "left": _("no limit") if money.left is None else amount(money.left),
        "budget": _("no budget") if session.budget is None else _("of {budget}").format(budget=amount(session.budget)),
        "each": amount(money.each),
        "owed": amount(money.owed),
        "sent": amount(money.sent),
        "unsent": amount(money.failed),
        "lasts": _lasts(now),
        "planned": number(offers.planned),
        "refused": number(offers.failed),
        "offers_error": offers.error,
        "waiting_more": _more(now.waiting - len(now.in_line)),
        "active_more": _more(now.active - len(now.at_work)),
        "advice": _advice(now.advice),
    }


def shown(now: Now) -> dict[str, bool]:
    """Which places are shown."""
    session, live = now.session, now.session.is_live
    return {
        "live": live,
        "over": not live,
        "open_end": session.status != SessionStatus.EXPIRED,
        "unstarted": live and not now.started,
        "started": live and now.started,
        "used_up": live and now.money.is_used_up,
        "planned": now.offers.planned > 0,
        "refused": now.offers.failed > 0,
        "offers_error": bool(now.offers.error),
        "unsent": now.money.failed > 0,
        "in_line": bool(now.in_line),
        "nobody_waits": not now.in_line,
        "at_work": bool(now.at_work),
        "nobody_active": not now.at_work,
        "advice": now.advice is not None,
    }


def people(persons: list[Person], now: datetime, *, worker: Link, dismiss: Link, block: Link) -> list[dict[str, Any]]:
    """Rows of those who wait, or who are active."""
    return [_person(person, now, worker, dismiss, block) for person in persons]


def _person(person: Person, now: datetime, worker: Link, dismiss: Link, block: Link) -> dict[str, Any]:
    seat = person.seat
    since = seat.active_at if seat.is_active and seat.active_at else seat.joined_at
    left = (seat.confirm_by - now).total_seconds() if person.unconfirmed and seat.confirm_by else None
    return {
        "key": seat.pk,
        "name": str(seat.worker),
        "href": worker(seat),
        "since": f"{clock(since)} ({span((now - since).total_seconds())})",
        "place": number(person.place),
        "answers": number(seat.answers if seat.is_active else seat.backlog_answers),
        "earned": amount(person.earned),
        "heard": span((now - seat.heard_at).total_seconds()),
        "unconfirmed": "" if left is None else _("not confirmed yet, {span} left").format(span=span(left)),
        "dismiss": dismiss(seat),
        "block": block(seat),
    }


def moves(found: list[Move], *, worker: Link) -> list[dict[str, Any]]:
    """Rows of what happened last."""
    return [
        {
            "key": f"{move.at.timestamp()}-{move.what}-{move.seat.pk if move.seat else ''}",
            "at": clock(move.at),
            "who": str(move.seat.worker) if move.seat else _("The session"),
            "href": worker(move.seat) if move.seat else None,
            "what": _what(move),
            "by": move.by,
        }
        for move in found
    ]


def _what(move: Move) -> str:
    if move.left and move.seat is not None:
        label = str(Left(move.left).label)
        return f"{label}: {move.seat.reason}" if move.seat.reason else label
    said = str(WHAT.get(move.what, move.what))
    if not move.delta:
        return said
    changed = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in move.delta.items())
    return f"{said}: {changed}"


def plot(series: Series) -> dict[str, Any]:
    """Both queues over time, as plots.js takes it."""
    waiting = [point.waiting for point in series.points]
    active = [point.active for point in series.points]
    return {
        "labels": [_label(point.start, series.step) for point in series.points],
        "series": [waiting, active],
        "rows": [[_whole(each.start), number(each.waiting), number(each.active)] for each in series.points],
        "summary": _("At most {waiting} waited and {active} were active, a point each {span}.").format(
            waiting=number(max(each or 0 for each in waiting)),
            active=number(max(each or 0 for each in active)),
            span=span(series.step),
        ),
    }


def _label(moment: datetime, step: int) -> str:
    local = timezone.localtime(moment)
    if step * POINTS > WEEK:
        return date_format(local, "j M")
    if step >= HOUR / 2:
        return date_format(local, "D H:i")
    return time_format(local, "H:i" if step >= MINUTE else "H:i:s")


def _whole(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{date_format(local, 'j M')} {time_format(local, 'H:i:s')}"


def _more(unseen: int) -> str:
    return _("and {number} more").format(number=number(unseen)) if unseen > 0 else ""


def _advice(advice: Advice | None) -> str:
    if advice is None:
        return ""
    said = _("With at most {target} waiting, {share} of the tasks would find nobody, and {idle} would wait on average.")
    if advice.bound:
        said += " " + _("More would be better, but the budget or the limits have no room for them.")
    return said.format(target=number(advice.target), share=share(advice.miss_rate), idle=number(round(advice.idle)))


def _lasts(now: Now) -> str:
    """How long a session has lasted, and when it ends."""
    session = now.session
    if session.ended_at is not None:
        return _("ended {at}").format(at=clock(session.ended_at))
    if session.stopped_at is not None:
        return _("stopped {at}").format(at=clock(session.stopped_at))
    left = span((session.expires_at - now.as_of).total_seconds())
    return _("ends by itself {at}, in {span}").format(at=clock(session.expires_at), span=left)


def seat_state(seat: Seat) -> str:
    """How a seat is, or how it ended, in a word."""
    return str(Left(seat.left).label if seat.left else SeatStatus(seat.status).label)
