"""The dashboard with a socket: its numbers move as the work does, and it says when they do not."""

import pytest
from playwright.sync_api import expect

from queues import administration
from tests.admin.watching import LIST, LIVE, LOOKS_AGAIN, NOT_LIVE, a_queue, answer, becomes, says, text_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.only("sqlite"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nothing_kept"),
]

FOLLOWS, GRACE, A_MINUTE = 5_000, 4_000, 60_000


@pytest.fixture
def queue():
    return a_queue()


def test_the_numbers_of_the_list_move(queue, sockets, opening):
    page = opening(LIST)
    says(page, LIVE)
    page.get_by_role("link", name="Handwritten digits").focus()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    answer(queue)
    becomes(page, f"{queue.pk}.available", "3")
    becomes(page, f"{queue.pk}.answered", "1")
    assert page.evaluate("document.activeElement.textContent") == "Handwritten digits"
    administration.update_queue(queue_id=queue.pk, changes={"is_paused": True})
    expect(page.get_by_role("button", name="Resume digits")).to_be_visible()
    assert page.complaints == []


def test_one_queues_numbers_move_and_its_plots_follow(queue, sockets, opening):
    page = opening(f"{LIST}{queue.pk}/change/")
    says(page, LIVE)
    answer(queue)
    becomes(page, "answered", "1")
    page.clock.run_for(FOLLOWS)
    expect(page.locator('[data-plot="minutes"] [data-summary]')).to_contain_text("1 answered, 0 lapsed")
    assert page.complaints == []


def test_without_a_socket_it_says_so_and_looks_and_with_one_it_is_live_again(queue, sockets, opening):
    page = opening(LIST)
    says(page, LIVE)
    sockets.stop()
    page.clock.run_for(GRACE)
    says(page, NOT_LIVE)
    answer(queue)
    page.clock.run_for(LOOKS_AGAIN)
    becomes(page, f"{queue.pk}.answered", "1")
    sockets.start()
    page.clock.run_for(A_MINUTE)
    says(page, LIVE)


def test_paused_it_hears_nothing(queue, sockets, opening):
    page = opening(LIST)
    says(page, LIVE)
    page.get_by_role("button", name="Pause refreshing").click()
    says(page, "Refreshing is paused.")
    other = opening(LIST)
    says(other, LIVE)
    answer(queue)
    becomes(other, f"{queue.pk}.answered", "1")
    assert text_of(page, f"{queue.pk}.answered") == "0"
    page.get_by_role("button", name="Refresh again").click()
    says(page, LIVE)
    becomes(page, f"{queue.pk}.answered", "1")
