"""Sessions and payments by the API: what operators do to a pool at work, and what they see of it."""

import pytest

from pavilion import links, pool
from pavilion.models import Payment, Seat
from tests import pools

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(digits):
    return pools.post(min_waiting=1, min_active=1, max_waiting=4, max_active=2)


def slug(answer):
    return answer["type"].rpartition(":")[2]


def test_a_session_says_who_is_there_and_what_is_committed(mia, session):
    pools.join(session, "ann")
    shown = mia.get(f"sessions/{session.pk}/")
    assert (shown["waiting"], shown["active"], shown["offered"]) == (1, 0, 5)
    assert (shown["owed"], shown["committed"]) == ("0.00", "10.50")


def test_starting_is_once(mia, session):
    pools.join(session, "ann")
    assert mia.post(f"sessions/{session.pk}/start/", {}, expect=200)["active"] == 1
    assert slug(mia.post(f"sessions/{session.pk}/start/", {}, expect=409)) == "session-started"


@pytest.mark.parametrize(("how", "status"), [("stop", "DRAINING"), ("expire", "EXPIRED")])
def test_ending_submits_everybody(mia, session, how, status):
    pools.join(session, "ann")
    ended = mia.post(f"sessions/{session.pk}/{how}/", {}, expect=200)
    assert (ended["status"], ended["waiting"], ended["offered"], ended["owed"]) == (status, 0, 0, "0.05")
    assert ended["committed"] == ended["owed"]
    assert slug(mia.post(f"sessions/{session.pk}/hire/", {}, expect=409)) == "session-over"


def test_migrating_ignores_who_should_wait_and_never_who_may_be_active(mia, session):
    assert slug(mia.post(f"sessions/{session.pk}/migrate/", {}, expect=409)) == "session-not-started"
    for name in ("ann", "ben", "cyd"):
        pools.join(session, name)
    assert pools.statuses(session) == {"ann": "ACTIVE", "ben": "ACTIVE", "cyd": "WAITING"}
    assert slug(mia.post(f"sessions/{session.pk}/migrate/", {}, expect=409)) == "nobody-to-promote"
    mia.patch(f"sessions/{session.pk}/", {"max_active": 3}, expect=200)
    (promoted,) = mia.post(f"sessions/{session.pk}/migrate/", {"count": 5}, expect=200)["seats"]
    assert promoted["worker"]["name"] == "cyd"


def test_hiring_stops_at_the_budget(mia, session):
    # Each may cost 1.75: the base reward, 30 minutes of waiting, and ten answers.
    mia.patch(f"sessions/{session.pk}/", {"budget": "15.00"}, expect=200)
    assert mia.post(f"sessions/{session.pk}/hire/", {"count": 9}, expect=200) == {"hired": 2}
    assert slug(mia.post(f"sessions/{session.pk}/hire/", {"count": 1}, expect=409)) == "budget-used-up"
    refused = mia.patch(f"sessions/{session.pk}/", {"budget": "1.00"}, expect=400)
    assert refused["errors"][0]["pointer"] == "/budget"


@pytest.mark.parametrize("count", [0, 1001, "2", None])
def test_a_count_is_a_number_from_one_to_a_thousand(mia, session, count):
    mia.post(f"sessions/{session.pk}/hire/", {"count": count}, expect=400)


def test_dismissing_and_blocking_end_a_seat(mia, session):
    ann, ben = pools.join(session, "ann"), pools.join(session, "ben")
    gone = mia.post(f"sessions/{session.pk}/dismiss/", {"seat": ann.pk, "reason": "Asleep"}, expect=200)
    assert (gone["status"], gone["reason"]) == ("DISMISSED", "Asleep")
    blocked = mia.post(f"sessions/{session.pk}/block/", {"worker": ben.worker_id}, expect=200)
    assert blocked["blocked_at"] is not None
    assert pools.statuses(session) == {"ann": "DISMISSED", "ben": "DISMISSED"}


def test_a_seat_of_another_session_is_not_dismissed_here(mia, session):
    other = pools.post(pools.make("other"))
    zoe = pools.join(other, "zoe")
    mia.post(f"sessions/{session.pk}/dismiss/", {"seat": zoe.pk}, expect=400)
    assert pools.fresh(zoe).live


def test_invitations_lead_to_the_session(mia, session):
    from pavilion import hiring

    hiring.work()
    links_ = mia.get(f"sessions/{session.pk}/invitations/")
    found = {links.offer(url.rstrip("/").rpartition("/")[2]).hire_id for url in [links_["any"], *links_["single"]]}
    assert None in found
    assert len(found) == 7


def test_seats_are_listed_the_latest_first(mia, session):
    for name in ("ann", "ben"):
        pools.join(session, name)
    seats = mia.get(f"sessions/{session.pk}/seats/")["results"]
    assert [seat["worker"]["name"] for seat in seats] == ["ben", "ann"]


def test_payments_are_listed_by_status_and_sent_again_where_they_failed(mia, session):
    pool.submit(seat_id=pools.join(session, "ann").pk)
    (payment,) = mia.get(f"payments/?session={session.pk}&status=OWED")["results"]
    assert (payment["kind"], payment["amount"]) == ("base", "0.05")
    assert slug(mia.post(f"payments/{payment['id']}/send_again/", {}, expect=409)) == "payment-not-failed"
    Payment.objects.update(status="FAILED", due_at=None, error="No such account.")
    assert mia.post(f"payments/{payment['id']}/send_again/", {}, expect=200)["status"] == "OWED"
    assert Seat.objects.get().payments.count() == 1
