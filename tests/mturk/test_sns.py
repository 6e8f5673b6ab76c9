"""What Mechanical Turk tells by a push of SNS: taken from our own topic, with a signature that is right, alone."""

import json
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import padding

from pavilion.marketplaces.mturk import options, signing
from pavilion.models import Seat
from pavilion.states import SeatStatus
from tests import pools
from tests.mturk import crowd, sns
from tests.mturk.crowd import asked, come, post
from tests.mturk.server import serving

pytestmark = pytest.mark.django_db

ADDRESS = "/pool/mturk/events/"


@pytest.fixture(params=["1", "2"])
def topic(request):
    with sns.topic(request.param) as running:
        yield running


@pytest.fixture
def one_topic():
    with sns.topic("2") as running:
        yield running


def trusting(topic):
    return {
        "sns_topic_arn": topic.arn,
        "sns_host": topic.url.removeprefix("https://"),
        "sns_ca_file": str(topic.trust),
    }


@pytest.fixture
def told(settings):
    """Start a marketplace that tells this topic; its messages are kept, as SNS would send them."""
    stack = []

    def start(topic):
        messages = []

        def deliver(notification, said):
            assert notification["Destination"] == topic.arn
            messages.append(topic.signed("Notification", {"Message": json.dumps(said), "Subject": "1"}))

        running = serving(deliver)
        mturk = running.__enter__()
        stack.append(running)
        crowd.set_up(settings, mturk, **trusting(topic))
        return mturk, messages

    yield start
    for running in stack:
        running.__exit__(None, None, None)


def push(client, message):
    body = message if isinstance(message, str | bytes) else json.dumps(message)
    return client.post(ADDRESS, body, content_type="text/plain").status_code


def test_who_gives_it_up_there_has_left_here(told, topic, client):
    mturk, messages = told(topic)
    seat = come(client, mturk, post(), "AANN")
    mturk.market.return_(seat.external_id)
    assert push(client, messages[-1]) == 204
    assert pools.fresh(seat).status == SeatStatus.RETURNED
    looked = len(asked(mturk, "GetHIT"))
    assert push(client, messages[-1]) == 204
    assert len(asked(mturk, "GetHIT")) == looked + 1


def test_a_subscription_is_confirmed(told, topic, client):
    told(topic)
    topic.pending["token"] = "endpoint"
    url = f"{topic.url}/?Action=ConfirmSubscription&Token=token"
    message = {"Token": "token", "SubscribeURL": url, "Message": "You have chosen to subscribe."}
    assert push(client, topic.signed("SubscriptionConfirmation", message)) == 204
    assert topic.confirmed == ["endpoint"]


def changed(message, **fields):
    return {**message, **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"Message": "{}"},
        {"Subject": "2"},
        {"MessageId": "x"},
        {"Timestamp": "2020-01-01T00:00:00Z"},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Other"},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"Signature": "no base64"},
        {"Signature": "AAAA"},
        {"SigningCertURL": "https://127.0.0.1:1/SimpleNotificationService-00.pem"},
        {"SigningCertURL": "https://sns.us-east-1.amazonaws.com.evil.example/SimpleNotificationService-00.pem"},
        {"SigningCertURL": "https://[/SimpleNotificationService-00.pem"},
        {"SigningCertURL": 3},
        {"TopicArn": "arn:aws:sns:us-east-1:1:another"},
    ],
)
def test_what_was_changed_on_the_way_is_refused_and_does_nothing(told, one_topic, client, fields):
    mturk, messages = told(one_topic)
    seat = come(client, mturk, post(), "AANN")
    mturk.market.return_(seat.external_id)
    assert push(client, changed(messages[-1], **fields)) == 403
    assert pools.fresh(seat).live
    assert asked(mturk, "GetHIT") == []


@pytest.mark.parametrize("body", ["", "[]", "null", "hello", b"\xff", "[" * 9000, '{"Type": "Notification"}'])
def test_what_is_no_message_is_refused(told, one_topic, client, body):
    told(one_topic)
    assert push(client, body) == 403


def test_a_certificate_comes_by_https_and_from_its_own_address(told, one_topic, client):
    _mturk, _messages = told(one_topic)
    good = one_topic.signed("Notification", {"Message": "{}"})
    for url in (one_topic.url.replace("https", "http") + sns.CERTIFICATE, f"{one_topic.url}/?Token=x"):
        assert push(client, changed(good, SigningCertURL=url)) == 403
    assert push(client, good) == 204


def test_another_topic_of_sns_is_refused(told, one_topic, client, settings):
    mturk, messages = told(one_topic)
    seat = come(client, mturk, post(), "AANN")
    mturk.market.return_(seat.external_id)
    crowd.set_up(settings, mturk, **trusting(one_topic) | {"sns_topic_arn": "arn:aws:sns:us-east-1:1:ours"})
    assert push(client, messages[-1]) == 403
    crowd.set_up(settings, mturk, **trusting(one_topic) | {"sns_topic_arn": ""})
    assert push(client, messages[-1]) == 403
    assert Seat.objects.get().live


def test_a_confirmation_leads_to_sns_alone(told, one_topic, client):
    told(one_topic)
    message = {"Token": "token", "SubscribeURL": "https://127.0.0.1:1/?Token=token", "Message": "You have chosen."}
    assert push(client, one_topic.signed("SubscriptionConfirmation", message)) == 403


def test_what_could_not_be_looked_at_is_to_be_sent_again(told, one_topic, client):
    mturk, messages = told(one_topic)
    seat = come(client, mturk, post(), "AANN")
    mturk.market.return_(seat.external_id)
    mturk.faults.throttle("GetHIT", 2)
    assert push(client, messages[-1]) == 503
    assert push(client, messages[-1]) == 204
    assert pools.fresh(seat).status == SeatStatus.RETURNED


def test_a_message_that_is_not_of_events_is_taken_and_does_nothing(told, one_topic, client, caplog):
    mturk, _messages = told(one_topic)
    post()
    assert push(client, one_topic.signed("Notification", {"Message": "hello"})) == 204
    assert "none of MTurk's" in caplog.text
    assert asked(mturk, "GetHIT") == []


def test_nothing_is_taken_where_there_is_no_mechanical_turk(one_topic, client, settings):
    settings.CROWDSITE_MARKETPLACES = {"local": crowd.MARKETPLACES["local"]}
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"mturk": trusting(one_topic)}
    assert push(client, one_topic.signed("Notification", {"Message": "{}"})) == 403


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://sns.us-east-1.amazonaws.com/x.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/x.pem", True),
        ("http://sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com:8443/x.pem", False),
        ("https://me@sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com.evil.example/x.pem", False),
        ("https://xsns.us-east-1.amazonaws.com/x.pem", False),
        ("https://s3.us-east-1.amazonaws.com/x.pem", False),
        ("https://169.254.169.254/x.pem", False),
    ],
)
def test_only_hosts_of_sns_are_asked(url, right):
    assert signing.is_of_sns(url, options.read({})) is right


def test_a_signature_is_of_what_it_says(one_topic):
    """The test's own signer is right, so that what is refused above is refused for what was changed."""
    message = one_topic.signed("Notification", {"Message": "{}"})
    signature = sns.certified()[0].sign(sns.to_sign(message), padding.PKCS1v15(), sns.HASHES["2"])
    assert message["Signature"] == b64encode(signature).decode()
    assert signing.verified(json.dumps(message).encode(), options.read(trusting(one_topic))) == message
