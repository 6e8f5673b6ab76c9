"""The marketplace: HIT types, HITs, assignments, money, and what workers do.

Time is the machine's, moved on by `pass_time`; what falls due (HITs expire, assignments are abandoned, work is approved
by itself) happens at the next call of anything here.
"""

import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import wraps
from threading import RLock
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from tests.mturk.events import Deliver, Notification, Post, document, event

NO_ASSIGNMENT = "ASSIGNMENT_ID_NOT_AVAILABLE"
TOKENS_LAST = timedelta(hours=24)
ANSWERS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"
XML = '<?xml version="1.0" encoding="UTF-8"?>'


class Unavailable(Exception):
    """A worker cannot do this."""


def new_id(first: str = "3") -> str:
    """An id as MTurk makes them: 30 capital letters and digits."""
    return first + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(29))


@dataclass
class HitType:
    """What HITs of one kind share: `fields` as CreateHITType took them."""

    id: str
    fields: dict[str, Any]
    notification: Notification | None = None
    active: bool = True

    @property
    def reward(self) -> Decimal:
        return Decimal(self.fields["Reward"])


@dataclass
class Assignment:
    """A worker's hold on a HIT; `status` is Accepted, then Submitted, Approved or Rejected."""

    id: str
    hit: "Hit"
    worker: str
    accepted_at: datetime
    deadline: datetime
    status: str = "Accepted"
    submitted_at: datetime | None = None
    approves_at: datetime | None = None
    decided_at: datetime | None = None
    answer: str = ""
    feedback: str = ""


@dataclass
class Hit:
    """A HIT. `returned`: ids of assignments that were given up."""

    id: str
    type: HitType
    question: str
    url: str
    annotation: str
    created_at: datetime
    expires_at: datetime
    places: int
    assignments: dict[str, Assignment] = field(default_factory=dict)
    returned: list[str] = field(default_factory=list)
    disposed: bool = False
    said_expired: bool = False
    said_reviewable: bool = False

    def count(self, *statuses: str) -> int:
        """How many of its assignments are in one of these states."""
        return sum(one.status in statuses for one in self.assignments.values())

    def status(self, now: datetime) -> str:
        """HITStatus, as "HIT" in the API reference's data structures explains it."""
        if self.disposed:
            return "Disposed"
        if now < self.expires_at and len(self.assignments) < self.places:
            return "Assignable"
        return "Unassignable" if self.count("Accepted") else "Reviewable"


@dataclass(frozen=True)
class Paid:
    """A payment to a worker; `kind` is "reward" or "bonus". What Amazon takes for itself is left out."""

    kind: str
    worker: str
    assignment: str
    hit: str
    amount: Decimal
    reason: str
    at: datetime


@dataclass(frozen=True)
class Accepted:
    """What a worker got: the assignment, and the address of the requester's page in the frame."""

    assignment_id: str
    url: str


def change(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is done alone, after what fell due; what it tells is sent afterwards, without the lock."""

    @wraps(method)
    def run(self: "Market", *args: Any, **kwargs: Any) -> Any:
        try:
            with self.lock:
                self.fall_due()
                return method(self, *args, **kwargs)
        finally:
            self.post.flush()

    return run


class Market:
    """All of it. `submit_to`: where workers' browsers submit, an origin. `deliver`: where messages of events go."""

    def __init__(self, *, submit_to: str = "http://127.0.0.1", deliver: Deliver | None = None) -> None:
        self.lock = RLock()
        self.post = Post(deliver)
        self.submit_to = submit_to
        self.balance = Decimal("10000.00")
        self.ahead = timedelta()
        self.types: dict[str, HitType] = {}
        self.hits: dict[str, Hit] = {}
        self.ledger: list[Paid] = []
        self.letters: list[dict[str, Any]] = []
        self.workers: set[str] = set()
        self.blocked: dict[str, str] = {}
        self.tokens: dict[tuple[str, str], tuple[datetime, str]] = {}

    # Time

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @change
    def pass_time(self, seconds: float) -> None:
        """So much time passes, and what falls due in it happens."""
        self.ahead += timedelta(seconds=seconds)
        self.fall_due()

    def fall_due(self) -> None:
        """What should have happened by now happens."""
        now = self.now
        for hit in self.hits.values():
            if hit.disposed:
                continue
            for one in list(hit.assignments.values()):
                if one.status == "Accepted" and one.deadline <= now:
                    self._give_up(one, "AssignmentAbandoned")
                elif one.status == "Submitted" and one.approves_at is not None and one.approves_at <= now:
                    self.approve(one, "")
            self.settle(hit)

    def settle(self, hit: Hit) -> None:
        """Tell that it has expired, and that it can be reviewed, once each time that becomes so."""
        now = self.now
        expired, reviewable = hit.expires_at <= now, hit.status(now) == "Reviewable"
        if expired and not hit.said_expired:
            self.tell("HITExpired", hit)
        if reviewable and not hit.said_reviewable:
            self.tell("HITReviewable", hit)
        hit.said_expired, hit.said_reviewable = expired, reviewable

    # Workers

    def preview(self, hit_id: str) -> str:
        """The address of the frame for somebody who has not accepted: it has neither a worker nor where to submit."""
        return self._framed(self.hits[hit_id], {"assignmentId": NO_ASSIGNMENT, "hitId": hit_id})

    @change
    def accept(self, hit_id: str, worker: str) -> Accepted:
        """The worker takes the HIT. Qualifications are not asked for. Raises Unavailable.

        An id that was given up comes back with the next worker, as it does at MTurk (NYUCCL/psiTurk, issue 190).
        """
        hit, now = self.hits[hit_id], self.now
        assert worker.startswith("A"), "MTurk's workers' ids begin with A"
        if worker in self.blocked or hit.status(now) != "Assignable":
            raise Unavailable(
                f"{hit_id} is {hit.status(now)} and {worker} is {self.blocked.get(worker, 'not blocked')}"
            )
        if any(one.worker == worker for one in hit.assignments.values()):
            raise Unavailable(f"{worker} has done {hit_id}, or has it")
        self.workers.add(worker)
        number = hit.returned.pop(0) if hit.returned else new_id()
        until = now + timedelta(seconds=hit.type.fields["AssignmentDurationInSeconds"])
        hit.assignments[number] = Assignment(number, hit, worker, now, until)
        self.tell("AssignmentAccepted", hit, number)
        about = {"assignmentId": number, "hitId": hit_id, "workerId": worker, "turkSubmitTo": self.submit_to}
        return Accepted(number, self._framed(hit, about))

    @change
    def submit(self, assignment_id: str, answers: Mapping[str, str]) -> None:
        """The worker's form arrives, with these fields. Raises Unavailable."""
        one = self._held(assignment_id)
        fields = "".join(
            f"<Answer><QuestionIdentifier>{escape(name)}</QuestionIdentifier><FreeText>{escape(value)}</FreeText></Answer>"
            for name, value in answers.items()
        )
        one.answer = f'{XML}<QuestionFormAnswers xmlns="{ANSWERS}">{fields}</QuestionFormAnswers>'
        one.status, one.submitted_at = "Submitted", self.now
        delay = one.hit.type.fields.get("AutoApprovalDelayInSeconds", 30 * 24 * 3600)
        one.approves_at = one.submitted_at + timedelta(seconds=delay)
        self.tell("AssignmentSubmitted", one.hit, one.id)
        self.settle(one.hit)

    @change
    def return_(self, assignment_id: str) -> None:
        """The worker gives it back. Raises Unavailable."""
        self._give_up(self._held(assignment_id), "AssignmentReturned")

    @change
    def abandon(self, assignment_id: str) -> None:
        """Its time is up, without waiting for that. Raises Unavailable."""
        self._give_up(self._held(assignment_id), "AssignmentAbandoned")

    # For `asked`

    @change
    def ask(self, operation: Callable[["Market", dict[str, Any]], dict[str, Any]], asked: dict[str, Any]) -> Any:
        """One operation's answer. Raises Refusal."""
        return operation(self, asked)

    def assignments(self) -> Iterator[Assignment]:
        """All that anybody has."""
        for hit in self.hits.values():
            yield from hit.assignments.values()

    def tell(self, kind: str, hit: Hit, assignment: str = "") -> None:
        """Tell of an event where the HIT's type wants to hear of it."""
        wanted = hit.type.notification
        if wanted is not None and hit.type.active and kind in wanted["EventTypes"]:
            one = event(kind, self.now, hit_type=hit.type.id, hit=hit.id, assignment=assignment)
            self.post.add(wanted, document(wanted["Version"], [one]))

    def approve(self, one: Assignment, feedback: str) -> None:
        """Its work is accepted and its reward paid."""
        one.status, one.decided_at, one.feedback = "Approved", self.now, feedback
        self.pay("reward", one, one.hit.type.reward, feedback)
        self.tell("AssignmentApproved", one.hit, one.id)

    def pay(self, kind: str, one: Assignment, amount: Decimal, reason: str) -> None:
        """Pay the assignment's worker."""
        self.balance -= amount
        self.ledger.append(Paid(kind, one.worker, one.id, one.hit.id, amount, reason, self.now))

    # For tests

    def paid(self, *, worker: str | None = None, kind: str | None = None) -> Decimal:
        """The sum of the ledger, of one worker, of one kind."""
        return sum(
            (one.amount for one in self.ledger if worker in (None, one.worker) and kind in (None, one.kind)), Decimal(0)
        )

    def told(self) -> list[tuple[str, str]]:
        """The events that were delivered: kind and assignment."""
        return [(one["EventType"], one.get("AssignmentId", "")) for said in self.post.sent for one in said["Events"]]

    def _held(self, assignment_id: str) -> Assignment:
        for one in self.assignments():
            if one.id == assignment_id and one.status == "Accepted":
                return one
        raise Unavailable(f"nobody holds {assignment_id}")

    def _give_up(self, one: Assignment, kind: str) -> None:
        del one.hit.assignments[one.id]
        one.hit.returned.append(one.id)
        self.tell(kind, one.hit, one.id)
        self.settle(one.hit)

    def _framed(self, hit: Hit, about: dict[str, str]) -> str:
        return f"{hit.url}{'&' if '?' in hit.url else '?'}{urlencode(about)}"
