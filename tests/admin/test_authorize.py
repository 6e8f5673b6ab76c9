"""Who may do what in the admin: every address of it, and every action of its lists, by staff of each kind.

`staff` have no permission at all, `viewer` may view whatever there is, `boss` is a superuser. Who is no staff meets
the sign-in everywhere: see tests/api/test_authorization.py.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver

from queues import batches, sequencer
from queues.models import Endpoint, FeedEntry, Queue, Task
from tests import cast
from tests.api import flows
from tests.api.test_authorization import World

pytestmark = pytest.mark.django_db

OPEN_TO_STAFF = {
    "/admin/",
    "/admin/jsi18n/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/r/{content_type_id}/{object_id}/",
}
"""Pages of the admin itself, which show nothing of anybody else's."""

LEADS_NOWHERE = {"/admin/autocomplete/", "/admin/{url}"}
"""A look-up that names no field, and what no other address is."""

OF_A_FILE = {f"/admin/crowd_queues/queue/{{queue_id}}/import-{what}/" for what in ("check", "faults")}
"""Of a file that was given just before: see test_import.py."""

WRITES = re.compile(r"\bINSERT INTO\b|\bDELETE FROM\b|\bSET\s+(\w+\.)?\"?\w+\"?\s*=")


class House:
    """The world of the API's matrix, and staff who look at it. `names[model]` fills what addresses leave open."""

    def __init__(self) -> None:
        world = World()
        own = world.things["team"]
        sequencer.sequence()
        boss = cast.person("boss", is_staff=True, is_superuser=True)
        cast.person("staff", is_staff=True)
        viewer = cast.person("viewer", is_staff=True)
        viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
        task = Task.objects.get(pk=own["task"])
        batch = batches.plan(kind="cancel", items=[task.pk], parameters={"reason": "x"}, queue=task.queue, actor=boss)
        self.names: dict[str, Any] = {
            **{name: own[name] for name in ("member", "task", "delivery", "notification", "assignment", "reviewer")},
            **{name: own[name] for name in ("payment", "pool", "project", "session", "worker", "run", "router")},
            "batch": batch.pk,
            "membership": own["member"],
            "endpoint": Endpoint.objects.first().pk,
            "feedentry": FeedEntry.objects.first().pk,
            "queue": Queue.objects.get(name="digits").pk,
            "queueatwork": Queue.objects.get(name="digits").pk,
            "token": own["token"],
            "tally": own["router"],
            "user": viewer.pk,
            "group": Group.objects.create(name="crew").pk,
        }
        self.seat = own["seat"]
        self.workflow = own["workflow"]
        self.clients = {}
        for name in ("staff", "viewer", "boss"):
            self.clients[name] = Client()
            self.clients[name].force_login(cast.person(name))

    def fill(self, address: str) -> str:
        """An address with what it leaves open filled in."""
        model = address.split("/")[3] if address.count("/") > 3 else ""
        content = ContentType.objects.get_for_model(Task)
        others = {"content_type_id": content.pk, "seat_id": self.seat, "workflow": self.workflow, "url": "nowhere"}
        others |= {"task_id": self.names["task"], "router": self.names["router"], "app_label": "crowd_queues"}
        own = self.names["task"] if "content_type_id" in address else self.names.get(model, "")
        return address.format(**{"object_id": own, "pk": own, "queue_id": own, "batch_id": own, "id": own, **others})

    def ask(self, who: str, method: str, address: str, body: Any = None) -> tuple[int, list[str]]:
        """The status, and the statements that wrote something, whose effect is undone."""
        with transaction.atomic(), CaptureQueriesContext(connection) as asked:
            answer = getattr(self.clients[who], method.lower())(self.fill(address), body or {})
            if answer.streaming:
                b"".join(answer.streaming_content)
            transaction.set_rollback(True)
        wrote = [one["sql"] for one in asked.captured_queries if WRITES.search(one["sql"])]
        return answer.status_code, [sql for sql in wrote if "django_session" not in sql]


@pytest.fixture
def house(db: None) -> Iterator[House]:
    with flows.registered():
        yield House()


def addresses() -> list[str]:
    """Every address of the admin, with the names of what it leaves open."""
    (ours,) = (resolver for resolver in get_resolver().url_patterns if getattr(resolver, "namespace", "") == "admin")

    def walk(resolver: Any, above: str) -> Iterator[str]:
        for pattern in resolver.url_patterns:
            below = above + re.sub(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)", r"{\1\2}", str(pattern.pattern)).strip("^$")
            yield from walk(pattern, below) if isinstance(pattern, URLResolver) else [below]

    return sorted(set(walk(ours, "/admin/")) - {"/admin/login/", "/admin/logout/"})


# The address of a row alone leads on to its page, whoever asks.
GUARDED = [one for one in addresses() if one not in OPEN_TO_STAFF | LEADS_NOWHERE and not one.endswith("/{object_id}/")]


def test_there_is_something_behind_every_address(house: House) -> None:
    for address in set(GUARDED) - OF_A_FILE:
        found = (house.ask("boss", method, address)[0] for method in ("GET", "POST"))
        # Some rows nobody adds or deletes here.
        closed = (404, 405) if address.endswith(("/add/", "/delete/", "/change/")) else (403, 404, 405)
        assert any(status not in closed for status in found), address


def test_staff_without_permissions_see_and_do_nothing(house: House) -> None:
    for address in GUARDED:
        for method in ("GET", "POST"):
            status, wrote = house.ask("staff", method, address)
            assert (status in (403, 404, 405), wrote) == (True, []), (method, address, status)


def test_who_may_view_changes_nothing(house: House) -> None:
    for address in GUARDED:
        status, wrote = house.ask("viewer", "POST", address)
        assert wrote == [], (address, status)
        assert status in (200, 302, 403, 404, 405), (address, status)


def actions() -> list[tuple[str, str, str]]:
    """(app, model, action) of every action of every list."""
    return [
        (model._meta.app_label, model._meta.model_name or "", action if isinstance(action, str) else action.__name__)
        for model, site in admin.site._registry.items()
        for action in [*site.actions, "delete_selected"]
    ]


def test_actions_of_lists_are_for_those_who_may_change_what_is_chosen(house: House) -> None:
    bodies = {"confirm": "1", "apply": "1", "post": "yes", "reason": "x", "change": "+10", "target_reviewer": "~ANYONE"}
    done = set()
    for app, model, action in actions():
        body = {"action": action, "_selected_action": [house.names[model]], **bodies}
        for who in ("staff", "viewer", "boss"):
            status, wrote = house.ask(who, "POST", f"/admin/{app}/{model}/", body)
            if who == "boss":
                done |= {action} if wrote else set()
            else:
                assert (status in (200, 302, 403, 405), wrote) == (True, []), (who, model, action, status)
    assert {"pause", "resume"} <= done
