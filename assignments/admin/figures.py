"""What the dashboard shows, as texts: made here alone, for the page as it is first served and for each refresh of it.

A refresh carries `texts` (the text of each place), `shown` (whether a place is shown), and for one queue `rows` (those
of its tables, each with a key) and `plots`.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assignments.dashboard import AtWork, Board, Depth, Holding, Overview, QueueNow, Span
from assignments.models import Assignment, Reviewer
from assignments.states import AssignmentStatus

NONE = "–"

Link = Callable[[Any], str | None]
"""The address of an object's own page, or None where there is none for this user."""


def number(value: int | None) -> str:
    return NONE if value is None else number_format(value, use_l10n=True, force_grouping=True)


def depth(value: Depth) -> str:
    """A count, with a plus where it was not counted further."""
    return number(value.number) + ("+" if value.more else "")


def at_least(value: int, complete: bool) -> str:
    """A sum, marked where something is missing from it."""
    return number(value) if complete else f"≥ {number(value)}"


def share(value: float | None) -> str:
    return NONE if value is None else _("{percent} %").format(percent=round(value * 100))


def span(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return NONE
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return _("{days} d {hours} h").format(days=number(days), hours=hours)
    if hours:
        return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes)
    if minutes:
        return _("{minutes} min").format(minutes=minutes)
    return _("{seconds} s").format(seconds=whole)


def clock(moment: datetime | None) -> str:
    """A time of day, with the day where it is not today's; in the site's time zone."""
    if moment is None:
        return NONE
    local = timezone.localtime(moment)
    if local.date() == timezone.localdate():
        return time_format(local, "H:i:s")
    return f"{date_format(local, 'j M')} {time_format(local, 'H:i')}"


def name(reviewer: Reviewer) -> str:
    return str(reviewer)


def overview(whole: Overview) -> dict[str, Any]:
    """The refresh of the list of queues. A place is named `<queue id>.<column>`."""
    texts, shown = _common(whole)
    for queue in whole.queues:
        of_this, also = places(queue, whole)
        texts.update({f"{queue.queue.pk}.{key}": text for key, text in of_this.items()})
        shown.update({f"{queue.queue.pk}.{key}": visible for key, visible in also.items()})
    return {"texts": texts, "shown": shown, "queues": [each.queue.pk for each in whole.queues]}


def board(whole: Board, *, task_link: Link, reviewer_link: Link) -> dict[str, Any]:
    """The refresh of one queue's page."""
    texts, shown = _common(whole.overview)
    of_this, also = places(whole.now, whole.overview)
    now = whole.overview.as_of
    holders = [_holder(each, now, reviewer_link) for each in whole.holders]
    lost = [_loss(each, task_link, reviewer_link) for each in whole.lost]
    unseen = whole.now.at_work.reviewers - len(holders)
    texts |= of_this | {
        "holders_more": _("and {number} more").format(number=number(unseen)) if unseen > 0 else "",
        "hour_starts": time_format(timezone.localtime(now).replace(minute=0), "H:i"),
    }
    shown |= also | {
        "holders": bool(holders),
        "no_holders": not holders,
        "lost": bool(lost),
        "no_lost": not lost,
        "open": any(value is not None for value in whole.open),
        "open_unknown": all(value is None for value in whole.open),
    }
    return {
        "texts": texts,
        "shown": shown,
        "rows": {"holders": holders, "lost": lost},
        "plots": _plots(whole),
    }


def _common(whole: Overview) -> tuple[dict[str, str], dict[str, bool]]:
    texts = {"as_of": clock(whole.as_of), "rolled_up": clock(whole.rolled_up)}
    return texts, {"incomplete": not whole.complete, "never_rolled_up": whole.rolled_up is None}


def places(queue: QueueNow, whole: Overview) -> tuple[dict[str, str], dict[str, bool]]:
    """The texts of one queue's places, and which of them are shown, by column."""
    hour, since = queue.hour, queue.waiting_since
    texts = {
        "available": depth(queue.available),
        "assigned": depth(queue.assigned),
        "scheduled": depth(queue.scheduled),
        "oldest": NONE if since is None else span((whole.as_of - since).total_seconds()),
        "answered": at_least(hour.answered, whole.complete),
        "lapsed": at_least(hour.lapsed, whole.complete),
        "skipped": at_least(hour.skipped, whole.complete),
        "today": number(queue.today),
        "lost": share(queue.lost),
        "at_work": _at_work(queue.at_work),
        "names": _names(queue.at_work),
        "lease_end": _lease_end(queue.at_work, whole.as_of),
    }
    paused = queue.queue.is_paused
    limitless = queue.queue.max_lease_seconds is None
    return texts, {"paused": paused, "running": not paused, "limitless": limitless}


def _at_work(value: AtWork) -> str:
    if not value.reviewers:
        return _("nobody")
    people = ngettext("{n} reviewer", "{n} reviewers", value.reviewers).format(n=number(value.reviewers))
    return _("{people}, {tasks}").format(people=people, tasks=_tasks(value.held))


def _tasks(count: int) -> str:
    return ngettext("{n} task", "{n} tasks", count).format(n=number(count))


def _names(value: AtWork) -> str:
    named = ", ".join(f"{name(reviewer)} {number(held)}" for reviewer, held in value.names)
    return f"{named}, …" if value.reviewers > len(value.names) else named


def _lease_end(value: AtWork, now: datetime) -> str:
    if value.lease_end is None:
        return ""
    return _("next lease ends in {span}").format(span=span((value.lease_end - now).total_seconds()))


def _holder(holding: Holding, now: datetime, link: Link) -> dict[str, Any]:
    ends = holding.lease_end
    left = NONE if ends is None else f"{clock(ends)} ({span((ends - now).total_seconds())})"
    return {
        "key": holding.reviewer.pk,
        "cells": [
            {"text": name(holding.reviewer), "href": link(holding.reviewer)},
            {"text": number(holding.held)},
            {"text": f"{clock(holding.since)} ({span((now - holding.since).total_seconds())})"},
            {"text": left},
            {"text": number(holding.done)},
        ],
    }


def _loss(assignment: Assignment, task_link: Link, reviewer_link: Link) -> dict[str, Any]:
    held = (assignment.ended_at - assignment.created_at).total_seconds() if assignment.ended_at else None
    how = _("lapsed") if assignment.status == AssignmentStatus.EXPIRED else _("skipped")
    return {
        "key": assignment.pk,
        "cells": [
            {"text": clock(assignment.ended_at)},
            {"text": how},
            {
                "text": _("Task {number}").format(number=assignment.task_id),
                "href": task_link(assignment.task_id),
            },
            {"text": name(assignment.reviewer), "href": reviewer_link(assignment.reviewer)},
            {"text": span(held)},
        ],
    }


def _plots(whole: Board) -> dict[str, Any]:
    times = [time_format(timezone.localtime(at), "H:i") for at, _counts in whole.minutes]
    counts = [one for _at, one in whole.minutes]
    ended = [[one and one[place] for one in counts] for place in range(3)]
    traffic = [[one and one.created for one in counts], [one and one.closed for one in counts]]
    hours = [time_format(timezone.localtime(each.start), "H:i") for each in whole.hours]
    days = [date_format(each.start.astimezone(UTC), "j M") for each in whole.days]
    return {
        "minutes": _plot(times, ended, _ended(ended, times)),
        "traffic": _plot(times, traffic, _traffic(traffic)),
        "open": _plot(times, [list(whole.open)], _open(whole.open)),
        "hours": _plot(hours, _columns(whole.hours), _ended(_columns(whole.hours), hours)),
        "days": _plot(days, _columns(whole.days), _ended(_columns(whole.days), days)),
    }


def _plot(labels: list[str], series: list[list[int | None]], summary: str) -> dict[str, Any]:
    rows = [[label, *map(number, values)] for label, *values in zip(labels, *series, strict=True)]
    return {"labels": labels, "series": series, "rows": rows, "summary": summary}


def _columns(spans: Iterable[Span]) -> list[list[int | None]]:
    columns = zip(*((each.answered, each.lapsed, each.skipped) for each in spans), strict=True)
    return [list(column) for column in columns]


def _sum(values: Iterable[int | None]) -> int:
    return sum(value or 0 for value in values)


def _ended(series: list[list[int | None]], labels: list[str]) -> str:
    answered, lapsed, skipped = (_sum(values) for values in series)
    if not answered + lapsed + skipped:
        return _("Nothing was answered, lost to time or skipped.")
    text = _("{answered} answered, {lapsed} lapsed, {skipped} skipped.").format(
        answered=number(answered), lapsed=number(lapsed), skipped=number(skipped)
    )
    if not answered:
        return text
    most = max(value or 0 for value in series[0])
    when = labels[series[0].index(most)]
    return text + " " + _("Most answers: {most} at {when}.").format(most=number(most), when=when)


def _traffic(series: list[list[int | None]]) -> str:
    created, closed = (_sum(values) for values in series)
    return _("{created} tasks came, {closed} closed.").format(created=number(created), closed=number(closed))


def _open(values: list[int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    return _("From {first} an hour ago to {last} now; at most {most}.").format(
        first=number(known[0]), last=number(known[-1]), most=number(max(known))
    )
