"""Rows that say what is to be done at a marketplace: taken by one at a time, done with no transaction open, and noted.

Who takes a row has it for LEASE; where that ends, because the process was lost, another takes it and tries again with
the row's own token.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from pavilion.marketplaces import Later, Refused
from queues.transactions import database_now, writer

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0
"""Seconds until the next try: doubled each time, up to the longest."""

ERROR_MAX = 500


@writer
def take(rows: Any, *, limit: int, now: datetime | None = None, **fields: Any) -> list[int]:
    """Lease up to so many due rows, and set these fields; their ids."""
    moment = database_now(now)
    free = rows.due(moment)
    ids = list(free.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:limit])
    rows.model.objects.filter(pk__in=ids).update(leased_until=moment + LEASE, tries=F("tries") + 1, **fields)
    return ids


def attempt(
    row: Any,
    do: Callable[[], Any],
    *,
    done: Callable[[Any], Any],
    refused: Callable[[str], Any],
    later: Callable[[datetime, str], Any],
    now: datetime | None = None,
) -> None:
    """Carry out one errand, and note how it went: what `do` returned, why never, or when again and why."""
    try:
        outcome = do()
    except Refused as no:
        refused(str(no)[:ERROR_MAX])
        return
    except Later as not_now:
        pause = not_now.seconds if not_now.seconds is not None else pause_after(row.tries)
        reason = str(not_now)
    except Exception:
        logger.exception("%s %s: the marketplace's part failed.", type(row).__name__, row.pk)
        pause, reason = pause_after(row.tries), "A fault of the site's own; its log says more."
    else:
        done(outcome)
        return
    later(database_now(now) + timedelta(seconds=pause), reason[:ERROR_MAX])


def pause_after(tries: int) -> float:
    """Seconds to wait after so many tries."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries, 20))
