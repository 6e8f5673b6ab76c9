"""An operator keeps the dashboard open while people work: it refreshes itself, and everybody can use it."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from assignments import lifecycle
from tests import cast

pytestmark = [
    pytest.mark.browser,
    pytest.mark.only("sqlite"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nothing_kept"),
]

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
LIST = "/admin/crowd_assignments/queueatwork/"


@pytest.fixture
def queue():
    """A queue where one task was skipped, one is held and three wait."""
    digits = cast.queue("digits", alias="Handwritten digits", max_lease_seconds=None)
    cast.post(digits, 5)
    alice, bob = cast.join(digits, "alice"), cast.join(digits, "bob")
    (skipped,) = cast.grab(bob).assignments
    lifecycle.skip(assignment_id=skipped.pk, seconds_to_expire=None)
    cast.grab(alice, seconds_to_expire=600)
    return digits


def is_fault(said):
    """Whether a console message tells of a fault; that the stock admin has no icon is none of ours."""
    return said.type in {"error", "warning"} and not said.location["url"].endswith("/favicon.ico")


@pytest.fixture
def opening(browser, client, live_server):
    """Return `opening(address, **context)`: the page, seen by an operator; its faults are in `page.complaints`."""
    client.force_login(cast.person("olga", is_staff=True, is_superuser=True))
    contexts = []

    def run(address, **options):
        context = browser.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda said: is_fault(said) and page.complaints.append(said.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(live_server.url + address)
        page.get_by_text("Refreshes by itself.").wait_for()
        return page

    yield run
    for context in contexts:
        context.close()


def text_of(page, place):
    return page.locator(f'[data-text="{place}"]').inner_text()


def becomes(page, place, text):
    expect(page.locator(f'[data-text="{place}"]')).to_have_text(text)


def answer(queue, data=1):
    """alice answers what she holds and takes the next task."""
    alice = queue.memberships.get(user=cast.person("alice"))
    (held,) = cast.grab(alice).assignments
    lifecycle.finalize(assignment_id=held.pk, data=data)
    cast.grab(alice, seconds_to_expire=600)


def test_the_list_follows_the_work_by_itself(opening, queue):
    page = opening(LIST)
    waiting, answered = f"{queue.pk}.available", f"{queue.pk}.answered"
    assert (text_of(page, waiting), text_of(page, answered)) == ("4", "0")
    page.get_by_role("link", name="Handwritten digits").focus()
    answer(queue)
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
    page.get_by_text("The site cannot be reached.").wait_for()
    answer(queue)
    page.context.set_offline(False)
    becomes(page, f"{queue.pk}.answered", "1")
    expect(page.get_by_role("status")).to_have_text("Refreshes by itself.")


def test_the_signed_out_are_offered_to_sign_in(opening, queue):
    page = opening(LIST)
    page.context.clear_cookies()
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
