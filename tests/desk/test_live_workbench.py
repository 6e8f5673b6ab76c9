"""The workbench follows what happens without being asked, says whether it does, and loses nothing that was typed."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import expect

from assignments import lifecycle
from assignments.models import Assignment
from queues import administration, members
from queues.lifecycle import cancel_task
from queues.models import Membership
from tests import cast
from tests.desk.bench import PHONE, digits_queue, opened, post_digits

pytestmark = [pytest.mark.browser, pytest.mark.only("sqlite"), pytest.mark.django_db(transaction=True)]

LIVE, NOT_LIVE = "Live", "Not live: looking every 15 s"
GRACE, LOOKS_AGAIN, A_MINUTE = 4_000, 15_000, 60_000


def says(bench, how):
    """Wait until the page says of itself whether it is live."""
    expect(bench.page.locator("#live-state")).to_have_text(how)


def with_clock(bench, state):
    """From here on the test moves the page's clock."""
    bench.page.clock.install()
    bench.page.reload()
    bench.wait_for(state)


def hide(bench, hidden):
    """What the browser does when another tab comes to the front, or this one again."""
    bench.page.evaluate(
        "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def pause(queue, paused):
    administration.update_queue(queue_id=queue.pk, changes={"is_paused": paused})


def membership(name):
    return Membership.objects.select_related("queue", "user").get(user=cast.person(name), role="reviewer")


def test_an_empty_queue_fills_by_itself(browser, live_server, sockets):
    queue, _ = digits_queue(0)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for("empty")
        says(bench, LIVE)
        post_digits(queue, 1)
        bench.wait_for_task(1)
        expect(bench.page).to_have_title("Task 1 · Handwritten digits")
        expect(bench.page.locator("#live")).to_have_text("New task, number 1.")


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_one_server_of_pages_and_sockets_will_do(browser, sockets, settings):
    settings.CROWDSITE_SOCKETS = ""
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {**policy, "connect-src": ["'self'"]}}
    digits_queue(1)
    with opened(browser, sockets.url, "alice") as bench:
        bench.wait_for_task(1)
        says(bench, LIVE)


def test_of_two_who_wait_one_gets_the_task_and_the_other_goes_on_waiting(browser, live_server, sockets):
    queue, _ = digits_queue(0)
    with opened(browser, live_server.url, "alice") as one, opened(browser, live_server.url, "bob") as two:
        for bench in (one, two):
            bench.wait_for("empty")
            says(bench, LIVE)
        post_digits(queue, 1)
        for bench in (one, two):
            bench.page.get_by_text("Task 1").or_(bench.page.get_by_text("Everything is in hand")).first.wait_for()
        assert {bench.page.locator("#bench").get_attribute("data-state") for bench in (one, two)} == {"work", "empty"}


def test_a_task_that_is_canceled_under_the_hands_leaves_what_was_typed(browser, live_server, sockets):
    _, (task,) = digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        says(bench, LIVE)
        bench.press("4")
        cancel_task(task_id=task.pk, reason="Sold out.")
        bench.wait_for("lost")
        assert "It was taken back or closed in the meantime" in bench.reading()
        assert "Reason: Sold out." in bench.reading()
        assert bench.page.get_by_role("textbox", name="What you had entered").input_value() == "4"
        expect(bench.page).to_have_title("This task is no longer yours · Handwritten digits")


def test_an_answer_in_another_tab_is_found_within_a_minute(browser, live_server, sockets):
    digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        with_clock(bench, "work")
        says(bench, LIVE)
        lifecycle.finalize(assignment_id=Assignment.objects.get().pk, data={"label": "8"}, actor=cast.person("alice"))
        # A look that is still under way when the minute is over is not made a second time.
        bench.page.wait_for_load_state("networkidle")
        bench.page.clock.run_for(A_MINUTE)
        bench.wait_for("lost")
        assert "You had answered it already" in bench.reading()


def test_a_lease_that_is_about_to_lapse_can_be_kept(browser, live_server, sockets):
    digits_queue(1)
    cast.grab(membership("alice"), now=timezone.now() - timedelta(seconds=40), seconds_to_expire=60)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        expect(bench.page).to_have_title("Little time left · Handwritten digits")
        expect(bench.page.locator("#live")).to_contain_text("seconds left for this task.")
        bench.page.get_by_role("button", name="More time").click()
        expect(bench.page.locator("#live")).to_contain_text("You have until")
        expect(bench.page).to_have_title("Task 1 · Handwritten digits")


def test_a_pause_is_told_to_those_who_work_and_to_those_who_wait(browser, live_server, sockets):
    queue, _ = digits_queue(1)
    with opened(browser, live_server.url, "alice") as works, opened(browser, live_server.url, "bob") as waits:
        for bench, state in ((works, "work"), (waits, "empty")):
            bench.wait_for(state)
            says(bench, LIVE)
        pause(queue, True)
        expect(works.page.locator("#paused-note")).to_be_visible()
        waits.page.get_by_role("heading", name="The queue is paused").wait_for()
        post_digits(queue, 1)
        pause(queue, False)
        expect(works.page.locator("#paused-note")).to_be_hidden()
        waits.wait_for_task(1)


def test_new_instructions_come_by_themselves(browser, live_server, sockets):
    queue, _ = digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        says(bench, LIVE)
        bench.press("4")
        administration.update_queue(queue_id=queue.pk, changes={"instructions": "Look *twice*."})
        expect(bench.page.locator("#instructions em")).to_have_text("twice")
        assert bench.page.get_by_role("radio", name="4").is_checked()


def test_without_a_socket_the_page_says_so_and_looks_by_itself(browser, live_server, sockets):
    queue, _ = digits_queue(0)
    with opened(browser, live_server.url, "alice") as bench:
        with_clock(bench, "empty")
        says(bench, LIVE)
        sockets.stop()
        bench.page.clock.run_for(GRACE)
        says(bench, NOT_LIVE)
        (task,) = post_digits(queue, 1)
        bench.page.clock.run_for(LOOKS_AGAIN)
        bench.wait_for_task(1)
        bench.press("4")
        cancel_task(task_id=task.pk)
        bench.page.clock.run_for(LOOKS_AGAIN)
        bench.wait_for("lost")
        assert bench.page.get_by_role("textbox", name="What you had entered").input_value() == "4"
        sockets.start()
        bench.page.clock.run_for(A_MINUTE)
        says(bench, LIVE)


def test_what_was_missed_without_a_socket_is_found_when_it_is_back(browser, live_server, sockets):
    _, (task,) = digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        with_clock(bench, "work")
        says(bench, LIVE)
        sockets.stop()
        cancel_task(task_id=task.pk)
        sockets.start()
        bench.page.clock.run_for(2_000)
        bench.wait_for("lost")


def test_one_who_has_too_many_sockets_looks(browser, live_server, sockets, settings):
    settings.CROWDSITE_SOCKETS_PER_USER = 0
    queue, _ = digits_queue(0)
    with opened(browser, live_server.url, "alice") as bench:
        with_clock(bench, "empty")
        says(bench, NOT_LIVE)
        post_digits(queue, 1)
        bench.page.clock.run_for(LOOKS_AGAIN)
        bench.wait_for_task(1)


def test_the_end_of_the_session_is_told_and_the_answer_waits(browser, live_server, sockets):
    digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        with_clock(bench, "work")
        says(bench, LIVE)
        bench.press("4")
        Session.objects.all().delete()
        bench.page.clock.run_for(A_MINUTE)
        bench.wait_for("session")


def test_one_who_loses_access_is_told(browser, live_server, sockets):
    digits_queue(0)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for("empty")
        says(bench, LIVE)
        members.revoke(membership=membership("alice"))
        bench.wait_for("gone")


def test_a_tab_that_nobody_looks_at_takes_no_task_but_says_that_there_is_one(browser, live_server, sockets):
    queue, _ = digits_queue(0)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for("empty")
        says(bench, LIVE)
        hide(bench, True)
        post_digits(queue, 1)
        expect(bench.page).to_have_title("A task waits · Handwritten digits")
        assert not Assignment.objects.exists()
        hide(bench, False)
        bench.wait_for_task(1)


def test_everybody_can_read_what_is_live(browser, live_server, sockets):
    """Light and dark, on a phone and on a desk: the lease that is short, the pause, and that the page is live."""
    queue, _ = digits_queue(2)
    for name in ("alice", "bob"):
        cast.grab(membership(name), now=timezone.now() - timedelta(seconds=40), seconds_to_expire=60)
    pause(queue, True)
    with (
        opened(browser, live_server.url, "alice", **PHONE, color_scheme="dark") as phone,
        opened(browser, live_server.url, "bob") as desk,
    ):
        for bench in (phone, desk):
            says(bench, LIVE)
            expect(bench.page.locator("#paused-note")).to_be_visible()
            assert bench.violations() == []
            assert bench.overflow() <= 0
