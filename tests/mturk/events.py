"""What MTurk tells of events: one JSON document for each, sent to where the HIT type's notifications go.

The document is that of "Notification Handling Using Amazon SNS" in the API reference. `SourceAccount`, which that does
not name, and the time in milliseconds as SNS's subject are from a real message (Dallinger, tests/test_recruiters.py).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import uuid4

import boto3

ACCOUNT = "123456789012"
CUSTOMER = "A1REQUESTERFORTESTS"

Notification = dict[str, Any]
Document = dict[str, Any]
Deliver = Callable[[Notification, Document], None]


def document(version: str, events: list[dict[str, str]]) -> Document:
    """What one message says."""
    return {
        "Events": events,
        "EventDocId": uuid4().hex,
        "SourceAccount": ACCOUNT,
        "CustomerId": CUSTOMER,
        "EventDocVersion": version,
    }


def event(kind: str, at: datetime, *, hit_type: str, hit: str, assignment: str = "") -> dict[str, str]:
    """One event of a document."""
    about = {"HITTypeId": hit_type, "HITId": hit} | ({"AssignmentId": assignment} if assignment else {})
    return {"EventType": kind, "EventTimestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", **about}


def to_queues(endpoint: str) -> Deliver:
    """Deliver into SQS and SNS at this address."""
    clients = {
        service: boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        for service in ("sqs", "sns")
    }

    def deliver(notification: Notification, said: Document) -> None:
        body, target = json.dumps(said, separators=(",", ":")), notification["Destination"]
        if notification["Transport"] == "SQS":
            clients["sqs"].send_message(QueueUrl=target, MessageBody=body)
        else:
            clients["sns"].publish(TopicArn=target, Message=body, Subject=subject())

    return deliver


def subject() -> str:
    """The subject of a message over SNS."""
    return str(time.time_ns() // 1_000_000)


@dataclass
class Post:
    """Takes documents, and delivers them when it is told to: once, unless a fault is set, and in order, unless several
    threads ask of the marketplace at once.

    `sent` has each document as often as it was delivered, in that order.
    """

    deliver: Deliver | None = None
    sent: list[Document] = field(default_factory=list)
    waiting: list[tuple[Notification, Document]] = field(default_factory=list)
    held: bool = False
    to_double: int = 0
    to_lose: int = 0
    lock: Any = field(default_factory=Lock)

    def double(self, times: int = 1) -> None:
        """The next so many come twice, under one EventDocId, as the reference says may happen "in rare cases"."""
        self.to_double += times

    def lose(self, times: int = 1) -> None:
        """The next so many never come."""
        self.to_lose += times

    def hold(self) -> None:
        """Deliver nothing until `release`."""
        self.held = True

    def release(self, *, backwards: bool = False) -> None:
        """Deliver what was held, late; `backwards`: the newest first."""
        with self.lock:
            self.held = False
            if backwards:
                self.waiting.reverse()
        self.flush()

    def add(self, notification: Notification, said: Document) -> None:
        """Take one; nothing is sent yet."""
        with self.lock:
            if self.to_lose:
                self.to_lose -= 1
                return
            copies = 2 if self.to_double else 1
            self.to_double -= copies - 1
            self.waiting += [(notification, said)] * copies

    def flush(self) -> None:
        """Send what waits, unless it is held. Called without any lock: who receives may ask the marketplace."""
        while True:
            with self.lock:
                if self.held or not self.waiting:
                    return
                notification, said = self.waiting.pop(0)
                self.sent.append(said)
            if self.deliver is not None:
                self.deliver(notification, said)
