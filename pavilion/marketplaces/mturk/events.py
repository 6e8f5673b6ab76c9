"""What Mechanical Turk tells of events, by a queue or pushed. A message is a hint which HIT to look at: it may come
twice, late, in any order, or never; what counts is what the HIT says then.

The document is that of "Notification Handling" in the API reference: {"Events": [{"EventType", "HITId",
"AssignmentId", …}], …}. Where a topic sends to the queue, it is inside SNS's own.
"""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pavilion import conf
from pavilion.marketplaces.base import Later, Refused
from pavilion.marketplaces.mturk import lining, options, signing
from pavilion.marketplaces.mturk.calls import Calls
from pavilion.marketplaces.mturk.hits import ABANDONED, EVENTS, RETURNED
from pavilion.marketplaces.mturk.signing import BadSignature

logger = logging.getLogger(__name__)

AT_ONCE, BATCHES = 10, 20
"""Messages that SQS gives at once, and how often one poll takes so many."""


_HIT = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Malformed(Exception):
    """Not what Mechanical Turk sends."""


def read(body: str) -> list[dict[str, str]]:
    """The events in a message that we want to know of. Raises Malformed."""
    try:
        said = json.loads(body)
        if "Events" not in said and isinstance(said.get("Message"), str):
            said = json.loads(said["Message"])
        return [
            {"kind": one["EventType"], "hit": str(one["HITId"]), "assignment": str(one.get("AssignmentId", ""))}
            for one in said["Events"]
            # A number that none of ours can be is not looked for: not every database takes any text.
            if one["EventType"] in EVENTS and _HIT.fullmatch(str(one["HITId"]))
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None


def follow(calls: Calls, events: Iterable[dict[str, str]]) -> int:
    """Look once at each HIT that these are about; how many of our rows were changed. Raises Later."""
    hints: dict[str, dict[str, str]] = defaultdict(dict)
    for event in events:
        about = hints[event["hit"]]
        if event["kind"] in (RETURNED, ABANDONED):
            about[event["assignment"]] = event["kind"]
    changed = 0
    for number, about in hints.items():
        try:
            changed += lining.bring_one_in_line(calls, number, about)
        except Refused as no:
            # Asking again would not help it, and others wait behind it.
            logger.warning("HIT %s cannot be looked at: %s", number, no)
    return changed


def poll(calls: Calls) -> int:
    """Take what waits in the queue; how many events. A message is deleted once what it tells has been looked at.

    Raises Later.
    """
    if not calls.options.sqs_queue_url:
        return 0
    told = 0
    try:
        for _ in range(BATCHES):
            waiting = calls.ask_queue("receive_message", MaxNumberOfMessages=AT_ONCE, WaitTimeSeconds=0)
            if not (messages := waiting.get("Messages")):
                break
            told += _take(calls, messages)
    except Refused as no:
        raise Later(f"The queue of events: {no}") from no
    return told


def _take(calls: Calls, messages: list[dict[str, Any]]) -> int:
    events: list[dict[str, str]] = []
    for message in messages:
        try:
            events += read(message.get("Body", ""))
        except Malformed as fault:
            logger.warning("Message %s in the queue of events is none of MTurk's: %s", message.get("MessageId"), fault)
    follow(calls, events)
    for message in messages:
        calls.ask_queue("delete_message", ReceiptHandle=message["ReceiptHandle"])
    return len(events)


def pushed(body: bytes) -> None:
    """Take a message that SNS has sent to us: confirm the subscription, or look at what it tells of.

    Raises BadSignature where it is not our topic's, and Later where it should be sent again.
    """
    if "mturk" not in conf.marketplaces():
        raise BadSignature("There is no Mechanical Turk here.")
    calls = Calls(options.read(conf.of_marketplace("mturk")))
    message = signing.verified(body, calls.options)
    if message["Type"] == "SubscriptionConfirmation":
        signing.fetch(message["SubscribeURL"], calls.options)
        logger.info("The subscription to %s is confirmed.", message["TopicArn"])
    elif message["Type"] == "Notification":
        try:
            events = read(message["Message"])
        except Malformed as fault:
            logger.warning("Message %s of SNS is none of MTurk's: %s", message["MessageId"], fault)
            return
        follow(calls, events)
