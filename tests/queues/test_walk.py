"""The whole loop over the API, as the README walks it."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from queues import invariants, tokens
from tests import cast

pytestmark = pytest.mark.django_db


def client(name: str) -> APIClient:
    """An API client with a token of the user `name`."""
    _token, secret = tokens.issue(user=cast.person(name), name="test")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_requester_posts_and_reviewers_answer() -> None:
    cast.person("rick").user_permissions.add(Permission.objects.get(codename="add_queue"))
    cast.person("alice"), cast.person("bob")
    rick, alice, bob = client("rick"), client("alice"), client("bob")

    def post(who: APIClient, path: str, body: Any, expected: int = 200) -> Any:
        answer = who.post(f"/api/v1/{path}", body, format="json")
        assert answer.status_code == expected, answer.content
        return answer.json()

    schema = {"type": "object", "required": ["label"], "properties": {"label": {"enum": ["cat", "dog"]}}}
    post(rick, "queues/", {"name": "pets", "output_schema": schema}, 201)
    for reviewer in ("alice", "bob"):
        post(rick, "queues/pets/members/", {"user": f"{reviewer}@example.org", "role": "reviewer"}, 201)
    tasks = post(rick, "queues/pets/tasks/", [{"input_data": {"n": n}} for n in range(3)], 201)
    one = post(rick, "queues/pets/tasks/", {"input_data": [1], "global_keys": ["a"], "judgments_required": 2}, 201)
    assert one["status"] == "AVAILABLE"
    got = post(alice, "queues/pets/grab/", {})
    assert got["reason"] is None
    held = got["assignments"][0]
    assert held["task"]["id"] == tasks[0]["id"]
    bad = post(alice, f"assignments/{held['id']}/finalize/", {"data": {"label": "cow"}}, 400)
    assert bad["errors"][0]["pointer"] == "/data/label"
    done = post(alice, f"assignments/{held['id']}/finalize/", {"data": {"label": "cat"}, "assign_new_task": True})
    assert done["next"]["assignments"][0]["task"]["id"] == tasks[1]["id"]
    post(alice, f"assignments/{done['next']['assignments'][0]['id']}/skip/", {"seconds_to_expire": None})
    post(bob, f"tasks/{tasks[1]['id']}/assign/", {})
    stats = rick.get("/api/v1/queues/pets/stats/").json()
    assert stats["by_status"]["FINISHED"] == 1
    assert rick.get(f"/api/v1/tasks/{tasks[0]['id']}/judgments/").json()["results"][0]["data"] == {"label": "cat"}
    assert rick.get("/api/v1/tasks/?queue=pets&status=FINISHED").json()["results"][0]["output_data"] == {"label": "cat"}
    assert rick.get("/api/v1/tasks/?global_keys=a").json()["results"][0]["id"] == one["id"]
    assert rick.get("/api/v1/tasks/?target_reviewer=~ANYONE").json()["results"][0]["id"] == one["id"]
    assert rick.get("/api/v1/tasks/?queu=pets").status_code == 400
    assert rick.delete("/api/v1/queues/pets/").status_code == 204
    assert rick.get("/api/v1/queues/pets/").status_code == 404
    assert invariants.broken() == {}
