"""Workers and payments in the admin."""

import csv
import io

import pytest

from pavilion import payments, pool
from pavilion.models import Payment, Seat
from tests import pools
from tests.admin.conftest import text
from tests.admin.test_pool_setup import at
from tests.admin.test_pool_setup import house as house
from tests.pools import after

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("house")]


@pytest.fixture
def paid(db):
    """Ann and `=Ben` have left: each is owed a base reward and some waiting, and one of Ann's payments failed."""
    session = pools.post(now=after(0), base_reward="0.10", waiting_wage="0.60", heartbeat_seconds=600)
    for name in ("ann", "=Ben"):
        pools.join(session, name, now=after(0))
    for seat in Seat.objects.filter(live=True):
        pool.submit(seat_id=seat.pk, now=after(20))
    Payment.objects.filter(seat__worker__name="ann", kind="base").update(
        status="FAILED", due_at=None, error="No such account."
    )
    return session


def exported(desk, **query):
    answer = desk.get(at("payment_export"), query)
    body = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(body[1:], newline="")))


def test_payments_are_listed_and_summed(desk, paid):
    page = text(desk.get(at("payment_changelist"), {"session": paid.pk}))
    assert "No such account." in page
    totals = payments.Asked(session=paid.pk).totals()
    assert sum(totals.values()) == sum(Payment.objects.values_list("amount", flat=True))
    assert totals["FAILED"] == Payment.objects.get(status="FAILED").amount
    assert sum(payments.Asked().totals().values()) == sum(totals.values())


def test_the_list_is_narrowed(desk, paid):
    ann = Payment.objects.get(status="FAILED")
    failed = desk.get(at("payment_changelist"), {"status": "FAILED"})
    assert [row.pk for row, *_rest in failed.context["rows"]] == [ann.pk]
    of_ann = desk.get(at("payment_changelist"), {"worker": ann.seat.worker_id})
    assert {row.seat.worker.name for row, *_rest in of_ann.context["rows"]} == {"ann"}
    assert "whole number" in text(desk.get(at("payment_changelist"), {"session": "x"}))


def test_the_table_has_guarded_cells(desk, paid):
    rows = exported(desk)
    assert {row["worker"] for row in rows} == {"ann", "'=Ben"}
    assert len(rows) == Payment.objects.count()
    assert [row["error"] for row in exported(desk, status="FAILED")] == ["No such account."]
    assert {row["worker"] for row in exported(desk, session=paid.pk, status="OWED")} <= {"ann", "'=Ben"}


def test_a_table_is_read_in_windows(desk, paid, monkeypatch):
    monkeypatch.setattr(payments, "WINDOW", 1)
    ids = [row["payment"] for row in exported(desk, session=paid.pk)]
    assert ids == [str(pk) for pk in Payment.objects.order_by("pk").values_list("pk", flat=True)]


def test_what_failed_is_sent_again(desk, paid):
    failed = Payment.objects.get(status="FAILED")
    answer = desk.post(at("payment_send_again", failed.pk), {"back": "https://elsewhere.example/"})
    assert answer["Location"] == at("payment_changelist")
    failed.refresh_from_db()
    assert failed.status == "OWED"
    assert "did not fail" in text(desk.post(at("payment_send_again", failed.pk), follow=True))


def test_a_worker_has_their_seats_and_payments(desk, paid):
    worker = Seat.objects.filter(worker__name="ann").get().worker
    page = text(desk.get(at("worker_change", worker.pk)))
    assert str(paid) in page
    assert "submitted" in page
    assert "failed: 0.10" in page
    assert "ann" in text(desk.get(at("worker_changelist"), {"q": "an", "blocked": "no"}))
    assert desk.get(at("payment_change", Payment.objects.first().pk)).status_code == 200
