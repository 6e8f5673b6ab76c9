"""Lists: their shape, their pages, and whose objects they hold."""

from typing import Any

import pytest

from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


def pages(caller: Caller, path: str, **query: Any) -> list[list[int]]:
    """The ids of every page, by following `next`."""
    page = caller.get(path, **query)
    found = [[row["id"] for row in page["results"]]]
    while page["next"]:
        page = caller.get(page["next"])
        found.append([row["id"] for row in page["results"]])
    return found


def test_a_list_is_its_results_and_the_ways_on_and_back(rick: Caller, digits: Any) -> None:
    assert rick.get("tasks/") == {"results": [], "next": None, "previous": None}


def test_a_page_has_fifty_newest_first(rick: Caller, digits: Any) -> None:
    ids = [task.pk for task in cast.post(digits, 120)]
    assert pages(rick, "tasks/") == [ids[:69:-1], ids[69:19:-1], ids[19::-1]]


def test_a_page_has_up_to_two_hundred(rick: Caller, digits: Any) -> None:
    cast.post(digits, 201)
    assert [len(page) for page in pages(rick, "tasks/", page_size=200)] == [200, 1]
    for size in ("0", "201", "-1", "all", "1e2", "", "٣"):
        answer = rick.client.get("/api/v1/tasks/", {"page_size": size})
        assert pointers(problem(answer, 400, "invalid-input")) == ["/page_size"]


def test_what_is_added_meanwhile_shifts_no_page(rick: Caller, digits: Any) -> None:
    ids = [task.pk for task in cast.post(digits, 6)]
    first = rick.get("tasks/", page_size=3)
    cast.post(digits, 4)
    second = rick.get(first["next"])
    assert [row["id"] for row in first["results"] + second["results"]] == ids[::-1]


def test_the_way_back(rick: Caller, digits: Any) -> None:
    cast.post(digits, 5)
    first = rick.get("tasks/", page_size=2)
    second = rick.get(first["next"])
    back = rick.get(second["previous"])
    assert back["results"] == first["results"]


def test_a_page_keeps_its_filters(rick: Caller, digits: Any) -> None:
    for topic in ("a", "b") * 3:
        cast.post(digits, topic=topic)
    found = pages(rick, "tasks/", page_size=2, topic="a")
    assert [len(page) for page in found] == [2, 1]


@pytest.mark.parametrize("cursor", ["", "x", "%FF", "cD1hYmM=", "cD0tMQ==", "bz0x", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OQ=="])
def test_a_cursor_that_is_not_ours_is_refused(rick: Caller, digits: Any, cursor: str) -> None:
    problem(rick.client.get(f"/api/v1/tasks/?cursor={cursor}"), 400, "invalid-cursor")


def test_the_other_lists_have_the_same_pages(mia: Caller, alice: Caller, digits: Any) -> None:
    cast.post(digits, 4)
    for name in ("bob", "carol", "dave"):
        held = cast.grab(cast.join(digits, name)).assignments[0]
        Caller(name).post(f"assignments/{held.pk}/finalize/", {"data": 1})
    (task,) = cast.post(digits, judgments_required=3)
    for name in ("bob", "carol", "dave"):
        held = Caller(name).post(f"tasks/{task.pk}/assign/")["assignment"]
        Caller(name).post(f"assignments/{held['id']}/finalize/", {"data": 1})
    for name in ("cats", "dogs"):
        cast.queue(name)
    for number in range(2):
        mia.post("tokens/", {"name": f"{number}"}, 201)
    for path in ("queues/", "queues/digits/members/", "queues/digits/tasks/", "assignments/", "reviewers/", "tokens/"):
        found = pages(mia, path, page_size=2)
        everything = [row for page in found for row in page]
        assert len(found[0]) == 2
        assert everything == sorted(set(everything), reverse=True)
        assert [everything] == pages(mia, path)
    first = mia.get(f"tasks/{task.pk}/judgments/", page_size=2)
    second = mia.get(first["next"])
    assert len(first["results"] + second["results"]) == 3


def test_lists_hold_what_one_may_see(mia: Caller, rick: Caller, alice: Caller, bob: Caller, digits: Any) -> None:
    pets = cast.queue("pets")
    cast.join(pets, "bob")
    (ricks,), (rosas,) = cast.post(digits), cast.post(pets, by="rosa")
    held = alice.post("queues/digits/grab/")["assignments"][0]
    other = bob.post("queues/pets/grab/")["assignments"][0]
    assert [queue["name"] for queue in rick.get("queues/")["results"]] == ["digits"]
    assert [queue["name"] for queue in mia.get("queues/")["results"]] == ["pets", "digits"]
    assert (rick.ids("tasks/"), mia.ids("tasks/"), alice.ids("tasks/")) == ([ricks.pk], [ricks.pk, rosas.pk], [])
    assert alice.ids("assignments/") == [held["id"]]
    assert rick.ids("assignments/") == []
    assert mia.ids("assignments/") == [held["id"], other["id"]]
    assert [row["email"] for row in bob.get("reviewers/")["results"]] == ["bob@example.org"]
    assert rick.get("reviewers/")["results"] == []
    assert [row["email"] for row in mia.get("reviewers/")["results"]] == ["bob@example.org", "alice@example.org"]


def test_a_reviewer_stays_known_to_their_manager_after_they_left(mia: Caller, alice: Caller, digits: Any) -> None:
    cast.post(digits)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    alice.post(f"assignments/{held['id']}/finalize/", {"data": 1})
    (member,) = mia.get("queues/digits/members/", role="reviewer")["results"]
    mia.delete(f"queues/digits/members/{member['id']}/")
    (reviewer,) = mia.get("reviewers/")["results"]
    assert mia.get(f"reviewers/{reviewer['id']}/")["email"] == "alice@example.org"
