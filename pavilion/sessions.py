"""A pool at work: posting, starting, stopping and ending a session, and changing its limits meanwhile."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from pavilion import pay
from pavilion.exceptions import BudgetUsedUp, SessionLive, SessionOver, SessionStarted
from pavilion.locking import SECOND, Locked, under_lock
from pavilion.models import Pool, Session, Terms
from pavilion.states import EventType, SessionStatus
from queues.exceptions import InvalidInput, QueueArchived
from queues.transactions import database_now, is_unique_violation, writer

TERMS = frozenset(field.name for field in Terms._meta.fields)

LIMITS = ("min_waiting", "min_active", "max_waiting", "max_active")
"""Events tell them, so that those of any moment can be told."""

CHANGEABLE = frozenset({*LIMITS, "budget"})
"""What may be changed of a live session."""


@writer
def post(*, pool_id: int, actor: Any = None, now: datetime | None = None) -> Session:
    """Put a pool to work under its present terms, and offer as many places as may wait and be active in all.

    Raises Pool.DoesNotExist, SessionLive, QueueArchived, BudgetUsedUp where not even one place fits.
    """
    pool = Pool.objects.select_for_update(no_key=True, of=("self",)).select_related("queue").get(pk=pool_id)
    if pool.queue.archived_at is not None:
        raise QueueArchived(f"The queue {pool.queue.name} was deleted.")
    now = database_now(now)
    session = Session(
        pool=pool,
        posted_at=now,
        posted_by=actor,
        expires_at=now + SECOND * pool.posting_seconds,
        **{name: getattr(pool, name) for name in TERMS},
    )
    try:
        with transaction.atomic():
            session.save(force_insert=True)
    except IntegrityError as error:
        if not is_unique_violation(error, Session):
            raise
        live = Session.objects.get(pool=pool, status=SessionStatus.LIVE)
        raise SessionLive(f"The pool has a live session already: {live.pk}.", session=live.pk) from None
    locked = Locked(session.pk, now)
    locked.tell(EventType.SESSION_POSTED, actor, **{name: getattr(session, name) for name in LIMITS})
    places = session.max_active + session.max_waiting
    if not locked.hire(places):
        each = pay.at_most_for_an_offer(session)
        raise BudgetUsedUp(f"A worker may cost up to {each}, and the budget is {session.budget}.")
    locked.save()
    return locked.session


def start(*, session_id: int, actor: Any = None, now: datetime | None = None) -> Session:
    """Begin with those who wait, however few. Raises Session.DoesNotExist, SessionOver, SessionStarted."""

    def act(locked: Locked) -> Session:
        locked.require_live()
        if locked.session.started_at is not None:
            raise SessionStarted("The session was started before.")
        locked.start(actor)
        return locked.session

    return under_lock(session_id, act, now=now)


def stop(*, session_id: int, actor: Any = None, now: datetime | None = None) -> Session:
    """Submit everybody, take nobody in any more. Raises Session.DoesNotExist, SessionOver."""

    def act(locked: Locked) -> Session:
        locked.require_live()
        locked.end(SessionStatus.DRAINING, actor)
        return locked.session

    return under_lock(session_id, act, now=now)


def expire(*, session_id: int, actor: Any = None, now: datetime | None = None) -> Session:
    """End a session: what is posted is withdrawn, who is there is submitted.

    Raises Session.DoesNotExist, SessionOver.
    """

    def act(locked: Locked) -> Session:
        if locked.session.status == SessionStatus.EXPIRED:
            raise SessionOver("The session has ended already.", status=locked.session.status)
        locked.end(SessionStatus.EXPIRED, actor)
        return locked.session

    return under_lock(session_id, act, now=now)


def change(*, session_id: int, changes: Mapping[str, Any], actor: Any = None, now: datetime | None = None) -> Session:
    """Set limits or the budget of a live session, any of CHANGEABLE; then as the rules have it.

    With more places more are offered, as far as the budget reaches; with fewer, offers that nobody has taken are
    withdrawn. Nobody is sent away where a limit falls below what is.

    Raises Session.DoesNotExist, SessionOver, InvalidInput.
    """

    def act(locked: Locked) -> Session:
        locked.require_live()
        session = locked.session
        changed = {name: changes[name] for name in changes.keys() & CHANGEABLE}
        places = session.max_active + session.max_waiting
        for name, value in changed.items():
            setattr(session, name, value)
        check_terms(session, changed.keys())
        if session.budget is not None and session.budget < session.committed:
            raise InvalidInput.at("/budget", f"{session.committed} are committed already.")
        session.save(update_fields=list(changed))
        locked.tell(EventType.SESSION_UPDATED, actor, **{name: _plain(value) for name, value in changed.items()})
        more = session.max_active + session.max_waiting - places
        if more > 0:
            locked.hire(more)
        elif more < 0:
            locked.withdraw_latest(-more)
        locked.settle()
        return session

    return under_lock(session_id, act, now=now)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)


def check_terms(terms: Terms, fields: Any) -> None:
    """Raise InvalidInput with every fault of these fields, and of how the limits fit together."""
    errors: list[dict[str, Any]] = []
    try:
        terms.clean_fields(exclude={field.name for field in terms._meta.fields} - set(fields))
    except ValidationError as error:
        errors += [
            {"pointer": f"/{field}", "detail": " ".join(messages)} for field, messages in error.message_dict.items()
        ]
    if not errors:
        errors = _disorder(terms)
    if errors:
        raise InvalidInput(errors)


def _disorder(terms: Terms) -> list[dict[str, Any]]:
    """How the limits do not fit together."""
    least = terms.min_active + terms.min_waiting
    rules = [
        (terms.min_active <= terms.max_active, "/min_active", "Must not be more than max_active."),
        (terms.min_waiting <= terms.max_waiting, "/min_waiting", "Must not be more than max_waiting."),
        (
            least <= terms.max_waiting,
            "/max_waiting",
            f"Must be at least min_active + min_waiting, which is {least}: so many wait before it starts.",
        ),
    ]
    return [{"pointer": pointer, "detail": detail} for holds, pointer, detail in rules if not holds]
