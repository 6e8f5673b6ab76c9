"""A run whose row is locked: taking an answer, and going on to whatever waits for people next, in one transaction.

Code of the host (make_input, on_answer, choices, loops, fans, hooks) is called under a guard: what it raises undoes
what it did and marks its own step, to be tried again; the answer stands. New tasks are inserted last, so nothing that
exists below is locked while the run is (docs/runs.md).
"""

import copy
from collections import Counter
from typing import Any

from assignments.models import Assignment
from queues import strictjson
from queues.states import TaskStatus
from routing import calling, definitions
from routing.choices import AbstractCrowdChoice, AbstractLoopCondition
from routing.exceptions import TaskError
from routing.models import Lane, Step
from routing.opening import Opening, Place
from routing.requests import POST
from routing.responses import CrowdResponse
from routing.states import AT_ONCE_MAX, OPEN, EventType, RunStatus, StepKind, StepStatus


class Moving(Opening):
    """One move of a locked run. `save` ends it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at_once: Counter[int] = Counter()

    # What may be done to a run.

    def begin(self, plan: list[str], data: dict[str, Any]) -> None:
        """Take the first step of a new run."""
        lane = Lane.objects.create(run=self.run, plan=plan)
        self.tell(EventType.RUN_STARTED)
        self.places.append(Place(lane, 0, 1, data))
        self.go_on()

    def take_answer(self, step: Step) -> None:
        """The task of a waiting step has closed: what is made of that, and what comes next."""
        if self.run.status not in OPEN or step.status != StepStatus.WAITING or step.task is None:
            return
        self.queues[step.task.queue.name] = step.task.queue
        self.ready.append((step, {}))
        self.go_on()

    def try_again(self, step: Step, *, resumed: bool = False) -> None:
        """Do over what failed at a step: what its task came to is taken, or the step is opened anew.

        The latter where nobody answered and its code said that this will not do, unless its definition had vanished.
        """
        if step.status != StepStatus.FAILED_RETRYABLE:
            return
        by_mistake = step.internal or resumed
        self.move(step, StepStatus.WAITING, attempts=step.attempts + 1, reason="", traceback="", internal=False)
        closed = step.task is not None and (by_mistake or step.task.status == TaskStatus.FINISHED)
        if closed or (step.kind == StepKind.FAN_OUT and step.lanes.exists()):
            self.ready.append((step, {}))
        else:
            if step.task_id is not None:
                step.earlier_tasks = [*step.earlier_tasks, step.task_id]
            before = Step.objects.filter(lane=step.lane, number=step.number - 1).values_list("output", flat=True)
            self.open(Place(step.lane, step.position, step.number, step.data, before.first() or {}), step)
        self.go_on()

    def go_on(self) -> None:
        """Open and end steps until each lane waits for people or has ended."""
        while self.places or self.ready or self.postings:
            if self.ready:
                self._complete(*self.ready.popleft())
            elif not self.places:
                self.post()
            elif (place := self.places.popleft()).position < len(place.lane.plan):
                self.open(place)
            else:
                self._end_lane(place)

    # Ending a step.

    def _complete(self, step: Step, given: dict[str, Any]) -> None:
        """End a waiting step with what its task, its lanes or its own code came to, and go on behind it."""

        def work() -> Place:
            element, loops = self._path(step)
            data = copy.deepcopy(step.data)
            response = self._respond(step, element, data, given)
            again = any(loop.asks_again(self.request(element, data, response)) for loop in loops)
            place = Place(step.lane, step.position + (not again), step.number + 1, data, response)
            self._call_hooks(element, place)
            strictjson.check([place.data, place.given])
            return place

        place = self.attempt(step, work)
        if place is not None:
            self.move(step, StepStatus.DONE, output=place.given, ended_at=self.now)
            self.places.append(place)

    def _respond(self, step: Step, element: Any, data: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """What a step gives; `data` is changed by it."""
        if step.kind == StepKind.MACHINE:
            return self._do_at_once(step, element, data, given)
        if step.kind == StepKind.FAN_OUT:
            results = list(step.lanes.order_by("index").values_list("data", flat=True))
            said = self.call(element, "join", results=results, pipe_data=data)
            response: dict[str, Any] = {"status": "OK"}
        elif step.task is not None and step.task.status == TaskStatus.FINISHED:
            output = step.task.output_data
            known = {"output": copy.deepcopy(output), "pipe_data": data}
            if calling.asks_for(type(element).on_answer, "judgments"):
                given_by_each = Assignment.objects.filter(task=step.task).judgments().values_list("data", flat=True)
                known["judgments"] = list(given_by_each)
            said = self.call(element, "on_answer", **known)
            response = {"status": "OK", "output": output}
        else:
            status = step.task.status if step.task is not None else TaskStatus.CANCELED
            method = "on_expired" if status == TaskStatus.EXPIRED else "on_canceled"
            said, response = self.call(element, method, pipe_data=data), {"status": status}
        data.update(said)
        return response | said

    def _do_at_once(self, step: Step, element: Any, data: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        self.at_once[step.lane_id] += 1
        if self.at_once[step.lane_id] > AT_ONCE_MAX:
            raise TaskError(f"{AT_ONCE_MAX} steps were done at once; is there a loop that does not end?")
        response: CrowdResponse = element.post(self.request(element, data, given, method=POST))
        return response.response

    def _call_hooks(self, element: Any, place: Place) -> None:
        """step_pipeline, or post_pipeline after the last step of the run's own lane."""
        if place.lane.parent_id is not None:
            return
        response = CrowdResponse(place.given, self.request(element, place.data, {}, method=POST), element)
        if place.position < len(place.lane.plan):
            following = definitions.element(self.flow, place.lane.plan[place.position])
            self.flow.step_pipeline(following, element, response, place.data)
        else:
            self.flow.post_pipeline(element, response, place.data)

    def _end_lane(self, place: Place) -> None:
        lane = place.lane
        lane.data, lane.ended_at = place.data, self.now
        lane.save(update_fields=["data", "ended_at"])
        if lane.parent_id is not None:
            if not Lane.objects.filter(parent=lane.parent_id, ended_at__isnull=True).exists():
                self.ready.append((Step.objects.select_related("lane").get(pk=lane.parent_id), {}))
            return
        if self.run.status == RunStatus.STUCK:
            self.end(RunStatus.RUNNING)
        self.end(RunStatus.FINISHED, data=place.data)

    def _path(self, step: Step) -> tuple[Any, list[Any]]:
        """A step's task, and the loops on the way to it, the inmost first. Raises Vanished."""
        element = self.realize(definitions.element(self.flow, step.way[0]))
        loops: list[Any] = []
        for name in step.way[1:]:
            if isinstance(element, AbstractLoopCondition):
                loops.insert(0, element)
            parts = element.all_branches() if isinstance(element, AbstractCrowdChoice) else [element.task]
            found = next((part for part in parts if part.get_name() == name), None)
            if found is None:
                raise definitions.Vanished(f"{element.get_name()} does not come to {name} any more.")
            element = self.realize(found)
        return element, loops
