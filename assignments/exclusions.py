"""Keeping tasks from reviewers."""

from collections.abc import Iterable

from assignments.models import Exclusion


def exclude(pairs: Iterable[tuple[int, int]]) -> None:
    """Keep new tasks from reviewers for ever: ids (task, reviewer), in the transaction that creates the tasks."""
    rows = [Exclusion(task_id=task_id, reviewer_id=reviewer_id, until=None) for task_id, reviewer_id in pairs]
    Exclusion.objects.bulk_create(rows, batch_size=500)
