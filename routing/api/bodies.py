"""What notifications say of runs: what the API shows (see queues.bodies)."""

from collections.abc import Collection
from typing import Any

from queues.api.base import plain
from routing.api.gathering import with_counts
from routing.api.serializers import RunSerializer
from routing.models import Run


def runs(ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Runs by id."""
    rows = with_counts(list(Run.objects.filter(pk__in=ids).select_related("started_by")))
    return {run.pk: plain(RunSerializer(run).data) for run in rows}
