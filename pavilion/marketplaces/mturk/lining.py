"""Our rows brought in line with what Mechanical Turk says of its HITs, whatever events say.

A HIT does not say who holds it, nor how somebody gave it back: where nobody has it, the worker of ours has left; where
somebody has it, that is our worker as long as their page is heard of. And what is read here was read before Mechanical
Turk was asked, so that who comes meanwhile is not taken for gone.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pavilion import keeping, offers, pool
from pavilion.exceptions import SeatOver
from pavilion.marketplaces.base import Offered
from pavilion.marketplaces.mturk.calls import Calls, Said
from pavilion.marketplaces.mturk.hits import ABANDONED
from pavilion.models import Hire, Seat, Session, Worker
from pavilion.states import HireStatus
from queues.transactions import database_now

SETTLED = timedelta(seconds=60)
"""So long a HIT may say nothing of somebody who has just accepted it: its counts come late (API reference, HIT)."""

OURS = (HireStatus.PLANNED, HireStatus.POSTED, HireStatus.TAKEN, HireStatus.WITHDRAWING)
"""Hires with which we are not done."""


def listed(calls: Calls, session: Session) -> Iterator[Offered]:
    """What is said of a session's hires with which we are not done. Raises Later, Said."""
    hires = Hire.objects.filter(session=session, status__in=OURS).exclude(external_id="")
    wanted = set(hires.values_list("external_id", flat=True))
    if not wanted:
        return
    for hit in calls.pages("list_hits", "HITs"):
        if hit["HITId"] in wanted:
            wanted.remove(hit["HITId"])
            yield _offered(calls, hit)
            if not wanted:
                return
    for number in sorted(wanted):
        yield look(calls, number)


def look(calls: Calls, number: str) -> Offered:
    """What is said of one HIT. Raises Later, Said."""
    try:
        hit = calls.ask("get_hit", HITId=number)["HIT"]
    except Said as error:
        if error.code != "HITDoesNotExist":
            raise
        return Offered(number, "closed")
    return _offered(calls, hit)


def _offered(calls: Calls, hit: dict[str, Any]) -> Offered:
    number, details = hit["HITId"], {"status": hit["HITStatus"]}
    if hit["NumberOfAssignmentsPending"]:
        return Offered(number, "held", details=details)
    # Asked after the counts, so that what was submitted before they were taken is there.
    for one in calls.pages("list_assignments_for_hit", "Assignments", HITId=number):
        details["assignment_status"] = one["AssignmentStatus"]
        return Offered(number, "submitted", one["WorkerId"], one["AssignmentId"], details)
    return Offered(number, "open" if hit["HITStatus"] == "Assignable" else "closed", details=details)


def bring_in_line(calls: Calls, session: Session) -> int:
    """Do with the session's seats and offers what has been done at Mechanical Turk; how many. Raises Later, Said."""
    _block(calls, session)
    seats = _live(session=session)
    return sum(_bring(offered, session.pk, seats.get(offered.external_id)) for offered in listed(calls, session))


def bring_one_in_line(calls: Calls, number: str, hints: Mapping[str, str]) -> int:
    """The same for one HIT, if it is one of ours. `hints`: assignment → the last event that tells that it was given up.

    Raises Later, Said.
    """
    hire = Hire.objects.filter(session__pool__marketplace="mturk", external_id=number, status__in=OURS).first()
    if hire is None:
        return 0
    seat = _live(hire=hire).get(number)
    hint = hints.get(seat.external_id, "") if seat is not None else ""
    return _bring(look(calls, number), hire.session_id, seat, hint)


def _live(**of: Any) -> dict[str, Seat]:
    """HIT → its live seat."""
    seats = Seat.objects.live().filter(**of).exclude(external_id="").select_related("worker", "hire")
    return {seat.hire.external_id: seat for seat in seats}


def _bring(offered: Offered, session_id: int, seat: Seat | None, hint: str = "") -> int:
    if offered.status == "held":
        return 0
    if seat is not None:
        return _end(offered, seat, hint)
    if offered.status == "open":
        return 0
    hires = Hire.objects.filter(session=session_id, external_id=offered.external_id, status=HireStatus.POSTED)
    return sum(offers.replace(hire_id=pk) for pk in hires.values_list("pk", flat=True))


def _end(offered: Offered, seat: Seat, hint: str) -> int:
    """End a live seat whose HIT nobody holds any more; 0 where it has ended, or it is too early to tell."""
    now = database_now()
    mine = (offered.worker, offered.assignment) == (seat.worker.external_id, seat.external_id)
    try:
        if offered.status == "submitted" and mine:
            pool.submit(seat_id=seat.pk)
        elif not hint and now - seat.joined_at < SETTLED:
            return 0
        elif hint == ABANDONED or (not hint and now >= seat.ends_at):
            pool.abandon(seat_id=seat.pk)
        else:
            pool.give_back(seat_id=seat.pk)
    except SeatOver:
        return 0
    return 1


def _block(calls: Calls, session: Session) -> None:
    """Who is blocked here is kept from accepting HITs there, and let in again with us. Raises Later, Said."""
    known = set(keeping.kept(session_id=session.pk).get("blocked", []))
    workers = Worker.objects.filter(seats__session=session, marketplace="mturk")
    blocked = dict(workers.filter(blocked_at__isnull=False).values_list("external_id", "blocked_reason"))
    for worker in sorted(blocked.keys() - known):
        calls.ask("create_worker_block", WorkerId=worker, Reason=blocked[worker] or "Blocked by the requester.")
    for worker in sorted(known - blocked.keys()):
        calls.ask("delete_worker_block", WorkerId=worker)
    if blocked.keys() != known:
        keeping.keep(session_id=session.pk, blocked=sorted(blocked))
