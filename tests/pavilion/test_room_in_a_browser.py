"""Workers in real browsers: they accept an offer, wait, are called, work as in the workbench, and leave."""

import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from assignments.models import Assignment
from pavilion import hiring, links, pool, sessions, work
from pavilion.models import Hire, Payment, Seat, Worker
from tests import pools
from tests.desk.bench import PHONE, digits_queue

pytestmark = [pytest.mark.browser, pytest.mark.only("sqlite"), pytest.mark.django_db(transaction=True)]

PATIENCE = 30_000

SPY = """
window.rung = [];
const { start } = AudioScheduledSourceNode.prototype;
AudioScheduledSourceNode.prototype.start = function (...when) {
  rung.push(this.context.state);
  return start.apply(this, when);
};
"""
"""Notes the state of the AudioContext of each tone that is started."""


class Window:
    """A browser of its own, at an offer or in a room."""

    def __init__(self, page):
        self.page = page
        self.room = page.locator("#room")

    def accept(self, name):
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Accept, and wait").click()

    def is_in(self, state):
        expect(self.room).to_have_attribute("data-state", state, timeout=PATIENCE)


@contextmanager
def window(browser, url, **options):
    """A window of somebody new, which must not complain of anything."""
    with browser.new_context(**options) as context:
        context.add_init_script(SPY)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        yield Window(page)
        assert complaints == []


@pytest.fixture
def session(transactional_db):
    queue, _tasks = digits_queue(5)
    return pools.post(queue=queue, min_waiting=1, min_active=1, max_active=1, max_waiting=3, confirm_seconds=600)


def offer(live_server, session, hire=None):
    link = links.of_offer(session_id=session.pk, hire_id=hire.pk if hire else None)
    return live_server.url + reverse("crowd-pool-offer", args=[link])


def room(live_server, seat):
    return live_server.url + reverse("crowd-pool-room", args=[links.of_seat(seat.pk)])


def at_work(session):
    """The seat of Ann, who has been promoted and is there."""
    ann = pools.join(session, "ann")
    pools.join(session, "ben")
    pool.confirm(seat_id=ann.pk)
    return ann


def seat(name):
    return Seat.objects.filter(worker__name=name).latest("pk")


def test_one_submits_and_the_page_of_the_other_turns_to_the_work(browser, live_server, sockets, session):
    url = offer(live_server, session)
    with window(browser, url) as ann, window(browser, url, **PHONE) as ben:
        ann.accept("Ann")
        ann.is_in("waiting")
        ben.accept("Ben")
        ben.is_in("waiting")
        expect(ben.page.locator("#room-live")).to_have_text("Live", timeout=PATIENCE)
        # Whoever has pressed a button to come here need not press another one for the sound.
        expect(ben.page.get_by_role("button", name="Sound is on")).to_be_visible(timeout=PATIENCE)
        ann.is_in("promoted")
        ann.page.keyboard.press("Enter")
        ann.is_in("active")
        for _answer in range(3):
            number = ann.page.locator("#task-heading")
            before = number.text_content()
            ann.page.get_by_role("radio", name="7", exact=True).click()
            ann.page.locator("#answer").get_by_role("button", name="Submit").click()
            expect(number).not_to_have_text(before, timeout=PATIENCE)
        ann.page.get_by_role("button", name="Submit and leave").click()
        ann.page.locator("#finish-now").click()
        ann.is_in("ended")
        expect(ann.page.locator("#ended-earned")).to_have_text(re.compile(r"You have earned 0\.\d\d\."))
        ben.is_in("promoted")
        expect(ben.page).to_have_title(re.compile("turn!"), timeout=PATIENCE)
        ben.page.wait_for_function("rung.filter((state) => state === 'running').length > 3")
        expect(ben.page.get_by_role("button", name="I am here")).to_be_focused()
        ben.page.get_by_role("button", name="I am here").tap()
        ben.is_in("active")
        expect(ben.page.locator("#task-heading")).to_have_text("Task 1", timeout=PATIENCE)
    assert Assignment.objects.filter(reviewer__worker__name="Ann", status="FINISHED").count() == 3
    paid = {payment.kind: str(payment.amount) for payment in Payment.objects.filter(seat=seat("Ann"))}
    assert paid["base"] == "0.05"
    assert paid["answers"] == "0.06"


def test_a_second_window_takes_over_and_the_first_can_take_back(browser, live_server, sockets, session):
    with window(browser, offer(live_server, session)) as first:
        first.accept("Ann")
        first.is_in("waiting")
        expect(first.page.locator("#room-live")).to_have_text("Live", timeout=PATIENCE)
        with window(browser, first.page.url) as second:
            second.is_in("waiting")
            first.is_in("elsewhere")
            expect(second.page.locator("#room-live")).to_have_text("Live", timeout=PATIENCE)
            first.page.get_by_role("button", name="Use it here").click()
            first.is_in("waiting")
            second.is_in("elsewhere")
    assert Seat.objects.count() == 1


def test_a_window_that_takes_back_a_seat_at_work_works_again(browser, live_server, sockets, session):
    with window(browser, room(live_server, at_work(session))) as first:
        expect(first.page.locator("#task-heading")).to_have_text("Task 1", timeout=PATIENCE)
        with window(browser, first.page.url) as second:
            expect(second.page.locator("#task-heading")).to_have_text("Task 1", timeout=PATIENCE)
            first.is_in("elsewhere")
            expect(first.page.locator("#bench")).to_be_hidden()
            first.page.get_by_role("button", name="Use it here").click()
            first.is_in("active")
            expect(first.page.locator("#task-heading")).to_be_visible(timeout=PATIENCE)


def test_work_is_submitted_by_itself_before_the_time_is_over(browser, live_server, session):
    ann = at_work(session)
    Seat.objects.filter(pk=ann.pk).update(ends_at=timezone.now() + timedelta(seconds=23))
    with window(browser, room(live_server, ann)) as late:
        expect(late.page.get_by_role("alert").first).to_contain_text("The time limit is near", timeout=PATIENCE)
        late.is_in("ended")
        expect(late.page.locator("#ended-heading")).to_have_text("Thank you")
    assert pools.fresh(ann).left == "submit"


def test_who_waits_may_work_on_the_backlog_until_they_are_called(browser, live_server, sockets):
    queue, _tasks = digits_queue(2)
    backlog, _more = digits_queue(2, name="backlog", alias="Backlog")
    limits = {"min_waiting": 0, "min_active": 1, "max_active": 1, "max_waiting": 3, "confirm_seconds": 600}
    session = pools.post(queue=queue, backlog_queue=backlog, **limits)
    busy = pools.join(session, "ben")
    with window(browser, room(live_server, pools.join(session, "ann"))) as ann:
        ann.is_in("waiting")
        ann.page.get_by_role("radio", name="7", exact=True).click()
        ann.page.locator("#answer").get_by_role("button", name="Submit").click()
        expect(ann.page.locator("#task-heading")).to_have_text("Task 2", timeout=PATIENCE)
        expect(ann.page.locator("#room-live")).to_have_text("Live", timeout=PATIENCE)
        pool.submit(seat_id=busy.pk)
        ann.is_in("promoted")
        expect(ann.page.locator("#bench")).to_be_hidden()
        ann.page.keyboard.press("Enter")
        ann.is_in("active")
        expect(ann.page.locator("#task-heading")).to_have_text("Task 1", timeout=PATIENCE)
    work.release()
    assert set(Assignment.objects.filter(reviewer__worker__name="ann").values_list("task__queue__name", "status")) == {
        ("backlog", "FINISHED"),
        ("backlog", "CANCELED"),
        ("digits", "CREATED"),
    }


@pytest.mark.parametrize("how", ["stop", "expire"])
def test_the_end_of_the_session_is_told(browser, live_server, sockets, session, how):
    with window(browser, offer(live_server, session)) as ann:
        ann.accept("Ann")
        ann.is_in("waiting")
        expect(ann.page.locator("#room-live")).to_have_text("Live", timeout=PATIENCE)
        getattr(sessions, how)(session_id=session.pk)
        ann.is_in("ended")
        expect(ann.page.locator("#ended-heading")).to_have_text("Thank you: that was all")


def test_the_reason_for_being_dismissed_is_told(browser, live_server, sockets, session):
    with window(browser, offer(live_server, session)) as ann:
        ann.accept("Ann")
        ann.is_in("waiting")
        pool.dismiss(seat_id=seat("Ann").pk, reason="Asleep")
        ann.is_in("ended")
        expect(ann.page.locator("#ended-reason")).to_have_text("The operator says: Asleep")


def test_without_sockets_the_page_asks(browser, live_server, session):
    with window(browser, offer(live_server, session)) as ann:
        ann.accept("Ann")
        ann.is_in("waiting")
        expect(ann.page.locator("#room-live")).to_have_text("Not live: looking every 5 s", timeout=PATIENCE)
        pools.join(session, "ben")
        ann.is_in("promoted")
        ann.page.get_by_role("button", name="I am here").click()
        ann.is_in("active")
        expect(ann.page.locator("#task-heading")).to_have_text("Task 1", timeout=PATIENCE)


def test_an_invitation_for_one_is_closed_once_it_was_used(browser, live_server, session):
    hiring.work()
    hire = Hire.objects.order_by("pk").first()
    url = offer(live_server, session, hire)
    with window(browser, url) as ann:
        ann.accept("Ann")
        ann.is_in("waiting")
    with window(browser, url) as ben:
        expect(ben.page.get_by_role("alert")).to_have_text("This invitation has been used, or was taken back.")
        expect(ben.page.get_by_role("button")).to_have_count(0)
    assert Worker.objects.count() == 1


def test_a_full_pool_says_so_and_lets_one_try_again(browser, live_server, session):
    with window(browser, offer(live_server, session)) as late:
        for name in ("a", "b", "c", "d"):
            pools.join(session, name)
        late.accept("Late")
        expect(late.page.get_by_role("alert")).to_have_text("All places are taken just now. Try again in a while.")
        pool.submit(seat_id=seat("a").pk)
        late.page.get_by_role("button", name="Try again").click()
        late.is_in("waiting")
