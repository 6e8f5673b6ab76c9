"""What the rules cost at size: `python -m benchmarks.invariants`. About ten minutes.

Each rule of `manage.py check_invariants`, once, on a PostgreSQL (fsync on) of its own with a million tasks, half of
them judged, all their events and places in the feed, and a delivery for each that was judged. Every rule must hold.
Writes docs/benchmarks/invariants.md unless QUICK=1, which takes a hundredth of the tasks.
"""

import os
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from benchmarks.desk import DURABLE
from benchmarks.figures import machine
from tests.servers import postgresql

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "invariants.md"
BEGIN, END = "<!-- written by the benchmark: begin -->\n", "<!-- written by the benchmark: end -->\n"
QUICK = os.environ.get("QUICK") == "1"
TASKS = 10_000 if QUICK else 1_000_000
REVIEWERS = 20
SHOWN = 10
"""How many rules the report names, of those that took longest."""

FILL = (
    """
INSERT INTO crowd_queues_task
  (queue_id, requester_id, reviewer_id, input_data, output_data, status, created_at, updated_at, topic, priority,
   global_keys, judgments_required, open_slots, has_hook, sequence)
SELECT %(queue)s, %(user)s, CASE WHEN i %% 2 = 1 THEN reviewer.user_id END, '{"n": 1}',
  CASE WHEN i %% 2 = 1 THEN '1'::jsonb END, CASE WHEN i %% 2 = 1 THEN 'FINISHED' ELSE 'AVAILABLE' END, now(), now(),
  'topic ' || i / 2 %% 20, 500, '[]', 1, 1 - i %% 2, false, 2 + i %% 2
FROM generate_series(1, %(tasks)s) i
JOIN crowd_assignments_reviewer reviewer ON reviewer.id = %(first)s + i %% %(crowd)s""",
    """
INSERT INTO crowd_assignments_assignment
  (task_id, queue_id, reviewer_id, status, created_at, ended_at, data, reason, counted, sequence)
SELECT task.id, queue_id, reviewer.id, 'FINISHED', now(), now(), output_data, '', true, 2
FROM crowd_queues_task task JOIN crowd_assignments_reviewer reviewer ON reviewer.user_id = task.reviewer_id
ORDER BY task.id""",
    """
INSERT INTO crowd_queues_event
  (type, object_type, object_id, queue_id, task_id, actor, sequence, delta, created_at)
SELECT kind.type, kind.object_type, CASE kind.object_type WHEN 'task' THEN task.id ELSE own.id END, task.queue_id,
  task.id, '', kind.sequence,
  kind.delta || CASE WHEN kind.type IN ('TASK_AVAILABLE', 'TASK_FINISHED', 'ASSIGNMENT_CREATED')
    THEN jsonb_build_object('topic', task.topic) ELSE '{}' END
    || CASE WHEN kind.type = 'ASSIGNMENT_CREATED'
    THEN jsonb_build_object('reviewer', own.reviewer_id, 'expire_at', NULL) ELSE '{}' END, now()
FROM crowd_queues_task task LEFT JOIN crowd_assignments_assignment own ON own.task_id = task.id CROSS JOIN (VALUES
  (1, 'TASK_CREATED', 'task', 1, '{}'::jsonb),
  (2, 'TASK_AVAILABLE', 'task', 2, '{"status": "AVAILABLE"}'),
  (3, 'ASSIGNMENT_CREATED', 'assignment', 1, '{"status": "CREATED", "task_status": "ASSIGNED", "open_slots": 0}'),
  (4, 'ASSIGNMENT_FINISHED', 'assignment', 2, '{"status": "FINISHED", "task_status": "FINISHED", "open_slots": 0}'),
  (5, 'TASK_FINISHED', 'task', 3, '{"status": "FINISHED", "was": "ASSIGNED"}')
) kind (number, type, object_type, sequence, delta)
WHERE kind.number < 3 OR own.id IS NOT NULL ORDER BY task.id, kind.number""",
    """
INSERT INTO crowd_queues_feedentry (position, event_id, queue_id, sequenced_at)
SELECT %(position)s + row_number() OVER (ORDER BY id), id, queue_id, now() FROM crowd_queues_event
WHERE task_id IS NOT NULL""",
    """
INSERT INTO crowd_queues_delivery
  (event_id, endpoint_id, notification_id, type, queue_id, task_id, headers, body, status, tries, tries_before,
   give_up_at, created_at, ended_at)
SELECT event.id, setting.endpoint_id, setting.id, event.type, event.queue_id, event.task_id, '', '{}', 'FINISHED', 1, 0,
  now(), now(), now() - interval '1 hour'
FROM crowd_queues_event event CROSS JOIN crowd_queues_notification setting WHERE event.type = 'TASK_FINISHED'""",
)


def fill() -> None:
    """A queue with so many tasks, in the state and with the history that writers would have left."""
    from datetime import timedelta

    from django.db import connection, transaction

    from assignments import census
    from assignments.models import Reviewer
    from queues import feed, notifications
    from queues.models import Membership
    from queues.notifications import NotificationDraft
    from queues.sequencer import sequence
    from queues.states import Level
    from queues.transactions import database_now
    from tests import cast

    long_ago = database_now() - timedelta(days=1)
    queue, mia = cast.queue(), cast.person("mia")
    users = [cast.join(queue, f"reviewer{number}").user for number in range(REVIEWERS)]
    Membership.objects.update(created_at=long_ago)
    reviewers = Reviewer.objects.of_users(users, now=long_ago)
    draft = NotificationDraft(endpoint="https://93.184.216.34/", events_to_notify=("TASK_FINISHED",))
    notifications.create(level=Level.QUEUE, draft=draft, owner=mia, queue=queue, now=long_ago)
    while sequence().count:
        continue
    values = {
        "queue": queue.pk,
        "user": mia.pk,
        "tasks": TASKS,
        "first": min(reviewer.pk for reviewer in reviewers.values()),
        "crowd": REVIEWERS,
        "position": feed.mark().position,
    }
    # In one transaction, whose time all of it has.
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement, values)
    census.roll_up()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def measure() -> dict[str, float]:
    """Rule → the seconds that it took. Ends the program where one does not hold."""
    from queues import invariants

    took = {}
    for name, rule in invariants.rules().items():
        began = monotonic()
        broken = invariants.ask(rule)
        took[name] = monotonic() - began
        if broken is not None:
            raise SystemExit(f"{name} does not hold: {broken}")
        print(f"{took[name]:7.2f} s  {name}", flush=True)
    return took


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {
            "DATABASE_URL": stack.enter_context(postgresql(folder, **DURABLE)),
            "CROWDSITE_DATA_DIR": str(folder / "site"),
            "REDIS_URL": "redis://127.0.0.1:1",
            "DJANGO_SETTINGS_MODULE": "crowdsite.settings",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        fill()
        took = measure()
        connection.ensure_connection()
        version = ".".join(str(part) for part in divmod(connection.connection.info.server_version, 10000))
        said = report(took, version)
        connection.close()
    print(said)
    if not QUICK:
        before, _begin, rest = REPORT.read_text().partition(BEGIN)
        _old, _end, after = rest.partition(END)
        REPORT.write_text(before + BEGIN + "\n" + said + "\n" + END + after)


def report(took: dict[str, float], version: str) -> str:
    """The figures in Markdown."""
    longest = sorted(took.items(), key=lambda one: -one[1])
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine(version)}",
        f"Load average over the last five minutes: {os.getloadavg()[1]:.1f}.",
        "",
        f"| at {TASKS:,} tasks, half of them judged | seconds |",
        "|---|---:|",
        f"| all {len(took)} rules | {sum(took.values()):.0f} |",
        *(f"| `{name}` | {seconds:.1f} |" for name, seconds in longest[:SHOWN]),
        f"| the others, each at most | {longest[SHOWN][1]:.1f} |",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
