"""An operator imports tasks in the admin: sees what is bad, chooses, starts."""

import csv
import io
import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from queues import batches, imports
from queues.admin import imports as pages
from queues.models import Batch, Task
from queues.states import BatchStatus
from tests import cast
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def queue():
    return cast.queue(input_schema=SCHEMA)


def address(name, queue):
    return reverse(f"admin:crowd_queues_queue_{name}", args=[queue.pk])


def upload(client, queue, text, name="digits.csv", **fields):
    raw = text if isinstance(text, bytes) else text.encode()
    return client.post(address("import", queue), {"file": SimpleUploadedFile(name, raw), **fields})


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


@pytest.mark.django_db(transaction=True)
def test_ten_thousand_rows_with_three_bad_lines(desk, queue):
    bad = {17: "seventeen", 4242: "", 9999: "1.5"}
    text = "n,note\n" + "".join(f"{bad.get(line, line)},x\n" for line in range(2, 10_002))
    answer = upload(desk, queue, text)
    assert Task.objects.count() == 0
    check = answer["Location"]

    page = desk.get(check)
    shown = text_of(page)
    assert "10000 lines were read: 9997 good, 3 bad. Nothing has been created yet." in shown
    assert re.findall(r'<th scope="row">(\d+)</th><td>(?!\s*<)', page.content.decode())[:3] == ["17", "4242", "9999"]
    assert "“seventeen” is not JSON" in shown
    assert "Not possible, as there are bad lines" in shown
    assert page.context["first"][0] == {"line": 2, "input": '{"n":2,"note":"x"}', "fields": []}
    assert len(page.context["first"]) == 10

    refused = desk.post(check, {"how": "whole"})
    assert refused.status_code == 200
    assert Batch.objects.get().status == BatchStatus.DRAFT

    batch = Batch.objects.get()
    started = desk.post(check, {"how": "good"})
    assert started["Location"] == reverse("admin:crowd_queues_batch_change", args=[batch.pk])
    while batches.work(batch_id=batch.pk):
        continue
    assert Task.objects.filter(queue=queue, requester=cast.person("olga")).count() == 9997
    assert not Task.objects.filter(input_data__n=4242).exists()
    assert desk.get(check)["Location"] == started["Location"]
    assert desk.get(started["Location"]).status_code == 200


def test_the_bad_lines_can_be_downloaded(desk, queue):
    check = upload(desk, queue, "n\n1\n=x\n")["Location"]
    answer = desk.get(check.replace("import-check", "import-faults"))
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["line", "fault"]
    assert rows[1][0] == "3"
    assert rows[1][1].startswith("n: The queue's schema wants integer")
    assert "attachment" in answer["Content-Disposition"]


def test_a_file_without_bad_lines_is_imported_all_or_nothing(desk, queue):
    check = upload(desk, queue, json.dumps({"input_data": {"n": 1}, "priority": 9}), name="a.jsonl")["Location"]
    assert "priority: 9" in text_of(desk.get(check))
    desk.post(check, {"how": "whole"})
    batch = Batch.objects.get()
    assert (batch.whole, batch.status) == (True, BatchStatus.RUNNING)


def test_an_import_can_be_given_up(desk, queue):
    check = upload(desk, queue, "n\n1\n")["Location"]
    desk.post(check, {"give-up": "yes"})
    assert Batch.objects.get().status == BatchStatus.CANCELED
    assert Task.objects.count() == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The file is empty."),
        ("n\n", "no line with a task in it"),
        ("ä\n1\n".encode("latin-1"), "Line 1 is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_on_the_page(desk, queue, text, sentence):
    answer = upload(desk, queue, text)
    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert Batch.objects.count() == 0


def test_a_file_that_is_too_large_is_refused(desk, queue, monkeypatch):
    monkeypatch.setattr(pages, "FILE_MAX", 10)
    assert "Use the command import_tasks." in text_of(upload(desk, queue, "n\n123456789\n"))


def test_what_is_worth_knowing_is_mentioned(desk, queue):
    text = "n,task.id,priorty,output_data,global_keys\n1,7,5,true,a\n2,8,5,,a\n"
    shown = text_of(desk.get(upload(desk, queue, text)["Location"]))
    assert "Columns taken as members of the input: n, priorty." in shown
    assert "passed over, as they come from an export: task.id." in shown
    assert "Did you mean the field “priority”?" in shown
    assert "1 tasks bring their answer along" in shown
    assert "1 global keys stand on more than one line." in shown


def test_what_is_in_the_file_is_shown_as_text(desk, queue):
    text = json.dumps({"input_data": {"n": 1, "x": "<script>alert(1)</script>"}, "topic": "<b>"})
    page = desk.get(upload(desk, queue, text)["Location"]).content.decode()
    assert "<script>alert" not in page
    assert "<b>" not in page


def test_only_who_may_add_tasks_imports(client, queue):
    staff = cast.person("sam", is_staff=True)
    client.force_login(staff)
    assert client.get(address("import", queue)).status_code == 403
    assert upload(client, queue, "n\n1\n").status_code == 403
    allow(staff, "crowd_queues.add_task")
    assert client.get(address("import", queue)).status_code == 200


def test_an_import_is_shown_to_who_planned_it_and_to_operators(desk, queue, client):
    check = upload(desk, queue, "n\n1\n")["Location"]
    staff = cast.person("sam", is_staff=True)
    allow(staff, "crowd_queues.add_task")
    client.force_login(staff)
    assert client.get(check).status_code == 404
    assert client.post(check, {"how": "good"}).status_code == 404
    assert client.get(f"{address('import-check', queue)}?batch=x").status_code == 404


def test_a_deleted_queue_takes_no_import(desk, queue):
    imports.Queue.objects.update(archived_at=queue.created_at)
    assert desk.get(address("import", queue)).status_code == 403


def test_the_queue_offers_the_import(desk, queue):
    page = desk.get(reverse("admin:crowd_queues_queue_change", args=[queue.pk])).content.decode()
    assert address("import", queue) in page
    assert address("import-check", queue) not in page
