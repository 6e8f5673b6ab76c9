"""A session that hires at Mechanical Turk: posted, worked, paid, withdrawn, whatever goes wrong on the way."""

import sys
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from pavilion import hiring, links, marketplaces, paying, pool, sessions, workers
from pavilion.marketplaces import Later, Refused
from pavilion.marketplaces.mturk import MTurk as Adapter
from pavilion.models import Hire, Payment, Seat
from pavilion.states import HireStatus, PaymentStatus, SeatStatus
from tests import pools
from tests.mturk import crowd
from tests.mturk.crowd import asked, come, hit, its_ledger, later, our_ledger, pay_all, post, submit_there
from tests.mturk.state import Unavailable

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def here(settings, mturk):
    crowd.set_up(settings, mturk)


def adapter():
    return marketplaces.of("mturk")


def hires(session):
    return list(Hire.objects.filter(session=session).order_by("pk").values_list("status", flat=True))


def long_ago(row, **fields):
    """As if the row had been made two days ago, and these fields were so."""
    type(row).objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=2), **fields)


def lose(mturk, operation):
    """The next is done without an answer, and boto3's own second try fails."""
    mturk.faults.drop(operation)
    mturk.faults.fail(operation)


# The whole of it


def test_a_sessions_life(mturk, client):
    session = post()
    assert hires(session) == [HireStatus.POSTED] * 3
    ann = come(client, mturk, session, "AANN", 0)
    ben = come(client, mturk, session, "ABEN", 1)
    assert pools.fresh(ann).status == SeatStatus.ACTIVE
    pool.submit(seat_id=ben.pk, now=later(120))
    submit_there(pools.fresh(ben))
    assert pay_all(120) == {PaymentStatus.SENT: 2}
    assert hiring.work(now=later(130)) == 1
    sessions.stop(session_id=session.pk, now=later(180))
    submit_there(pools.fresh(ann))
    hiring.work(now=later(190))
    hiring.reconcile()
    assert pay_all(180) == {PaymentStatus.SENT: 3}
    # Ann went active when Ben came, a moment after she had; Ben waited for two minutes.
    assert our_ledger() == its_ledger(mturk)
    assert mturk.market.paid(worker="ABEN") == Decimal("0.15")
    assert {one.status(mturk.market.now) for one in mturk.market.hits.values()} == {"Disposed", "Reviewable"}
    assert HireStatus.POSTED not in hires(session)
    with pytest.raises(Unavailable):
        mturk.market.accept(hit(session, 2), "ACAT")


def test_hits_are_what_the_pool_says(mturk):
    session = post(
        **{"title": "Read <digits> & wait", "description": "Digits.", "keywords": "digits, reading"},
        **{"countries": ["DE", "AT"], "approval_rate": 95, "approved_hits": 100, "time_limit": 900},
    )
    (of,) = mturk.market.types.values()
    assert {name: of.fields[name] for name in ("Title", "Reward", "AssignmentDurationInSeconds")} == {
        "Title": "Read <digits> & wait",
        "Reward": "0.05",
        "AssignmentDurationInSeconds": 900,
    }
    assert [
        (one["QualificationTypeId"], one["Comparator"], one.get("IntegerValues") or one["LocaleValues"])
        for one in of.fields["QualificationRequirements"]
    ] == [
        ("00000000000000000071", "In", [{"Country": "DE"}, {"Country": "AT"}]),
        ("000000000000000000L0", "GreaterThanOrEqualTo", [95]),
        ("00000000000000000040", "GreaterThanOrEqualTo", [100]),
    ]
    made = mturk.market.hits[hit(session)]
    hire = Hire.objects.get(external_id=made.id)
    link = urlsplit(made.url).path.split("/")[-2]
    assert links.offer(link) == links.OfferLink(session.pk, hire.pk)
    assert (made.places, made.annotation) == (1, str(hire.request_token))
    assert abs(made.expires_at - session.expires_at) < timedelta(seconds=10)
    assert len(asked(mturk, "CreateHITType")) == 1
    assert pools.fresh(session).kept == {"hit_type": of.id}


def test_a_preview_creates_nothing_and_its_page_may_be_framed(mturk, client):
    session = post()
    parts = urlsplit(mturk.market.preview(hit(session)))
    for answer in (client.get(f"{parts.path}?{parts.query}"), client.post(f"{parts.path}?{parts.query}")):
        assert answer.status_code == 200
        assert "frame-ancestors https://worker.mturk.com" in answer.headers["Content-Security-Policy"]
    assert not Seat.objects.exists()


@pytest.mark.parametrize("query", ["", "?workerId=AANN", "?assignmentId=3X", "?assignmentId=3X&workerId=a%00b"])
def test_who_comes_past_the_marketplace_only_looks(mturk, client, query):
    session = post()
    path = urlsplit(mturk.market.hits[hit(session)].url).path
    assert client.post(path + query).status_code == 200
    assert not Seat.objects.exists()


def test_a_form_goes_to_the_marketplaces_own_address_alone(mturk, client):
    session = post()
    parts = urlsplit(mturk.market.accept(hit(session), "AANN").url)
    query = parts.query.replace(mturk.url.replace(":", "%3A").replace("/", "%2F"), "https%3A%2F%2Fevil.example")
    assert client.post(f"{parts.path}?{query}").status_code == 303
    assert Seat.objects.get().submit_url == ""


# Posting and withdrawing


def test_a_hit_whose_answer_was_lost_is_posted_once(mturk):
    lose(mturk, "CreateHITWithHITType")
    session = post()
    assert hires(session).count(HireStatus.PLANNED) == 1
    hiring.work(now=later(60))
    assert hires(session) == [HireStatus.POSTED] * 3
    assert len(mturk.market.hits) == 3
    assert {one.external_id for one in Hire.objects.all()} == mturk.market.hits.keys()


def test_a_hit_whose_token_is_forgotten_is_found_by_its_annotation(mturk):
    lose(mturk, "CreateHITWithHITType")
    post()
    lost = Hire.objects.get(status=HireStatus.PLANNED)
    mturk.market.tokens.clear()
    long_ago(lost)
    hiring.work(now=later(60))
    assert pools.fresh(lost).status == HireStatus.POSTED
    assert len(mturk.market.hits) == 3


def test_throttling_is_for_later_and_tells_why(mturk):
    mturk.faults.throttle("CreateHITWithHITType", 2)
    post()
    late = Hire.objects.get(status=HireStatus.PLANNED)
    assert "Rate exceeded" in late.error
    assert late.due_at > later(5)
    hiring.work(now=later(60))
    assert pools.fresh(late).status == HireStatus.POSTED
    assert len(mturk.market.hits) == 3


def test_a_fault_of_the_service_is_for_later(mturk):
    mturk.faults.fail("CreateHITType", 20)
    session = post()
    assert hires(session) == [HireStatus.PLANNED] * 3


def test_an_empty_account_is_for_later(mturk):
    mturk.market.balance = Decimal(0)
    session = post()
    assert hires(session) == [HireStatus.PLANNED] * 3
    mturk.market.balance = Decimal(10)
    hiring.work(now=later(700))
    assert hires(session) == [HireStatus.POSTED] * 3


def test_what_is_refused_is_refused_for_good(mturk, settings):
    settings.CROWDSITE_URL = "http://crowd.example"
    session = post()
    assert hires(session) == [HireStatus.FAILED] * 3
    assert "must use HTTPS" in Hire.objects.first().error
    assert pools.fresh(session).committed == 0


def test_withdrawing_deletes_the_hits(mturk):
    session = post()
    sessions.expire(session_id=session.pk)
    assert hiring.work(now=later(1)) == 3
    assert hires(session) == [HireStatus.WITHDRAWN] * 3
    assert all(one.disposed for one in mturk.market.hits.values())


def test_withdrawing_twice_is_no_fault(mturk):
    session = post()
    mturk.faults.throttle("DeleteHIT", 2)
    mturk.faults.drop("DeleteHIT")
    sessions.expire(session_id=session.pk)
    hiring.work(now=later(1))
    assert hires(session).count(HireStatus.WITHDRAWING) == 1
    hiring.work(now=later(60))
    assert hires(session) == [HireStatus.WITHDRAWN] * 3


def test_a_lost_hit_is_withdrawn_too(mturk):
    lose(mturk, "CreateHITWithHITType")
    session = post()
    sessions.expire(session_id=session.pk)
    hiring.work(now=later(60))
    assert hires(session) == [HireStatus.WITHDRAWN] * 3
    assert all(one.disposed for one in mturk.market.hits.values())


def test_extending_offers_a_hit_until_then(mturk):
    session = post()
    until = later(9000).replace(microsecond=0)
    adapter().extend(Hire.objects.get(external_id=hit(session)), until)
    assert mturk.market.hits[hit(session)].expires_at == until


def test_a_list_says_who_has_what(mturk, client):
    session = post(max_waiting=3)
    come(client, mturk, session, "AANN", 0)
    mturk.market.submit(mturk.market.accept(hit(session, 1), "ABEN").assignment_id, {"done": "yes"})
    mturk.client().update_expiration_for_hit(HITId=hit(session, 2), ExpireAt=later(-60))
    found = {one.external_id: one for one in adapter().list(session)}
    assert [found[hit(session, number)].status for number in range(4)] == ["held", "submitted", "closed", "open"]
    assert found[hit(session, 1)].worker == "ABEN"


# Paying


def done(client, mturk, session, worker="AANN", number=0):
    """Somebody has waited for two minutes and submitted here; there not yet."""
    seat = come(client, mturk, session, worker, number)
    pool.submit(seat_id=seat.pk, now=later(120))
    return pools.fresh(seat)


def test_who_has_not_submitted_there_is_paid_when_they_have(mturk, client):
    seat = done(client, mturk, post())
    paying.work(now=later(130))
    assert {(one.status, one.error) for one in Payment.objects.all()} == {
        (PaymentStatus.OWED, "The worker has not submitted at Mechanical Turk yet.")
    }
    assert mturk.market.ledger == []
    submit_there(seat)
    assert pay_all() == {PaymentStatus.SENT: 2}
    assert (
        our_ledger() == its_ledger(mturk) == [("bonus", "AANN", Decimal("0.10")), ("reward", "AANN", Decimal("0.05"))]
    )


@pytest.mark.parametrize("how", ["return_", "abandon"])
def test_who_gave_it_up_there_after_submitting_here_cannot_be_paid(mturk, client, how):
    seat = done(client, mturk, post())
    getattr(mturk.market, how)(seat.external_id)
    assert pay_all() == {PaymentStatus.FAILED: 2}
    assert "returned or abandoned" in Payment.objects.first().error


def test_somebody_elses_submission_is_not_taken_for_ours(mturk, client):
    session = post()
    seat = done(client, mturk, session)
    mturk.market.return_(seat.external_id)
    assert mturk.market.accept(hit(session), "ABEN").assignment_id == seat.external_id
    mturk.market.submit(seat.external_id, {"done": "yes"})
    assert pay_all() == {PaymentStatus.FAILED: 2}
    assert mturk.market.ledger == []


@pytest.mark.parametrize("operation", ["ApproveAssignment", "SendBonus"])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_paid_without_an_answer_is_paid_once(mturk, client, operation, at_once):
    submit_there(done(client, mturk, post()))
    mturk.faults.drop(operation)
    if not at_once:
        mturk.faults.fail(operation)
    assert pay_all() == {PaymentStatus.SENT: 2}
    assert our_ledger() == its_ledger(mturk)
    assert len(mturk.market.ledger) == 2


def test_a_bonus_whose_token_is_forgotten_is_found_in_the_list(mturk, client):
    submit_there(done(client, mturk, post()))
    lose(mturk, "SendBonus")
    paying.work(now=later(130))
    mturk.market.tokens.clear()
    long_ago(Payment.objects.get(status=PaymentStatus.OWED))
    assert pay_all(130) == {PaymentStatus.SENT: 2}
    assert our_ledger() == its_ledger(mturk)


def test_a_throttled_payment_is_paid_later(mturk, client):
    submit_there(done(client, mturk, post()))
    mturk.faults.throttle("SendBonus", 2)
    mturk.faults.throttle("GetAssignment", 2)
    paying.work(now=later(130))
    assert mturk.market.ledger == []
    assert pay_all(130) == {PaymentStatus.SENT: 2}
    assert our_ledger() == its_ledger(mturk)


def test_what_it_approved_by_itself_is_paid(mturk, client):
    submit_there(done(client, mturk, post(approval_delay=3600)))
    mturk.market.pass_time(3600)
    assert pay_all() == {PaymentStatus.SENT: 2}
    assert our_ledger() == its_ledger(mturk)


def test_what_was_rejected_is_refused(mturk, client):
    seat = done(client, mturk, post())
    submit_there(seat)
    mturk.client().reject_assignment(AssignmentId=seat.external_id, RequesterFeedback="No.")
    pay_all()
    assert Payment.objects.get(kind="base").status == PaymentStatus.FAILED
    assert our_ledger() == its_ledger(mturk)


# Bringing in line


def early(session, mturk, worker="AANN", number=0, ago=120):
    """Somebody who has come two minutes ago."""
    held = mturk.market.accept(hit(session, number), worker).assignment_id
    who = workers.admit(marketplace="mturk", external_id=worker, queues=[session.pool.queue])
    hire = Hire.objects.get(external_id=hit(session, number))
    return pool.join(session_id=session.pk, worker=who, hire_id=hire.pk, external_id=held, now=later(-ago))


def test_what_was_submitted_there_alone_is_submitted_and_paid(mturk):
    session = post()
    seat = early(session, mturk)
    mturk.market.submit(seat.external_id, {"done": "yes"})
    assert hiring.reconcile() == 1
    assert pools.fresh(seat).status == SeatStatus.SUBMITTED
    assert hiring.reconcile() == 0
    assert pay_all() == {PaymentStatus.SENT: 2}
    assert our_ledger() == its_ledger(mturk)


def test_what_was_given_back_there_is_returned_here_and_open_again(mturk, client):
    session = post()
    seat = early(session, mturk)
    mturk.market.return_(seat.external_id)
    assert hiring.reconcile() == 1
    assert pools.fresh(seat).status == SeatStatus.RETURNED
    assert hires(session) == [HireStatus.POSTED] * 3
    assert come(client, mturk, session, "ABEN").external_id == seat.external_id
    assert len(mturk.market.hits) == 3


def test_beyond_the_time_limit_it_is_abandoned(mturk):
    session = post(time_limit=600, heartbeat_seconds=600)
    seat = early(session, mturk)
    mturk.market.abandon(seat.external_id)
    Seat.objects.filter(pk=seat.pk).update(ends_at=later(-1))
    hiring.reconcile()
    assert (pools.fresh(seat).status, pools.fresh(seat).left) == (SeatStatus.ABANDONED, "time")


def test_who_has_just_come_is_not_taken_for_gone(mturk):
    session = post()
    seat = early(session, mturk, ago=1)
    mturk.market.return_(seat.external_id)
    assert hiring.reconcile() == 0
    assert pools.fresh(seat).live


def test_who_holds_it_stays(mturk):
    session = post()
    seat = early(session, mturk)
    assert hiring.reconcile() == 0
    assert pools.fresh(seat).live


def test_an_offer_that_was_used_up_past_us_is_replaced(mturk):
    session = post()
    mturk.market.submit(mturk.market.accept(hit(session), "AZOE").assignment_id, {"done": "yes"})
    assert hiring.reconcile() == 1
    hiring.work(now=later(1))
    assert sorted(hires(session)) == sorted([HireStatus.WITHDRAWN, *[HireStatus.POSTED] * 3])
    assert hiring.reconcile() == 0


def test_a_session_that_cannot_be_reconciled_just_now_is_later(mturk, caplog):
    session = post()
    seat = early(session, mturk)
    mturk.market.return_(seat.external_id)
    mturk.faults.throttle("ListHITs", 2)
    assert hiring.reconcile() == 0
    assert "is not reconciled: Mechanical Turk: Rate exceeded" in caplog.text
    assert hiring.reconcile() == 1


def test_who_is_blocked_here_is_blocked_there_and_let_in_again(mturk):
    session = post()
    seat = early(session, mturk)
    pool.block(worker_id=seat.worker_id, reason="Bots")
    hiring.reconcile()
    hiring.reconcile()
    assert mturk.market.blocked == {"AANN": "Bots"}
    assert len(asked(mturk, "CreateWorkerBlock")) == 1
    pool.unblock(worker_id=seat.worker_id)
    hiring.reconcile()
    assert mturk.market.blocked == {}


# Writing to workers, and what is set


def test_letters_go_to_a_hundred_at_a_time_and_tell_who_was_not_reached(mturk):
    session = post()
    mturk.market.submit(early(session, mturk).external_id, {"done": "yes"})
    hiring.reconcile()
    pay_all()
    adapter().notify(["AANN", "AANN"], subject="Again", text="We start at noon.")
    with pytest.raises(Refused, match="100 of 101"):
        adapter().notify(["AANN", *(f"AX{number}" for number in range(100))], subject="Again", text="Now.")
    assert [len(letter["WorkerIds"]) for letter in asked(mturk, "NotifyWorkers")] == [1, 100, 1]
    mturk.faults.throttle("NotifyWorkers", 2)
    with pytest.raises(Later):
        adapter().notify(["AANN"], subject="Again", text="Now.")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"endpoint": "https://x.example"}, "no option endpoint"),
        ({"endpoint_url": "x.example"}, "endpoint_url must be an address"),
        ({"region": 1}, "region must be a text"),
        ({"sandbox": "yes"}, "sandbox must be true or false"),
        ({"access_key_id": "x"}, "belong together"),
        ({"frame_ancestors": "https://x.example"}, "frame_ancestors must be a list"),
        ({"submit_urls": ["https://www.mturk.com"]}, "must have a path"),
        ({"submit_urls": 3}, "submit_urls must be a list"),
    ],
)
def test_options_of_a_wrong_kind_are_refused(options, said):
    assert any(said in fault for fault in Adapter.faults(options))


def test_right_options_have_no_fault(settings):
    assert list(Adapter.faults(settings.CROWDSITE_MARKETPLACE_OPTIONS["mturk"])) == []
    assert list(Adapter.faults({})) == []


def test_without_boto3_it_says_so_and_nothing_is_lost(mturk, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    session = post()
    said = "Mechanical Turk is asked by boto3, which is not installed: install the extra mturk."
    assert list(Adapter.faults({})) == [said]
    assert set(Hire.objects.values_list("status", "error")) == {(HireStatus.PLANNED, said)}
    monkeypatch.undo()
    hiring.work(now=later(700))
    assert hires(session) == [HireStatus.POSTED] * 3
