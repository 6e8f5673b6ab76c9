"""SQS and SNS on this machine: moto's server on a thread.

What moto's SNS does differently from the real one, as of 5.2.5: it signs HTTP deliveries, but always with
SignatureVersion 2 and leaving the subject out of what is signed, so that a message with a subject, as MTurk's have,
does not verify; a subscription is confirmed at once and no SubscriptionConfirmation is sent; the `x-amz-sns-…` headers
are missing; the certificate's address is the real one's. For SNS over HTTP there is `tests.mturk.sns`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer

CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


@dataclass
class Queues:
    """Where SQS and SNS are, and clients for them."""

    url: str

    @cached_property
    def sqs(self) -> Any:
        return boto3.client("sqs", endpoint_url=self.url, **CREDENTIALS)

    @cached_property
    def sns(self) -> Any:
        return boto3.client("sns", endpoint_url=self.url, **CREDENTIALS)

    def queue(self) -> str:
        """A new queue's address."""
        return self.sqs.create_queue(QueueName=uuid4().hex)["QueueUrl"]

    def topic(self) -> str:
        """A new topic's ARN."""
        return self.sns.create_topic(Name=uuid4().hex)["TopicArn"]

    def take(self, queue: str) -> list[str]:
        """The bodies of what is in a queue now, at most 10, which are removed."""
        found = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for one in found:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
        return [one["Body"] for one in found]


@contextmanager
def queueing() -> Iterator[Queues]:
    """Run the server. What is in it belongs to the process and outlives it: queues and topics are new each time."""
    log = logging.getLogger("werkzeug")
    level = log.level
    log.setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield Queues("http://{}:{}".format(*server.get_host_and_port()))
    finally:
        server.stop()
        log.setLevel(level)
