"""A workflow's page in a browser: it follows the runs by the operators' socket, and looks by itself without one."""

import pytest
from playwright.sync_api import expect

from routing import AbstractCrowdRouter, registry
from tests import cast, flows
from tests.admin.watching import LIVE, LOOKS_AGAIN, NOT_LIVE, becomes, says

pytestmark = [
    pytest.mark.browser,
    pytest.mark.only("sqlite"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nothing_kept"),
]

BUSY = 6_000


class LiveFlows(AbstractCrowdRouter):
    """A router of one workflow."""

    workflows = [flows.Sequence]


@pytest.fixture
def address():
    registry.register(LiveFlows)
    yield "/admin/crowd_routing/run/workflows/LiveFlows/Sequence/"
    registry.unregister(LiveFlows)


def test_a_workflow_s_page_follows_its_runs(address, sockets, opening):
    (alice,) = flows.crowd("alice")
    flows.Sequence.start({}, by=cast.person("rick"))
    page = opening(address)
    says(page, LIVE)
    becomes(page, "n0.waiting", "1")
    picture = page.locator("[data-picture]")
    picture.focus()
    flows.answer(alice, "a")
    page.clock.run_for(BUSY)
    becomes(page, "n1.waiting", "1")
    expect(picture.locator(".crowd-count-waiting")).to_have_count(1)
    expect(page.locator('[data-shown="n0.waiting"]')).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('[data-picture]')")
    assert page.complaints == []


def test_it_looks_by_itself_where_there_is_no_socket_and_says_when_it_cannot(address, opening):
    (alice,) = flows.crowd("alice")
    flows.Sequence.start({}, by=cast.person("rick"))
    page = opening(address)
    says(page, NOT_LIVE)
    page.context.set_offline(True)
    page.clock.run_for(LOOKS_AGAIN)
    says(page, "The site cannot be reached. This page keeps trying.")
    flows.answer(alice, "a")
    page.context.set_offline(False)
    becomes(page, "n1.waiting", "1")


def test_it_is_there_without_scripts(address, browser, client, live_server):
    flows.crowd("alice")
    flows.Sequence.start({}, by=cast.person("rick"))
    client.force_login(cast.person("olga", is_staff=True, is_superuser=True))
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + address)
    expect(page.locator(".crowd-graph")).to_be_visible()
    says(page, "The numbers of this moment.")
    expect(page.locator('[data-shown="n0.waiting"]')).to_contain_text("1 waiting")
    context.close()
