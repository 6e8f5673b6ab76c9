"""The room inside a page of another site, in a browser that keeps no cookies of third parties."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from pavilion import links
from pavilion.models import Seat
from tests import pools
from tests.desk.bench import digits_queue
from tests.pavilion import fair

pytestmark = [pytest.mark.browser, pytest.mark.only("sqlite"), pytest.mark.django_db(transaction=True)]

KEEP = "() => { document.cookie = 'kept=1; SameSite=None; Secure'; return document.cookie }"
"""Tries to keep a cookie; Chromium, in the contexts of tests as in private windows, has none of third parties."""


class FairServer(ThreadingHTTPServer):
    """The marketplace's own pages: one with `framed` in it, and one that takes what is submitted."""

    daemon_threads = True
    framed = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FairPages)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.submitted: list[dict[str, list[str]]] = []
        self.referers: list[str | None] = []


class FairPages(BaseHTTPRequestHandler):
    server: FairServer

    def do_GET(self) -> None:
        frame = f'<iframe src="{self.server.framed}" width="900" height="800"></iframe>'
        self._answer(f'<!DOCTYPE html><html lang="en"><title>Fair</title><link rel="icon" href="data:,">{frame}')

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.submitted.append(parse_qs(form))
        self.server.referers.append(self.headers.get("Referer"))
        self._answer("<!DOCTYPE html><title>Fair</title><h1>Taken</h1>")

    def _answer(self, page: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests' output is for the tests."""


@pytest.fixture
def market(settings: Any) -> Iterator[FairServer]:
    server = FairServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    settings.CROWDSITE_MARKETPLACES = fair.SETTINGS
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"fair": {"origin": server.url}}
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def framed(browser: Any, market: FairServer, url: str) -> Iterator[Any]:
    """The frame with this address in a page of the marketplace."""
    market.framed = url
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(market.url)
        yield page.frames[1]


def offer(live_server: Any, market: FairServer, session: Any, assignment: str) -> str:
    path = reverse("crowd-pool-offer", args=[links.of_offer(session_id=session.pk)])
    query = f"assignmentId={assignment}&amp;workerId=ann&amp;turkSubmitTo={quote(market.url, safe='')}/submit"
    return f"{live_server.url}{path}?{query}"


def test_a_worker_accepts_works_and_submits_inside_the_marketplaces_page(browser, live_server, sockets, market):
    queue, _tasks = digits_queue(3)
    session = pools.post(queue=queue, marketplace="fair", min_waiting=0, min_active=1, confirm_seconds=600)
    with framed(browser, market, offer(live_server, market, session, "NONE")) as frame:
        expect(frame.get_by_text("This is a preview")).to_be_visible()
        expect(frame.get_by_role("button")).to_have_count(0)
    assert not Seat.objects.exists()
    with framed(browser, market, offer(live_server, market, session, "A1")) as frame:
        assert frame.evaluate(KEEP) == ""
        frame.get_by_role("button", name="I am ready").click()
        frame.get_by_role("button", name="I am here").click()
        frame.get_by_role("radio", name="7", exact=True).click()
        frame.locator("#answer").get_by_role("button", name="Submit").click()
        expect(frame.locator("#task-heading")).to_have_text("Task 2")
        expect(frame.locator("#room-live")).to_have_text("Live")
        frame.get_by_role("button", name="Submit and leave").click()
        frame.locator("#finish-now").click()
        expect(frame.get_by_role("heading", name="Taken")).to_be_visible()
        frame.page.goto(live_server.url)
        # Not that there was nothing to be seen: where the site is the page itself, the cookie is kept.
        assert "kept=1" in frame.page.evaluate(KEEP)
    seat = Seat.objects.get()
    assert (seat.status, seat.answers) == ("SUBMITTED", 1)
    assert market.submitted == [{"assignmentId": ["A1"], "seat": [str(seat.pk)]}]
    assert market.referers == [None]


def test_no_other_site_has_the_room_in_a_frame(browser, live_server, market):
    queue, _tasks = digits_queue(1)
    seat = pools.join(pools.post(queue=queue), "ann")
    url = live_server.url + reverse("crowd-pool-room", args=[links.of_seat(seat.pk)])
    with framed(browser, market, url) as frame:
        expect(frame.locator("#room")).to_have_count(0)
    assert pools.fresh(seat).connection == 0
