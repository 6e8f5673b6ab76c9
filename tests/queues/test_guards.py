"""What keeps the writers exact, each guard where it alone decides. `make guards` takes them away in turn."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import transaction

from queues import idempotency
from queues.exceptions import IdempotencyBusy, IdempotencyLost, IdempotencyMismatch
from queues.models import IdempotencyRecord, Task
from queues.transactions import writer
from tests import cast

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
LATER = NOW + idempotency.LEASE


@pytest.fixture
def begin(db: None) -> Callable[..., idempotency.Turn]:
    """Return `begin(now=…)`: rick begins his request with the key `k`."""

    def begin(**other: Any) -> idempotency.Turn:
        scope = {"user": cast.person("rick"), "method": "POST", "path": "/", "key": "k", "fingerprint": "f", "now": NOW}
        return idempotency.begin(**scope | other)

    return begin


def complete(turn: idempotency.Turn, body: Any) -> None:
    """Keep an answer as a request does, with its effect."""
    with transaction.atomic():
        idempotency.complete(turn=turn, status=201, body=body)


def test_a_key_is_begun_once_while_its_lease_lasts(begin):
    begin()
    with pytest.raises(IdempotencyBusy):
        begin(now=LATER - timedelta(seconds=1))
    assert IdempotencyRecord.objects.count() == 1


def test_whoever_dawdles_past_the_lease_cannot_answer_for_the_next(begin):
    slow, fast = begin(), begin(now=LATER)
    with pytest.raises(IdempotencyLost):
        complete(slow, "slow")
    complete(fast, "fast")
    assert begin(now=LATER).answer == (201, "fast")


def test_whoever_dawdles_past_the_lease_cannot_give_up_for_the_next(begin):
    slow, _fast = begin(), begin(now=LATER)
    idempotency.abandon(turn=slow)
    with pytest.raises(IdempotencyBusy):
        begin(now=LATER)


def test_an_answer_is_kept_once(begin):
    turn = begin()
    complete(turn, "first")
    with pytest.raises(IdempotencyLost):
        complete(turn, "second")


def test_a_key_is_for_one_body(begin):
    begin()
    with pytest.raises(IdempotencyMismatch):
        begin(fingerprint="another")


@pytest.mark.only("postgresql")
@pytest.mark.threads
def test_a_writer_that_a_deadlock_undid_runs_again(together):
    one, other = cast.post(cast.queue(), 2)
    both_hold_one = Barrier(2)
    begun: list[str] = []

    def locking(name: str, *tasks: Task) -> Callable[[], str]:
        @writer
        def lock() -> str:
            begun.append(name)
            for number, task in enumerate(tasks):
                Task.objects.locked().get(pk=task.pk)
                if number == 0 and begun.count(name) == 1:
                    both_hold_one.wait(10)
            return name

        return lock

    assert together(locking("up", one, other), locking("down", other, one)) == ["up", "down"]
    assert len(begun) == 3
