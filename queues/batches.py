"""Work over many rows, in parts: planned once, done part by part, each part in one transaction that also marks it done.

Whatever stops it (a killed process, an operator) leaves whole parts done and whole parts undone, and it goes on from
there. Kinds of work are registered by the app that does them. The worker's tick calls `work`; so does the page that
shows the progress, so that a batch ends without any worker too.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, Sum

from queues.exceptions import BatchClosed, CrowdError, InvalidInput
from queues.models import Batch, BatchPart, Queue
from queues.states import BATCH_TRANSITIONS, BatchStatus
from queues.transactions import database_now, is_passing, writer

logger = logging.getLogger(__name__)

PART = 100
"""Items of a part: what one transaction locks."""

PARTS_AT_ONCE = 10
"""Parts written down in one statement: their items are in memory together."""

FAULTS_KEPT = 1000

KEPT = timedelta(days=30)
"""How long a batch is to be seen after its end; its parts are as large as what was imported."""

DRAFT_KEPT = timedelta(days=7)
"""How long a planned batch waits for its start."""

PURGE_BATCH = 10
"""Batches that one transaction deletes."""


@dataclass(frozen=True)
class Outcome:
    """What became of a part: how many of its items were changed, and why the others were not.

    A fault is `{"item": task id or line number, "detail": sentence}`, with whatever else the kind's page shows.
    """

    changed: int
    faults: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far a batch is, in items. `faults` are the first thousand met while working."""

    done: int
    changed: int
    faults: list[dict[str, Any]]


Apply = Callable[[Batch, list[Any], datetime | None], Outcome]

_kinds: dict[str, Apply] = {}


def register(kind: str, apply: Apply) -> None:
    """Make a kind of work known. `apply(batch, items, now)` does the items of a part, in the part's transaction."""
    _kinds[kind] = apply


class _NotWhole(Exception):
    """A part of a batch that is all or nothing had faults: everything is undone."""

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        self.faults = faults


@transaction.atomic
def plan(
    *,
    kind: str,
    items: Iterable[Any],
    actor: Any,
    queue: Queue | None = None,
    parameters: dict[str, Any] | None = None,
    whole: bool = False,
    draft: bool = False,
    faults: Sequence[dict[str, Any]] = (),
    faults_total: int | None = None,
    part: int = PART,
    now: datetime | None = None,
) -> Batch:
    """Write a batch down. `items` are JSON values, given to the kind's function `part` at a time, in order.

    It runs at once unless it is a `draft`. `items` may be a stream, which cannot be read twice: so this is one
    transaction and, unlike a writer, not repeated. `faults` are those already known, of `faults_total` where the
    caller kept only the first. Raises KeyError for an unknown kind.
    """
    _kinds[kind]
    batch = Batch.objects.create(
        kind=kind,
        queue=queue,
        parameters=parameters or {},
        created_by=actor,
        status=BatchStatus.DRAFT if draft else BatchStatus.RUNNING,
        whole=whole,
        items=0,
        faults=list(faults[:FAULTS_KEPT]),
        faults_total=len(faults) if faults_total is None else faults_total,
        created_at=database_now(now),
    )
    remaining, ordinal = iter(items), 0
    while payloads := list(islice(iter(lambda: list(islice(remaining, part)), []), PARTS_AT_ONCE)):
        BatchPart.objects.bulk_create(
            BatchPart(batch=batch, ordinal=ordinal + place, payload=payload, items=len(payload))
            for place, payload in enumerate(payloads)
        )
        ordinal += len(payloads)
        batch.items += sum(map(len, payloads))
    batch.save(update_fields=["items"])
    return batch


@writer
def start(*, batch_id: int, whole: bool | None = None) -> Batch:
    """Let a planned or stopped batch run; `whole` may be chosen now. Raises Batch.DoesNotExist, BatchClosed."""
    changes = {} if whole is None else {"whole": whole}
    return _move(batch_id, BatchStatus.RUNNING, **changes)


@writer
def stop(*, batch_id: int) -> Batch:
    """Halt a running batch after the part that is under way. Raises Batch.DoesNotExist, BatchClosed."""
    return _move(batch_id, BatchStatus.STOPPED)


@writer
def cancel(*, batch_id: int, now: datetime | None = None) -> Batch:
    """Give up a planned or stopped batch; what it has done stays. Raises Batch.DoesNotExist, BatchClosed."""
    return _move(batch_id, BatchStatus.CANCELED, ended_at=database_now(now))


def _move(batch_id: int, to: BatchStatus, **changes: Any) -> Batch:
    """The guarded UPDATE behind every change of a batch's status."""
    batch = Batch.objects.select_for_update(no_key=True).get(pk=batch_id)
    if to not in BATCH_TRANSITIONS[BatchStatus(batch.status)]:
        raise BatchClosed(f"Batch {batch_id} is {BatchStatus(batch.status).label}.")
    Batch.objects.filter(pk=batch_id).update(status=to, **changes)
    batch.refresh_from_db()
    return batch


def work(*, batch_id: int | None = None, now: datetime | None = None) -> bool:
    """Do one part of the oldest running batch, or of this one; False where none is left.

    A batch that is all or nothing is done whole. What a kind's function raises stops its batch, which FAILED then.
    """
    running = Batch.objects.filter(status=BatchStatus.RUNNING)
    if batch_id is not None:
        running = running.filter(pk=batch_id)
    for batch in running.order_by("id"):
        try:
            done = _whole(batch_id=batch.pk, now=now) if batch.whole else _part(batch_id=batch.pk, now=now)
        except _NotWhole as faulty:
            done = _fail(batch_id=batch.pk, faults=faulty.faults, now=now)
        except Exception as error:
            if isinstance(error, OperationalError) and is_passing(error):
                logger.warning("Batch %s met a deadlock too often; it goes on later.", batch.pk)
                continue
            logger.exception("Batch %s failed.", batch.pk)
            sentence = "Something went wrong here; the fault is in the log."
            done = _fail(batch_id=batch.pk, faults=[{"item": None, "detail": sentence}], now=now)
        if done or _finish(batch_id=batch.pk, now=now):
            return True
    return False


@writer
def _part(*, batch_id: int, now: datetime | None) -> bool:
    """Do the next part that nobody else is doing. Where the batch is stopped meanwhile, the next one is not begun."""
    left = BatchPart.objects.filter(batch=batch_id, batch__status=BatchStatus.RUNNING, done_at__isnull=True)
    part = left.order_by("ordinal").select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
    if part is None:
        return False
    _apply(part, now)
    return True


@writer
def _whole(*, batch_id: int, now: datetime | None) -> bool:
    """Do every part, or none. Raises _NotWhole with the faults."""
    batch = Batch.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=batch_id).first()
    if batch is None or batch.status != BatchStatus.RUNNING:
        return False
    faults: list[dict[str, Any]] = []
    left = BatchPart.objects.filter(batch=batch, done_at__isnull=True).order_by("ordinal")
    # One at a time: together the parts of an import are as large as its file.
    for pk in list(left.values_list("pk", flat=True)):
        faults += _apply(BatchPart.objects.select_related("batch").get(pk=pk), now).faults
    if faults:
        raise _NotWhole(faults)
    return _finish(batch_id=batch_id, now=now)


def _apply(part: BatchPart, now: datetime | None) -> Outcome:
    outcome = _kinds[part.batch.kind](part.batch, part.payload, now)
    part.done_at, part.changed, part.faults = database_now(now), outcome.changed, outcome.faults
    part.save(update_fields=["done_at", "changed", "faults"])
    return outcome


@writer
def _finish(*, batch_id: int, now: datetime | None) -> bool:
    """End a running batch of which no part is left; two workers may have done the last two at once."""
    left = BatchPart.objects.filter(batch=OuterRef("pk"), done_at__isnull=True)
    running = Batch.objects.filter(~Exists(left), pk=batch_id, status=BatchStatus.RUNNING)
    return bool(running.update(status=BatchStatus.FINISHED, ended_at=database_now(now)))


@writer
def _fail(*, batch_id: int, faults: list[dict[str, Any]], now: datetime | None) -> bool:
    running = Batch.objects.filter(pk=batch_id, status=BatchStatus.RUNNING)
    return bool(
        running.update(
            status=BatchStatus.FAILED,
            faults=faults[:FAULTS_KEPT],
            faults_total=len(faults),
            ended_at=database_now(now),
        )
    )


def each(items: Iterable[Any], change: Callable[[Any], Any]) -> Outcome:
    """Call `change` for every item; a CrowdError is that item's fault and leaves the others be."""
    changed, faults = 0, []
    for item in items:
        try:
            change(item)
            changed += 1
        except CrowdError as refused:
            faults.append({"item": item, "detail": _sentence(refused)})
    return Outcome(changed, faults)


def _sentence(refused: CrowdError) -> str:
    if isinstance(refused, InvalidInput):
        return " ".join(str(error["detail"]) for error in refused.errors)
    return str(refused.detail)


def progress(batch: Batch) -> Progress:
    """How far the batch is now."""
    parts = BatchPart.objects.filter(batch=batch, done_at__isnull=False).order_by("ordinal")
    sums = parts.aggregate(done=Sum("items"), changed=Sum("changed"))
    faults: list[dict[str, Any]] = []
    for found in parts.exclude(faults=[]).values_list("faults", flat=True)[:FAULTS_KEPT]:
        faults += found
    return Progress(done=sums["done"] or 0, changed=sums["changed"] or 0, faults=faults[:FAULTS_KEPT])


@writer
def purge(*, now: datetime | None = None) -> int:
    """Delete up to PURGE_BATCH batches that ended long ago or were never started; how many it was."""
    moment = database_now(now)
    old = Batch.objects.filter(
        Q(ended_at__lte=moment - KEPT) | Q(status=BatchStatus.DRAFT, created_at__lte=moment - DRAFT_KEPT)
    )
    ids = list(old.order_by("id").select_for_update(skip_locked=True).values_list("pk", flat=True)[:PURGE_BATCH])
    BatchPart.objects.filter(batch__in=ids).delete()
    Batch.objects.filter(pk__in=ids).delete()
    return len(ids)
