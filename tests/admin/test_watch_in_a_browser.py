"""An operator keeps the dashboard open where there are no sockets: it looks by itself, and everybody can use it."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.admin.watching import DESK, LIST, LOOKS_AGAIN, NOT_LIVE, a_queue, answer, becomes, says, text_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.only("sqlite"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nothing_kept"),
]

PHONE = {"width": 360, "height": 740}
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture
def queue():
    return a_queue()


def test_the_list_follows_the_work_by_itself(opening, queue):
    page = opening(LIST)
    waiting, answered = f"{queue.pk}.available", f"{queue.pk}.answered"
    assert (text_of(page, waiting), text_of(page, answered)) == ("4", "0")
    page.get_by_role("link", name="Handwritten digits").focus()
    says(page, NOT_LIVE)
    answer(queue)
    page.clock.run_for(LOOKS_AGAIN)
    becomes(page, answered, "1")
    becomes(page, waiting, "3")
    assert page.evaluate("document.activeElement.textContent") == "Handwritten digits"
    assert page.complaints == []


def test_one_queue_follows_the_work_by_itself(opening, queue):
    page = opening(f"{LIST}{queue.pk}/change/")
    page.locator(".crowd-canvas canvas").nth(4).wait_for()
    table = page.locator('[data-plot="minutes"] tbody td')
    page.evaluate("scrollTo(0, 300)")
    answer(queue)
    page.clock.run_for(LOOKS_AGAIN)
    becomes(page, "answered", "1")
    expect(page.locator('[data-plot="minutes"] [data-summary]')).to_contain_text("1 answered, 0 lapsed")
    assert sum(int(cell) for cell in table.all_text_contents()[::3]) == 1
    assert page.evaluate("scrollY") == 300
    assert page.complaints == []


def test_refreshing_can_be_paused(opening, queue):
    page = opening(LIST)
    page.get_by_role("button", name="Pause refreshing").click()
    expect(page.get_by_role("status")).to_have_text("Refreshing is paused.")
    answer(queue)
    page.get_by_role("button", name="Refresh again").click()
    becomes(page, f"{queue.pk}.answered", "1")


def test_a_site_that_is_away_is_said_and_asked_again(opening, queue):
    page = opening(LIST)
    page.context.set_offline(True)
    page.clock.run_for(LOOKS_AGAIN)
    page.get_by_text("The site cannot be reached.").wait_for()
    answer(queue)
    page.context.set_offline(False)
    becomes(page, f"{queue.pk}.answered", "1")
    says(page, NOT_LIVE)


def test_the_signed_out_are_offered_to_sign_in(opening, queue):
    page = opening(LIST)
    page.context.clear_cookies()
    page.clock.run_for(LOOKS_AGAIN)
    page.get_by_role("link", name="Sign in again").wait_for()
    expect(page.get_by_role("status")).to_have_text("You are signed out, so the numbers stand still.")
    page.get_by_role("link", name="Sign in again").click()
    page.wait_for_url("**/admin/login/?next=*")


def test_a_queue_is_paused_from_the_list_and_stays_there(opening, queue):
    page = opening(LIST)
    page.get_by_role("button", name="Pause digits").click()
    page.get_by_role("button", name="Resume digits").wait_for()
    expect(page.get_by_text("is paused: nothing is handed out")).to_be_visible()
    assert page.url.endswith(LIST)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_everybody_can_use_it_anywhere(opening, queue, scheme, size):
    for address in (LIST, f"{LIST}{queue.pk}/change/"):
        page = opening(address, viewport=size, color_scheme=scheme, bypass_csp=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.add_script_tag(path=str(AXE))
        found = page.evaluate("axe.run('#content')")
        assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found["violations"]] == []
