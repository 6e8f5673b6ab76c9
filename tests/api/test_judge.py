"""Several judgments of one task: tasks/{id}/judgments/ and what they say together."""

from typing import Any

import pytest

from tests import cast
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db

TRIO = ("alice", "bob", "carol")


@pytest.fixture
def judge(digits: Any) -> Any:
    """Return `judge(*answers)`: one task, judged by as many people one after another; its id."""
    for name in TRIO[1:]:
        cast.join(digits, name)

    def judged(*answers: Any, required: int | None = None) -> int:
        (task,) = cast.post(digits, judgments_required=required or len(answers))
        for name, answer in zip(TRIO, answers, strict=False):
            caller = Caller(name)
            held = caller.post(f"tasks/{task.pk}/assign/")["assignment"]
            caller.post(f"assignments/{held['id']}/finalize/", {"data": answer})
        return task.pk

    return judged


@pytest.mark.parametrize(
    ("answers", "output"),
    [
        ([{"label": "3"}] * 3, {"label": "3", "agreement": 1.0}),
        ([{"label": "3"}, {"label": "8"}, {"label": "8"}], {"label": "8", "agreement": 0.6667}),
        ([{"label": "3"}, {"label": "5"}, {"label": "8"}], {"label": "3", "agreement": 0.3333}),
        ([{"label": "3"}, {"label": "8"}], {"label": "3", "agreement": 0.5}),
        ([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}, {"a": 2}], {"a": 1, "b": 2, "agreement": 0.6667}),
        (["cat", "dog", "dog"], {"value": "dog", "agreement": 0.6667}),
        ([True, 1, 1], {"value": 1, "agreement": 0.6667}),
        ([[1, 2], [2, 1], [1, 2]], {"value": [1, 2], "agreement": 0.6667}),
        ([{"agreement": "mine"}] * 2, {"value": {"agreement": "mine"}, "agreement": 1.0}),
    ],
)
def test_the_plurality_is_the_output(rick: Caller, judge: Any, answers: list[Any], output: Any) -> None:
    task = rick.get(f"tasks/{judge(*answers)}/")
    assert (task["status"], task["output_data"]) == ("FINISHED", output)
    assert type(task["output_data"].get("value")) is type(output.get("value"))


def test_nobody_alone_is_the_reviewer_of_a_task_for_several(rick: Caller, judge: Any) -> None:
    assert rick.get(f"tasks/{judge(1, 1)}/")["reviewer"] is None


def test_until_the_last_judgment_the_task_is_open(rick: Caller, judge: Any) -> None:
    task = rick.get(f"tasks/{judge(1, 1, required=3)}/")
    assert (task["status"], task["open_slots"], task["output_data"]) == ("AVAILABLE", 1, None)


def test_with_every_slot_in_hands_the_task_is_assigned(rick: Caller, judge: Any, digits: Any) -> None:
    task = judge(1, 1, required=3)
    held = Caller("carol").post(f"tasks/{task}/assign/")["assignment"]
    assert rick.get(f"tasks/{task}/")["status"] == "ASSIGNED"
    Caller("carol").post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": None})
    assert rick.get(f"tasks/{task}/")["status"] == "AVAILABLE"


def test_judgments_are_listed_newest_first_with_who_and_when(rick: Caller, judge: Any) -> None:
    listed = rick.get(f"tasks/{judge('a', 'b', 'c')}/judgments/")
    assert listed["next"] is listed["previous"] is None
    assert [(row["reviewer"], row["data"]) for row in listed["results"]] == [
        ("carol@example.org", "c"),
        ("bob@example.org", "b"),
        ("alice@example.org", "a"),
    ]
    shown = {"assignment", "reviewer", "data", "created_at", "finished_at"}
    assert all(row.keys() == shown for row in listed["results"])
    assert all(row["finished_at"] > row["created_at"] for row in listed["results"])


def test_what_is_not_an_answer_is_no_judgment(rick: Caller, alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits, judgments_required=2)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    assert rick.get(f"tasks/{task.pk}/judgments/")["results"] == []
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": 60})
    assert rick.get(f"tasks/{task.pk}/judgments/")["results"] == []
