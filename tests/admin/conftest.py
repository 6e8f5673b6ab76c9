"""The admin as olga, an operator of the house, sees it."""

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.urls import reverse

from tests import cast
from tests.admin.watching import DESK, is_fault


def allow(user, *codenames):
    """Give a user permissions such as `crowd_queues.view_task`; staff as they stand in the database now."""
    for name in codenames:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


@pytest.fixture
def nothing_kept():
    """A cache that is empty before and after."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def olga(db):
    """Staff, and an operator; no other permission."""
    return allow(cast.person("olga", is_staff=True), "crowd_queues.operate")


@pytest.fixture
def desk(client, olga):
    """Olga's browser."""
    client.force_login(olga)
    return client


@pytest.fixture
def queue(db):
    return cast.queue()


@pytest.fixture
def opening(browser, client, live_server):
    """Return `opening(address, **context)`: the page, seen by an operator; its faults are in `page.complaints`.

    The page's clock runs on, and the test may move it.
    """
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
        page.clock.install()
        page.goto(live_server.url + address)
        page.get_by_role("button", name="Pause refreshing").wait_for()
        return page

    yield run
    for context in contexts:
        context.close()


def at(name, *args):
    """The address of a page of the admin: `at("task_change", 5)`, `at("assignment_changelist")`."""
    app = "assignments" if name.split("_")[0] in {"assignment", "reviewer"} else "queues"
    return reverse(f"admin:crowd_{app}_{name}", args=args)


def text(answer):
    """A page's text."""
    if hasattr(answer, "render") and not answer.is_rendered:
        answer.render()
    return answer.content.decode()
