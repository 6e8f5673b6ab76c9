"""Opening the steps of a run: which task an element comes to, and the rows that make people, or lanes, work on it."""

import copy
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from assignments import exclusions
from assignments.models import Assignment
from queues import intake, strictjson
from queues.drafts import TaskDraft
from queues.models import Queue, Task
from queues.states import PRIORITY_DEFAULT
from routing import calling, definitions
from routing.choices import AbstractCrowdChoice, AbstractFanOut, AbstractLoopCondition
from routing.elements import PartOfWorkFlow
from routing.exceptions import CrowdChoiceError, TaskError
from routing.grounds import Grounds
from routing.human import HumanTask
from routing.models import Lane, Step
from routing.states import ITEMS_MAX, LANES_BYTES_MAX, StepKind, StepStatus


@dataclass
class Place:
    """Where a lane goes on: at a position of its plan, with the pipe data, and what the step before gave."""

    lane: Lane
    position: int
    number: int
    data: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)


@dataclass
class Posting:
    """A task that is to be posted for a step."""

    step: Step
    queue: Queue
    draft: TaskDraft
    excluded: list[int]


class Opening(Grounds):
    """`places` are to be opened, `postings` to be posted; `ready` are steps that wait for nobody, each with what the
    step before gave.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places: deque[Place] = deque()
        self.postings: list[Posting] = []
        self.ready: deque[tuple[Step, dict[str, Any]]] = deque()
        self.queues: dict[str, Queue] = {}
        self._reviewers: dict[tuple[Any, ...], list[int]] = {}

    def open(self, place: Place, step: Step | None = None) -> None:
        """Open the step at a place, or open one anew that failed."""
        element = place.lane.plan[place.position]
        opened = step or Step(
            run=self.run,
            lane=place.lane,
            number=place.number,
            position=place.position,
            element=element,
            name=element,
            kind=StepKind.MACHINE,
            data=place.data,
            created_at=self.now,
        )

        def work() -> Callable[[], None]:
            """Ask the host for all that the step needs; what is left to do, which does not ask it."""
            data = copy.deepcopy(place.data)
            kind, way = self._choose(definitions.element(self.flow, element), data, place.given)
            strictjson.check(data)
            opened.name, opened.way, opened.kind = kind.get_name(), way, StepKind.MACHINE
            opened.task, opened.data = None, data
            place.data = data
            if issubclass(kind, HumanTask):
                opened.kind = StepKind.HUMAN
                posting = self._posting(self.realize(kind), opened, place)
                return lambda: self.postings.append(posting)
            lanes: list[tuple[Lane, dict[str, Any]]] = []
            if issubclass(kind, AbstractFanOut):
                opened.kind = StepKind.FAN_OUT
                lanes = self._lanes(self.realize(kind), opened, place)
            return lambda: self._begin(opened, lanes, place.given)

        go = self.attempt(opened, work)
        if go is not None:
            go()

    def _choose(
        self, kind: type[PartOfWorkFlow], data: dict[str, Any], given: dict[str, Any]
    ) -> tuple[type[PartOfWorkFlow], list[str]]:
        """The task or fan that an element comes to, and the names on the way. Choices are asked.

        Raises CrowdChoiceError for a circle.
        """
        way: list[str] = []
        while True:
            if kind.get_name() in way:
                raise CrowdChoiceError(f"{kind.get_name()} comes back to itself.")
            way.append(kind.get_name())
            if issubclass(kind, AbstractCrowdChoice):
                element: Any = self.realize(kind)
                kind = element.choice(self.request(element, data, given))
            elif issubclass(kind, AbstractLoopCondition):
                kind = self.realize(kind).task
            else:
                return kind, way

    def _begin(self, step: Step, lanes: list[tuple[Lane, dict[str, Any]]], given: dict[str, Any]) -> None:
        """A step that is done at once, or one that fans out into these lanes."""
        step.save()
        Lane.objects.bulk_create([lane for lane, _data in lanes], batch_size=500)
        self.places.extend(Place(lane, 0, 1, data) for lane, data in lanes)
        if not lanes:
            self.ready.append((step, given))

    def _lanes(self, element: AbstractFanOut, step: Step, place: Place) -> list[tuple[Lane, dict[str, Any]]]:
        name, known = element.get_name(), {"pipe_data": copy.deepcopy(place.data), "workflow": self.flow}
        items = list(islice(calling.call(type(element).items, element, known), ITEMS_MAX + 1))
        if len(items) > ITEMS_MAX:
            raise TaskError(f"{name} fans out into more than {ITEMS_MAX} items.")
        plan = [definitions.element(self.flow, kind.get_name()).get_name() for kind in element.tasks]
        found, size = [], 0
        for index, item in enumerate(items):
            made = element.make_data(item, known["pipe_data"])
            if not isinstance(made, Mapping):
                raise TaskError(f"{name}.make_data must give back a mapping, not {made!r}.")
            data = copy.deepcopy(dict(made))
            strictjson.check(data)
            size += len(json.dumps(data))
            if size > LANES_BYTES_MAX:
                raise TaskError(f"The lanes of {name} would begin with very much: give it a make_data with less.")
            found.append((Lane(run=self.run, parent=step, index=index, plan=plan), data))
        return found

    # Tasks of queues.

    def _posting(self, element: HumanTask, step: Step, place: Place) -> Posting:
        known = {"pipe_data": copy.deepcopy(place.data), "workflow": self.flow}
        draft = TaskDraft(
            input_data=calling.call(type(element).make_input, element, known),
            topic=element.topic,
            priority=PRIORITY_DEFAULT if element.priority is None else element.priority,
            judgments_required=element.judgments_required,
            seconds_to_expire=element.seconds_to_expire,
            global_keys=(self.run.key,),
            has_hook=True,
        )
        return Posting(step, self._queue(element), draft, self._reviewers_of(element, step, place))

    def _queue(self, element: HumanTask) -> Queue:
        found = self.queues.get(element.queue) or Queue.objects.alive().filter(name=element.queue).first()
        if found is None:
            raise TaskError(f"{element.get_name()} is for the queue {element.queue!r}, which there is not.")
        self.queues[element.queue] = found
        return found

    def _reviewers_of(self, element: HumanTask, step: Step, place: Place) -> list[int]:
        """Who answered the earlier steps that the element names: in this lane, in those that it came from, and in the
        lanes of their fans that were joined.
        """
        named = element.exclude_reviewers_of
        names = {
            one if isinstance(one, str) else one.get_name() for one in ([named] if isinstance(named, str) else named)
        }
        # A lane that begins has no steps: of many that do, all have the same before them.
        lane, lanes = place.lane, [place.lane.pk] if place.number > 1 or step.pk is not None else []
        while lane.parent is not None:
            lane = lane.parent.lane
            lanes.append(lane.pk)
        key = (*lanes, *sorted(names))
        if names and key not in self._reviewers:
            self._reviewers[key] = self._ask_reviewers(lanes, names)
        return self._reviewers.get(key, [])

    def _ask_reviewers(self, lanes: list[int], names: set[str]) -> list[int]:
        level = lanes
        while level:
            joined = Lane.objects.filter(parent__lane__in=level, parent__status=StepStatus.DONE)
            level = list(joined.values_list("pk", flat=True))
            lanes = lanes + level
        steps = Step.objects.filter(lane__in=lanes, name__in=names)
        tasks = {pk for task, earlier in steps.values_list("task", "earlier_tasks") for pk in (task, *earlier) if pk}
        return sorted(set(Assignment.objects.filter(task__in=tasks).judgments().values_list("reviewer", flat=True)))

    def post(self) -> None:
        """Post the tasks of the steps that were opened: of a queue in one go or, where one is refused, one by one."""
        postings, self.postings = self.postings, []
        by_queue: dict[int, list[Posting]] = {}
        for posting in postings:
            by_queue.setdefault(posting.queue.pk, []).append(posting)
        for group in by_queue.values():
            self._post_together(group)

    def _post_together(self, group: list[Posting]) -> None:
        try:
            tasks = intake.create_tasks(
                queue=group[0].queue,
                requester=self.run.started_by,
                drafts=[posting.draft for posting in group],
                actor=self.actor,
                now=self.now,
            )
        except Exception as error:
            self.let_pass(error)
            if len(group) == 1:
                self.fail(group[0].step, error)
                return
            for posting in group:
                self._post_together([posting])
            return
        self._save_posted(group, tasks)

    def _save_posted(self, group: list[Posting], tasks: list[Task]) -> None:
        excluded = []
        for task, posting in zip(tasks, group, strict=True):
            posting.step.task = task
            excluded += [(task.pk, reviewer_id) for reviewer_id in posting.excluded]
        exclusions.exclude(excluded)
        for posting in group:
            if posting.step.pk is not None:
                posting.step.save(update_fields=["task", "name", "way", "kind", "data", "earlier_tasks"])
        Step.objects.bulk_create([posting.step for posting in group if posting.step.pk is None], batch_size=500)
