"""How quick the operators' lists are at a million tasks, and the workbench's next task: `make bench`.

Starts a PostgreSQL (fsync on) and a Valkey of its own, fills a database, serves the site as in production (gunicorn, a
Celery worker and beat), and asks it over HTTP and in Chromium. Writes docs/benchmarks/desk.md. QUICK=1: a tenth of the
tasks, fewer repetitions, and nothing is written.
"""

import http.client
import json
import os
import tempfile
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.figures import Figure, machine, table, timed
from tests.servers import postgresql, valkey

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "desk.md"
QUICK = os.environ.get("QUICK") == "1"
TASKS, TIMES, ANSWERS = (100_000, 7, 15) if QUICK else (1_000_000, 15, 60)
PAGE_LIMIT, NEXT_LIMIT = 300, 200
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class Browsing:
    """One signed-in person."""

    def __init__(self, url: str, user: Any) -> None:
        from django.conf import settings
        from django.test import Client

        client = Client()
        client.force_login(user)
        self.cookie = settings.SESSION_COOKIE_NAME, client.cookies[settings.SESSION_COOKIE_NAME].value
        self.place = urlsplit(url).netloc

    def get(self, path: str) -> bytes:
        """The body of a page, which must be there."""
        return self._ask("GET", path, None, {"Cookie": "=".join(self.cookie)})

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> bytes:
        # A connection each: the server closes one on which it is quiet for two seconds.
        with closing(http.client.HTTPConnection(self.place, timeout=120)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content


class Calling(Browsing):
    """A program with a token."""

    def __init__(self, url: str, user: Any) -> None:
        from queues import tokens

        super().__init__(url, user)
        self.headers = {
            "Authorization": f"Bearer {tokens.issue(user=user, name='bench')[1]}",
            "Content-Type": "application/json",
        }

    def post(self, path: str, body: Any) -> Any:
        return json.loads(self._ask("POST", path, json.dumps(body), self.headers))


def pages(big: Any) -> dict[str, str]:
    """What is looked at → its address."""
    from django.urls import reverse

    from assignments.models import Assignment
    from queues.admin.lists import COUNT_MAX
    from queues.models import Task

    finished = Task.objects.filter(queue=big, status="FINISHED").first()
    last = COUNT_MAX // 50

    def listed(name: str, **query: Any) -> str:
        return reverse(f"admin:crowd_{name}_changelist") + ("?" + urlencode(query) if query else "")

    def of(name: str, *args: Any) -> str:
        return reverse(f"admin:crowd_{name}", args=args)

    states = ("AVAILABLE", "FINISHED", "SCHEDULED", "EXPIRED")
    return {
        "the admin's index, to compare": reverse("admin:index"),
        "queues": listed("queues_queue"),
        "a queue": of("queues_queue_change", big.pk),
        "starved tasks of the queue": of("queues_queue_starved", big.pk),
        "tasks": listed("queues_task"),
        "tasks, second page": listed("queues_task", p=2),
        "tasks, last page": listed("queues_task", p=last),
        "tasks of the queue": listed("queues_task", queue=big.pk),
        "tasks of the queue, second page": listed("queues_task", queue=big.pk, p=2),
        "tasks of the queue, last page": listed("queues_task", queue=big.pk, p=last),
        **{f"tasks of the queue, {state}": listed("queues_task", queue=big.pk, status=state) for state in states},
        "tasks of the queue, AVAILABLE, last page": listed("queues_task", queue=big.pk, status="AVAILABLE", p=last),
        "tasks, search by id": listed("queues_task", q=finished.pk),
        "tasks, search by global key": listed("queues_task", q=finished.global_keys[0]),
        "tasks, search for what is not there": listed("queues_task", q="nothing of this name"),
        "a task": of("queues_task_change", finished.pk),
        "a task's history": of("queues_task_history", finished.pk),
        "assignments": listed("assignments_assignment"),
        "assignments, last page": listed("assignments_assignment", p=last),
        "assignments of the queue": listed("assignments_assignment", queue=big.pk),
        "assignments of the queue, SKIPPED": listed("assignments_assignment", queue=big.pk, status="SKIPPED"),
        "an assignment": of("assignments_assignment_change", Assignment.objects.order_by("id")[0].pk),
        "members": listed("queues_membership"),
        "members, search": listed("queues_membership", q="reviewer17"),
        "reviewers": listed("assignments_reviewer"),
        "reviewers, search": listed("assignments_reviewer", q="reviewer17"),
        "a reviewer": of("assignments_reviewer_change", Assignment.objects.order_by("id")[0].reviewer_id),
        "batches": listed("queues_batch"),
        "the dashboard": listed("assignments_queueatwork"),
        "the dashboard's figures": of("assignments_queueatwork_now"),
        "the dashboard of the queue": of("assignments_queueatwork_change", big.pk),
        "the figures of the queue": of("assignments_queueatwork_board_now", big.pk),
    }


def reviewers_pages(big: Any) -> dict[str, str]:
    from django.urls import reverse

    return {
        "reviewer: my queues": reverse("crowd-desk"),
        "reviewer: the workbench": reverse("crowd-workbench", args=[big.name]),
        "reviewer: what I did": reverse("crowd-done"),
        "reviewer: my numbers": reverse("crowd-metrics"),
    }


def time_pages(browsing: Browsing, addresses: dict[str, str]) -> list[Figure]:
    """Each page so many times, after two looks that are not counted."""
    figures = []
    for what, path in addresses.items():
        for _ in range(2):
            browsing.get(path)
        times = [timed(lambda path=path: browsing.get(path)) for _ in range(TIMES)]  # type: ignore[misc]
        figures.append(Figure(what, times, PAGE_LIMIT))
        print(table(figures[-1:]).splitlines()[-1], flush=True)
    return figures


def time_next(url: str, big: Any, alone: Any, program: Any) -> list[Figure]:
    """Answers on the workbench and by the API in turn: submit to next, and finalize with the next task."""
    from django.urls import reverse

    from tests.browser import chromium

    calling, browsing = Calling(url, program), Browsing(url, alone)
    held = calling.post(f"/api/v1/queues/{big.name}/grab/", {})["assignments"][0]["id"]
    bare = []

    def finalize() -> None:
        nonlocal held
        said = {"data": "cat", "assign_new_task": True}
        held = calling.post(f"/api/v1/assignments/{held}/finalize/", said)["next"]["assignments"][0]["id"]

    with chromium() as browser:
        if browser is None:
            raise SystemExit("No Chromium is installed.")
        # Only so that the waiting below, which the browser evaluates, is let through.
        context = browser.new_context(bypass_csp=True)
        name, value = browsing.cookie
        context.add_cookies([{"name": name, "value": value, "url": url}])
        page = context.new_page()
        page.goto(url.rstrip("/") + reverse("crowd-workbench", args=[big.name]))
        measured = "performance.getEntriesByName('crowd:submit-to-next').length"
        for number in range(ANSWERS):
            page.wait_for_selector("#bench[data-state=work]", timeout=120_000)
            page.keyboard.press("1")
            page.keyboard.press("Enter")
            page.wait_for_function(f"{measured} > {number}")
            bare.append(timed(finalize))
        shown = page.evaluate("performance.getEntriesByName('crowd:submit-to-next').map(each => each.duration)")
        context.close()
    return [
        Figure("submit to next, in the browser", shown, NEXT_LIMIT),
        Figure("finalize with the next task, by the API alone", bare),
    ]


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-bench-")))
        where = {
            "DATABASE_URL": stack.enter_context(postgresql(folder, **DURABLE)),
            "REDIS_URL": stack.enter_context(valkey(folder)),
            "CROWDSITE_DATA_DIR": str(folder / "site"),
        }
        # Set before the settings are read: this process and the site are to share their database and their secret.
        os.environ |= where | {"DJANGO_SETTINGS_MODULE": "crowdsite.settings"}
        import django

        django.setup()
        measure(folder, where, stack)


def measure(folder: Path, where: dict[str, str], stack: ExitStack) -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    from assignments import rollup
    from benchmarks import crowd
    from tests.site.serving import serving

    call_command("migrate", verbosity=0)
    print(f"Filling {TASKS:,} tasks …", flush=True)
    made: list[crowd.Crowd] = []
    filling = timed(lambda: made.append(crowd.fill(tasks=TASKS)))
    (filled,) = made

    def catch_up() -> None:
        while rollup.roll_up():
            pass

    rolling = timed(catch_up)
    print(f"Filled in {filling / 1000:.0f} s; {crowd.DAYS} days rolled up in {rolling / 1000:.0f} s", flush=True)
    site = stack.enter_context(serving(folder, **where))
    site.wait_until_ready()
    people = get_user_model()._default_manager
    newest = people.filter(username__startswith="reviewer").order_by("-pk")
    lists = time_pages(Browsing(site.url, filled.operator), pages(filled.big))
    own = time_pages(Browsing(site.url, newest[0]), reviewers_pages(filled.big))
    following = time_next(site.url, filled.big, newest[0], newest[1])
    waiting = os.getloadavg()[1]
    ratio = following[0].median / following[1].median
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0].split()[0]
    report = f"""# The desk and the admin: how quick they are

Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine(version)}
The site was served as in production (gunicorn with 2 processes of 4 threads, a Celery worker, beat) and asked by one
client at a time, each page after two looks that were not counted. {filled.tasks:,} tasks, {TASKS:,} of them in one
queue, {crowd.OTHER_QUEUES + 1} queues, {crowd.REVIEWERS} reviewers. Load average over the last five minutes:
{waiting:.1f}; above the number of cores, other work was in the way.

## The operators' pages

{table(lists)}

## The reviewers' pages

{table(own)}

## From one task to the next

From the submit on the workbench, in Chromium, to the next task on the screen; and in turn with it the request that
this takes, by a program.

{table(following)}

The browser's median is {ratio:.1f} times the bare request's.

## Rolling up

{crowd.DAYS} days of numbers were made from the events in {rolling / 1000:.1f} s.
"""
    print("\n" + report)
    if not QUICK:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(report)


if __name__ == "__main__":
    main()
