"""Every state of the workbench has a view that says what is so and what can be done."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from assignments import lifecycle
from assignments.models import Assignment
from queues import administration, members
from queues.lifecycle import release_scheduled
from queues.models import Membership
from tests import cast
from tests.desk.bench import PHONE, digits_queue, opened, post_digits, session_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def lapse() -> None:
    lifecycle.expire_assignments(now=timezone.now() + timedelta(hours=2))


def test_each_state_can_be_read_by_everybody(browser, live_server):
    """axe-core finds no violation, and nothing is wider than the screen: light and dark, on a phone and on a desk."""
    queue, _ = digits_queue(2)
    found = []
    with (
        opened(browser, live_server.url, "alice", **PHONE, color_scheme="dark") as phone,
        opened(browser, live_server.url, "bob") as desk,
    ):

        def look(state: str) -> None:
            for bench in (phone, desk):
                bench.wait_for(state)
                found.extend(f"{state}: {violation}" for violation in bench.violations())
                assert bench.overflow() <= 0, state

        look("work")
        for bench in (phone, desk):
            bench.press("Enter", "?")
        look("work")
        for bench in (phone, desk):
            bench.press("Escape", "s")
        look("work")
        for bench in (phone, desk):
            bench.press("Escape", "3")
            bench.page.context.set_offline(True)
            bench.press("Enter")
            bench.page.get_by_text("You are offline").wait_for()
        look("work")
        lapse()
        for bench in (phone, desk):
            bench.page.context.set_offline(False)
        look("lost")
        administration.update_queue(queue_id=queue.pk, changes={"is_paused": True})
        for bench in (phone, desk):
            bench.page.get_by_role("button", name="Get the next task").click()
        look("empty")
        Session.objects.all().delete()
        for bench in (phone, desk):
            bench.page.get_by_role("button", name="Look now").click()
        look("session")
        for bench, name in ((phone, "alice"), (desk, "bob")):
            sign_in(bench, live_server.url, name)
        administration.archive_queue(queue_id=queue.pk)
        for bench in (phone, desk):
            bench.page.get_by_role("button", name="Continue").click()
        for bench in (phone, desk):
            bench.page.get_by_role("heading", name="Not found").or_(bench.page.get_by_text("404")).first.wait_for()
    assert found == []


def sign_in(bench, url: str, name: str) -> None:
    """What signing in in another tab does: a new session, and with it a new CSRF token."""
    bench.page.context.clear_cookies()
    bench.page.context.add_cookies([{"name": "sessionid", "value": session_of(name), "url": url}])


def test_an_answer_outlives_the_session(browser, live_server):
    digits_queue(2)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        Session.objects.all().delete()
        bench.press("4", "Enter")
        bench.wait_for("session")
        assert "/login/" in bench.page.get_by_role("link", name="Sign in").get_attribute("href")
        bench.page.get_by_role("button", name="Continue").click()
        bench.page.get_by_text("You are not signed in yet.").wait_for()
        sign_in(bench, live_server.url, "alice")
        bench.page.get_by_role("button", name="Continue").click()
        bench.wait_for_task(2)
    assert Assignment.objects.get(status="FINISHED").data == {"label": "4"}


def test_another_token_needs_no_question(browser, live_server):
    digits_queue(2)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        sign_in(bench, live_server.url, "alice")
        bench.press("4", "Enter")
        bench.wait_for_task(2)


def test_an_empty_queue_fills_up(browser, live_server):
    queue, _ = digits_queue(0)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for("empty")
        assert "All done for now" in bench.reading()
        post_digits(queue, 1)
        bench.page.get_by_role("button", name="Look now").click()
        bench.wait_for_task(1)


def test_a_task_is_fetched_when_its_time_comes(browser, live_server):
    queue, _ = digits_queue(0)
    now = timezone.now()
    cast.post(queue, schedule_to=now + timedelta(hours=1), input_data={"image_url": "", "categories": ["a", "b"]})
    with opened(browser, live_server.url, "alice") as bench:
        bench.page.clock.install()
        bench.page.reload()
        bench.wait_for("empty")
        assert "The next may come in " in bench.reading()
        release_scheduled(now=now + timedelta(hours=2))
        bench.page.clock.fast_forward(16_000)
        bench.wait_for_task(1)


@pytest.mark.parametrize(
    ("held_by", "title"), [("bob", "Everything is in hand"), ("alice", "Nothing more for you just now")]
)
def test_an_empty_page_says_why(browser, live_server, held_by, title):
    digits_queue(1)
    member = Membership.objects.get(user=cast.person(held_by), role="reviewer")
    held = cast.grab(member).assignments[0]
    if held_by == "alice":
        lifecycle.skip(assignment_id=held.pk, seconds_to_expire=600)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for("empty")
        assert title in bench.reading()
        assert "The next may come in " in bench.reading()


def test_the_lease_ends_before_the_answer_is_sent(browser, live_server):
    digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        bench.page.clock.install()
        bench.press("6")
        bench.page.reload()
        bench.wait_for_task(1)
        assert bench.page.get_by_role("radio", name="6").is_checked()
        bench.page.clock.fast_forward("01:00:10")
        bench.wait_for("lost")
        assert bench.page.get_by_role("textbox", name="What you had entered").input_value() == "6"
        bench.page.reload()
        bench.wait_for("lost")
        assert bench.page.get_by_role("textbox", name="What you had entered").input_value() == "6"


def test_an_answer_outlives_its_page(browser, live_server):
    digits_queue(2)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        bench.page.route("**/finalize/", lambda route: route.abort())
        bench.press("2", "Enter")
        bench.page.get_by_text("Your answer is kept on this device").wait_for()
        bench.page.unroute_all()
        bench.page.reload()
        bench.page.get_by_text("1 answered").wait_for()
        bench.wait_for_task(2)
    assert Assignment.objects.get(status="FINISHED").data == {"label": "2"}


def test_a_busy_server_is_waited_for(browser, live_server):
    digits_queue(2)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        bench.page.route("**/finalize/", lambda route: route.fulfill(status=503, headers={"Retry-After": "1"}), times=1)
        bench.press("2", "Enter")
        bench.page.get_by_text("The server does not answer just now").wait_for()
        bench.wait_for_task(2)
        assert bench.page.locator("#notice").is_hidden()


def test_a_second_tab_is_told_that_the_first_has_answered(browser, live_server):
    digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        held = Assignment.objects.get()
        lifecycle.finalize(assignment_id=held.pk, data={"label": "8"}, actor=cast.person("alice"))
        bench.press("3", "Enter")
        bench.wait_for("lost")
        assert "You had answered it already" in bench.reading()
    held.refresh_from_db()
    assert held.data == {"label": "8"}


def test_losing_access_is_said(browser, live_server):
    digits_queue(1)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        members.revoke(membership=Membership.objects.get(user=cast.person("alice"), role="reviewer"))
        bench.press("s", "4")
        bench.wait_for("lost")
        bench.page.get_by_role("button", name="Get the next task").click()
        bench.wait_for("gone")


def test_several_in_hand_are_worked_through(browser, live_server):
    digits_queue(3, default_assignment_strategy={"multitask_index": 3})
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        assert "3 in hand" in bench.reading()
        bench.press("1", "Enter")
        bench.wait_for_task(2)
        bench.press("1", "Enter")
        bench.wait_for_task(3)
        assert "in hand" not in bench.page.locator("#task-facts").inner_text()
