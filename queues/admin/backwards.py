"""Looking through a table that grows without end, from its newest row backwards: no count, no deep page.

What an index leads to narrows the rows that are walked; what else is asked is asked of a window of them. So a page
costs no more than that, whatever the table holds, and a page on which little was found says so and leads further back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from queues.admin.lists import as_id

PAGE = 50
WINDOW = 10_000
"""How many rows one page looks through."""


@dataclass(frozen=True)
class Page:
    """Rows, the newest first. `further`: the key from which to go on backwards; None where this was the end.

    `cut`: the page ends with the window, not because it is full.
    """

    rows: Sequence[Any]
    further: int | None
    cut: bool = False


def look(walked: QuerySet[Any], *, key: str, until: int | None = None, asked: Q | None = None) -> Page:
    """A page of rows with keys up to `until` (None: from the newest). `walked` is narrowed along an index."""
    walked = walked.order_by(f"-{key}")
    if until is not None:
        walked = walked.filter(**{f"{key}__lte": until})
    floor = None
    found = walked
    if asked is not None:
        floor = walked.values_list(key, flat=True)[WINDOW : WINDOW + 1].first()
        found = walked.filter(asked) if floor is None else walked.filter(asked, **{f"{key}__gt": floor})
    # The ids first: these the index has by itself, and with the rows wanted at once another way may look as short.
    keys = list(found.values_list(key, flat=True)[: PAGE + 1])
    rows = list(walked.filter(**{f"{key}__in": keys[:PAGE]}))
    if len(keys) > PAGE:
        return Page(rows, keys[PAGE])
    return Page(rows, floor, cut=floor is not None)


def end_at(page: Page, walked: QuerySet[Any], *, time: str, since: datetime | None) -> Page:
    """The page as the last one, where what lies further back is older than `since`."""
    if since is None or page.further is None:
        return page
    at = walked.filter(pk=page.further).values_list(time, flat=True).first()
    return page if at is None or at >= since else Page(page.rows, None)


def asked_from(request: HttpRequest) -> int | None:
    """The key that the address goes on from."""
    return as_id(request.GET.get("until"))


def address(request: HttpRequest, until: int | None) -> str:
    """The same page from another key on; None: from the newest."""
    query = request.GET.copy()
    query.pop("until", None)
    if until is not None:
        query["until"] = str(until)
    return f"?{query.urlencode()}"


def context(request: HttpRequest, page: Page) -> dict[str, Any]:
    """What the templates of such a list want to know of a page."""
    return {
        "page": page,
        "further": address(request, page.further),
        "newest": "" if asked_from(request) is None else address(request, None),
        "window": WINDOW,
    }
