"""The console in a browser: it follows the session by its socket, and looks by itself where there is none."""

import pytest
from playwright.sync_api import expect

from pavilion import pool
from pavilion.models import Seat
from tests import pools
from tests.admin.test_pool_setup import house as house
from tests.admin.watching import LIVE, becomes, says

pytestmark = [
    pytest.mark.browser,
    pytest.mark.only("sqlite"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nothing_kept", "house"),
]

GRACE, LOOKS_AGAIN = 4_000, 5_000
NOT_LIVE = "Not live: looking every 5 s"
TERMS = {"heartbeat_seconds": 600, "confirm_seconds": 600, "max_waiting": 3, "max_active": 2}


@pytest.fixture
def session():
    return pools.post(**TERMS)


def test_the_console_follows_the_session(session, sockets, opening):
    page = opening(f"/admin/crowd_pavilion/session/{session.pk}/change/")
    says(page, LIVE)
    pools.join(session, "ann")
    page.clock.run_for(LOOKS_AGAIN)
    expect(page.locator('[data-body="waiting"] tr')).to_contain_text("ann")
    page.get_by_role("link", name="Dismiss ann").focus()
    pools.join(session, "ben")
    page.clock.run_for(LOOKS_AGAIN)
    expect(page.locator('[data-body="active"] tr')).to_contain_text("ann")
    becomes(page, "waiting", "1")
    sockets.stop()
    page.clock.run_for(GRACE)
    says(page, NOT_LIVE)
    page.get_by_role("link", name="Dismiss ben").focus()
    pool.submit(seat_id=Seat.objects.get(worker__name="ann").pk)
    page.clock.run_for(LOOKS_AGAIN)
    expect(page.locator('[data-body="moves"]')).to_contain_text("submitted")
    expect(page.locator('[data-body="active"] tr')).to_contain_text("ben")
    expect(page.locator('[data-plot="queues"] [data-summary]')).to_contain_text("and 1 were active")
    assert page.complaints == []
