"""How many statements a request sends. A number that grows is a decision, not an accident: change it and say why."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pavilion import pool
from queues.models import Token
from tests import cast, pools
from tests.api import flows
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db

WRITING = re.compile(r"\s*(INSERT|UPDATE|DELETE|COPY|WITH.*\b(INSERT INTO|UPDATE)\b)", re.DOTALL)
OURS = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK")


@contextmanager
def statements(caller: Caller) -> Iterator[list[str]]:
    """Fill the list with what is sent inside the block: savepoints (transactions, outside tests) are left out, and so
    are the questions for the time that PostgreSQL alone is asked. The token's use was noted before.
    """
    caller.get("tokens/")
    assert Token.objects.get(pk=caller.token).last_used_at
    sent: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield sent
    for query in captured.captured_queries:
        sql = query["sql"]
        if not sql.startswith((*OURS, "SELECT statement_timestamp()")):
            sent.append(sql)


def counted(sent: list[str]) -> tuple[int, int]:
    """How many statements read and how many write."""
    writing = [sql for sql in sent if WRITING.match(sql)]
    return len(sent) - len(writing), len(writing)


@pytest.fixture
def work(alice: Caller, digits: Any) -> Any:
    """A queue with sixty tasks, which alice has worked in before."""
    cast.post(digits, 60)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    alice.post(f"assignments/{held['id']}/finalize/", {"data": 1})
    return digits


AT_ONCE = (1, 1)
"""On PostgreSQL: who asks and what they may, then what they ask for."""


def test_a_grab(alice: Caller, work: Any, backend: str) -> None:
    with statements(alice) as sent:
        alice.post("queues/digits/grab/")
    assert counted(sent) == {"sqlite": (10, 4), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_a_grab_of_ten(alice: Caller, work: Any, backend: str) -> None:
    cast.post(work, 5, target_reviewer="alice@example.org")
    with statements(alice) as sent:
        alice.post("queues/digits/grab/", {"multitask_index": 10})
    assert counted(sent) == {"sqlite": (10, 13), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_a_grab_of_what_is_held(alice: Caller, work: Any, backend: str) -> None:
    cast.post(work, 5, target_reviewer="alice@example.org")
    alice.post("queues/digits/grab/", {"multitask_index": 10})
    with statements(alice) as sent:
        alice.post("queues/digits/grab/", {"multitask_index": 10})
    assert counted(sent) == {"sqlite": (8, 0), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_a_grab_by_who_may_only_look(mia: Caller, work: Any) -> None:
    with statements(mia) as sent:
        mia.post("queues/digits/grab/", None, 403)
    assert counted(sent)[1] == 0, "\n".join(sent)


def test_an_assign(alice: Caller, work: Any, backend: str) -> None:
    (task,) = cast.post(work)
    with statements(alice) as sent:
        alice.post(f"tasks/{task.pk}/assign/")
    assert counted(sent) == {"sqlite": (10, 4), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_a_finalize(alice: Caller, work: Any, backend: str) -> None:
    held = alice.post("queues/digits/grab/")["assignments"][0]
    with statements(alice) as sent:
        alice.post(f"assignments/{held['id']}/finalize/", {"data": 1})
    assert counted(sent) == {"sqlite": (7, 4), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_a_finalize_with_the_next_task(alice: Caller, work: Any, backend: str) -> None:
    held = alice.post("queues/digits/grab/")["assignments"][0]
    with statements(alice) as sent:
        alice.post(f"assignments/{held['id']}/finalize/", {"data": 1, "assign_new_task": True})
    assert counted(sent) == {"sqlite": (15, 8), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_a_skip(alice: Caller, work: Any, backend: str) -> None:
    held = alice.post("queues/digits/grab/")["assignments"][0]
    with statements(alice) as sent:
        alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": None})
    assert counted(sent) == {"sqlite": (7, 5), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_an_extend(alice: Caller, work: Any, backend: str) -> None:
    held = alice.post("queues/digits/grab/", {"seconds_to_expire": 60})["assignments"][0]
    with statements(alice) as sent:
        alice.post(f"assignments/{held['id']}/extend/", {"seconds_to_expire": 600})
    assert counted(sent) == {"sqlite": (6, 3), "postgresql": AT_ONCE}[backend], "\n".join(sent)


def test_a_list_of_fifty_tasks(mia: Caller, work: Any) -> None:
    with statements(mia) as sent:
        assert len(mia.get("tasks/", queue="digits")["results"]) == 50
    assert counted(sent) == (4, 0), "\n".join(sent)


def test_a_list_of_assignments(mia: Caller, work: Any) -> None:
    for name in ("bob", "carol", "dave"):
        cast.grab(cast.join(work, name), multitask_index=10)
    with statements(mia) as sent:
        assert len(mia.get("assignments/")["results"]) == 31
    assert counted(sent) == (4, 0), "\n".join(sent)


def test_a_list_of_judgments(rick: Caller, work: Any) -> None:
    (task,) = cast.post(work, judgments_required=20)
    for number in range(20):
        name = f"judge{number}"
        cast.join(work, name)
        held = Caller(name).post(f"tasks/{task.pk}/assign/")["assignment"]
        Caller(name).post(f"assignments/{held['id']}/finalize/", {"data": 1})
    with statements(rick) as sent:
        assert len(rick.get(f"tasks/{task.pk}/judgments/")["results"]) == 20
    assert counted(sent) == (5, 0), "\n".join(sent)


def test_a_list_of_members(mia: Caller, work: Any) -> None:
    for number in range(20):
        cast.join(work, f"judge{number}")
    with statements(mia) as sent:
        assert len(mia.get("queues/digits/members/")["results"]) == 23
    assert counted(sent) == (6, 0), "\n".join(sent)


ASKS = {"endpoint": "https://8.8.8.8/hook", "events_to_notify": ["TASK_FINISHED"], "headers": {"A": "1"}}


def test_a_list_of_notifications(mia: Caller, work: Any) -> None:
    for number in range(10):
        asks = {**ASKS, "endpoint": f"https://8.8.8.8/{number}"}
        mia.post("notifications/", {"level": "queue", "queue": "digits", **asks}, 201)
    with statements(mia) as sent:
        assert len(mia.get("notifications/")["results"]) == 10
    assert counted(sent) == (4, 0), "\n".join(sent)


def test_a_list_of_deliveries(mia: Caller, work: Any) -> None:
    made = mia.post("notifications/", {"level": "queue", "queue": "digits", **ASKS}, 201)
    for _ in range(10):
        mia.post(f"notifications/{made['id']}/test/", None, 202)
    with statements(mia) as sent:
        assert len(mia.get(f"notifications/{made['id']}/deliveries/")["results"]) == 10
    assert counted(sent) == (5, 0), "\n".join(sent)


def test_a_list_of_new_tasks_with_settings(rick: Caller, work: Any, backend: str) -> None:
    body = [{"input_data": n, "notifications": [ASKS]} for n in range(20)]
    with statements(rick) as sent:
        rick.post("queues/digits/tasks/", body, 201)
    # PostgreSQL is asked for the ids, and then writes events and pending rows at once.
    assert counted(sent) == {"sqlite": (7, 5), "postgresql": (8, 4)}[backend], "\n".join(sent)


def test_a_list_of_a_thousand_new_tasks(rick: Caller, work: Any, backend: str) -> None:
    body = [{"input_data": n, "global_keys": [str(n)], "exclude_reviewers": ["alice@example.org"]} for n in range(1000)]
    with statements(rick) as sent:
        rick.post("queues/digits/tasks/", body, 201)
    # SQLite takes 999 parameters a statement, so it needs more of them. PostgreSQL has COPY, and is asked for the ids.
    assert counted(sent) == {"sqlite": (8, 50), "postgresql": (9, 5)}[backend], "\n".join(sent)


def test_lists_of_the_pool(mia: Caller, work: Any) -> None:
    session = pools.post(max_waiting=30, min_waiting=20)
    for number in range(10):
        seat = pools.join(session, f"worker{number}")
        if number % 2:
            pool.submit(seat_id=seat.pk)
    expected = {"projects/": 1, "pools/": 1, "sessions/": 1, f"sessions/{session.pk}/seats/": 10, "payments/": 5}
    found = {}
    for path, rows in expected.items():
        with statements(mia) as sent:
            assert len(mia.get(path)["results"]) == rows
        found[path] = counted(sent)
    assert max(reads for reads, _writes in found.values()) <= 5, found
    assert not any(writes for _reads, writes in found.values()), found


def test_lists_of_runs_and_their_steps(rick: Caller, work: Any) -> None:
    expected = {"runs/": 5, "steps/": 6}
    with flows.registered():
        for many in (1, 20):
            body = {"workflow": "ReadingAll", "input": {"pages": [["line"] * many]}}
            made = [rick.post("runs/", body, 201)["id"] for _ in range(many)]
            found = {}
            for path, rows in (("runs/", many), (f"runs/{made[-1]}/steps/", 2 + many)):
                with statements(rick) as sent:
                    assert len(rick.get(path)["results"]) >= rows
                found[path.rpartition(f"{made[-1]}/")[2]] = counted(sent)
            assert found == {path: (reads, 0) for path, reads in expected.items()}
