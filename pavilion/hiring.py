"""What follows when a place is offered or taken back: the marketplace is told, and told of what became of it there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from pavilion import conf, errands, links, marketplaces
from pavilion.locking import Locked, under_lock
from pavilion.models import Hire, Session
from pavilion.states import HireStatus, SessionStatus
from queues.transactions import database_now

BATCH = 20

LISTED = 50
"""So many links to single places are shown at once."""


def address(*, session_id: int, hire_id: int | None = None) -> str:
    """Where an offer leads: the whole address, where the host says what the site's is (CROWDSITE_URL)."""
    link = links.of_offer(session_id=session_id, hire_id=hire_id)
    return conf.site_url() + reverse("crowd-pool-offer", args=[link])


def work(*, limit: int = BATCH, now: datetime | None = None) -> int:
    """Post and withdraw up to so many offers that are due; how many were seen to."""
    ids = errands.take(Hire.objects.all(), limit=limit, now=now)
    for hire in Hire.objects.filter(pk__in=ids).select_related("session__pool").order_by("pk"):
        if hire.status == HireStatus.PLANNED:
            _post(hire, now)
        elif hire.status == HireStatus.WITHDRAWING:
            _withdraw(hire, now)
        else:
            Hire.objects.filter(pk=hire.pk, status=hire.status).update(due_at=None, leased_until=None)
    return len(ids)


def _post(hire: Hire, now: datetime | None) -> None:
    url = address(session_id=hire.session_id, hire_id=hire.pk)

    def posted(external_id: str) -> None:
        moment = database_now(now)
        known: dict[str, Any] = {"external_id": external_id, "posted_at": moment, "error": ""}
        done = Hire.objects.filter(pk=hire.pk, status=HireStatus.PLANNED).update(
            status=HireStatus.POSTED, opened_at=moment, due_at=None, leased_until=None, **known
        )
        if not done:
            # It was taken, or is to be withdrawn, by now: that is seen to on its own.
            Hire.objects.filter(pk=hire.pk).update(leased_until=None, **known)

    def refused(reason: str) -> None:
        def act(locked: Locked) -> None:
            locked.fail(hire.pk, reason)

        under_lock(hire.session_id, act, now=now)

    errands.attempt(
        hire,
        lambda: marketplaces.of(hire.session.pool.marketplace).post(hire, url),
        done=posted,
        refused=refused,
        later=lambda at, reason: _later(hire, at, reason),
        now=now,
    )


def _withdraw(hire: Hire, now: datetime | None) -> None:
    def ended(status: HireStatus, error: str = "") -> None:
        Hire.objects.filter(pk=hire.pk, status=HireStatus.WITHDRAWING).update(
            status=status, ended_at=database_now(now), due_at=None, leased_until=None, error=error
        )

    if not hire.external_id and hire.tries == 1 and hire.posted_at is None:
        # This is the first time that anybody sees to it: it was never posted.
        ended(HireStatus.WITHDRAWN)
        return
    errands.attempt(
        hire,
        lambda: marketplaces.of(hire.session.pool.marketplace).withdraw(hire),
        done=lambda _none: ended(HireStatus.WITHDRAWN),
        refused=lambda reason: ended(HireStatus.FAILED, reason),
        later=lambda at, reason: _later(hire, at, reason),
        now=now,
    )


def _later(hire: Hire, at: datetime, reason: str) -> None:
    Hire.objects.filter(pk=hire.pk, due_at__isnull=False).update(due_at=at, leased_until=None, error=reason)


def reconcile(*, now: datetime | None = None) -> int:
    """Ask the marketplaces of sessions that have not ended, or ended with something open, how things are there."""
    changed = 0
    for session in unsettled():
        try:
            changed += marketplaces.of(session.pool.marketplace).reconcile(session)
        except marketplaces.Later as not_now:
            errands.logger.warning("Session %s is not reconciled: %s", session.pk, not_now)
        except Exception:
            errands.logger.exception("Session %s is not reconciled.", session.pk)
    return changed


def unsettled() -> list[Session]:
    """Sessions whose marketplace knows of departures, and that have not come to their end in all they have."""
    slugs = [slug for slug in conf.marketplaces() if marketplaces.kind(slug).knows_departures]
    sessions = Session.objects.filter(pool__marketplace__in=slugs).select_related("pool")
    pending = Hire.objects.filter(status__in=[HireStatus.WITHDRAWING, HireStatus.TAKEN]).values("session")
    return [*sessions.open().order_by("pk"), *sessions.filter(status=SessionStatus.EXPIRED, pk__in=pending)]


def poll() -> int:
    """Take in what the marketplaces have to tell; how many things it was."""
    told = 0
    for slug in conf.marketplaces():
        if marketplaces.kind(slug).knows_departures:
            try:
                told += marketplaces.of(slug).poll()
            except marketplaces.Later as not_now:
                errands.logger.warning("%s was not asked: %s", slug, not_now)
            except Exception:
                errands.logger.exception("%s was not asked.", slug)
    return told


@dataclass(frozen=True)
class Invitations:
    """Where workers come in: `any` leads to whichever place is open, each of `single` to one of them.

    `more`: there are more open places than are listed.
    """

    any: str
    single: list[str]
    more: bool


def invitations(*, session_id: int) -> Invitations:
    """The links to a session's open places, of which LISTED are listed."""
    open_ = Hire.objects.filter(session=session_id, status=HireStatus.POSTED).order_by("id")
    ids = list(open_.values_list("pk", flat=True)[: LISTED + 1])
    single = [address(session_id=session_id, hire_id=hire_id) for hire_id in ids[:LISTED]]
    return Invitations(address(session_id=session_id), single, len(ids) > LISTED)


def open_places(session: Session) -> int:
    """How many offers somebody may take now."""
    return Hire.objects.filter(session=session).offered().count()
