"""The ledger over the API."""

import pytest

from pavilion import pool
from pavilion.models import Payment
from tests import pools
from tests.api.calling import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(mia):
    """What ann is owed for having come."""
    seat = pools.join(pools.post(), "ann")
    pool.submit(seat_id=seat.pk)
    return Payment.objects.get(seat=seat)


def test_a_payment_says_whose_it_is(mia, payment):
    shown = mia.get(f"payments/{payment.pk}/")
    assert (shown["worker"], shown["session"], shown["kind"]) == (payment.seat.worker_id, payment.session_id, "base")
    assert (shown["amount"], shown["status"]) == ("0.05", "OWED")


@pytest.mark.parametrize("query", [{"status": "FAILED"}, {"kind": "waiting"}, {"session": 999}, {"worker": 999}])
def test_payments_are_found_by_what_they_are(mia, payment, query):
    mine = {"status": "OWED", "kind": "base", "session": payment.session_id, "worker": payment.seat.worker_id}
    assert mia.ids("payments/", **mine) == [payment.pk]
    assert mia.ids("payments/", **{**mine, **query}) == []


def test_what_failed_is_sent_again(mia, payment):
    Payment.objects.filter(pk=payment.pk).update(status="FAILED", due_at=None, error="Refused.")
    assert mia.post(f"payments/{payment.pk}/send_again/", {})["status"] == "OWED"


def test_what_is_on_its_way_is_not_sent_twice(mia, payment):
    problem(mia.call("POST", f"payments/{payment.pk}/send_again/", {}), 409, "payment-not-failed")


def test_totals_are_told_by_status(mia, payment):
    totals = mia.get(f"sessions/{payment.session_id}/totals/")
    assert totals == {"OWED": "0.05", "SENDING": "0.00", "SENT": "0.00", "FAILED": "0.00"}
