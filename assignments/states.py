"""The states of an assignment, why a grab came back empty, and the event types of this floor."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class AssignmentStatus(models.TextChoices):
    """CREATED is live; the others are ends. CANCELED: closed under the reviewer, or taken back, with a reason."""

    CREATED = "CREATED", _("live")
    FINISHED = "FINISHED", _("finished")
    EXPIRED = "EXPIRED", _("expired")
    SKIPPED = "SKIPPED", _("skipped")
    CANCELED = "CANCELED", _("canceled")


TRANSITIONS: dict[AssignmentStatus, frozenset[AssignmentStatus]] = {
    AssignmentStatus.CREATED: frozenset(set(AssignmentStatus) - {AssignmentStatus.CREATED}),
    AssignmentStatus.FINISHED: frozenset(),
    AssignmentStatus.EXPIRED: frozenset(),
    AssignmentStatus.SKIPPED: frozenset(),
    AssignmentStatus.CANCELED: frozenset(),
}


class Reason(models.TextChoices):
    """Why nothing was handed out: paused; open tasks, but none for this reviewer; all in other hands; none at all."""

    PAUSED = "paused", _("The queue is paused.")
    EXCLUDED = (
        "excluded",
        _("No open task is for you: you skipped or judged them, or they are meant for others."),
    )
    LEASED = "leased", _("Every task is in somebody's hands.")
    EMPTY = "empty", _("The queue is empty.")


class EventType(StrEnum):
    """The event types that this floor writes."""

    ASSIGNMENT_CREATED = "ASSIGNMENT_CREATED"
    ASSIGNMENT_EXTENDED = "ASSIGNMENT_EXTENDED"
    ASSIGNMENT_FINISHED = "ASSIGNMENT_FINISHED"
    ASSIGNMENT_EXPIRED = "ASSIGNMENT_EXPIRED"
    ASSIGNMENT_SKIPPED = "ASSIGNMENT_SKIPPED"
    ASSIGNMENT_CANCELED = "ASSIGNMENT_CANCELED"


ENDING_EVENT = {
    AssignmentStatus.FINISHED: EventType.ASSIGNMENT_FINISHED,
    AssignmentStatus.EXPIRED: EventType.ASSIGNMENT_EXPIRED,
    AssignmentStatus.SKIPPED: EventType.ASSIGNMENT_SKIPPED,
    AssignmentStatus.CANCELED: EventType.ASSIGNMENT_CANCELED,
}
