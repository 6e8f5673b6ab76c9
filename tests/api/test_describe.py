"""The OpenAPI schema at /api/schema/ and its pages at /api/docs/."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from jsonschema import Draft202012Validator

from queues import events
from tests import cast
from tests.api.calling import Caller
from tests.api.test_authorization import addresses

ROOT = "/api/v1/"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema, as the management command writes it; a warning of the generator's is an error."""
    file: Path = tmp_path_factory.mktemp("schema") / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", file)
    return yaml.safe_load(file.read_text())


def operations(described: Any) -> dict[str, Any]:
    """Everything that can be asked, by method and address."""
    return {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_every_address_of_the_api_is_described(described: Any) -> None:
    there = {
        f"{method} {address}" for address, methods in addresses() for method in methods if address.startswith(ROOT)
    }
    assert set(operations(described)) == there


def test_every_operation_has_a_name_of_its_own(described: Any) -> None:
    names = [operation["operationId"] for operation in operations(described).values()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if re.search(r"_\d+$", name)]


def test_every_operation_tells_of_refusals(described: Any) -> None:
    for operation in operations(described).values():
        assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}


def test_every_change_but_those_that_show_secrets_takes_an_idempotency_key(described: Any) -> None:
    for name, operation in operations(described).items():
        takes = "Idempotency-Key" in [parameter["name"] for parameter in operation.get("parameters", [])]
        shows = "/tokens/" in name or name.endswith("/rotate/") or name == "POST /api/v1/notifications/"
        assert takes == (not name.startswith("GET") and not shows), name


def test_the_types_of_events_are_listed(described: Any) -> None:
    for name in ("Notification", "TaskNotification", "PatchedNotificationPatch"):
        asked = described["components"]["schemas"][name]["properties"]["events_to_notify"]
        assert (asked["minItems"], asked["uniqueItems"]) == (1, True)
        types = described["components"]["schemas"][asked["items"]["$ref"].rpartition("/")[2]]["enum"]
        assert types == events.registered()
        assert {"QUEUE_UPDATED", "TASK_FINISHED", "ASSIGNMENT_SKIPPED"} < set(types)


def test_the_examples_of_settings_are_good_ones(described: Any, mia: Caller, rick: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    body = operations(described)["POST /api/v1/notifications/"]["requestBody"]["content"]["application/json"]
    examples = [example["value"] for example in body["examples"].values()]
    assert [example["level"] for example in examples] == ["queue", "task"]
    for example in examples:
        given = {**example, "endpoint": example["endpoint"].replace("example.org", "8.8.8.8")}
        mia.post("notifications/", given | ({"task": task.pk} if example["level"] == "task" else {}), 201)


def test_headers_are_taken_and_only_their_names_given(described: Any) -> None:
    fields = described["components"]["schemas"]["Notification"]["properties"]
    assert fields["headers"]["writeOnly"]
    assert fields["header_names"]["readOnly"]
    assert "secret" not in fields
    assert "secret" in described["components"]["schemas"]["NewNotification"]["properties"]


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ("POST /api/v1/queues/", "201"),
        ("POST /api/v1/queues/{}/tasks/", "201"),
        ("POST /api/v1/queues/{}/members/", "201"),
        ("POST /api/v1/tokens/", "201"),
        ("POST /api/v1/queues/{}/grab/", "200"),
        ("POST /api/v1/tasks/{}/cancel/", "200"),
        ("POST /api/v1/assignments/{}/finalize/", "200"),
        ("PATCH /api/v1/tasks/{}/", "200"),
        ("DELETE /api/v1/queues/{}/", "204"),
        ("DELETE /api/v1/tokens/{}/", "204"),
        ("POST /api/v1/notifications/", "201"),
        ("POST /api/v1/notifications/{}/test/", "202"),
        ("POST /api/v1/notifications/{}/rotate/", "200"),
        ("DELETE /api/v1/notifications/{}/", "204"),
        ("POST /api/v1/deliveries/replay/", "200"),
    ],
)
def test_the_status_of_success(described: Any, operation: str, status: str) -> None:
    assert set(operations(described)[operation]["responses"]) == {status, "default"}


def test_the_filters_are_described_with_their_types(described: Any) -> None:
    parameters = {each["name"]: each["schema"] for each in operations(described)["GET /api/v1/tasks/"]["parameters"]}
    assert parameters["priority__gte"] == {"type": "integer", "minimum": 1 - 10**15, "maximum": 10**15 - 1}
    assert parameters["created_at__lte"] == {"type": "string", "format": "date-time"}
    assert parameters["global_keys"] == {"type": "array", "items": {"type": "string", "minLength": 1}}
    assert parameters["target_reviewer__not__in"]["type"] == "array"
    assert parameters["queue"] == {"type": "string", "minLength": 1}
    assert parameters["topic"] == {"type": "string"}
    queues = {each["name"]: each["schema"] for each in operations(described)["GET /api/v1/queues/"]["parameters"]}
    assert queues["is_paused"] == {"type": "boolean"}


def fits(described: Any, operation: str, answer: Any) -> None:
    """Fail unless an answer of success is as its operation describes it."""
    (status,) = set(operations(described)[operation]["responses"]) - {"default"}
    schema = operations(described)[operation]["responses"][status]["content"]["application/json"]["schema"]
    full = {**json_schema(schema), "components": json_schema(described["components"])}
    assert [error.message for error in Draft202012Validator(full).iter_errors(answer)] == []


def json_schema(openapi: Any) -> Any:
    """A part of an OpenAPI 3.0 document as JSON Schema, which has no `nullable`."""
    if isinstance(openapi, list):
        return [json_schema(each) for each in openapi]
    if not isinstance(openapi, dict):
        return openapi
    plain = {key: json_schema(value) for key, value in openapi.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if openapi.get("nullable") is True else plain


def test_answers_are_as_described(described: Any, mia: Caller, rick: Caller, alice: Caller, digits: Any) -> None:
    fits(described, "POST /api/v1/queues/", mia.post("queues/", {"name": "pets"}, 201))
    fits(described, "GET /api/v1/queues/", mia.get("queues/"))
    members = mia.get("queues/digits/members/")
    fits(described, "GET /api/v1/queues/{}/members/", members)
    tasks = "POST /api/v1/queues/{}/tasks/"
    fits(described, tasks, rick.post("queues/digits/tasks/", {"input_data": 1}, 201))
    fits(described, tasks, rick.post("queues/digits/tasks/", [{"input_data": []}, {"input_data": {}}], 201))
    got = alice.post("queues/digits/grab/")
    fits(described, "POST /api/v1/queues/{}/grab/", got)
    held = got["assignments"][0]
    done = alice.post(f"assignments/{held['id']}/finalize/", {"data": "x", "assign_new_task": True})
    fits(described, "POST /api/v1/assignments/{}/finalize/", done)
    following = done["next"]["assignments"][0]
    skipped = alice.post(f"assignments/{following['id']}/skip/", {"seconds_to_expire": 60})
    fits(described, "POST /api/v1/assignments/{}/skip/", skipped)
    fits(described, "GET /api/v1/assignments/", mia.get("assignments/"))
    fits(described, "GET /api/v1/tasks/", rick.get("tasks/"))
    fits(described, "GET /api/v1/tasks/{}/judgments/", rick.get(f"tasks/{held['task']['id']}/judgments/"))
    fits(described, "GET /api/v1/queues/{}/stats/", rick.get("queues/digits/stats/"))
    reviewers = mia.get("reviewers/")
    fits(described, "GET /api/v1/reviewers/", reviewers)
    numbers = mia.get(f"reviewers/{reviewers['results'][0]['id']}/metrics/", period="week")
    fits(described, "GET /api/v1/reviewers/{}/metrics/", numbers)
    fits(described, "POST /api/v1/tokens/", mia.post("tokens/", {"name": "robot"}, 201))
    fits(described, "GET /api/v1/tokens/", mia.get("tokens/"))


def test_answers_about_notifications_are_as_described(described: Any, mia: Caller, rick: Caller, digits: Any) -> None:
    asks = {"endpoint": "https://8.8.8.8/hook", "events_to_notify": ["TASK_CREATED"], "headers": {"A": "1"}}
    new = mia.post("notifications/", {"level": "queue", "queue": "digits", **asks}, 201)
    address = f"notifications/{new['id']}/"
    fits(described, "POST /api/v1/notifications/", new)
    fits(described, "GET /api/v1/notifications/", mia.get("notifications/"))
    fits(described, "GET /api/v1/notifications/{}/", mia.get(address))
    fits(described, "PATCH /api/v1/notifications/{}/", mia.patch(address, {"strategy": "ONLY"}))
    fits(described, "POST /api/v1/notifications/{}/rotate/", mia.post(f"{address}rotate/"))
    fits(described, "POST /api/v1/notifications/{}/test/", mia.post(f"{address}test/", None, 202))
    tasks = "POST /api/v1/queues/{}/tasks/"
    task = rick.post("queues/digits/tasks/", {"input_data": 1, "notifications": [asks]}, 201)
    assert task["notifications"][0]["secret"]
    fits(described, tasks, task)
    fits(described, tasks, rick.post("queues/digits/tasks/", [{"input_data": 1, "notifications": [asks]}], 201))
    fits(described, "GET /api/v1/events/", mia.get("events/"))
    sent = mia.get(f"{address}deliveries/")
    assert sent["results"]
    fits(described, "GET /api/v1/notifications/{}/deliveries/", sent)
    fits(described, "GET /api/v1/deliveries/{}/", mia.get(f"deliveries/{sent['results'][0]['id']}/"))
    failed = mia.post("deliveries/replay/", {"since": "2030-01-01T00:00:00Z"})
    fits(described, "POST /api/v1/deliveries/replay/", failed)
    fits(described, "POST /api/v1/notifications/{}/disable/", mia.post(f"{address}disable/"))
    fits(described, "POST /api/v1/notifications/{}/enable/", mia.post(f"{address}enable/"))


def test_a_refusal_is_as_described(described: Any, rick: Caller, digits: Any) -> None:
    refused = rick.post("queues/digits/tasks/", [{"input_data": 1, "priority": 1}], 400)
    problem = json_schema(described["components"]["schemas"]["Problem"])
    assert [error.message for error in Draft202012Validator(problem).iter_errors(refused)] == []


@pytest.mark.parametrize(("accept", "read"), [("application/json", json.loads), ("*/*", yaml.safe_load)])
def test_the_site_makes_the_schema_once(client: Any, described: Any, accept: str, read: Any) -> None:
    first = client.get("/api/schema/", headers={"accept": accept})
    assert read(first.content) == described
    began = time.process_time()
    assert client.get("/api/schema/", headers={"accept": accept}).content == first.content
    # Making it takes twice as long on the quickest of machines.
    assert time.process_time() - began < 0.1


def test_the_site_serves_the_schema_and_its_pages(client: Any) -> None:
    assert client.get("/api/schema/").status_code == 200
    page = client.get("/api/docs/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"http://" not in page.content.replace(b"http://www.w3.org", b"")
    assert b"https://" not in page.content
