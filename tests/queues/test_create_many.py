"""Creating very many tasks: in chunks, by COPY where there is one, and always the rows that a single one would be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from queues import copying, intake, invariants, sequencer, signals
from queues.drafts import TaskDraft
from queues.exceptions import InvalidInput, QueueArchived
from queues.models import Event, EventPending, GlobalKey, Notification, Queue, Task
from queues.notifications import NotificationDraft
from tests import cast

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

ODD = 'tab\t, line\nend\r, \\N, \\., "quotes", ä, ☃, 𝄞 and \x7f'
"""What a line of text with columns has to hide."""


@pytest.fixture
def rick():
    return cast.person("rick")


@pytest.fixture
def digits():
    queue = cast.queue()
    for name in ("alice", "bob"):
        cast.join(queue, name)
    return queue


@pytest.fixture
def portably(monkeypatch):
    """Return `portably()`: from then on nothing is worth copying."""
    return lambda: monkeypatch.setattr(copying, "is_worth", lambda rows: False)


def small(count, **fields):
    return [TaskDraft(**{"input_data": {"n": n}, **fields}) for n in range(count)]


def all_sorts():
    """Drafts that use each field of a draft, enough of them to be copied."""
    return [
        *small(10),
        *small(5, topic=ODD, input_data={ODD: [ODD, None, True, 1.5, -(2**53) + 1, {}]}),
        *small(3, priority=5, target_reviewer="Alice@example.org"),
        *small(3, exclude_reviewers=("bob@example.org",), global_keys=("order-7", ODD)),
        *small(3, schedule_to=NOW + timedelta(hours=1), seconds_to_expire=60),
        *small(3, schedule_to=NOW - timedelta(hours=1), seconds_to_expire=60),
        *small(3, expire_at=NOW + timedelta(microseconds=1), judgments_required=3, has_hook=True),
        *small(3, output_data=ODD),
        *small(3, input_data=False, output_data=0),
    ]


def rows(queue):
    """Everything that creation writes, without ids: tasks with their keys, their exclusions and their events."""
    tasks = list(Task.objects.filter(queue=queue).order_by("id"))
    first = tasks[0].pk if tasks else 0
    told: Any = Event.objects.filter(queue_id=queue.pk, object_type="task").order_by("id")
    pending = set(EventPending.objects.values_list("event_id", flat=True))
    return [
        [
            [getattr(task, field.attname) for field in Task._meta.concrete_fields if field.name not in ("id", "queue")]
            + [list(GlobalKey.objects.filter(task=task).order_by("id").values_list("key", flat=True))]
            + [sorted(task.exclusions.values_list("reviewer__user__username", flat=True))]
            for task in tasks
        ],
        [
            (
                e.type,
                e.object_id - first,
                e.task_id - first,
                e.actor,
                e.sequence,
                e.delta,
                e.created_at,
                e.pk in pending,
            )
            for e in told
        ],
    ]


@pytest.mark.only("postgresql")
def test_copied_rows_are_those_that_few_tasks_would_be(rick, digits, portably):
    other = cast.queue("other")
    for name in ("alice", "bob"):
        cast.join(other, name)
    drafts = all_sorts()
    assert copying.is_worth(len(drafts))
    intake.create_many(queue=digits, requester=rick, drafts=drafts, actor=cast.person("mia"), now=NOW)
    portably()
    intake.create_many(queue=other, requester=rick, drafts=drafts, actor=cast.person("mia"), now=NOW)
    assert rows(digits) == rows(other)


def test_all_sorts_of_tasks_are_as_they_were_meant(rick, digits):
    drafts = all_sorts()
    many = intake.create_many(queue=digits, requester=rick, drafts=iter(drafts), chunk=25, now=NOW)
    tasks = list(Task.objects.order_by("id"))
    assert [task.pk for task in tasks] == many.ids
    assert [task.input_data for task in tasks] == [draft.input_data for draft in drafts]
    assert [task.output_data for task in tasks] == [draft.output_data for draft in drafts]
    assert [task.topic for task in tasks] == [draft.topic for draft in drafts]
    assert [tuple(task.global_keys) for task in tasks] == [draft.global_keys for draft in drafts]
    keys: dict[int, list[str]] = {task.pk: [] for task in tasks}
    for key in GlobalKey.objects.order_by("id"):
        keys[key.task_id].append(key.key)
    assert [keys[task.pk] for task in tasks] == [task.global_keys for task in tasks]
    assert [task.target_reviewer == cast.person("alice") for task in tasks] == [bool(d.target) for d in drafts]
    assert [task.exclusions.count() for task in tasks] == [len(draft.excluded) for draft in drafts]


def test_every_rule_holds_after_it(rick, digits):
    soon = datetime.now(UTC) + timedelta(hours=1)
    drafts = [*small(30, topic="zeros"), *small(3, output_data=1), *small(3, schedule_to=soon, global_keys=("a", "b"))]
    intake.create_many(queue=digits, requester=rick, drafts=drafts, chunk=32)
    assert invariants.broken() == {}
    while sequencer.sequence().count:
        continue
    assert invariants.broken() == {}


def test_each_task_tells_that_it_is_there_and_how_it_begins(rick, digits):
    later = NOW + timedelta(days=1)
    drafts = [*small(30), *small(1, schedule_to=later, topic="zeros"), *small(1, output_data="done")]
    many = intake.create_many(queue=digits, requester=rick, drafts=drafts, now=NOW)
    told = list(Event.objects.filter(object_type="task").order_by("id"))
    assert [event.task_id for event in told] == [pk for pk in many.ids for _event in range(2)]
    assert [event.sequence for event in told] == [1, 2] * 32
    assert {(event.type, event.actor, str(event.delta)) for event in told[::2]} == {
        ("TASK_CREATED", str(rick.pk), "{}")
    }
    assert [(event.type, event.delta) for event in told[-5::2]] == [
        ("TASK_AVAILABLE", {"status": "AVAILABLE", "topic": ""}),
        ("TASK_SCHEDULED", {"status": "SCHEDULED", "topic": "zeros"}),
        ("TASK_FINISHED", {"status": "FINISHED", "topic": ""}),
    ]
    assert EventPending.objects.filter(event__object_type="task").count() == 64


def test_a_single_task_tells_the_same(rick, digits):
    intake.create_task(queue=digits, requester=rick, draft=TaskDraft(input_data=1, topic="ones"))
    told = Event.objects.filter(object_type="task").order_by("id")
    assert [(e.type, e.sequence, e.delta) for e in told] == [
        ("TASK_CREATED", 1, {}),
        ("TASK_AVAILABLE", 2, {"status": "AVAILABLE", "topic": "ones"}),
    ]


@pytest.mark.parametrize("count", [1, copying.WORTH + 5])
def test_the_tasks_that_come_back_are_those_that_are_kept(rick, digits, count):
    tasks = intake.create_tasks(queue=digits, requester=rick, drafts=small(count, seconds_to_expire=9), now=NOW)
    kept = Task.objects.in_bulk([task.pk for task in tasks])
    for task in tasks:
        assert {field.attname: getattr(task, field.attname) for field in Task._meta.concrete_fields} == {
            field.attname: getattr(kept[task.pk], field.attname) for field in Task._meta.concrete_fields
        }
        assert task._state.adding is False
    task.refresh_from_db()


def test_no_draft_makes_no_task(rick, digits):
    assert intake.create_many(queue=digits, requester=rick, drafts=[]) == intake.CreatedMany([], [])
    assert not Task.objects.exists()


def test_a_chunk_has_a_task_or_more(rick, digits):
    with pytest.raises(ValueError, match="one task or more"):
        intake.create_many(queue=digits, requester=rick, drafts=small(1), chunk=0)


def test_a_stream_is_read_a_chunk_at_a_time(rick, digits):
    seen = []

    def drafts():
        for draft in small(70):
            seen.append(Task.objects.count())
            yield draft

    intake.create_many(queue=digits, requester=rick, drafts=drafts(), chunk=30)
    assert seen == [0] * 30 + [30] * 30 + [60] * 10


@pytest.mark.parametrize("wrong", [{"priority": 3}, {"target_reviewer": "carol@example.org"}, {"expire_at": NOW}])
def test_a_bad_chunk_leaves_nothing_of_itself_and_says_where_the_faults_are(rick, digits, wrong):
    drafts = small(100)
    drafts[65], drafts[83] = small(1, **wrong)[0], small(1, **wrong)[0]
    with pytest.raises(InvalidInput) as refused:
        intake.create_many(queue=digits, requester=rick, drafts=drafts, chunk=30, now=NOW)
    (member,) = wrong
    assert [error["index"] for error in refused.value.errors] == [65, 83]
    assert [error["pointer"] for error in refused.value.errors] == [f"/65/{member}", f"/83/{member}"]
    assert refused.value.extra == {"errors": refused.value.errors, "created": 60}
    assert [task.input_data["n"] for task in Task.objects.order_by("id")] == list(range(60))
    assert (
        Event.objects.filter(object_type="task").count()
        == EventPending.objects.exclude(event__object_type="queue").count()
        == 120
    )


def test_what_goes_wrong_at_the_end_of_a_chunk_undoes_it(rick, digits):
    def fail(tasks, **_):
        if tasks[0].input_data["n"] == 30:
            raise RuntimeError("no")

    signals.tasks_created.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            intake.create_many(queue=digits, requester=rick, drafts=small(90, global_keys=("k",)), chunk=30)
    finally:
        signals.tasks_created.disconnect(fail)
    assert (Task.objects.count(), GlobalKey.objects.count()) == (30, 30)
    assert Event.objects.filter(object_type="task").count() == 60
    assert invariants.broken() == {}


def test_a_queue_that_is_deleted_meanwhile_takes_no_more(rick, digits):
    def drafts():
        yield from small(30)
        Queue.objects.update(archived_at=NOW)
        yield from small(30)

    with pytest.raises(QueueArchived) as refused:
        intake.create_many(queue=digits, requester=rick, drafts=drafts(), chunk=30)
    assert refused.value.extra["created"] == Task.objects.count() == 30


@pytest.mark.parametrize("text", ["nul \0", "half \ud800"])
@pytest.mark.parametrize("member", ["topic", "input_data", "global_keys"])
@pytest.mark.parametrize("count", [1, copying.WORTH])
def test_text_that_not_every_database_keeps_is_refused(rick, digits, text, member, count):
    value = (text,) if member == "global_keys" else text
    with pytest.raises(InvalidInput) as refused:
        intake.create_many(queue=digits, requester=rick, drafts=small(count, **{member: value}))
    assert [error["pointer"] for error in refused.value.errors] == [f"/{n}/{member}" for n in range(count)]


def test_settings_come_with_the_tasks_of_each_chunk(rick, digits, settings):
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    setting = NotificationDraft(endpoint="http://127.0.0.1:9/", events_to_notify=("TASK_FINISHED",))
    many = intake.create_many(queue=digits, requester=rick, drafts=small(60, notifications=(setting,)), chunk=30)
    assert [made.notification.task_id for made in many.settings] == many.ids
    assert [bool(made.secret) for made in many.settings] == [True] * 30 + [False] * 30
    assert Notification.objects.count() == 60


def test_faults_of_a_chunk_are_told_before_its_endpoints_are_looked_up(rick, digits):
    setting = NotificationDraft(endpoint="https://nobody.invalid/", events_to_notify=("TASK_FINISHED",))
    drafts = [*small(30), *small(1, notifications=(setting,)), *small(1, priority=3)]
    with pytest.raises(InvalidInput) as refused:
        intake.create_many(queue=digits, requester=rick, drafts=drafts, chunk=30)
    assert [error["pointer"] for error in refused.value.errors] == ["/31/priority"]
    drafts.pop()
    with pytest.raises(InvalidInput) as refused:
        intake.create_many(queue=digits, requester=rick, drafts=drafts, chunk=30)
    assert [error["pointer"] for error in refused.value.errors] == ["/30/notifications/0/endpoint"]


def test_the_statements_do_not_grow_with_the_tasks(rick, digits, django_assert_num_queries):
    intake.create_many(queue=digits, requester=rick, drafts=small(30, global_keys=("k",)))
    if connection.vendor != "postgresql":
        return
    # A savepoint and its end; the clock, the queue; ids, tasks, keys and events.
    with django_assert_num_queries(8):
        intake.create_many(queue=digits, requester=rick, drafts=small(1000, global_keys=("k",)))


@pytest.mark.parametrize("count", [1, 40])
def test_what_is_created_here_is_preferred_at_once_where_it_is_better(rick, digits, count):
    alice = cast.join(cast.queue("letters"), "alice")
    letters = alice.queue
    cast.post(letters, 5)
    for _look in range(2):
        cast.grab(alice, multitask_index=_look + 1)
    (first, *_) = cast.post(letters, count, priority=100)
    found = cast.grab(alice, multitask_index=3).assignments
    assert first.pk in [assignment.task_id for assignment in found]
