"""All four in the kennel, served to people: by HTTP, in a browser, by sockets and webhooks."""

import json
import re
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from django.db import connection
from websockets.sync.client import connect

from tests.hostsite import walk
from tests.receiver import receiving
from tests.site.serving import until

pytestmark = pytest.mark.servers

BREEDS = {
    "type": "object",
    "properties": {"breed": {"enum": ["pug", "setter"]}},
    "required": ["breed"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def kennel(all_together):
    """With every app; after the walk all that must always hold does."""
    yield all_together.kennel
    assert "invariants hold" in all_together.kennel.manage("check_invariants")


@pytest.fixture(scope="module")
def site(kennel, all_together):
    """The kennel, served and called as the people it knows; its courier runs beside it."""
    with kennel.served() as visitor, kennel.running("manage.py", "courier"):
        visitor.tokens = all_together.found["tokens"]
        yield visitor


def test_whom_the_commands_make_is_let_in(kennel, site):
    kennel.manage("createsuperuser", "--noinput", "--address", walk.at("zoe"), DJANGO_SUPERUSER_PASSWORD="secret")
    token = kennel.manage("issue_token", walk.at("zoe")).strip()
    assert site.get(token, "queues/")["results"]


def test_work_goes_through_it(site):
    walk.of_queues(site, "http-in")
    walk.of_assignments(site, "http-out")


def test_a_pool_stands_by(site):
    walk.of_pavilion(site, "http-pool")


def test_a_run_goes_through_it(site):
    walk.of_routing(site)


def test_a_webhook_arrives(site):
    walk.set_up(site, "told")
    with receiving() as receiver:
        asked = {"level": "queue", "queue": "told", "endpoint": receiver.url, "events_to_notify": ["TASK_FINISHED"]}
        secret = site.post("root", "notifications/", asked, expect=201)["secret"]
        site.post("rita", "queues/told/tasks/", {"input_data": {"dog": 1}}, expect=201)
        (held,) = site.post("ann", "queues/told/grab/")["assignments"]
        site.post("ann", f"assignments/{held['id']}/finalize/", {"data": {"breed": "pug"}})
        (received,) = receiver.wait_for(1)
    told = received.verified(secret)["data"]
    assert (told["output_data"], told["requester"], told["reviewer"]) == (
        {"breed": "pug"},
        walk.at("rita"),
        walk.at("ann"),
    )


def test_a_socket_hears(site):
    walk.set_up(site, "live")
    with connect(f"ws://127.0.0.1:{site.port}/ws/queues/live/", compression=None) as socket:
        socket.send(json.dumps({"type": "authenticate", "token": site.tokens["ann"]}))
        assert json.loads(socket.recv(timeout=30))["type"] == "welcome"
        if connection.vendor == "sqlite":
            # Without a broker the kennel's layer is in memory, and its courier is another process.
            return
        draft = {"input_data": {"dog": 1}, "target_reviewer": walk.at("ann")}

        def hears():
            site.post("rita", "queues/live/tasks/", draft, expect=201)
            try:
                return json.loads(socket.recv(timeout=2))["type"] == "available"
            except TimeoutError:
                # Of what is older than its first look the courier, which may be starting, tells nobody.
                return False

        until(hears)


def signed_in(site, name):
    """What opens pages as this person, who has signed in at the kennel's own door."""
    jar = CookieJar()
    door = f"http://127.0.0.1:{site.port}/enter/"
    opener = build_opener(HTTPCookieProcessor(jar))
    with opener.open(door) as page:
        proof = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())[1]
    form = urlencode({"username": walk.at(name), "password": "secret", "csrfmiddlewaretoken": proof})
    with opener.open(Request(door, form.encode(), {"Referer": door})) as page:
        assert page.url.endswith("/")
    return opener


def test_pages_stand_in_the_kennels_own_frame(site):
    opener = signed_in(site, "ann")
    for path in ("desk/", "desk/done/", "desk/metrics/", "crowd/"):
        with opener.open(f"http://127.0.0.1:{site.port}/{path}") as page:
            text = page.read().decode()
        assert "The kennel's own frame" in text, path
        assert "at the kennel</title>" in text, path


@contextmanager
def bench(browser, site, queue):
    """The workbench of a queue, for ann, who has signed in at the kennel's own door; it must not complain."""
    complaints = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{site.port}/enter/?next=/desk/queues/{queue}/")
        page.get_by_label("Address").fill(walk.at("ann"))
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Enter").click()
        yield page
    assert complaints == []


@pytest.mark.browser
def test_a_task_is_answered_in_the_workbench(browser, site):
    walk.set_up(site, "bench", output_schema=BREEDS)
    task = site.post("rita", "queues/bench/tasks/", {"input_data": {"dog": 1}}, expect=201)
    with bench(browser, site, "bench") as page:
        page.locator("#kennel").wait_for()
        page.locator("#bench[data-state=work]").wait_for()
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        page.locator("#bench[data-state=empty]").wait_for()
    found = site.get("rita", f"tasks/{task['id']}/")
    assert (found["status"], found["reviewer"], found["output_data"]) == ("FINISHED", walk.at("ann"), {"breed": "pug"})
