"""The demo's workflows, carried through by people who grab and answer."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from assignments import claims, lifecycle
from crowdsite.demo import digits as pictures
from crowdsite.demo import runs as demo_runs
from crowdsite.demo.workflows import digits, proofreading
from queues.models import Membership, Queue, Task
from queues.states import Role
from routing import TaskError, registry
from routing.models import Run
from tests.api.calling import Caller
from tests.cast import person

pytestmark = pytest.mark.django_db

READERS = ("alice", "bob", "carol")


@pytest.fixture(autouse=True)
def _queues() -> None:
    people = [person(name) for name in READERS]
    demo_runs.make_queues(owner=person("rick"), reviewers=people, operator=person("olga"))


def take(name: str, queue: str) -> Any:
    """What somebody holds of a queue after grabbing, or None."""
    membership = Membership.objects.select_related("queue", "user").get(
        queue__name=queue, user=person(name), role=Role.REVIEWER
    )
    held = claims.grab(membership=membership).assignments
    return held[0] if held else None


def answer(name: str, queue: str, data: dict[str, Any]) -> Any:
    """Grab the next task of a queue, and answer it: what was shown."""
    held = take(name, queue)
    assert held is not None, f"there is nothing for {name} in {queue}"
    lifecycle.finalize(assignment_id=held.pk, data=data, actor=person(name))
    return held.task.input_data


def read(name: str, label: str) -> Any:
    return answer(name, digits.READERS, {"label": label})


def start_reading(number: int = 7) -> Run:
    return digits.DigitsWorkFlow.start({"digit": number}, by=person("rick"))


def data_of(run: Run) -> Any:
    """What a run has come to."""
    run.refresh_from_db()
    assert run.status == "FINISHED", (run.status, run.reason, list(run.steps.values("name", "reason")))
    return run.data


def test_a_digit_that_two_read_alike_is_settled() -> None:
    run = start_reading()
    shown = read("alice", "7")
    assert shown == pictures.task_input(pictures.read()[7])
    read("bob", "7")
    assert data_of(run)["label"] == "7"
    assert [step.name for step in run.steps.all()] == ["FirstReading", "SecondReading", "Settle", "Settle"]


def test_nobody_reads_a_digit_twice() -> None:
    start_reading()
    read("alice", "7")
    assert take("alice", digits.READERS) is None
    read("bob", "1")
    assert take("alice", digits.READERS) is None
    assert take("bob", digits.READERS) is None
    assert take("carol", digits.READERS) is not None


@pytest.mark.parametrize("third", ["1", "7"])
def test_a_third_decides_between_two(third: str) -> None:
    run = start_reading()
    read("alice", "7")
    read("bob", "1")
    read("carol", third)
    assert data_of(run)["label"] == third
    assert not Task.objects.filter(queue__name=digits.OPERATORS).exists()


def test_an_operator_decides_where_three_differ() -> None:
    run = start_reading()
    for name, label in zip(READERS, "719", strict=True):
        read(name, label)
    shown = answer("olga", digits.OPERATORS, {"label": "4"})
    assert shown["readings"] == ["7", "1", "9"]
    assert data_of(run)["label"] == "4"


@pytest.mark.parametrize("number", [-1, 1797, "7", True, None])
def test_a_run_needs_a_digit_that_there_is(number: Any) -> None:
    with pytest.raises(TaskError, match="0 to 1796"):
        start_reading(number)
    assert not Run.objects.exists()


def start_proofreading() -> Run:
    return proofreading.ProofreadingWorkFlow.start({"text": proofreading.PASSAGE}, by=person("rick"))


def find(name: str, *numbers: str) -> Any:
    return answer(name, proofreading.FIND, {"spans": list(numbers)})


PLAIN = "After five years I wrote some short notes. In 1844 I made a sketch of them, and have gone on ever since."


def test_a_passage_is_cut_into_its_sentences() -> None:
    sentences = proofreading.sentences_of(proofreading.PASSAGE)
    assert list(sentences) == ["1", "2", "3", "4", "5"]
    assert sentences["1"].endswith("of that continent.")
    assert " ".join(sentences.values()) == proofreading.PASSAGE


def test_what_two_of_three_find_is_fixed_and_verified() -> None:
    run = start_proofreading()
    shown = find("alice", "3", "4")
    assert shown == {"sentences": proofreading.sentences_of(proofreading.PASSAGE)}
    find("bob", "4", "1")
    assert take("alice", proofreading.FIND) is None
    find("carol", "4", "3")
    sentences = proofreading.sentences_of(proofreading.PASSAGE)

    first = answer("alice", proofreading.FIX, {"after": "Never mind."})
    second = answer("bob", proofreading.FIX, {"after": PLAIN})
    assert [first["before"], second["before"]] == [sentences["3"], sentences["4"]]
    assert take("carol", proofreading.FIX) is None

    answer("bob", proofreading.VERIFY, {"verdict": "not better"})
    shown = answer("alice", proofreading.VERIFY, {"verdict": "better"})
    assert shown == {"before": sentences["4"], "after": PLAIN}

    data = data_of(run)
    assert data["text"] == " ".join((sentences | {"4": PLAIN}).values())
    assert [(edit["span"], edit["kept"]) for edit in data["edits"]] == [("3", False), ("4", True)]


def test_nobody_verifies_what_they_have_fixed() -> None:
    start_proofreading()
    for name in READERS:
        find(name, "4")
    answer("bob", proofreading.FIX, {"after": PLAIN})
    assert take("bob", proofreading.VERIFY) is None
    assert take("carol", proofreading.VERIFY) is not None


def test_a_passage_in_which_nothing_is_found_stays_as_it_is() -> None:
    run = start_proofreading()
    find("alice", "1")
    find("bob", "2")
    find("carol")
    assert data_of(run)["text"] == proofreading.PASSAGE


@pytest.mark.parametrize("text", ["", None, "Yes. " * 9])
def test_a_run_needs_a_paragraph(text: Any) -> None:
    with pytest.raises(TaskError, match="paragraph"):
        proofreading.ProofreadingWorkFlow.start({"text": text}, by=person("rick"))


def test_the_workflows_name_queues_that_there_are() -> None:
    kinds = [*digits.DigitsWorkFlow.known_tasks(digits.DigitsWorkFlow.tasks).values()]
    kinds += proofreading.ProofreadingWorkFlow.known_tasks(proofreading.ProofreadingWorkFlow.tasks).values()
    named = {kind.queue for kind in kinds if hasattr(kind, "queue")}
    assert named == set(Queue.objects.values_list("name", flat=True))


MATCHING = "/crowd/MatchingWorkFlow/"


def choose(client: Client, page: Any) -> Any:
    """Send the form of a page of MatchTask with the candidate that is alike: what comes of it."""
    labels = {digit.id: digit.label for digit in pictures.read()}
    wanted = page.context["wanted"]["number"]
    match = next(one["number"] for one in page.context["candidates"] if labels[one["number"]] == labels[wanted])
    return client.post(page.context["crowd_action"], {"wanted": wanted, "match": match})


def test_a_digit_is_matched_and_the_match_confirmed(client: Client) -> None:
    page = client.get(MATCHING)
    assert page.status_code == 200
    assert len(page.context["candidates"]) == 4
    confirm = client.get(choose(client, page).url)
    assert confirm.context["pair"][0]["image_url"] == page.context["wanted"]["image_url"]
    again = client.post(confirm.context["crowd_action"], {"verdict": "yes"}, follow=True)
    assert again.redirect_chain == [(MATCHING, 303)]
    assert "1 match confirmed so far." in again.content.decode()


def test_a_match_that_is_not_one_does_not_count(client: Client) -> None:
    confirm = client.get(choose(client, client.get(MATCHING)).url)
    again = client.post(confirm.context["crowd_action"], {"verdict": "no"}, follow=True)
    assert "0 matches confirmed so far." in again.content.decode()


@pytest.mark.parametrize("numbers", ["", "?wanted=1", "?wanted=1&match=1797", "?wanted=1&match=²"])
def test_a_digit_that_there_is_not_is_refused_with_a_way_out(client: Client, numbers: str) -> None:
    page = client.get(f"{MATCHING}ConfirmMatchTask/{numbers}")
    assert page.status_code == 400
    assert "There is no such digit." in page.content.decode()


def test_the_demos_routers_are_registered() -> None:
    assert {"DemoRouter", "RunsRouter"} <= set(registry.routers())
    assert {"MatchingWorkFlow", "DigitsWorkFlow", "ProofreadingWorkFlow"} <= set(registry.workflows())


def test_a_run_begins_with_the_call_of_the_readme() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    (body,) = re.findall(r"\$API/runs/ -d '(.*?)'", readme)
    made = Caller("rick").post("runs/", json.loads(body), expect=201)
    assert (made["name"], made["status"]) == ("DigitsWorkFlow", "RUNNING")
    assert read("alice", "4")["image_url"] == pictures.read()[made["input"]["digit"]].image_url
