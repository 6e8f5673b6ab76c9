"""Workflows for tests, and people who answer their tasks."""

from typing import Any

from assignments import lifecycle
from queues.models import Membership, Queue
from routing import (
    AbstractCrowdChoice,
    AbstractFanOut,
    AbstractLoopCondition,
    AbstractTask,
    AbstractWorkFlow,
    HumanTask,
)
from routing.models import Run, Step
from tests import cast


class Find(HumanTask):
    queue = "digits"


class Fix(HumanTask):
    queue = "digits"


class Verify(HumanTask):
    queue = "digits"
    exclude_reviewers_of = [Fix]


class Note(AbstractTask):
    """Done at once."""

    def get(self) -> dict[str, Any]:
        return {"status": "OK"}

    def post(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        pipe_data["noted"] = pipe_data.get("noted", 0) + 1
        return {"status": "OK", "note": pipe_data["noted"]}


class Sequence(AbstractWorkFlow):
    tasks = [Find, Fix, Verify]


class Noted(AbstractWorkFlow):
    tasks = [Note, Find, Note]


class Repeated(AbstractWorkFlow):
    tasks = [Find]

    def run(self, crowd_request: Any) -> Any:
        return self.repeat(crowd_request, 3)


class AtRandom(AbstractWorkFlow):
    tasks = [Find, Fix]

    def run(self, crowd_request: Any) -> Any:
        return self.random(crowd_request)


class FixOrNote(AbstractCrowdChoice):
    t1 = Fix
    t2 = Note

    def choice(self, crowd_request: Any) -> Any:
        return self.t1 if crowd_request.get_data()["Find"]["wrong"] else self.t2


class Chosen(AbstractWorkFlow):
    tasks = [Find, FixOrNote, Verify]


class UntilGood(AbstractLoopCondition):
    task = Fix

    def again(self, crowd_request: Any) -> bool:
        return not crowd_request.get_data()["output"]["good"]


class Looped(AbstractWorkFlow):
    tasks = [Find, UntilGood, Verify]


class Spots(AbstractFanOut):
    tasks = [Fix, Verify]

    def items(self, pipe_data: dict[str, Any]) -> Any:
        return pipe_data["Find"]["spots"]

    def join(self, results: list[dict[str, Any]], pipe_data: dict[str, Any]) -> None:
        pipe_data["fixed"] = [[lane["item"], lane["Fix"], lane["Verify"]] for lane in results]


class Fanned(AbstractWorkFlow):
    tasks = [Find, Spots, Note]


class Look(HumanTask):
    queue = "spots"


class EachSpot(AbstractFanOut):
    tasks = [Look]

    def items(self, pipe_data: dict[str, Any]) -> Any:
        return pipe_data["spots"]


class Spotted(AbstractWorkFlow):
    tasks = [Note, EachSpot, Note]


def crowd(*names: str, queue: str = "digits", **fields: Any) -> list[Membership]:
    """Reviewers of a queue that mia manages."""
    made = Queue.objects.filter(name=queue).first() or cast.queue(queue, **fields)
    return [cast.join(made, name) for name in names]


def answer(membership: Membership, data: Any, now: Any = None) -> Any:
    """What a reviewer holds, or gets next, answered: the assignment."""
    held = cast.grab(membership, now=now).assignments
    assert held, f"there is nothing for {membership.user}"
    return lifecycle.finalize(assignment_id=held[0].pk, data=data, actor=membership.user, now=now).assignment


def path(run: Run) -> list[str]:
    """The steps of a run in the order of their opening, as "name status"."""
    return [f"{step.name} {step.status}" for step in Step.objects.filter(run=run).order_by("id")]


def again(run: Run) -> Run:
    """The run as it is now."""
    return Run.objects.get(pk=run.pk)
