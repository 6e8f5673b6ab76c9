"""Each invariant, seen to fail once: break the data behind the writers' back, and its name is called."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from assignments import census
from assignments.models import Assignment, Exclusion
from queues import invariants
from queues.models import Endpoint, Event, EventPending, FeedEntry, GlobalKey, Membership, Queue, Task
from queues.sequencer import sequence
from tests import cast, outbox
from tests.pavilion import breaks as pool_breaks
from tests.routing import breaks as run_breaks

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LATER = NOW + timedelta(hours=1)


def without_constraint(name: str) -> None:
    """Take a constraint or unique index away until the test's transaction is rolled back."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"DROP INDEX {name}")


def two_live_in_one_slot() -> None:
    without_constraint("assignment_live_slot")
    Assignment.objects.filter(live_slot=2).update(live_slot=1)


def one_person_twice() -> None:
    without_constraint("assignment_counted")
    first, second = Assignment.objects.filter(status="CREATED")[:2]
    Assignment.objects.filter(pk=second.pk).update(task=first.task_id)


def more_than_anyone_may_hold() -> None:
    without_constraint("assignment_live_slot")
    held = Assignment.objects.filter(status="CREATED").first()
    for task in cast.post(held.queue, 10):
        Assignment(task=task, queue=held.queue, reviewer=held.reviewer, created_at=NOW, live_slot=9).save()


def own_work_where_it_is_forbidden() -> None:
    Queue.objects.update(requester_may_review=False)
    done = Assignment.objects.filter(status="FINISHED").first()
    Task.objects.filter(pk=done.task_id).update(requester=done.reviewer.user)


def miscounted() -> None:
    census.roll_up()
    Task.objects.filter(status="AVAILABLE").update(topic="another")


def places_exchanged() -> None:
    first, last = FeedEntry.objects.filter(event__task_id=Task.objects.first().pk).values_list("position", flat=True)[
        :2
    ]
    for was, becomes in ((first, 0), (last, first), (0, last)):
        FeedEntry.objects.filter(position=was).update(position=becomes)


BREAKS: list[tuple[str, Callable[[], object]]] = [
    (
        "history_tells_the_status",
        lambda: Event.objects.filter(type="TASK_FINISHED").update(delta={"status": "EXPIRED"}),
    ),
    ("every_move_was_allowed", lambda: Event.objects.filter(type="TASK_AVAILABLE").update(delta={"status": "EXPIRED"})),
    ("a_type_says_the_status", lambda: Event.objects.filter(type="TASK_AVAILABLE").update(delta={})),
    ("history_has_no_gap", lambda: Event.objects.filter(type="TASK_AVAILABLE").delete()),
    ("every_event_is_pending_or_has_its_place", lambda: FeedEntry.objects.last().delete()),
    ("what_is_pending_happened", lambda: EventPending.objects.create(event_id=10**9)),
    ("the_feed_has_no_gap", lambda: FeedEntry.objects.filter(position=2).delete()),
    ("the_feed_keeps_the_order_of_a_task", places_exchanged),
    ("no_delivery_is_due_before_its_endpoint", lambda: Endpoint.objects.update(due_at=LATER)),
    (
        "history_tells_the_assignments_status",
        lambda: Event.objects.filter(type="ASSIGNMENT_FINISHED").update(delta={"status": "SKIPPED"}),
    ),
    ("an_assignments_history_is_complete", lambda: Assignment.objects.update(sequence=9)),
    (
        "a_type_says_the_assignments_status",
        lambda: Event.objects.filter(type="ASSIGNMENT_CREATED").update(delta={"status": "EXPIRED"}),
    ),
    ("events_count_the_open_slots", lambda: Event.objects.filter(type="ASSIGNMENT_CREATED").delete()),
    ("history_is_complete", lambda: Task.objects.update(sequence=9)),
    (
        "a_closed_task_tells_nothing_more",
        lambda: Event.objects.filter(type="TASK_CREATED").update(type="TASK_CANCELED"),
    ),
    ("a_target_may_review", lambda: Task.objects.filter(status="ASSIGNED").update(target_reviewer=cast.person("eve"))),
    ("shown_keys_are_the_kept_ones", lambda: GlobalKey.objects.all().delete()),
    ("slots_add_up", lambda: Assignment.objects.filter(status="CREATED").delete()),
    (
        "finished_means_judged",
        lambda: Task.objects.filter(status="FINISHED", judgments_required=1).update(judgments_required=2),
    ),
    (
        "nothing_is_live_under_a_closed_task",
        lambda: Task.objects.filter(status="ASSIGNED").update(status="CANCELED"),
    ),
    ("one_live_assignment_a_slot", two_live_in_one_slot),
    ("nobody_is_over_capacity", more_than_anyone_may_hold),
    ("nobody_is_twice_on_a_task", one_person_twice),
    (
        "exclusions_are_honoured",
        lambda: [
            Exclusion.objects.create(task=held.task, reviewer=held.reviewer)
            for held in Assignment.objects.filter(status="CREATED")
        ],
    ),
    ("a_lease_ends_with_its_task", lambda: Task.objects.filter(status="ASSIGNED").update(expire_at=NOW)),
    ("holders_may_review", lambda: Membership.objects.reviewers().delete()),
    (
        "a_targeted_task_is_in_the_targets_hands",
        lambda: Task.objects.filter(status="ASSIGNED").update(target_reviewer=cast.person("bob")),
    ),
    ("nobody_judges_their_own", own_work_where_it_is_forbidden),
    ("an_assignment_is_of_its_tasks_queue", lambda: Assignment.objects.update(queue=cast.queue("other"))),
    ("the_census_is_right", miscounted),
    ("the_judge_is_named", lambda: Task.objects.filter(status="FINISHED").update(reviewer=cast.person("bob"))),
    *pool_breaks.BREAKS,
    *run_breaks.BREAKS,
]


@pytest.fixture
def history() -> None:
    """A queue in which something happened: a judged task, two in alice's hands, one that waits; a pool's; and runs."""
    from assignments import lifecycle

    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.join(queue, "bob")
    cast.post(queue, 4, global_keys=("batch:1",))
    done = cast.grab(alice).assignments[0]
    lifecycle.finalize(assignment_id=done.pk, data={"label": "3"})
    cast.grab(alice, multitask_index=2)
    (waiting,) = outbox.waiting(outbox.endpoint(), now=NOW)
    assert waiting.status == "WAITING"
    pool_breaks.history()
    run_breaks.history()
    sequence()


def test_a_history_made_by_the_writers_breaks_none(history: None) -> None:
    assert invariants.broken() == {}


def test_the_command_names_what_is_broken(history: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_invariants")
    assert "invariants hold" in capsys.readouterr().out
    FeedEntry.objects.filter(position=2).delete()
    with pytest.raises(CommandError, match=r"^2 of "):
        call_command("check_invariants")
    said = capsys.readouterr().err
    assert "the_feed_has_no_gap: Positions rise by one" in said
    assert "every_event_is_pending_or_has_its_place" in said


@pytest.mark.parametrize(("name", "break_it"), BREAKS, ids=[name for name, _ in BREAKS])
def test_broken_data_is_called_by_name(history: None, name: str, break_it: Callable[[], object]) -> None:
    break_it()
    assert invariants.rules()[name].broken()[:1]


def test_every_invariant_was_seen_to_fail() -> None:
    assert set(invariants.rules()) == {name for name, _ in BREAKS}
