"""What notifications say of assignments: what the API shows (see queues.bodies)."""

from collections.abc import Collection
from typing import Any

from assignments.api.serializers import AssignmentSerializer
from assignments.models import Assignment
from queues.api.base import plain


def assignments(ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Assignments by id, each with its task."""
    rows = Assignment.objects.filter(pk__in=ids).select_related(
        "queue", "reviewer__user", "task__queue", "task__target_reviewer"
    )
    return {assignment.pk: plain(AssignmentSerializer(assignment).data) for assignment in rows}
