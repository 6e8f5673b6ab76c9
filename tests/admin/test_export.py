"""An operator exports answers in the admin: chosen on a page, streamed, readable by a spreadsheet."""

import asyncio
import csv
import io
import json

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.urls import reverse

from assignments import lifecycle
from queues import batches
from queues.models import Batch
from tests import cast
from tests.admin.conftest import allow
from tests.admin.test_import import address, text_of, upload

pytestmark = pytest.mark.django_db


def finish(queue, count):
    """alice answers what there is."""
    alice = cast.join(queue, "alice")
    for _ in range(count):
        (held,) = cast.grab(alice).assignments
        lifecycle.finalize(assignment_id=held.pk, data={"label": "=2+5", "ü": 1}, actor=cast.person("alice"))


def body(answer):
    return b"".join(answer.streaming_content).decode()


def test_what_was_imported_and_answered_is_exported_for_a_spreadsheet(desk):
    queue = cast.queue(
        input_schema={"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}}},
        output_schema={"type": "object", "properties": {"label": {"type": "string"}}},
    )
    text = "text,n\n\"=cmd|' /C calc'!A0\",1\nplain,-2\n"
    desk.post(upload(desk, queue, text)["Location"], {"how": "whole"})
    batches.work(batch_id=Batch.objects.get().pk)
    finish(queue, 2)

    answer = desk.get(address("export", queue), {"per": "task", "format": "csv", "state": "finished"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="digits-answers-' in answer["Content-Disposition"]
    exported = body(answer)
    assert exported.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(exported[1:], newline=""), dialect="excel"))
    assert [(row["input_data.text"], row["input_data.n"]) for row in rows] == [
        ("'=cmd|' /C calc'!A0", "1"),
        ("plain", "-2"),
    ]
    assert {(row["output_data.label"], row["output_data"]) for row in rows} == {("'=2+5", '{"ü":1}')}


def test_judgments_are_exported_as_json_lines(desk):
    queue = cast.queue()
    cast.post(queue)
    finish(queue, 1)
    answer = desk.get(address("export", queue), {"per": "judgment", "format": "jsonl", "state": "finished"})
    (row,) = map(json.loads, body(answer).splitlines())
    assert row["data"] == {"label": "=2+5", "ü": 1}
    assert row["assignment"]["reviewer"] == "alice@example.org"


def test_days_are_taken_whole(desk):
    queue = cast.queue()
    cast.post(queue)
    finish(queue, 1)
    day = queue.tasks.get().updated_at.date().isoformat()
    chosen = {"per": "task", "format": "jsonl", "state": "finished", "since": day, "until": day}
    assert len(body(desk.get(address("export", queue), chosen)).splitlines()) == 1
    chosen |= {"since": "2001-01-01", "until": "2001-01-02"}
    assert body(desk.get(address("export", queue), chosen)) == ""


def test_a_wrong_choice_is_told_on_the_page(desk):
    queue = cast.queue()
    chosen = {"per": "task", "format": "csv", "state": "x", "since": "2027-03-02", "until": "2027-03-01"}
    shown = text_of(desk.get(address("export", queue), chosen))
    assert "Select a valid choice" in shown
    assert "This day is before the first one." in shown


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_server_streams_too():
    queue = cast.queue()
    cast.post(queue, 3)

    async def ask():
        client = AsyncClient()
        await client.aforce_login(olga)
        answer = await client.get(address("export", queue), {"per": "task", "format": "jsonl", "state": "all"})
        assert answer.is_async
        try:
            return b"".join([chunk async for chunk in answer.streaming_content])
        finally:
            # The view's thread has a connection of its own.
            await sync_to_async(connections.close_all)()

    olga = cast.person("olga", is_staff=True, is_superuser=True)
    assert len(asyncio.run(ask()).splitlines()) == 3


def test_only_who_may_see_tasks_exports(client):
    queue = cast.queue()
    staff = cast.person("sam", is_staff=True)
    client.force_login(staff)
    assert client.get(address("export", queue)).status_code == 403
    allow(staff, "crowd_queues.view_task")
    assert client.get(address("export", queue)).status_code == 200


def test_the_queue_offers_the_export(desk):
    queue = cast.queue()
    page = desk.get(reverse("admin:crowd_queues_queue_change", args=[queue.pk])).content.decode()
    assert address("export", queue) in page
