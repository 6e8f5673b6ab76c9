"""The marketplace itself. The real one has closed (docs/marketplaces.md): this speaks its protocol."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pavilion import keeping
from pavilion.marketplaces.base import Later, Marketplace, Offered, Refused, Visitor, cents
from pavilion.marketplaces.mturk import calls, events, hits, lining, options
from pavilion.marketplaces.mturk.calls import Calls, Said
from queues.transactions import database_now

if TYPE_CHECKING:
    from pavilion.models import Hire, Payment, Session

NOT_AVAILABLE = "ASSIGNMENT_ID_NOT_AVAILABLE"

TOKENS_LAST = timedelta(hours=23)
"""A UniqueRequestToken is forgotten after 24 hours (API reference), by a clock that may not be ours."""

PAST = datetime(2015, 1, 1, tzinfo=UTC)

NOTIFIED_AT_ONCE, SUBJECT_MAX, TEXT_MAX = 100, 200, 4096

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_HIT_IN_TEXT = re.compile(r"\b[A-Z0-9]{30}\b")
_URL_MAX = 300


class MTurk(Marketplace):
    """One HIT with one assignment for each hire; the base reward is the HIT's, the rest are bonuses.

    Bonuses are for those who submitted, so who returned or abandoned cannot be paid. A HIT that was given back is open
    to others by itself.
    """

    slug = "mturk"
    title = "Mechanical Turk"
    pays_the_departed = False
    offers_again = True
    knows_departures = True

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.calls = Calls(options.read(given))

    @classmethod
    def faults(cls, options_: Mapping[str, Any]) -> Iterable[str]:
        yield from options.faults(options_)
        if not calls.is_there():
            yield calls.MISSING_BOTO3

    @property
    def frame_ancestors(self) -> list[str]:
        return list(self.calls.options.frame_ancestors)

    @property
    def submit_urls(self) -> list[str]:
        return list(self.calls.options.submit_urls)

    def visitor(self, query: Mapping[str, str]) -> Visitor | None:
        """Who comes without all that MTurk says of a worker only looks: nobody takes part past the marketplace."""
        worker, assignment = query.get("workerId", ""), query.get("assignmentId", "")
        if assignment == NOT_AVAILABLE or not (_ID.fullmatch(worker) and _ID.fullmatch(assignment)):
            return Visitor(preview=True)
        url = query.get("turkSubmitTo", "").rstrip("/") + options.SUBMIT
        return Visitor(
            preview=False, worker=worker, assignment=assignment, submit_url=url if len(url) <= _URL_MAX else ""
        )

    def post(self, hire: "Hire", url: str) -> str:
        annotation = str(hire.request_token)
        if _is_old(hire) and (found := self._find(annotation)):
            return found
        session = hire.session
        lifetime = int((session.expires_at - database_now()).total_seconds())
        try:
            made = self.calls.ask(
                "create_hit_with_hit_type",
                HITTypeId=self._type(session),
                Question=hits.question(url),
                MaxAssignments=1,
                LifetimeInSeconds=max(hits.LIFETIME_MIN, lifetime),
                RequesterAnnotation=annotation,
                UniqueRequestToken=annotation,
            )
        except Said as error:
            if error.code != "HitAlreadyExists":
                raise
            named = _HIT_IN_TEXT.search(str(error))
            if found := (named[0] if named else self._find(annotation)):
                return found
            raise Later("Mechanical Turk has posted it, and does not list it yet.") from error
        return made["HIT"]["HITId"]

    def _type(self, session: "Session") -> str:
        """The type of the session's HITs, made and kept when it is asked for first. Raises Later, Said."""
        # The row may have been read before another hire of the session was posted.
        if known := keeping.kept(session_id=session.pk).get("hit_type"):
            return known
        number = self.calls.ask("create_hit_type", **hits.type_fields(session))["HITTypeId"]
        if (destination := self.calls.options.destination) is not None:
            transport, address = destination
            self.calls.ask(
                "update_notification_settings",
                HITTypeId=number,
                Active=True,
                Notification={
                    "Destination": address,
                    "Transport": transport,
                    "Version": hits.EVENTS_VERSION,
                    "EventTypes": list(hits.EVENTS),
                },
            )
        keeping.keep(session_id=session.pk, hit_type=number)
        return number

    def _find(self, annotation: str) -> str | None:
        """The HIT that a try made whose answer was lost. Raises Later, Said."""
        for hit in self.calls.pages("list_hits", "HITs"):
            if hit.get("RequesterAnnotation") == annotation:
                return hit["HITId"]
        return None

    def withdraw(self, hire: "Hire") -> None:
        number = hire.external_id or self._find(str(hire.request_token))
        if not number:
            return
        # One that is disposed of, or has work in hand, says so; then there is nothing more to be done.
        try:
            self.calls.ask("update_expiration_for_hit", HITId=number, ExpireAt=PAST)
            self.calls.ask("delete_hit", HITId=number)
        except Said as error:
            if error.code not in ("HITDoesNotExist", "InvalidHITState"):
                raise Later(str(error)) from error

    def extend(self, hire: "Hire", until: datetime) -> None:
        self.calls.ask("update_expiration_for_hit", HITId=hire.external_id, ExpireAt=until)

    def list(self, session: "Session") -> Iterator[Offered]:
        """Of those hires with which we are not done. It does not say who holds one that was not submitted yet."""
        return lining.listed(self.calls, session)

    def approve(self, payment: "Payment") -> str:
        assignment = self._submitted(payment)
        if assignment["AssignmentStatus"] == "Submitted":
            try:
                self.calls.ask("approve_assignment", AssignmentId=assignment["AssignmentId"])
            except Said as error:
                if error.code != "InvalidAssignmentState":
                    raise
                if self._submitted(payment)["AssignmentStatus"] != "Approved":
                    raise Later(str(error)) from error
        return assignment["AssignmentId"]

    def bonus(self, payment: "Payment", reason: str) -> str:
        # What tells it from the worker's other bonuses, once the token is forgotten.
        reason = f"{reason} (Reference {str(payment.request_token)[:8]}.)"
        if (payment.tries > 1 or _is_old(payment)) and self._was_sent(payment, reason):
            return str(payment.request_token)
        try:
            self.calls.ask(
                "send_bonus",
                WorkerId=payment.seat.worker.external_id,
                AssignmentId=payment.seat.external_id,
                BonusAmount=cents(payment.amount),
                Reason=reason,
                UniqueRequestToken=str(payment.request_token),
            )
        except Said as error:
            # The error of a token that was spent has no code of its own.
            if not self._was_sent(payment, reason):
                if error.code in ("AssignmentDoesNotExist", "InvalidAssignmentState"):
                    self._submitted(payment)
                    raise Later(str(error)) from error
                raise
        return str(payment.request_token)

    def _was_sent(self, payment: "Payment", reason: str) -> bool:
        """Whether a try before has paid it. Raises Later, Said."""
        try:
            sent = self.calls.pages("list_bonus_payments", "BonusPayments", AssignmentId=payment.seat.external_id)
            return any(one["Reason"] == reason and one["WorkerId"] == payment.seat.worker.external_id for one in sent)
        except Said as error:
            if error.code == "AssignmentDoesNotExist":
                return False
            raise

    def _submitted(self, payment: "Payment") -> dict[str, Any]:
        """The worker's assignment, which they have submitted. Raises Later where they still may, else Refused.

        An assignment that is only held is in the wrong state for some, and for others does not exist; so the HIT says
        whether somebody has it.
        """
        seat = payment.seat
        if not seat.external_id:
            raise Refused("The seat has no assignment at Mechanical Turk.")
        try:
            found = self.calls.ask("get_assignment", AssignmentId=seat.external_id)["Assignment"]
        except Said as error:
            if error.code not in ("AssignmentDoesNotExist", "InvalidAssignmentState"):
                raise
            try:
                hit = self.calls.ask("get_hit", HITId=seat.hire.external_id)["HIT"]
            except Said:
                raise Refused("The assignment is not known at Mechanical Turk any more.") from error
            if hit["NumberOfAssignmentsPending"]:
                raise Later("The worker has not submitted at Mechanical Turk yet.") from error
            raise Refused("The worker has returned or abandoned it at Mechanical Turk.") from error
        if found["WorkerId"] != seat.worker.external_id:
            # Ids of assignments that were returned come back with the next worker.
            raise Refused("The worker has returned or abandoned it at Mechanical Turk: somebody else submitted it.")
        if found["AssignmentStatus"] == "Rejected":
            raise Refused("The assignment was rejected at Mechanical Turk.")
        return found

    def notify(self, workers: Iterable[str], *, subject: str, text: str) -> None:
        """Raises Later only before anybody was written to."""
        ids = sorted(set(workers))
        failed: list[str] = []
        for start in range(0, len(ids), NOTIFIED_AT_ONCE):
            batch = ids[start : start + NOTIFIED_AT_ONCE]
            try:
                answer = self.calls.ask(
                    "notify_workers", Subject=subject[:SUBJECT_MAX], MessageText=text[:TEXT_MAX], WorkerIds=batch
                )
            except Later as not_now:
                if not start:
                    raise
                raise Refused(f"{len(ids) - start} of {len(ids)} workers were not written to: {not_now}") from not_now
            failed += [one.get("WorkerId", "") for one in answer.get("NotifyWorkersFailureStatuses", [])]
        if failed:
            raise Refused(f"{len(failed)} of {len(ids)} workers were not written to: {', '.join(failed[:10])}.")

    def reconcile(self, session: "Session") -> int:
        return lining.bring_in_line(self.calls, session)

    def poll(self) -> int:
        return events.poll(self.calls)


def _is_old(row: "Hire | Payment") -> bool:
    """Whether its first try may be so long ago that its token is forgotten."""
    return row.tries > 1 and database_now() - row.created_at >= TOKENS_LAST
