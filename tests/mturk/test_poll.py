"""What Mechanical Turk tells by a queue: hints, which may come twice, late, in any order, or never."""

import json
from random import Random

import pytest

from pavilion import hiring, paying, pool, sessions
from pavilion.models import Hire, Seat
from pavilion.states import HireStatus, PaymentStatus, SeatStatus
from tests import pools
from tests.mturk import crowd
from tests.mturk.crowd import asked, come, hit, its_ledger, later, our_ledger, pay_all, post, submit_there
from tests.mturk.events import to_queues
from tests.mturk.queues import queueing
from tests.mturk.server import serving

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def queues():
    with queueing() as running:
        yield running


@pytest.fixture
def queue(queues):
    return queues.queue()


@pytest.fixture
def mturk(queues, queue, settings):
    """A marketplace that tells of events by the queue."""
    with serving(to_queues(queues.url)) as server:
        crowd.set_up(settings, server, sqs_queue_url=queue, sqs_endpoint_url=queues.url)
        yield server


def left(queues, queue):
    """How many messages are in the queue, and how many were received and not deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = queues.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return [int(found[name]) for name in names]


@pytest.mark.parametrize(
    ("how", "status"),
    [("return_", SeatStatus.RETURNED), ("abandon", SeatStatus.ABANDONED)],
)
def test_who_gives_it_up_there_has_left_here_at_once(mturk, client, queues, queue, how, status):
    session = post()
    seat = come(client, mturk, session, "AANN")
    getattr(mturk.market, how)(seat.external_id)
    assert hiring.poll() == 1
    assert pools.fresh(seat).status == status
    assert Hire.objects.get(external_id=hit(session)).status == HireStatus.POSTED
    assert left(queues, queue) == [0, 0]
    assert hiring.poll() == 0


def test_who_submits_there_has_submitted_here_and_is_paid(mturk, client):
    seat = come(client, mturk, post(), "AANN")
    submit_there(Seat(pk=seat.pk, session=seat.session, external_id=seat.external_id, submit_url=seat.submit_url))
    hiring.poll()
    assert pools.fresh(seat).status == SeatStatus.SUBMITTED
    assert pay_all() == {PaymentStatus.SENT: 1}
    assert our_ledger() == its_ledger(mturk)


def test_a_session_is_paid_once_whatever_comes_twice(mturk, client, queues, queue):
    session = post()
    mturk.market.post.double(20)
    ann, ben = come(client, mturk, session, "AANN", 0), come(client, mturk, session, "ABEN", 1)
    mturk.market.return_(ben.external_id)
    cat = come_again(client, mturk, session)
    pool.submit(seat_id=ann.pk, now=later(60))
    for seat in (ann, cat):
        submit_there(pools.fresh(seat))
    for _ in range(3):
        hiring.poll()
        hiring.reconcile()
    assert [pools.fresh(seat).status for seat in (ann, ben, cat)] == ["SUBMITTED", "RETURNED", "SUBMITTED"]
    pay_all(60)
    assert our_ledger() == its_ledger(mturk)
    assert [worker for kind, worker, _ in its_ledger(mturk) if kind == "reward"] == ["AANN", "ACAT"]
    assert left(queues, queue) == [0, 0]


def come_again(client, mturk, session):
    """The next worker, on the HIT that was given back."""
    hiring.poll()
    return come(client, mturk, session, "ACAT", 1)


def test_late_news_of_who_had_it_before_does_not_touch_who_has_it_now(mturk, client):
    session = post()
    ann = come(client, mturk, session, "AANN")
    mturk.market.post.hold()
    mturk.market.return_(ann.external_id)
    pool.give_back(seat_id=ann.pk)
    ben = come(client, mturk, session, "ABEN")
    assert ben.external_id == ann.external_id
    mturk.market.post.release(backwards=True)
    hiring.poll()
    assert pools.fresh(ben).live


def test_what_is_never_told_is_found_all_the_same(mturk, client):
    seat = come(client, mturk, post(), "AANN")
    mturk.market.post.lose(9)
    mturk.market.return_(seat.external_id)
    assert hiring.poll() == 0
    Seat.objects.filter(pk=seat.pk).update(joined_at=later(-120))
    assert hiring.reconcile() == 1
    assert pools.fresh(seat).status == SeatStatus.RETURNED


def test_one_hit_is_looked_at_once_however_much_is_told_of_it(mturk, client, queues, queue):
    session = post()
    for _ in range(3):
        mturk.market.return_(mturk.market.accept(hit(session), "AANN").assignment_id)
    assert hiring.poll() == 3
    assert len(asked(mturk, "GetHIT")) == 1
    assert left(queues, queue) == [0, 0]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "null",
        '{"Events": 3}',
        '{"Events": [{}]}',
        '{"Events": [[]]}',
        '{"Message": "x"}',
        "[" * 3000,
    ],
)
def test_what_is_none_of_its_messages_is_said_and_thrown_away(mturk, client, queues, queue, caplog, body):
    seat = come(client, mturk, post(), "AANN")
    if body:
        queues.sqs.send_message(QueueUrl=queue, MessageBody=body)
    mturk.market.return_(seat.external_id)
    hiring.poll()
    assert ("is none of MTurk's" in caplog.text) is bool(body)
    assert pools.fresh(seat).status == SeatStatus.RETURNED
    assert left(queues, queue) == [0, 0]


def test_a_hit_of_somebody_elses_is_none_of_ours(mturk, queues, queue):
    event = {"EventType": "AssignmentReturned", "HITId": "3OTHER", "AssignmentId": "3X"}
    queues.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Events": [event]}))
    assert hiring.poll() == 1
    assert asked(mturk, "GetHIT") == []
    assert left(queues, queue) == [0, 0]


@pytest.mark.parametrize("number", ["3\x00", "\ud800", "", "x" * 5000, {"a": 1}, None])
def test_what_no_hit_is_called_is_not_looked_for_and_holds_nothing_up(mturk, client, queues, queue, number):
    seat = come(client, mturk, post(), "AANN")
    event = {"EventType": "AssignmentReturned", "HITId": number, "AssignmentId": "3X"}
    queues.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Events": [event]}))
    mturk.market.return_(seat.external_id)
    hiring.poll()
    assert pools.fresh(seat).status == SeatStatus.RETURNED
    assert left(queues, queue) == [0, 0]


def test_a_topic_may_send_to_the_queue(mturk, client, queues, queue):
    seat = come(client, mturk, post(), "AANN")
    mturk.market.post.lose()
    mturk.market.return_(seat.external_id)
    event = {"EventType": "AssignmentReturned", "HITId": seat.hire.external_id, "AssignmentId": seat.external_id}
    wrapped = {"Type": "Notification", "Message": json.dumps({"Events": [event]})}
    queues.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(wrapped))
    hiring.poll()
    assert pools.fresh(seat).status == SeatStatus.RETURNED


def test_what_could_not_be_looked_at_stays_in_the_queue(mturk, client, queues, queue, caplog):
    seat = come(client, mturk, post(), "AANN")
    mturk.faults.throttle("GetHIT", 2)
    mturk.market.return_(seat.external_id)
    assert hiring.poll() == 0
    assert "mturk was not asked: Mechanical Turk: Rate exceeded" in caplog.text
    assert pools.fresh(seat).live
    assert left(queues, queue) == [0, 1]


def test_a_queue_that_there_is_not_is_told_of(mturk, settings, caplog):
    options = settings.CROWDSITE_MARKETPLACE_OPTIONS["mturk"]
    crowd.set_up(settings, mturk, **options | {"sqs_queue_url": f"{options['sqs_queue_url']}-x"})
    assert hiring.poll() == 0
    assert "mturk was not asked: The queue of events" in caplog.text


def test_without_a_queue_nothing_is_asked(mturk, settings):
    crowd.set_up(settings, mturk)
    assert hiring.poll() == 0
    assert mturk.calls == []


OPERATIONS = [
    *("CreateHITWithHITType", "GetHIT", "ListHITs", "DeleteHIT"),
    *("GetAssignment", "ApproveAssignment", "SendBonus"),
]


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_fails_on_the_way_the_ledgers_agree(mturk, client, seed):
    chance = Random(seed)

    def sweep(since, trouble):
        for operation in chance.sample(OPERATIONS, 3 if trouble else 0):
            chance.choice([mturk.faults.throttle, mturk.faults.fail, mturk.faults.drop])(operation)
            chance.choice([mturk.market.post.double, mturk.market.post.lose])()
            chance.choice([mturk.faults.throttle, mturk.faults.fail])("*")
        hiring.work(now=later(since))
        hiring.poll()
        hiring.reconcile()
        paying.work(now=later(since))

    session = post(max_waiting=4, max_active=2, time_limit=36_000, posting_seconds=360_000)
    seats = [come(client, mturk, session, f"A{number}", number) for number in range(5)]
    for number, seat in enumerate(seats):
        sweep(number, trouble=True)
        if number == 1:
            mturk.market.return_(seat.external_id)
        elif number == 2:
            mturk.market.abandon(seat.external_id)
        else:
            pool.submit(seat_id=seat.pk, now=later(60 * number))
            submit_there(pools.fresh(seat))
    sessions.stop(session_id=session.pk, now=later(300))
    for number in range(3):
        sweep(700 * (number + 1), trouble=True)
    mturk.faults.waiting.clear()
    for number in range(3):
        sweep(3000 + 700 * number, trouble=False)
    pay_all(9000)
    assert our_ledger() == its_ledger(mturk)
    assert {worker for _kind, worker, _amount in its_ledger(mturk)} >= {"A0", "A3", "A4"}
    annotations = [one.annotation for one in mturk.market.hits.values()]
    assert len(set(annotations)) == len(annotations)
    assert not Hire.objects.filter(status__in=[HireStatus.PLANNED, HireStatus.POSTED, HireStatus.WITHDRAWING]).exists()
