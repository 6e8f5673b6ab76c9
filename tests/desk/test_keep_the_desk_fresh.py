"""The desk in a browser: it follows what happens, says when it cannot, and leads an expired session to sign in."""

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import expect

from tests.cast import grab, join, person, post, queue

pytestmark = [pytest.mark.browser, pytest.mark.only("sqlite"), pytest.mark.django_db(transaction=True)]

LOOKS_AGAIN = 15_000


@pytest.fixture
def alice():
    return join(queue(), "alice")


@pytest.fixture
def page(browser, live_server, alice):
    """Alice's desk in the browser, whose clock the test moves."""
    client = Client()
    client.force_login(person("alice"))
    kept = client.cookies[settings.SESSION_COOKIE_NAME].value
    context = browser.new_context()
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": kept, "url": live_server.url}])
    opened = context.new_page()
    opened.clock.install()
    opened.goto(f"{live_server.url}/desk/")
    yield opened
    context.close()


def test_what_changes_appears_by_itself_and_the_focus_stays(page, alice):
    page.get_by_role("link", name="Start").focus()
    post(alice.queue, 2)
    grab(alice)
    page.clock.run_for(LOOKS_AGAIN)
    page.get_by_text("In your hands").locator("xpath=..").get_by_text("Task").wait_for()
    expect(page.locator(":focus")).to_contain_text("Continue")


def test_the_time_left_is_counted_down(page, alice):
    post(alice.queue)
    grab(alice, seconds_to_expire=90)
    page.clock.run_for(LOOKS_AGAIN)
    page.get_by_text("(1:2").wait_for()
    page.clock.run_for(10_000)
    page.get_by_text("(1:1").wait_for()


def test_a_site_that_is_away_is_said_to_be_and_tried_again(page):
    page.context.set_offline(True)
    page.clock.run_for(LOOKS_AGAIN)
    page.get_by_text("The site cannot be reached").wait_for()
    page.context.set_offline(False)
    page.clock.run_for(LOOKS_AGAIN)
    page.get_by_text("The site cannot be reached").wait_for(state="hidden")


def test_an_expired_session_leads_to_sign_in_and_back(page, live_server):
    Session.objects.all().delete()
    page.clock.run_for(LOOKS_AGAIN)
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Desk").wait_for()
    expect(page).to_have_url(f"{live_server.url}/desk/")
