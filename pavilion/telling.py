"""Telling operators that places are open, where workers are invited by hand: one letter a minute and session at most.

What was told stands in the session's `kept`, and is noted once the letter is out: where the mail server is away, or the
process is lost, the next minute has it.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import EmailMessage
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pavilion import conf, hiring, marketplaces
from pavilion.models import Hire, Session
from pavilion.states import HireStatus, SessionStatus
from queues.people import email_of
from queues.transactions import database_now, writer

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
"""Between two letters about a session, and between two tries of one."""

SETTLED = timedelta(seconds=10)
"""A place has to be open for so long. Those that are opened together are told together, and none is missed whose
transaction has an earlier time than another's but is committed after it.
"""


@dataclass(frozen=True)
class Letter:
    """`opened` places are open that nobody was told of, none later than `until`; `open` are open in all."""

    session: Session
    to: list[str]
    opened: int
    open: int
    until: datetime


def work(*, now: datetime | None = None) -> int:
    """Write the letters that are due; how many went out."""
    moment = database_now(now)
    slugs = [slug for slug in conf.marketplaces() if marketplaces.kind(slug).tells_operators]
    sessions = Session.objects.filter(status=SessionStatus.LIVE, pool__marketplace__in=slugs)
    out = 0
    for session in sessions.select_related("pool", "posted_by").order_by("pk"):
        if _due(session, moment) is None:
            continue
        letter = _take(session_id=session.pk, now=now)
        if letter is not None and _send(letter):
            _note(session_id=session.pk, until=letter.until)
            out += 1
    return out


def recipients(session: Session) -> list[str]:
    """Who is told: whoever posted the session, and the marketplace's option `tell`; each once."""
    given = conf.of_marketplace(session.pool.marketplace).get("tell", [])
    return list({address.lower(): address for address in [*_posted_by(session), *given]}.values())


def _posted_by(session: Session) -> Iterator[str]:
    user: Any = session.posted_by
    if user is not None and user.is_active and (address := email_of(user)):
        yield address


def _due(session: Session, moment: datetime) -> Letter | None:
    """What is to be told of a session now; None: nothing, nobody, or not yet."""
    told = session.kept.get("told", {})
    if (last := _moment(told.get("tried_at"))) is not None and moment < last + EVERY:
        return None
    if not (to := recipients(session)):
        return None
    until = moment - SETTLED
    opened = Hire.objects.filter(session=session, status=HireStatus.POSTED, opened_at__lte=until)
    if (since := _moment(told.get("until"))) is not None:
        opened = opened.filter(opened_at__gt=since)
    if not (count := opened.count()):
        return None
    return Letter(session, to, count, hiring.open_places(session), until)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _locked(session_id: int) -> Session:
    rows = Session.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("pool", "posted_by").get(pk=session_id)


@writer
def _take(*, session_id: int, now: datetime | None) -> Letter | None:
    """The letter, if it is still to be written; nobody else writes one in the next minute."""
    session = _locked(session_id)
    moment = database_now(now)
    letter = _due(session, moment) if session.is_live else None
    if letter is not None:
        session.kept["told"] = session.kept.get("told", {}) | {"tried_at": moment.isoformat()}
        session.save(update_fields=["kept"])
    return letter


@writer
def _note(*, session_id: int, until: datetime) -> None:
    session = _locked(session_id)
    session.kept["told"] = session.kept.get("told", {}) | {"until": until.isoformat()}
    session.save(update_fields=["kept"])


def _send(letter: Letter) -> bool:
    # A name may have several lines, which a subject must not.
    pool = " ".join(letter.session.pool.name.split())
    subject = ngettext("%(pool)s: a place is open", "%(pool)s: %(count)d places are open", letter.opened)
    message = EmailMessage(subject % {"pool": pool, "count": letter.opened}, _text(letter, pool), to=letter.to)
    try:
        message.send()
    except OSError as error:
        logger.warning("Operators could not be told of open places in session %s: %s", letter.session.pk, error)
        return False
    return True


def _text(letter: Letter, pool: str) -> str:
    return _(
        "People can join %(pool)s (session %(session)d).\n\n"
        "Open since the last letter: %(opened)d. Open in all: %(open)d.\n\n"
        "Hand this invitation to people. It leads to any place that is open, as long as there is one:\n%(link)s\n"
    ) % {
        "pool": pool,
        "session": letter.session.pk,
        "opened": letter.opened,
        "open": letter.open,
        "link": hiring.address(session_id=letter.session.pk),
    }
