"""SQS and SNS on this machine, and what MTurk's messages look like that come through them."""

import json
import ssl
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.mturk import sns
from tests.mturk.asking import notified
from tests.mturk.events import to_queues
from tests.mturk.queues import Queues, queueing
from tests.mturk.server import serving
from tests.receiver import Receiver, receiving


@pytest.fixture(scope="module")
def queues() -> Iterator[Queues]:
    with queueing() as running:
        yield running


def verify(message: dict[str, str], certificate: bytes) -> None:
    """Raises InvalidSignature."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    how = sns.HASHES[message["SignatureVersion"]]
    key.verify(b64decode(message["Signature"]), sns.to_sign(message), padding.PKCS1v15(), how)


def said(receiver: Receiver, count: int = 1) -> dict[str, str]:
    """The message that came last, of so many."""
    return json.loads(receiver.wait_for(count)[-1].body)


def test_what_is_sent_to_a_queue_is_received(queues: Queues) -> None:
    queue, other = queues.queue(), queues.queue()
    queues.sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert queues.take(other) == []
    assert queues.take(queue) == ["hello"]
    assert queues.take(queue) == []


def test_events_come_through_a_queue(queues: Queues) -> None:
    queue = queues.queue()
    with serving(to_queues(queues.url)) as mturk:
        number = notified(mturk.client(), queue)["HITId"]
        held = mturk.market.accept(number, "AANN").assignment_id
    events = [json.loads(body)["Events"][0] for body in queues.take(queue)]
    assert [one["EventType"] for one in events] == ["HITCreated", "AssignmentAccepted"]
    assert (events[1]["HITId"], events[1]["AssignmentId"]) == (number, held)


def test_events_come_through_a_topic_of_motos_which_verify_without_a_subject_alone(queues: Queues) -> None:
    topic = queues.topic()
    with receiving() as receiver, serving(to_queues(queues.url)) as mturk:
        queues.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
        notified(mturk.client(), topic, "SNS")
        message = said(receiver)
        assert json.loads(message["Message"])["Events"][0]["EventType"] == "HITCreated"
        assert (message["Type"], message["TopicArn"], message["SignatureVersion"]) == ("Notification", topic, "2")
        assert message["Subject"].isdigit()
        # The address is the real one's; moto answers for it where it is itself, if it is told which service is meant.
        path = message["SigningCertURL"].removeprefix("https://sns.us-east-1.amazonaws.com/")
        service = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sns/aws4_request, "}
        with urlopen(Request(f"{queues.url}/{path}", headers=service)) as answer:
            certificate = answer.read()
        with pytest.raises(InvalidSignature):
            verify(message, certificate)
        del message["Subject"]
        verify(message, certificate)


@pytest.mark.parametrize("version", ["1", "2"])
def test_our_topic_asks_for_confirmation_and_signs_as_sns_does(version: str) -> None:
    with receiving() as receiver, sns.topic(version) as topic, serving(topic.deliver) as mturk:
        assert topic.subscribe(receiver.url) == 204
        assert topic.publish("too early") == []
        asked = said(receiver)
        trusting = ssl.create_default_context(cafile=str(topic.trust))
        with urlopen(asked["SigningCertURL"], context=trusting) as answer:
            certificate = answer.read()
        verify(asked, certificate)
        urlopen(asked["SubscribeURL"], context=trusting).close()
        notified(mturk.client(), topic.arn, "SNS")
        message = said(receiver, 2)
        assert receiver.received[-1].headers["x-amz-sns-message-type"] == "Notification"
    assert (message["SignatureVersion"], message["TopicArn"]) == (version, topic.arn)
    assert message["Subject"].isdigit()
    assert json.loads(message["Message"])["Events"][0]["EventType"] == "HITCreated"
    verify(message, certificate)
    for name in ("Message", "Subject", "TopicArn", "Timestamp", "MessageId"):
        with pytest.raises(InvalidSignature):
            verify(message | {name: "another"}, certificate)


def test_the_certificate_is_trusted_by_those_alone_who_know_it() -> None:
    with sns.topic() as topic, pytest.raises(URLError, match="self-signed"):
        urlopen(topic.url + sns.CERTIFICATE)


def test_a_topic_tells_what_the_endpoint_answered() -> None:
    with receiving() as receiver, sns.topic() as topic:
        receiver.status = 403
        topic.confirmed.append(receiver.url)
        assert topic.publish("hello") == [403]


def test_what_is_signed_is_as_in_the_developer_guide() -> None:
    message: dict[str, Any] = {"Type": "Notification", "TopicArn": "arn", "Timestamp": "t", "MessageId": "i"}
    message |= {"Message": "two\nlines", "Signature": "not signed"}
    assert (
        sns.to_sign(message) == b"Message\ntwo\nlines\nMessageId\ni\nTimestamp\nt\nTopicArn\narn\nType\nNotification\n"
    )
    message["Subject"] = "s"
    assert b"MessageId\ni\nSubject\ns\nTimestamp\n" in sns.to_sign(message)
    message |= {"Type": "SubscriptionConfirmation", "SubscribeURL": "u", "Token": "k"}
    said = b"MessageId\ni\nSubscribeURL\nu\nTimestamp\nt\nToken\nk\nTopicArn\narn\nType\nSubscriptionConfirmation\n"
    assert sns.to_sign(message) == b"Message\ntwo\nlines\n" + said
