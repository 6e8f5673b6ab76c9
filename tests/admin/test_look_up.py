"""Looking endpoints up: not while a page holds a transaction."""

import pytest
from django.db import connection

from queues import notifications
from queues.models import Notification
from tests import cast
from tests.admin.conftest import allow, at


@pytest.mark.django_db(transaction=True)
def test_the_network_is_asked_outside_the_transaction(client, monkeypatch):
    cast.queue()
    client.force_login(allow(cast.person("olga", is_staff=True), "crowd_queues.operate"))
    inside, ask = [], notifications.look_up

    def look_up(endpoints):
        inside.append(connection.in_atomic_block)
        return ask(endpoints)

    monkeypatch.setattr(notifications, "look_up", look_up)
    form = {
        "level": "queue",
        "queue": "digits",
        "endpoint": "https://8.8.8.8/hook",
        "events_to_notify": ["TASK_FINISHED"],
        "strategy": "UNION",
    }
    client.post(at("notification_add"), form)
    assert Notification.objects.count() == 1
    assert inside == [False]
