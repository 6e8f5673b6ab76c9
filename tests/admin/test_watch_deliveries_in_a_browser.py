"""An operator who has sent a test event sees what becomes of it, without asking again."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from queues import deliveries, notifications
from queues.deliveries import Outcome
from queues.notifications import NotificationDraft
from queues.states import Level
from queues.transactions import database_now
from tests import cast
from tests.admin.conftest import at

pytestmark = [pytest.mark.browser, pytest.mark.only("sqlite"), pytest.mark.django_db(transaction=True)]


def test_a_test_event_is_followed_by_itself(browser, client, live_server, settings):
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    olga = cast.person("olga", is_staff=True, is_superuser=True)
    draft = NotificationDraft(endpoint="http://127.0.0.1:8099/hook", events_to_notify=("TASK_FINISHED",))
    setting = notifications.create(level=Level.SITE, draft=draft, owner=olga).notification
    client.force_login(olga)
    with browser.new_context() as context:
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        page = context.new_page()
        page.goto(live_server.url + at("notification_change", setting.pk))
        page.get_by_role("button", name="Send a test event").click()
        now = page.get_by_role("region", name="How it goes")
        expect(now).to_contain_text("Not tried yet.")
        taken = deliveries.claim(endpoint_ids=[setting.endpoint_id], limit=1, lease=timedelta(minutes=1))
        deliveries.record(outcomes=[Outcome(claimed, database_now(), 12, 200, "<b>thanks</b>") for claimed in taken])
        expect(now).to_contain_text("<b>thanks</b>")
        expect(now.get_by_role("status")).to_have_text("delivered")
        expect(now.get_by_role("button", name="Send it again")).to_be_visible()
