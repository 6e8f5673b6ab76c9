"""What this floor does when tasks with hooks close. Runs inside that change's transaction, in a savepoint."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from queues import signals
from queues.models import Task
from routing import runs


def move_runs(*, tasks: Sequence[Task], now: datetime, **_: Any) -> None:
    """The runs that posted the tasks go on."""
    runs.answered(tasks=tasks, now=now)


def connect() -> None:
    """Called once, when the apps are ready."""
    signals.tasks_hooked.connect(move_runs, dispatch_uid="routing.move_runs")
