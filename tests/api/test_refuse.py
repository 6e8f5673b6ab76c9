"""Requests that are refused before anybody looks at what they want: the same on both databases, always as a problem."""

import json
from typing import Any

import pytest

from assignments.models import Assignment
from queues.models import Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

TASKS = "queues/digits/tasks/"
MIB = 1024 * 1024


def nested(depth: int) -> Any:
    """An array in an array, so many in all."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def padded(body: bytes, size: int) -> bytes:
    """A JSON text made so long by spaces in front of its last byte."""
    return body[:-1] + b" " * (size - len(body)) + body[-1:]


MALFORMED: list[tuple[str, bytes, str | None]] = [
    ("NUL in a value", b'{"input_data": {"a": ["\\u0000"]}}', "/input_data/a/0"),
    ("NUL in a key", b'{"input_data": {"a\\u0000": 1}}', "/input_data"),
    ("half a surrogate pair", b'{"input_data": "\\ud800"}', "/input_data"),
    ("half a surrogate pair in a key", b'{"input_data": {"\\udc00": 1}}', "/input_data"),
    ("the halves the wrong way round", b'{"input_data": "\\udc00\\ud800"}', "/input_data"),
    ("NaN", b'{"input_data": NaN}', "/input_data"),
    ("Infinity", b'{"input_data": -Infinity}', "/input_data"),
    ("a number beyond a double", b'{"input_data": 1e999}', "/input_data"),
    ("an integer beyond 2^53-1", b'{"input_data": 9007199254740992}', "/input_data"),
    ("an integer of 5,000 digits", b'{"input_data": ' + b"9" * 5000 + b"}", "/input_data"),
    ("a key twice", b'{"input_data": {"a": 1, "a": 1}}', "/input_data"),
    ("a field twice", b'{"input_data": 1, "input_data": 2}', ""),
    ("bytes that are not UTF-8", b'{"input_data": "\xff"}', ""),
    ("Latin-1", '{"input_data": "ä"}'.encode("latin-1"), ""),
    ("UTF-16", '{"input_data": 1}'.encode("utf-16"), ""),
    ("a byte order mark", b'\xef\xbb\xbf{"input_data": 1}', ""),
    ("a surrogate in UTF-8", b'{"input_data": "\xed\xa0\x80"}', ""),
    ("an end too early", b'{"input_data": 1', ""),
    ("more after the end", b'{"input_data": 1} {}', ""),
    ("a comma too many", b'{"input_data": 1,}', ""),
    ("a comment", b'{"input_data": 1 /* one */}', ""),
    ("single quotes", b"{'input_data': 1}", ""),
    ("a raw line break in text", b'{"input_data": "a\nb"}', ""),
    ("a form", b"input_data=1", ""),
    ("deep beyond counting", b'{"input_data": ' + b"[" * 100_000, None),
]


@pytest.mark.parametrize(("what", "body", "pointer"), MALFORMED, ids=[what for what, *_ in MALFORMED])
def test_json_that_we_do_not_take(rick: Caller, digits: Any, what: str, body: bytes, pointer: str | None) -> None:
    document = problem(rick.call("POST", TASKS, body), 400, "malformed-json")
    assert document["detail"]
    assert pointer is None or document.get("pointer", "") == pointer
    assert not Task.objects.exists()


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b'{"a": "\\u0000"}', b"[NaN]", b"\xff"])
def test_every_address_that_takes_a_body_refuses_them(mia: Caller, alice: Caller, digits: Any, body: bytes) -> None:
    cast.post(digits, 2)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    task, assignment = f"tasks/{held['task']['id']}/", f"assignments/{held['id']}/"
    member = f"queues/digits/members/{cast.join(digits, 'bob').pk}/"
    for caller, method, path in (
        (mia, "POST", "queues/"),
        (mia, "PATCH", "queues/digits/"),
        (mia, "POST", "queues/digits/members/"),
        (mia, "PATCH", member),
        (mia, "POST", TASKS),
        (mia, "PATCH", task),
        (mia, "POST", f"{task}cancel/"),
        (mia, "POST", "tokens/"),
        (alice, "POST", "queues/digits/grab/"),
        (alice, "POST", f"{task}assign/"),
        (alice, "POST", f"{assignment}finalize/"),
        (alice, "POST", f"{assignment}skip/"),
        (alice, "POST", f"{assignment}extend/"),
    ):
        problem(caller.call(method, path, body), 400, "malformed-json")
    assert Assignment.objects.get().status == "CREATED"


@pytest.mark.parametrize("value", ["𝄞", "\u0001", "\ufffe", "\u202e", "é", "\x7f", "\\u0000"])
def test_odd_text_is_taken_and_kept(rick: Caller, digits: Any, value: str) -> None:
    task = rick.post(TASKS, {"input_data": {value: value}, "topic": value}, 201)
    assert rick.get(f"tasks/{task['id']}/")["input_data"] == {value: value}
    assert rick.ids("tasks/", topic=value) == [task["id"]]


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53) + 1, 1.5, 1e-300, 0.1, 123456.789])
def test_a_number_comes_back_as_it_was(rick: Caller, digits: Any, value: float) -> None:
    task = rick.post(TASKS, {"input_data": value}, 201)
    assert rick.get(f"tasks/{task['id']}/")["input_data"] == value


def test_a_body_may_be_32_deep(rick: Caller, digits: Any) -> None:
    task = rick.post(TASKS, {"input_data": nested(31)}, 201)
    assert rick.get(f"tasks/{task['id']}/")["input_data"] == nested(31)
    problem(rick.call("POST", TASKS, {"input_data": nested(32)}), 400, "malformed-json")


def test_a_body_may_have_one_mebibyte(rick: Caller, digits: Any) -> None:
    body = b'{"input_data": 1}'
    rick.call("POST", TASKS, padded(body, MIB), 201)
    document = problem(rick.call("POST", TASKS, padded(body, MIB + 1)), 413, "body-too-large")
    assert document["limit"] == MIB


def test_a_list_may_have_eight(rick: Caller, digits: Any) -> None:
    body = b'[{"input_data": 1}]'
    rick.call("POST", TASKS, padded(body, 8 * MIB), 201)
    document = problem(rick.call("POST", TASKS, padded(body, 8 * MIB + 1)), 413, "body-too-large")
    assert document["limit"] == 8 * MIB


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "nonsense"],
)
def test_a_body_of_another_type_is_refused(rick: Caller, digits: Any, content_type: str) -> None:
    answer = rick.client.generic("POST", f"/api/v1/{TASKS}", b'{"input_data": 1}', content_type=content_type)
    problem(answer, 415, "unsupported-media-type")


def test_the_type_may_have_parameters(rick: Caller, digits: Any) -> None:
    answer = rick.client.generic(
        "POST", f"/api/v1/{TASKS}", b'{"input_data": 1}', content_type="application/json; charset=utf-8"
    )
    assert answer.status_code == 201


def test_a_body_in_chunks_is_refused(rick: Caller, digits: Any) -> None:
    answer = rick.client.post(f"/api/v1/{TASKS}", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    problem(answer, 411, "length-required")


def test_an_answer_that_we_cannot_give_is_refused(rick: Caller) -> None:
    problem(rick.call("GET", "tasks/", accept="application/xml"), 406, "not-acceptable")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*;q=0.5", "text/html, */*;q=0.1"])
def test_what_a_client_accepts(rick: Caller, accept: str) -> None:
    assert rick.call("GET", "tasks/", None, 200, accept=accept).headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["", "nothing/", "tasks/5/nothing/", "tasks/x/", "queues/UPPER/", "tasks/-1/"])
def test_an_address_that_leads_nowhere(rick: Caller, path: str) -> None:
    missing = rick.call("GET", "tasks/999999/")
    answer = rick.call("GET", path)
    problem(answer, 404, "not-found")
    assert answer.content == missing.content


@pytest.mark.parametrize("name", ["%00", "a%00b", "UPPER", "%0A", "%20", "%ED%A0%80", "..", "ä", "a" * 3000])
def test_a_queue_whose_name_is_none(mia: Caller, name: str) -> None:
    missing = mia.call("GET", "queues/missing/").content
    for rest in ("", "tasks/", "members/", "members/1/", "stats/", "grab/"):
        method, key = ("POST", {"idempotency_key": "k"}) if rest == "grab/" else ("GET", {})
        answer = mia.call(method, f"queues/{name}/{rest}", None, None, **key)
        problem(answer, 404, "not-found")
        assert answer.content == missing


@pytest.mark.parametrize("number", ["0", "-1", "%00", "1.0", "٣", "9" * 18, "9" * 19, "9" * 5000])
def test_a_number_that_is_nobodys(mia: Caller, digits: Any, number: str) -> None:
    for path in ("tasks", "tokens", "assignments", "reviewers", "queues/digits/members"):
        problem(mia.call("GET", f"{path}/{number}/"), 404, "not-found")


def test_a_method_that_an_address_does_not_know(rick: Caller) -> None:
    answer = rick.call("DELETE", "tasks/")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_the_challenge_to_the_anonymous(as_: Any) -> None:
    answer = as_(None).call("GET", "tasks/")
    problem(answer, 401, "not-authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="crowdsite"'


def test_a_head_is_a_get_without_a_body(rick: Caller, digits: Any) -> None:
    answer = rick.call("HEAD", "queues/digits/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_query_that_is_not_utf_8_is_answered(rick: Caller) -> None:
    answer = rick.client.get("/api/v1/tasks/?topic=%ED%A0%80%FF")
    assert answer.json()["results"] == []


def test_the_anonymous_learn_nothing_of_a_bad_body(as_: Any, digits: Any) -> None:
    answer = as_(None).call("POST", TASKS, b"\xff")
    problem(answer, 401, "not-authenticated")


def test_a_refusal_names_every_place_it_knows(rick: Caller, digits: Any) -> None:
    body = json.dumps({"input_data": 1, "priority": "high", "a/b": 1}).encode()
    document = problem(rick.call("POST", TASKS, body), 400, "invalid-input")
    assert sorted(pointers(document)) == ["/a~1b", "/priority"]
