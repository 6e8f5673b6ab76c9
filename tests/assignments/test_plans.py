"""How PostgreSQL goes about the hot statements beside 200,000 tasks, nine of ten open, and their history."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.db import connection, transaction

from assignments.models import Assignment, Exclusion, Reviewer
from assignments.statements import claiming, ending
from assignments.statements.claiming import Way
from queues.models import Event, EventPending, Membership, Queue, Task
from queues.places import HEAD
from queues.statements import Statement
from tests import cast

pytestmark = [pytest.mark.only("postgresql"), pytest.mark.django_db]

MANY = 200_000
SKIPPED = 1_000
"""Tasks far from the head that the reviewer skipped."""

READ_AT_MOST = 60
"""Rows of tables that one statement may look at."""

FILL = """
INSERT INTO crowd_queues_task
  (queue_id, requester_id, input_data, status, created_at, updated_at, topic, priority, global_keys,
   judgments_required, open_slots, has_hook, sequence, target_reviewer_id, output_data)
SELECT %(queue)s, %(requester)s, '{}', CASE WHEN i %% 10 > 0 THEN 'AVAILABLE' ELSE 'FINISHED' END, now(), now(),
  'topic' || i %% 7, 5 + i %% 50, '[]', 1, (i %% 10 > 0)::int, false, 2,
  CASE WHEN i %% 100 = 1 THEN %(user)s END, CASE WHEN i %% 10 = 0 THEN '1'::jsonb END
FROM generate_series(1, %(many)s) i;
INSERT INTO crowd_assignments_assignment
  (task_id, queue_id, reviewer_id, status, created_at, ended_at, expire_at, data, reason, counted, sequence)
SELECT id, queue_id, %(other)s, 'FINISHED', now(), now(), now(), '1', '', true, 2
FROM crowd_queues_task WHERE status = 'FINISHED';
INSERT INTO crowd_assignments_exclusion (task_id, reviewer_id)
SELECT id, %(reviewer)s FROM crowd_queues_task WHERE status = 'AVAILABLE' AND target_reviewer_id IS NULL
  AND priority = 26 ORDER BY id OFFSET 1000 LIMIT %(skipped)s;
"""

WAYS = [
    Way(*way) for way in product(("fifo", "lifo"), ("important_first", "important_last", "no"), *[(False, True)] * 3)
]


class Crowded:
    """A queue with so much in it, and who asks."""

    def __init__(self) -> None:
        self.queue = cast.queue()
        self.member = cast.join(self.queue, "alice")
        other = Reviewer.objects.of_users([cast.person("bob")], now=self.queue.created_at)
        mine = Reviewer.objects.of_users([self.member.user], now=self.queue.created_at)
        given = {
            "queue": self.queue.pk,
            "user": self.member.user_id,
            "reviewer": mine[self.member.user_id].pk,
            "other": next(iter(other.values())).pk,
            "requester": cast.person("rick").pk,
            "many": MANY,
            "skipped": SKIPPED,
        }
        with connection.cursor() as cursor:
            for statement in filter(str.strip, FILL.split(";\n")):
                cursor.execute(statement, given)
            for model in (Task, Assignment, Exclusion, Event, EventPending, Membership, Reviewer, Queue):
                cursor.execute(f"ANALYZE {model._meta.db_table}")
        self.task = Task.objects.filter(status="AVAILABLE", target_reviewer__isnull=True)[0].pk

    def values(self, way: Way) -> dict[str, Any]:
        return {
            "queue": self.queue.pk,
            "user": self.member.user_id,
            "actor": "1",
            "now": None,
            "swept_to": "-infinity",
            "topic": "topic4",
            "most": 3 if way.several else 1,
            "lease": 600,
            "lease_until": None,
            "seconds": 900,
            "data": "1",
            "task": Task.objects.filter(status="AVAILABLE", target_reviewer__isnull=True).values_list("pk", flat=True)[
                7
            ],
            **way.place("own", HEAD),
            **way.place("head", HEAD),
        }


@pytest.fixture
def crowded() -> Crowded:
    return Crowded()


def plan(statement: Statement, values: dict[str, Any], *, mode: str) -> dict[str, Any]:
    """What a prepared statement does; it is undone afterwards."""
    texts = ", ".join("NULL" if values[name] is None else f"'{values[name]}'" for name in statement.names)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL plan_cache_mode = {mode}")
        cursor.execute(f"PREPARE hot AS {statement.numbered}")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE hot({texts})")
        found = cursor.fetchone()[0]
        cursor.execute("DEALLOCATE hot")
        transaction.set_rollback(True)
    (told,) = json.loads(found) if isinstance(found, str) else found
    assert "JIT" not in told, "compiling it takes longer than the statement"
    return told["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


SMALL = {Queue._meta.db_table, Membership._meta.db_table, Reviewer._meta.db_table, "auth_user"}
"""Tables that are small here, so that reading them whole is no fault."""


def require_bounded(found: dict[str, Any]) -> None:
    read: dict[str, int] = {}
    for node in nodes(found):
        table, kind = node.get("Relation Name"), node["Node Type"]
        rows = node["Actual Rows"]
        if table and "Scan" in kind and table not in SMALL:
            assert kind != "Seq Scan", f"{table} is read whole: {node}"
            passed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            place = f"{table} {node.get('Alias')} by {node.get('Index Name')}"
            read[place] = read.get(place, 0) + (rows + passed) * node["Actual Loops"]
        assert "Sort" not in kind or rows <= 10, f"{rows} rows are sorted"
        assert "Hash" not in kind or rows <= 10, f"{rows} rows are hashed"
    assert sum(read.values()) <= READ_AT_MOST, read


MODES = ("force_custom_plan", "force_generic_plan")


def test_every_hot_statement_reads_a_bounded_number_of_rows(crowded: Crowded) -> None:
    for way, mode in product(WAYS, MODES):
        values = crowded.values(way)
        require_bounded(plan(claiming.grab(way), values, mode=mode))
        further = way.place("own", (15 if way.priority_order == "important_first" else -15, 0))
        require_bounded(plan(claiming.grab(way), {**values, **further}, mode=mode))
        require_bounded(plan(claiming.assign(way), values, mode=mode))
    held = cast.grab(crowded.member).assignments[0]
    for way, mode in product(WAYS, MODES):
        require_bounded(plan(ending.finalize_and_grab(way), {**crowded.values(way), "assignment": held.pk}, mode=mode))
    for make, mode in product((ending.finalize, ending.skip, ending.extend), MODES):
        require_bounded(plan(make(), {**crowded.values(WAYS[0]), "assignment": held.pk}, mode=mode))


LEFT_BEHIND = """
INSERT INTO crowd_assignments_assignment
  (task_id, queue_id, reviewer_id, status, created_at, expire_at, live_slot, reason, counted, sequence)
SELECT id, queue_id, %(other)s, 'CREATED', now(), now() + interval '1 hour', 1, '', NULL, 1
FROM crowd_queues_task WHERE status = 'FINISHED' ORDER BY id LIMIT 1 OFFSET %(number)s;
UPDATE crowd_assignments_assignment SET status = 'SKIPPED', live_slot = NULL, ended_at = now() WHERE status = 'CREATED'
"""
PAGES_AT_MOST = 30


def pages(found: dict[str, Any], table: str) -> dict[str, int]:
    """How many pages were looked at in each scan of a table, by alias and index."""
    return {
        f"{node['Alias']} by {node.get('Index Name')}": node["Shared Hit Blocks"] + node["Shared Read Blocks"]
        for node in nodes(found)
        if node.get("Relation Name") == table and "Scan" in node["Node Type"]
    }


def test_what_was_live_since_a_transaction_is_held_open_is_not_read_again(crowded: Crowded) -> None:
    # This test's own transaction is the one: nothing that it leaves behind can be removed.
    other = Assignment.objects.filter(status="FINISHED")[0].reviewer_id
    with connection.cursor() as cursor:
        for number in range(3_000):
            cursor.execute(LEFT_BEHIND, {"other": other, "number": number})
        cursor.execute(f"ANALYZE {Assignment._meta.db_table}")
    way = WAYS[0]
    statements = [claiming.grab(way), claiming.assign(way)]
    found = [plan(one, crowded.values(way), mode=mode) for one, mode in product(statements, MODES)]
    held = cast.grab(crowded.member).assignments[0]
    values = {**crowded.values(way), "assignment": held.pk}
    ends = [ending.finalize_and_grab(way), ending.finalize(), ending.skip(), ending.extend()]
    found += [plan(one, values, mode=mode) for one, mode in product(ends, MODES)]
    for one in found:
        read = pages(one, Assignment._meta.db_table)
        assert read
        assert max(read.values()) <= PAGES_AT_MOST, read
