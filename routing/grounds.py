"""What a move of a run stands on: its definition, the guard around code of the host, and the marks on its steps."""

import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, TypeVar

from django.db import OperationalError

from queues import events
from queues.exceptions import CrowdError
from queues.models import Event
from queues.transactions import is_passing
from routing import calling, definitions
from routing.exceptions import PipelineError, TaskError
from routing.guarding import undone_on_error
from routing.models import Run, Step
from routing.realizing import realize
from routing.requests import GET, RunRequest
from routing.states import (
    ENDED,
    OPEN,
    RUN_EVENT,
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    EventType,
    RunStatus,
    StepStatus,
)

T = TypeVar("T")

MARKS = ("reason", "internal", "traceback", "name", "kind", "task", "earlier_tasks")
"""What is kept of a step that failed."""

_asking: ContextVar[frozenset[int]] = ContextVar("the runs whose code is being called", default=frozenset())

REASON_MAX = 500
TRACEBACK_MAX = 20_000
"""Characters of a traceback that are kept: its end."""


def is_asking(run_id: int) -> bool:
    """Whether this is called by the run's own code, however far below."""
    return run_id in _asking.get()


def refuse_own_code(run_id: int) -> None:
    """Raises TaskError within a run's own code: what moves a run does not hear that it is changed meanwhile."""
    if is_asking(run_id):
        raise TaskError("A run's own code cannot cancel or retry it. Raise an error, and the step waits for somebody.")


class Grounds:
    """A locked run, at one moment."""

    def __init__(self, run: Run, *, now: datetime, actor: Any = None) -> None:
        self.run = run
        self.now = now
        self.actor = actor
        self.history: list[Event] = []
        self.stuck = False
        self._flow: Any = None

    # Its definition.

    @property
    def flow(self) -> Any:
        """The workflow. Raises Vanished."""
        if self._flow is None:
            self._flow = realize(definitions.find(self.run.workflow), None, "crowdrouter")
        return self._flow

    def realize(self, kind: Any) -> Any:
        """An element of the workflow, of its class."""
        return realize(kind, self.flow, "workflow")

    def request(self, element: Any, data: dict[str, Any], given: Mapping[str, Any], *, method: str = GET) -> RunRequest:
        """What code of the host is given for a request: the pipe data, joined by what the step before gave."""
        request = RunRequest(self.flow, element, {**data, **given}, user=self.run.started_by, method=method)
        request.pipe_data = data
        return request

    def call(self, element: Any, method: str, **known: Any) -> dict[str, Any]:
        """Call a method of the host with what it names; what it gives back, as a dict. Raises TaskError."""
        function = calling.plain(getattr(type(element), method))
        given = calling.call(function, element, {"workflow": self.flow, **known})
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise TaskError(f"{element.get_name()}.{method} must give back a mapping or nothing, not {given!r}.")
        return dict(given)

    # The marks on its steps.

    def attempt(self, step: Step, work: Callable[[], T]) -> T | None:
        """Call code of the host; None, and the step is marked, where it raised."""
        before = _asking.set(_asking.get() | {self.run.pk})
        try:
            with undone_on_error():
                return work()
        except (Exception, SystemExit) as error:
            self.let_pass(error)
            self.fail(step, error)
        finally:
            _asking.reset(before)
        return None

    def let_pass(self, error: BaseException) -> None:
        """Raise what is no fault of anybody's: the database asks for the transaction to be run again."""
        if isinstance(error, OperationalError) and is_passing(error):
            raise error

    def fail(self, step: Step, error: BaseException) -> None:
        """Mark a step as one to be tried again; where its definition has vanished, the run fails."""
        step.reason = _kept(_said(error))[:REASON_MAX] or type(error).__name__
        step.internal = not isinstance(error, CrowdError)
        step.traceback = _kept("".join(traceback.format_exception(error)))[-TRACEBACK_MAX:]
        if step.pk is None:
            step.task, step.status = None, StepStatus.FAILED_RETRYABLE
            step.save()
        else:
            marks = {name: getattr(step, name) for name in MARKS}
            self.move(step, StepStatus.FAILED_RETRYABLE, **marks)
        self.stuck = True
        if isinstance(error, definitions.Vanished) and self.run.status in OPEN:
            self.end(RunStatus.FAILED, reason=step.reason)

    def move(self, step: Step, to: StepStatus, **values: Any) -> None:
        """The guarded UPDATE behind every change of a step. Raises PipelineError where the step had moved before."""
        sources = [source for source, targets in STEP_TRANSITIONS.items() if to in targets]
        if not Step.objects.filter(pk=step.pk, status__in=sources).update(status=to, **values):
            raise PipelineError(f"Step {step.pk} has moved on.")
        step.status = to
        for name, value in values.items():
            setattr(step, name, value)

    # The run's own state.

    def end(self, status: RunStatus, *, reason: str = "", data: Any = None) -> None:
        """Change the run's status. Raises ValueError for a move that there is not."""
        if status not in RUN_TRANSITIONS[RunStatus(self.run.status)]:
            raise ValueError(f"A run that is {self.run.status} does not become {status}.")
        run = self.run
        run.status, run.reason, run.data = status, reason[:REASON_MAX], data
        run.ended_at = self.now if status in ENDED else None
        self.tell(RUN_EVENT[status], **({"reason": run.reason} if reason else {}))

    def tell(self, type_: EventType, **delta: Any) -> None:
        """Write an event of the run, with its status."""
        self.run.sequence += 1
        self.history.append(
            Event(
                type=type_,
                object_type="run",
                object_id=self.run.pk,
                actor=events.actor_id(self.actor),
                sequence=self.run.sequence,
                delta={"status": self.run.status, **delta},
                created_at=self.now,
            )
        )

    def save(self) -> None:
        """Write what has become of the run, if anything has."""
        if self.run.status == RunStatus.RUNNING and self.stuck:
            self.end(RunStatus.STUCK)
        elif self.run.status == RunStatus.STUCK and not self._has_failed_steps():
            self.end(RunStatus.RUNNING)
        if self.history:
            self.run.save(update_fields=["status", "reason", "data", "ended_at", "sequence"])
            events.record(self.history)
            self.history = []

    def _has_failed_steps(self) -> bool:
        return Step.objects.filter(run=self.run, status=StepStatus.FAILED_RETRYABLE).exists()


def _said(error: BaseException) -> str:
    """What an error says, if it can."""
    try:
        return str(error.detail) if isinstance(error, CrowdError) else f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def _kept(text: str) -> str:
    """A text as both databases keep it: without NUL and halves of characters."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
