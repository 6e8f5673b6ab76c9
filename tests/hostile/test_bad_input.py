"""The forty bad inputs of docs/bad-input.md: each gets the answer that stands there, and changes nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import F
from django.test import Client

from assignments.models import Assignment
from queues.api.parsers import MAX_BODY
from tests import cast, pools
from tests.api.calling import Caller, named, problem, sent
from tests.hostile.rows import rows
from tests.sockets import serving

DOCUMENT = Path(__file__).parents[2] / "docs" / "bad-input.md"

PEOPLE = {
    "nobody": None,
    "requester": "rick",
    "reviewer": "alice",
    "another reviewer": "bob",
    "manager": "mia",
    "operator": "olga",
}


class Row(NamedTuple):
    """A line of the table; `answer` is a status with a problem's code or a sentence, a sentence, or a close code."""

    number: str
    sent: str
    by: str
    to: str
    answer: str
    why: str


TABLE = [
    Row(*(cell.strip() for cell in line.strip("|").split("|")))
    for line in re.findall(r"^\| \d.*", DOCUMENT.read_text(), re.M)
]
OVER_HTTP = [row for row in TABLE if not row.to.startswith("/ws/")]
OVER_SOCKETS = [row for row in TABLE if row.to.startswith("/ws/")]


class Place:
    """A queue with tasks, one of them in alice's hands, and a pool with a session; addresses are filled from `at`."""

    def __init__(self) -> None:
        answers = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
        queue = cast.queue("digits", output_schema=answers)
        cast.join(queue, "rick", "requester")
        cast.join(queue, "bob")
        member = cast.join(queue, "alice")
        cast.post(queue, 2)
        held = cast.grab(member).assignments[0]
        session = pools.post(pools.make(queue=queue))
        self.at = {
            "queue": queue.name,
            "number": queue.pk,
            "member": member.pk,
            "task": held.task_id,
            "assignment": held.pk,
            "pool": session.pool_id,
            "session": session.pk,
        }
        cast.person("olga", is_staff=True, is_superuser=True)


@dataclass(frozen=True)
class Bad:
    """What is sent: bytes as they are, anything else as JSON. `first` is done before, and no part of it."""

    body: Any = None
    content_type: str = "application/json"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    upload: bytes | None = None
    first: Callable[[Place], object] = lambda place: None


def let_lapse(place: Place) -> None:
    """The lease ends, some time ago."""
    day = timedelta(days=1)
    Assignment.objects.update(created_at=F("created_at") - day, expire_at=F("expire_at") - day)


def post_with_key(place: Place) -> None:
    """The first body of the key."""
    Caller("rick").post("queues/digits/tasks/", {"input_data": 1}, 201, idempotency_key="order-4711")


ASKED = {"level": "task", "task": "{task}", "events_to_notify": ["TASK_FINISHED"]}

BAD = {
    "an object that has one key twice": Bad(b'{"input_data": {"a": 1, "a": 2}}'),
    "a NUL character in a text": Bad(b'{"data": {"label": "a\\u0000"}}'),
    "half a surrogate pair": Bad(b'{"topic": "\\ud83d"}'),
    "NaN": Bad(b'{"data": {"label": NaN}}'),
    "a whole number beyond 2^53−1": Bad(b'{"input_data": {"order": 9007199254740993}}'),
    "a hundred thousand opening brackets": Bad(b'{"input_schema": ' + b"[" * 100_000),
    "JSON in UTF-16": Bad('{"workflow": "Reading", "input": {}}'.encode("utf-16")),
    "JSON that ends in the middle": Bad(b'{"seconds_to_exp'),
    "a form instead of JSON": Bad(b"input_data=1", content_type="application/x-www-form-urlencoded"),
    "a mebibyte and a byte": Bad(b'{"data": {"label": "' + b"x" * (MAX_BODY - 22) + b'"}}'),
    "a body in chunks, without its length": Bad(headers={"transfer_encoding": "chunked"}),
    "a list of 1,001 tasks": Bad([{"input_data": 1}] * 1001),
    "a field that is misspelt": Bad({"input_data": 1, "priorty": 5}),
    "a number as text": Bad({"input_data": 1, "priority": "5"}),
    "true where a whole number belongs": Bad({"max_live": True}),
    "a priority out of its range": Bad({"input_data": 1, "priority": 4}),
    "a division by zero": Bad({"priority": "500//(N-N)"}),
    "code for a priority": Bad({"priority": "__import__('os').system('id')"}),
    "a time without its offset": Bad({"expire_at": "2999-12-31T23:59:59"}),
    "a day that there is not": Bad({"input_data": 1, "schedule_to": "2999-02-30T12:00:00Z"}),
    "a target who reviews nothing here": Bad({"target_reviewer": "mia@example.org"}),
    "an answer that breaks its schema": Bad({"data": {"lable": "3"}}),
    "a schema that points to another host": Bad({"input_schema": {"$ref": "https://example.org/schema.json"}}),
    "a pattern with a reference backwards": Bad({"output_schema": {"pattern": r"^(a+)+\1$"}}),
    "an answer after its lease": Bad({"data": {"label": "3"}}, first=let_lapse),
    "an answer to somebody else's task": Bad({"data": {"label": "3"}}),
    "a skip that does not say for how long": Bad({}),
    "one Idempotency-Key for two bodies": Bad(
        {"input_data": 2}, headers={"idempotency_key": "order-4711"}, first=post_with_key
    ),
    "a token that never was": Bad(headers={"authorization": "Bearer cs_" + "a" * 43}),
    "a method that the address does not know": Bad({"topic": "x"}),
    "a NUL in the address": Bad(),
    "a cursor that somebody made up": Bad(query="cursor=cD0xIE9SIDE9MQ%3D%3D"),
    "a filter that is misspelt": Bad(query="stauts=FINISHED"),
    "a webhook to the machine's own network": Bad(ASKED | {"endpoint": "https://169.254.169.254/latest/meta-data/"}),
    "a header with a line break in it": Bad(
        ASKED | {"endpoint": "https://8.8.8.8/hook", "headers": {"X-Order": "1\r\nHost: evil.example"}}
    ),
    "limits that contradict one another": Bad({"min_waiting": 9, "max_waiting": 3}),
    "a workflow that there is not": Bad({"workflow": "os.system", "input": {}}),
    "a frame of a mebibyte": Bad(b'{"type": "' + b"x" * 2**20 + b'"}'),
    "a table whose third line has a cell too many": Bad(upload=b"text,n\nfirst,1\nsecond,2,3\n"),
    "a choice that the page does not have": Bad(query="period=fortnight"),
}


def filled(body: Any, at: Mapping[str, Any]) -> Any:
    """A body whose values `{name}` are replaced."""
    return {key: at.get(str(value)[1:-1], value) for key, value in body.items()} if isinstance(body, dict) else body


@pytest.fixture
def place(db: None) -> Place:
    return Place()


def test_there_are_forty_and_each_is_sent() -> None:
    assert [row.number for row in TABLE] == [str(number) for number in range(1, 41)]
    assert [row.sent for row in TABLE] == list(BAD)
    assert all(row.why for row in TABLE)


def on_its_page(row: Row, answer: Any, browser: Client) -> None:
    """A page says what is wrong; where the answer leads to another page, that one does."""
    status, sentence = re.fullmatch(r"(\d*) ?“(.*)”", row.answer).groups()  # type: ignore[union-attr]
    if not status:
        assert answer.status_code == 302
        answer, status = browser.get(answer["Location"]), "200"
    assert (str(answer.status_code), sentence in unescape(answer.content.decode())) == (status, True)


@pytest.mark.django_db
@pytest.mark.parametrize("row", OVER_HTTP, ids=[row.sent for row in OVER_HTTP])
def test_a_bad_input_gets_its_answer_and_changes_nothing(place: Place, row: Row) -> None:
    bad = BAD[row.sent]
    bad.first(place)
    method, address = row.to.format(**place.at).split(" ")
    if bad.query:
        address += f"?{bad.query}"
    if address.startswith("/api/"):
        caller = Caller(PEOPLE[row.by])
        before = rows()
        body = {**sent(filled(bad.body, place.at)), **({} if bad.body is None else {"content_type": bad.content_type})}
        answer = caller.client.generic(method, address, **body, headers=named(bad.headers))
        status, code = row.answer.split(" ")
        document = problem(answer, int(status), code)
        assert document["detail"]
        if status == "401":
            assert answer.headers["WWW-Authenticate"]
        if status == "405":
            assert method not in answer.headers["Allow"].split(", ")
        if code == "invalid-input":
            assert document["errors"]
    else:
        browser = Client()
        browser.force_login(cast.person(str(PEOPLE[row.by])))
        before = rows()
        data = {} if bad.upload is None else {"file": SimpleUploadedFile("tasks.csv", bad.upload)}
        on_its_page(row, browser.generic(method, address) if method == "GET" else browser.post(address, data), browser)
    assert rows() == before


@pytest.mark.threads
@pytest.mark.parametrize("row", OVER_SOCKETS, ids=[row.sent for row in OVER_SOCKETS])
def test_a_bad_frame_closes_its_socket_and_changes_nothing(place: Place, row: Row) -> None:
    with serving() as site, site.of(str(PEOPLE[row.by]), row.to.format(**place.at).removeprefix("/ws/")) as socket:
        before = rows()
        socket.flood(BAD[row.sent].body.decode(), 1)
        assert f"close {socket.closed()}" == row.answer
        assert rows() == before
