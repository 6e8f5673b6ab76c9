"""The states of a run and of its steps, the moves between them, and the event types of this floor."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class RunStatus(models.TextChoices):
    """STUCK: a step of it waits to be tried again, others go on. FAILED goes on when it is resumed."""

    RUNNING = "RUNNING", _("running")
    STUCK = "STUCK", _("stuck")
    FINISHED = "FINISHED", _("finished")
    FAILED = "FAILED", _("failed")
    CANCELED = "CANCELED", _("canceled")


OPEN = (RunStatus.RUNNING, RunStatus.STUCK)
ENDED = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.CANCELED)

RUN_TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.RUNNING: frozenset({RunStatus.STUCK, *ENDED}),
    RunStatus.STUCK: frozenset({RunStatus.RUNNING, RunStatus.FAILED, RunStatus.CANCELED}),
    RunStatus.FINISHED: frozenset(),
    RunStatus.FAILED: frozenset({*OPEN, RunStatus.CANCELED}),
    RunStatus.CANCELED: frozenset(),
}


class StepKind(models.TextChoices):
    """HUMAN: a task of a queue; MACHINE: done at once, by its post(); FAN_OUT: a lane for each item of a list."""

    HUMAN = "HUMAN", _("asks people")
    MACHINE = "MACHINE", _("done at once")
    FAN_OUT = "FAN_OUT", _("fans out")


class StepStatus(models.TextChoices):
    """WAITING: for an answer, or for its lanes; FAILED_RETRYABLE: code of the host raised, or nobody answered."""

    WAITING = "WAITING", _("waiting")
    DONE = "DONE", _("done")
    FAILED_RETRYABLE = "FAILED_RETRYABLE", _("failed, to be tried again")
    CANCELED = "CANCELED", _("canceled")


LIVE = (StepStatus.WAITING, StepStatus.FAILED_RETRYABLE)

STEP_TRANSITIONS: dict[StepStatus, frozenset[StepStatus]] = {
    StepStatus.WAITING: frozenset({StepStatus.DONE, StepStatus.FAILED_RETRYABLE, StepStatus.CANCELED}),
    StepStatus.FAILED_RETRYABLE: frozenset({StepStatus.WAITING, StepStatus.DONE, StepStatus.CANCELED}),
    StepStatus.DONE: frozenset(),
    StepStatus.CANCELED: frozenset(),
}


class EventType(StrEnum):
    """The event types that this floor writes. A step is told of by the events of its task."""

    RUN_STARTED = "RUN_STARTED"
    RUN_STUCK = "RUN_STUCK"
    RUN_RESUMED = "RUN_RESUMED"
    RUN_FINISHED = "RUN_FINISHED"
    RUN_FAILED = "RUN_FAILED"
    RUN_CANCELED = "RUN_CANCELED"


RUN_EVENT = {
    RunStatus.RUNNING: EventType.RUN_RESUMED,
    RunStatus.STUCK: EventType.RUN_STUCK,
    RunStatus.FINISHED: EventType.RUN_FINISHED,
    RunStatus.FAILED: EventType.RUN_FAILED,
    RunStatus.CANCELED: EventType.RUN_CANCELED,
}
"""The event of each move of a run; RUN_STARTED is that of its beginning."""

NAME_MAX = 100
"""Characters of the name of a router, a workflow or a task."""

ITEMS_MAX = 1000
"""How many lanes one step may fan out into."""

LANES_BYTES_MAX = 2_000_000
"""How many bytes of JSON the lanes of one step may begin with, all together: each has a copy of its own."""

AT_ONCE_MAX = 1000
"""How many steps that are done at once one answer may bring about in a lane: more is a loop that does not end."""
