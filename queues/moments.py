"""Times on the wire: RFC 3339 with an offset, within the calendars of both databases; shown in UTC."""

import re
from datetime import UTC, datetime

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Where the times end that we take: both databases can keep them, whatever lease is added."""

INVALID = "Must be a time with its offset, such as 2027-03-01T09:30:00Z (RFC 3339)."
OUT_OF_RANGE = f"Must be a time from {EARLIEST.year} on and before {LATEST.year}."

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse(text: str) -> datetime:
    """The moment that `text` names, in UTC. Digits beyond the microsecond are dropped.

    Raises ValueError, whose text is a sentence.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(INVALID)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(INVALID) from None
    # Compared before it is turned to UTC, which overflows at the calendar's ends.
    if not EARLIEST <= moment < LATEST:
        raise ValueError(OUT_OF_RANGE)
    return moment.astimezone(UTC)


def show(moment: datetime | None) -> str | None:
    """A moment in UTC, such as 2027-03-01T09:30:00.000120Z; None for none."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
