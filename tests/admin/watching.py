"""The dashboard in an operator's browser."""

from playwright.sync_api import expect

from assignments import lifecycle
from tests import cast

LIST = "/admin/crowd_assignments/queueatwork/"
DESK = {"width": 1280, "height": 900}
LIVE, NOT_LIVE = "Live", "Not live: looking every 15 s"
LOOKS_AGAIN = 15_000


def a_queue():
    """A queue where one task was skipped, one is held by alice and three wait."""
    digits = cast.queue("digits", alias="Handwritten digits", max_lease_seconds=None)
    cast.post(digits, 5)
    alice, bob = cast.join(digits, "alice"), cast.join(digits, "bob")
    (skipped,) = cast.grab(bob).assignments
    lifecycle.skip(assignment_id=skipped.pk, seconds_to_expire=None)
    cast.grab(alice, seconds_to_expire=600)
    return digits


def answer(queue, data=1):
    """alice answers what she holds and takes the next task."""
    alice = queue.memberships.get(user=cast.person("alice"))
    (held,) = cast.grab(alice).assignments
    lifecycle.finalize(assignment_id=held.pk, data=data)
    cast.grab(alice, seconds_to_expire=600)


def is_fault(said):
    """Whether a console message tells of a fault of the page: not that a request failed, or that there is no icon."""
    failed = said.text.startswith("WebSocket connection to") or said.location["url"].endswith("/favicon.ico")
    return said.type in {"error", "warning"} and not failed


def text_of(page, place):
    return page.locator(f'[data-text="{place}"]').inner_text()


def becomes(page, place, text):
    expect(page.locator(f'[data-text="{place}"]')).to_have_text(text)


def says(page, how):
    """Wait until the page says so of itself."""
    expect(page.get_by_role("status")).to_have_text(how)
