"""What requesters ask: one function for each operation, from what was asked to the answer. All may raise Refusal.

Rules are those of the API reference's operations and data structures, 2017-01-17, as botocore's model carries them.
"""

import base64
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from tests.mturk.events import document, event
from tests.mturk.state import TOKENS_LAST, Assignment, Hit, HitType, Market, new_id
from tests.mturk.wire import Refusal, invalid, refused

Asked = dict[str, Any]
Answer = dict[str, Any]

QUESTIONS = "{http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd}"
YEAR = 365 * 24 * 3600
LIMITS = {
    "AssignmentDurationInSeconds": (30, YEAR),
    "LifetimeInSeconds": (30, YEAR),
    "AutoApprovalDelayInSeconds": (0, 30 * 24 * 3600),
    "MaxAssignments": (1, 1_000_000_000),
    "NumberOfAdditionalAssignments": (1, 1_000_000_000),
    "Title": (1, 128),
    "Description": (1, 2000),
    "Keywords": (0, 1000),
    "RequesterAnnotation": (0, 255),
    "Subject": (1, 200),
    "MessageText": (1, 4096),
    "WorkerIds": (1, 100),
}
OF_TYPE = (
    "AutoApprovalDelayInSeconds",
    "AssignmentDurationInSeconds",
    "Reward",
    "Title",
    "Keywords",
    "Description",
    "QualificationRequirements",
)
# The model says 2006-05-05, the API reference 2014-08-15.
VERSIONS = ("2006-05-05", "2014-08-15")


def create_hit_type(market: Market, asked: Asked) -> Answer:
    """The same fields give the type that has them already."""
    return {"HITTypeId": _type(market, asked).id}


def create_hit(market: Market, asked: Asked) -> Answer:
    _fresh(market, "CreateHIT", asked)
    return _create(market, "CreateHIT", _type(market, asked), asked)


def create_hit_with_hit_type(market: Market, asked: Asked) -> Answer:
    _fresh(market, "CreateHITWithHITType", asked)
    return _create(market, "CreateHITWithHITType", _known_type(market, asked), asked)


def get_hit(market: Market, asked: Asked) -> Answer:
    return {"HIT": _hit(market, _known_hit(market, asked))}


def list_hits(market: Market, asked: Asked) -> Answer:
    """The newest first; disposed ones are left out."""
    known = [hit for hit in reversed(market.hits.values()) if not hit.disposed]
    return _page(asked, "HITs", [(hit.id, hit) for hit in known], lambda hit: _hit(market, hit))


def list_assignments_for_hit(market: Market, asked: Asked) -> Answer:
    """Those that were submitted, in that order."""
    wanted = asked.get("AssignmentStatuses") or ["Submitted", "Approved", "Rejected"]
    known = [one for one in _known_hit(market, asked).assignments.values() if one.status in wanted]
    known.sort(key=lambda one: (one.submitted_at, one.id))
    return _page(asked, "Assignments", [(one.id, one) for one in known], _assignment)


def get_assignment(market: Market, asked: Asked) -> Answer:
    """One that was not submitted yet is in the wrong state (facebookresearch/ParlAI, mturk_manager.py)."""
    one = _known_assignment(market, asked)
    if one.status == "Accepted":
        raise _state("Assignment", "null", "Reviewable,Approved,Rejected")
    return {"Assignment": _assignment(one), "HIT": _hit(market, one.hit)}


def approve_assignment(market: Market, asked: Asked) -> Answer:
    one = _known_assignment(market, asked)
    overridden = one.status == "Rejected" and asked.get("OverrideRejection") and not one.hit.disposed
    if one.status != "Submitted" and not overridden:
        raise _state("Assignment", one.status, "Submitted")
    _afford(market, one.hit.type.reward)
    market.approve(one, asked.get("RequesterFeedback", ""))
    return {}


def reject_assignment(market: Market, asked: Asked) -> Answer:
    one = _known_assignment(market, asked)
    if one.status != "Submitted":
        raise _state("Assignment", one.status, "Submitted")
    one.status, one.decided_at, one.feedback = "Rejected", market.now, asked["RequesterFeedback"]
    market.tell("AssignmentRejected", one.hit, one.id)
    return {}


def send_bonus(market: Market, asked: Asked) -> Answer:
    """An assignment that was not submitted "does not exist" (facebookresearch/Mephisto, issue 1081)."""
    _fresh(market, "SendBonus", asked)
    one = _known_assignment(market, asked)
    if one.status == "Accepted":
        raise _missing("Assignment", one.id)
    if one.worker != asked["WorkerId"]:
        raise invalid(asked["WorkerId"], "WorkerId")
    amount = Decimal(asked["BonusAmount"])
    if amount <= 0:
        raise invalid(asked["BonusAmount"], "BonusAmount")
    _afford(market, amount)
    market.pay("bonus", one, amount, asked["Reason"])
    _spend(market, "SendBonus", asked, new_id())
    return {}


def list_bonus_payments(market: Market, asked: Asked) -> Answer:
    if not {"HITId", "AssignmentId"} & asked.keys():
        raise invalid("null", "HITId")
    known = [
        (str(number), paid)
        for number, paid in enumerate(market.ledger)
        if paid.kind == "bonus"
        and asked.get("HITId", paid.hit) == paid.hit
        and asked.get("AssignmentId", paid.assignment) == paid.assignment
    ]
    return _page(
        asked,
        "BonusPayments",
        known,
        lambda paid: {
            "WorkerId": paid.worker,
            "BonusAmount": f"{paid.amount:.2f}",
            "AssignmentId": paid.assignment,
            "Reason": paid.reason,
            "GrantTime": paid.at,
        },
    )


def update_expiration_for_hit(market: Market, asked: Asked) -> Answer:
    """A time that has passed expires it at once."""
    hit = _open_hit(market, asked)
    hit.expires_at = asked["ExpireAt"]
    market.settle(hit)
    return {}


def create_additional_assignments_for_hit(market: Market, asked: Asked) -> Answer:
    _fresh(market, "CreateAdditionalAssignmentsForHIT", asked)
    hit, more = _open_hit(market, asked), asked["NumberOfAdditionalAssignments"]
    _within_limits(asked)
    if hit.places < 10 <= hit.places + more:
        raise refused("HITs of fewer than 10 cannot become 10 or more", "InvalidMaximumAssignmentsIncrease")
    hit.places += more
    market.tell("HITExtended", hit)
    market.settle(hit)
    _spend(market, "CreateAdditionalAssignmentsForHIT", asked, new_id())
    return {}


def delete_hit(market: Market, asked: Asked) -> Answer:
    """Only one that can be reviewed, and was: nothing submitted waits."""
    hit = _known_hit(market, asked)
    if (status := hit.status(market.now)) != "Reviewable" or hit.count("Submitted"):
        raise _state("HIT", status, "Reviewing, Reviewable")
    hit.disposed = True
    market.tell("HITDisposed", hit)
    return {}


def notify_workers(market: Market, asked: Asked) -> Answer:
    """It reaches those whose work was approved or rejected before; for the others there is a hard failure each."""
    _within_limits(asked)
    known = {one.worker for one in market.assignments() if one.status in ("Approved", "Rejected")}
    reached = [worker for worker in asked["WorkerIds"] if worker in known]
    market.letters.append({**asked, "WorkerIds": reached})
    return {
        "NotifyWorkersFailureStatuses": [
            {
                "NotifyWorkersFailureCode": "HardFailure",
                "NotifyWorkersFailureMessage": f"'{worker}' has never worked for you",
                "WorkerId": worker,
            }
            for worker in asked["WorkerIds"]
            if worker not in known
        ]
    }


def update_notification_settings(market: Market, asked: Asked) -> Answer:
    of = _known_type(market, asked)
    notification = asked.get("Notification", of.notification)
    if not {"Notification", "Active"} & asked.keys() or notification is None:
        raise invalid("null", "Notification")
    of.notification = _reachable(notification)
    of.active = asked.get("Active", of.active)
    return {}


def send_test_event_notification(market: Market, asked: Asked) -> Answer:
    """It is sent whatever events the specification names."""
    wanted = _reachable(asked["Notification"])
    kind = asked["TestEventType"]
    about = {"assignment": new_id()} if kind.startswith("Assignment") else {}
    one = event(kind, market.now, hit_type=new_id(), hit=new_id(), **about)
    market.post.add(wanted, document(wanted["Version"], [one]))
    return {}


def create_worker_block(market: Market, asked: Asked) -> Answer:
    if asked["WorkerId"] not in market.workers:
        raise invalid(asked["WorkerId"], "WorkerId")
    market.blocked[asked["WorkerId"]] = asked["Reason"]
    return {}


def delete_worker_block(market: Market, asked: Asked) -> Answer:
    """One that is not blocked is no fault."""
    market.blocked.pop(asked["WorkerId"], None)
    return {}


def get_account_balance(market: Market, asked: Asked) -> Answer:
    return {"AvailableBalance": f"{market.balance:.2f}"}


OPERATIONS: dict[str, Callable[[Market, Asked], Answer]] = {
    "CreateHITType": create_hit_type,
    "CreateHIT": create_hit,
    "CreateHITWithHITType": create_hit_with_hit_type,
    "GetHIT": get_hit,
    "ListHITs": list_hits,
    "ListAssignmentsForHIT": list_assignments_for_hit,
    "GetAssignment": get_assignment,
    "ApproveAssignment": approve_assignment,
    "RejectAssignment": reject_assignment,
    "SendBonus": send_bonus,
    "ListBonusPayments": list_bonus_payments,
    "UpdateExpirationForHIT": update_expiration_for_hit,
    "CreateAdditionalAssignmentsForHIT": create_additional_assignments_for_hit,
    "DeleteHIT": delete_hit,
    "NotifyWorkers": notify_workers,
    "UpdateNotificationSettings": update_notification_settings,
    "SendTestEventNotification": send_test_event_notification,
    "CreateWorkerBlock": create_worker_block,
    "DeleteWorkerBlock": delete_worker_block,
    "GetAccountBalance": get_account_balance,
}


def _type(market: Market, asked: Asked) -> HitType:
    _within_limits(asked)
    fields = {name: asked[name] for name in OF_TYPE if name in asked}
    for known in market.types.values():
        if known.fields == fields:
            return known
    made = HitType(new_id(), fields)
    market.types[made.id] = made
    return made


def _create(market: Market, operation: str, of: HitType, asked: Asked) -> Answer:
    _within_limits(asked)
    places = asked.get("MaxAssignments", 1)
    _afford(market, of.reward * places)
    now = market.now
    hit = Hit(
        id=new_id(),
        type=of,
        question=asked.get("Question", ""),
        url=_external_url(asked.get("Question", "")),
        annotation=asked.get("RequesterAnnotation", ""),
        created_at=now,
        expires_at=now + timedelta(seconds=asked["LifetimeInSeconds"]),
        places=places,
    )
    market.hits[hit.id] = hit
    market.tell("HITCreated", hit)
    _spend(market, operation, asked, hit.id)
    return {"HIT": _hit(market, hit)}


def _external_url(question: str) -> str:
    """Where an ExternalQuestion leads. Other questions are not understood here; plain HTTP is for this machine only."""
    code = "XMLParseError"
    try:
        root = ElementTree.fromstring(question)
    except ElementTree.ParseError as problem:
        raise refused(f"There was an error parsing the XML question or answer data: {problem}", code) from None
    url = root.findtext(f"{QUESTIONS}ExternalURL", "").strip()
    if root.tag != f"{QUESTIONS}ExternalQuestion" or not root.findtext(f"{QUESTIONS}FrameHeight", "").strip().isdigit():
        raise refused("The question is no ExternalQuestion with a FrameHeight", code)
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) not in (("http", "127.0.0.1"), ("http", "localhost")):
        raise refused(f"The ExternalURL must use HTTPS: {url}", code)
    return url


def _fresh(market: Market, operation: str, asked: Asked) -> None:
    """Refuse a token that was spent within 24 hours.

    "subsequent calls will return a AWS.MechanicalTurk.HitAlreadyExists error with a message containing the HITId"; for
    bonuses and additional assignments "an error with a message containing the request ID", whose code is nowhere named:
    it has none here (the API reference's operations, and "Use request tokens" in the requester's guide).
    """
    spent = market.tokens.get((operation, asked.get("UniqueRequestToken", "")))
    if spent is None or market.now - spent[0] >= TOKENS_LAST:
        return
    if operation.startswith("CreateHIT"):
        raise refused(f"The HIT {spent[1]} was created with this UniqueRequestToken before", "HitAlreadyExists")
    raise refused(f"The request {spent[1]} with this UniqueRequestToken was done before")


def _spend(market: Market, operation: str, asked: Asked, made: str) -> None:
    if token := asked.get("UniqueRequestToken"):
        market.tokens[operation, token] = (market.now, made)


def _within_limits(asked: Asked) -> None:
    for name, (least, most) in LIMITS.items():
        value = asked.get(name, least)
        if not least <= (value if isinstance(value, int) else len(value)) <= most:
            raise invalid(value, name)


def _afford(market: Market, amount: Decimal) -> None:
    if amount > market.balance:
        raise refused(f"Your account has ${market.balance:.2f} and ${amount:.2f} is required", "InsufficientFunds")


def _reachable(notification: Asked) -> Asked:
    """Email, which the model knows, is gone by the API reference's words."""
    if notification["Version"] not in VERSIONS:
        raise invalid(notification["Version"], "Version")
    begins = {"SQS": ("http://", "https://"), "SNS": ("arn:aws:sns:",), "Email": ()}[notification["Transport"]]
    if not notification["Destination"].startswith(begins):
        raise refused(f"{notification['Destination']} cannot be reached", "InvalidTransportEndpoint")
    return notification


def _known_type(market: Market, asked: Asked) -> HitType:
    if (known := market.types.get(asked["HITTypeId"])) is None:
        raise _missing("HITType", asked["HITTypeId"])
    return known


def _known_hit(market: Market, asked: Asked) -> Hit:
    if (known := market.hits.get(asked["HITId"])) is None:
        raise _missing("HIT", asked["HITId"])
    return known


def _open_hit(market: Market, asked: Asked) -> Hit:
    if (hit := _known_hit(market, asked)).disposed:
        raise _state("HIT", "Disposed", "Assignable, Unassignable, Reviewing, Reviewable")
    return hit


def _known_assignment(market: Market, asked: Asked) -> Assignment:
    for one in market.assignments():
        if one.id == asked["AssignmentId"]:
            return one
    raise _missing("Assignment", asked["AssignmentId"])


def _missing(kind: str, number: str) -> Refusal:
    return refused(f"{kind} {number} does not exist.", f"{kind}DoesNotExist")


def _state(kind: str, status: str, allowed: str) -> Refusal:
    """The wording is what clients look for (psiTurk, ParlAI)."""
    return refused(
        f"This {kind} is currently in the state '{status}'.  This operation can be called with a status of: {allowed}",
        f"Invalid{kind}State",
    )


def _page(asked: Asked, name: str, known: list[tuple[str, Any]], shown: Callable[[Any], Answer]) -> Answer:
    """One page of what is known by key. Every page that holds something leads on: the end is an empty one."""
    start = 0
    if token := asked.get("NextToken"):
        keys = [key for key, _one in known]
        try:
            start = keys.index(base64.b64decode(token).decode()) + 1
        except ValueError:
            raise invalid(token, "NextToken") from None
    page = known[start : start + asked.get("MaxResults", 10)]
    answer: Answer = {"NumResults": len(page), name: [shown(one) for _key, one in page]}
    return answer | ({"NextToken": base64.b64encode(page[-1][0].encode()).decode()} if page else {})


def _hit(market: Market, hit: Hit) -> Answer:
    return {
        "HITId": hit.id,
        "HITTypeId": hit.type.id,
        "HITGroupId": hit.type.id[::-1],
        "CreationTime": hit.created_at,
        "Question": hit.question,
        "HITStatus": hit.status(market.now),
        "MaxAssignments": hit.places,
        "Expiration": hit.expires_at,
        "RequesterAnnotation": hit.annotation,
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": hit.count("Accepted"),
        "NumberOfAssignmentsAvailable": max(hit.places - len(hit.assignments), 0),
        # Those that were approved or rejected; one that was submitted is in none of the three.
        "NumberOfAssignmentsCompleted": hit.count("Approved", "Rejected"),
        "QualificationRequirements": [],
        **hit.type.fields,
    }


def _assignment(one: Assignment) -> Answer:
    decided = {"Approved": "ApprovalTime", "Rejected": "RejectionTime"}.get(one.status)
    return {
        "AssignmentId": one.id,
        "WorkerId": one.worker,
        "HITId": one.hit.id,
        "AssignmentStatus": one.status,
        "AutoApprovalTime": one.approves_at,
        "AcceptTime": one.accepted_at,
        "SubmitTime": one.submitted_at,
        "Deadline": one.deadline,
        "Answer": one.answer,
        **({decided: one.decided_at} if decided else {}),
        **({"RequesterFeedback": one.feedback} if one.feedback else {}),
    }
