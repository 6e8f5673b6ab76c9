"""Putting whatever is kept encrypted under the newest key, so that older ones can go."""

from typing import Any

from django.db.models import Model, Q

from queues import vault
from queues.models import Delivery, Endpoint, Notification
from queues.transactions import writer

BATCH = 500

KEPT: dict[type[Model], tuple[str, ...]] = {
    Endpoint: ("secret", "old_secret"),
    Notification: ("headers",),
    Delivery: ("headers",),
}
"""Which fields of which rows are sealed; each may hold several seals, with spaces between them."""


def reseal_all() -> int:
    """Put everything under the newest key, in parts; how many rows it was.

    It may be stopped and begun again at any time. Raises ImproperlyConfigured where a key is missing.
    """
    count = 0
    for model, fields in KEPT.items():
        above = 0
        while (last := _reseal(model=model, fields=fields, above=above)) is not None:
            above, rows = last
            count += rows
    return count


@writer
def _reseal(*, model: Any, fields: tuple[str, ...], above: int) -> tuple[int, int] | None:
    """Reseal the next rows above an id; the last one's id and how many it was, or None for none."""
    sealed = Q()
    for field in fields:
        sealed |= ~Q(**{field: ""})
    rows = model.objects.filter(sealed, pk__gt=above).order_by("pk").select_for_update(no_key=True).only(*fields)
    found = list(rows[:BATCH])
    if not found:
        return None
    for row in found:
        for field in fields:
            setattr(row, field, " ".join(map(vault.reseal, getattr(row, field).split())))
    model.objects.bulk_update(found, fields)
    return found[-1].pk, len(found)
