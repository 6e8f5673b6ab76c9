"""Going on from a backup: what was given out after it was made must not be given out once more.

A database that is put back to an earlier state would number new rows as it did those that are lost. Then the assignment
that somebody still has on the screen would be another's, receivers of webhooks would drop new messages as ones that
they have had, and readers of the feed would go on behind a place at which something else happened. So all numbers leap,
and who reads the feed is told that the past is not the one they know.
"""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import AutoField, F, Max, Min, Model
from django.utils import timezone

from queues.models import Event, FeedEntry, FeedMark
from queues.rows import table
from queues.transactions import writer

LEAP = 1_000_000
"""More than the rows of any kind that came between the backup and its restoration."""


@dataclass(frozen=True)
class Leapt:
    """How many kinds of rows go on from a higher number, how many places of the feed have moved, and to where."""

    kinds: int
    places: int
    position: int


@writer
def leap(*, by: int = LEAP) -> Leapt:
    """Have new rows of the four apps numbered from `by` further on, and move all places of the feed as far at least.

    Readers of the feed who come with a place of before are told that it was purged. For a site that is not served.
    """
    kinds = [model for model in apps.get_models() if _is_ours(model)]
    for model in kinds:
        _raise_number(model, by)
    return Leapt(len(kinds), *_move_places(by))


def _is_ours(model: type[Model]) -> bool:
    options = model._meta
    numbered = isinstance(options.pk, AutoField)
    return options.app_label.startswith("crowd_") and options.managed and not options.proxy and numbered


def _raise_number(model: type[Model], by: int) -> None:
    with connection.cursor() as cursor:
        name = model._meta.db_table
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [table(model), "id"])
            (sequence,) = cursor.fetchone()
            cursor.execute(
                f"SELECT greatest((SELECT last_value FROM {sequence}), (SELECT max(id) FROM {table(model)}))"
            )
            (last,) = cursor.fetchone()
            cursor.execute("SELECT setval(%s, %s)", [sequence, last + by])
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s", [by, name])
            if not cursor.rowcount:
                cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [name, by])


def _move_places(by: int) -> tuple[int, int]:
    mark = FeedMark.objects.select_for_update(no_key=True).get_or_create(pk=FeedMark.ONLY)[0]
    span: dict[str, Any] = FeedEntry.objects.aggregate(first=Min("position"), last=Max("position"))
    first, last = span["first"] or mark.purged_to + 1, span["last"] or mark.purged_to
    # No place may come to where another has not left yet.
    by = max(by, last - first + 1)
    moved = FeedEntry.objects.update(position=F("position") + by)
    oldest = Event.objects.order_by("created_at").values_list("created_at", flat=True).first()
    mark.purged_to, mark.purged_until = first - 1 + by, mark.purged_until or oldest or timezone.now()
    mark.save(update_fields=["purged_to", "purged_until"])
    return moved, last + by
