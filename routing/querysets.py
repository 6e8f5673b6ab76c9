"""What can be asked of runs and steps."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from queues.querysets import is_operator
from queues.states import CLOSED
from routing.states import LIVE, OPEN, StepStatus

if TYPE_CHECKING:
    from routing.models import Run, Step  # noqa: F401


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: Any) -> "RunQuerySet":
        """One's own; operators see all."""
        return self if is_operator(user) else self.filter(started_by=user)

    def open(self) -> "RunQuerySet":
        """Those that go on by themselves."""
        return self.filter(status__in=OPEN)


class StepQuerySet(models.QuerySet["Step"]):
    def live(self) -> "StepQuerySet":
        return self.filter(status__in=LIVE)

    def left_behind(self) -> "StepQuerySet":
        """Those that wait although their task has closed: whoever closed it could not tell the run."""
        return self.filter(Q(run__status__in=OPEN), status=StepStatus.WAITING, task__status__in=CLOSED)
