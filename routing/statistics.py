"""What routers count: visits, and the requests that a router lets in where it may not let in all.

A visit is a row that is added (Visit), so that nobody waits for anybody's row; `roll_up` adds them to the tallies. A
report is one statement over both, so it is exact whether or not that happens meanwhile.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, Sum

from queues.transactions import is_unique_violation, writer
from routing.exceptions import RequestsUsedUp
from routing.models import Allowance, Tally, Visit
from routing.models.session import METHODS
from routing.responses import CrowdResponse

BATCH = 5000
"""How many visits one roll-up adds."""

KEY = ("router", "workflow", "task", "method")


def record(router: str, responses: Sequence[CrowdResponse]) -> None:
    """Count what was carried out for one request; the first is what it came for."""
    visits = [
        Visit(
            router=router,
            workflow=response.crowd_request.workflow.get_name(),
            task=response.task.get_name(),
            method=response.method,
            entry=index == 0,
        )
        for index, response in enumerate(responses)
    ]
    # One row alone needs no transaction of its own, and most requests have one.
    if len(visits) == 1:
        visits[0].save(force_insert=True)
    else:
        Visit.objects.bulk_create(visits)


def counts(router: str | None = None) -> dict[tuple[str, str, str, str], int]:
    """(router, workflow, task, method) → visits, of one router or of all."""
    which = Q() if router is None else Q(router=router)
    fresh = Visit.objects.filter(which).values(*KEY).annotate(number=Count("pk"))
    added = Tally.objects.filter(which).values(*KEY).annotate(number=Sum("count"))
    found: Counter[tuple[str, str, str, str]] = Counter()
    for *key, number in fresh.union(added, all=True).values_list(*KEY, "number"):
        found[tuple(key)] += int(number)
    return dict(found)


def report(router: Any) -> dict[str, Any]:
    """`{"task_counts": {workflow: {task: {"GET": n, "POST": n}}}}` of a router, all that it has and all that it had."""
    found: dict[str, dict[str, dict[str, int]]] = {}

    def entry(workflow: str, task: str) -> dict[str, int]:
        return found.setdefault(workflow, {}).setdefault(task, dict.fromkeys(METHODS, 0))

    for kind in router.workflows:
        flow = router.workflow_of(kind)
        found.setdefault(flow.get_name(), {})
        for name, part in flow.known_tasks(flow.tasks).items():
            if not part.parts():
                entry(flow.get_name(), name)
    for (_router, workflow, task, method), number in counts(router.get_name()).items():
        entry(workflow, task)[method] += number
    return {"task_counts": found}


@writer
def clear(router: str) -> None:
    """Forget what a router has counted, and whom it has let in: all that was recorded before."""
    # The row is the lock between this and whoever is let in meanwhile: with it gone they begin again, from nothing.
    while not Allowance.objects.filter(router=router).update(admitted=0):
        _insert_allowance(router)
    Visit.objects.filter(router=router).delete()
    # In the order in which roll_up takes them.
    list(Tally.objects.filter(router=router).order_by("pk").select_for_update().values_list("pk"))
    Tally.objects.filter(router=router).delete()
    Allowance.objects.filter(router=router).delete()


@writer
def admit(router: str, limit: int) -> None:
    """Let one request in, of so many at most since the statistics were cleared. Raises RequestsUsedUp.

    What was counted before the router had a limit is within it. One guarded UPDATE decides, so that of any number at
    once no more than the limit get in.
    """
    while not Allowance.objects.filter(router=router, admitted__lt=limit).update(admitted=F("admitted") + 1):
        admitted = Allowance.objects.filter(router=router).values_list("admitted", flat=True).first()
        if admitted is None:
            if _insert_allowance(router):
                Allowance.objects.filter(router=router).update(admitted=_entries(router))
        elif admitted >= limit:
            raise RequestsUsedUp(f"{router} lets in {limit} requests, and has.", limit=limit)


def _insert_allowance(router: str) -> bool:
    """False where another request was faster, which this one has then waited for."""
    try:
        with transaction.atomic():
            Allowance.objects.create(router=router)
    except IntegrityError as error:
        if not is_unique_violation(error, Allowance):
            raise
        return False
    return True


def _entries(router: str) -> int:
    """How many requests were counted before anybody limited them."""
    fresh = Visit.objects.filter(router=router, entry=True).values("router").annotate(number=Count("pk"))
    added = Tally.objects.filter(router=router).values("router").annotate(number=Sum("entries"))
    return sum(int(number) for _router, number in fresh.union(added, all=True).values_list("router", "number"))


@writer
def roll_up(*, limit: int = BATCH) -> int:
    """Add up to `limit` visits to the tallies; how many it was."""
    rows = list(
        Visit.objects.select_for_update(skip_locked=True).order_by("pk").values_list("pk", *KEY, "entry")[:limit]
    )
    all_of: Counter[tuple[str, ...]] = Counter()
    entries: Counter[tuple[str, ...]] = Counter()
    for _pk, *key, entry in rows:
        all_of[tuple(key)] += 1
        entries[tuple(key)] += entry
    # In order, first those that are made and then those that are added to, so that nobody waits in a circle.
    tallies = {}
    for key in sorted(all_of):
        tally, _made = Tally.objects.get_or_create(None, **dict(zip(KEY, key, strict=True)))
        tallies[tally.pk] = key
    for pk, key in sorted(tallies.items()):
        Tally.objects.filter(pk=pk).update(count=F("count") + all_of[key], entries=F("entries") + entries[key])
    Visit.objects.filter(pk__in=[pk for pk, *_rest in rows]).delete()
    return len(rows)


class CrowdStats:
    """`router.crowd_stats`, as crowdrouter 1.5.5 has it: `task_counts`, `report()` and `clear()`."""

    def __init__(self, router: Any) -> None:
        self._router = router

    @property
    def task_counts(self) -> dict[str, dict[str, dict[str, int]]]:
        counted: dict[str, dict[str, dict[str, int]]] = report(self._router)["task_counts"]
        return counted

    def report(self) -> dict[str, Any]:
        return report(self._router)

    def clear(self) -> None:
        clear(self._router.get_name())
