"""Each invariant, seen to fail once: break the data behind the writers' back, and its name is called."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from assignments import census, lifecycle
from assignments.models import Assignment, Exclusion, Reviewer
from queues import invariants, notifications
from queues.lifecycle import update_task
from queues.models import (
    Delivery,
    Endpoint,
    Event,
    EventPending,
    FeedEntry,
    GlobalKey,
    Membership,
    Notification,
    Queue,
    Task,
)
from queues.notifications import NotificationDraft
from queues.priority import Change
from queues.sequencer import sequence
from queues.states import Level
from tests import cast, outbox
from tests.breaking import without
from tests.pavilion import breaks as pool_breaks
from tests.routing import breaks as run_breaks

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LATER = NOW + timedelta(hours=1)


def two_live_in_one_slot() -> None:
    without("assignment_live_slot")
    Assignment.objects.filter(live_slot=2).update(live_slot=1)


def live_without_a_slot() -> None:
    without("assignment_live_has_slot")
    Assignment.objects.filter(live_slot=2).update(live_slot=None)


def one_person_twice() -> None:
    without("assignment_counted")
    first, second = Assignment.objects.filter(status="CREATED", queue__name="digits")[:2]
    Assignment.objects.filter(pk=second.pk).update(task=first.task_id)


def finished_without_an_output() -> None:
    without("task_finished_has_output")
    Task.objects.filter(status="FINISHED").update(output_data=None)


def assigned_with_an_open_slot() -> None:
    without("task_open_slots_fit")
    Task.objects.filter(status="ASSIGNED").update(open_slots=1)


def own_work_where_it_is_forbidden() -> None:
    Queue.objects.update(requester_may_review=False)
    done = Assignment.objects.filter(status="FINISHED").first()
    Task.objects.filter(pk=done.task_id).update(requester=done.reviewer.user)


def miscounted() -> None:
    census.roll_up()
    Task.objects.filter(status="AVAILABLE").update(topic="another")


def places_exchanged() -> None:
    places = FeedEntry.objects.filter(event__task_id=Task.objects.first().pk)
    first, last = places.values_list("position", flat=True)[:2]
    for was, becomes in ((first, 0), (last, first), (0, last)):
        FeedEntry.objects.filter(position=was).update(position=becomes)


def skipped() -> Any:
    return Assignment.objects.filter(status="SKIPPED")


def handed_out_again() -> None:
    """As if the skipped task had come back to the same reviewer, who has it."""
    before = skipped().get()
    last = Assignment.objects.filter(reviewer=before.reviewer).latest("pk")
    Assignment.objects.filter(pk=last.pk).update(task=before.task_id)


def bobs_reviewer() -> Reviewer:
    return Reviewer.objects.get(user__username="bob")


def changed(**fields: Any) -> Callable[[], object]:
    """As if a task that tells of its changes had others."""
    return lambda: Task.objects.filter(topic="changed").update(**fields)


BREAKS: list[tuple[str, Callable[[], object]]] = [
    ("every_constraint_is_in_the_database", lambda: without("assignment_counted")),
    (
        "history_tells_the_status",
        lambda: Event.objects.filter(type="TASK_FINISHED").update(delta={"status": "EXPIRED"}),
    ),
    ("every_move_was_allowed", lambda: Event.objects.filter(type="TASK_AVAILABLE").update(delta={"status": "EXPIRED"})),
    ("a_type_says_the_status", lambda: Event.objects.filter(type="TASK_AVAILABLE").update(delta={})),
    ("history_has_no_gap", lambda: Event.objects.filter(type="TASK_AVAILABLE").delete()),
    ("changes_tell_the_fields", changed(priority=7)),
    ("changes_tell_the_fields", changed(topic="other")),
    ("changes_tell_the_fields", changed(target_reviewer=None)),
    ("changes_tell_the_fields", changed(schedule_to=LATER)),
    ("changes_tell_the_fields", changed(expire_at=LATER)),
    ("changes_tell_the_fields", changed(expire_at=None)),
    ("changes_tell_the_fields", lambda: Task.objects.filter(topic="plain").update(target_reviewer=cast.person("eve"))),
    ("events_name_the_topic", lambda: Task.objects.filter(status="FINISHED").update(topic="other")),
    ("events_are_of_their_tasks_queue", lambda: Task.objects.update(queue=cast.queue("other"))),
    ("a_queues_history_is_complete", lambda: Queue.objects.filter(name="digits").update(sequence=9)),
    ("a_queues_history_is_complete", lambda: Queue.objects.filter(name="digits").update(archived_at=NOW)),
    ("every_event_is_pending_or_has_its_place", lambda: FeedEntry.objects.last().delete()),
    ("what_is_pending_happened", lambda: EventPending.objects.create(event_id=10**9)),
    ("the_feed_has_no_gap", lambda: FeedEntry.objects.filter(position=2).delete()),
    ("the_feed_keeps_the_order_of_a_task", places_exchanged),
    ("no_delivery_is_due_before_its_endpoint", lambda: Endpoint.objects.update(due_at=LATER)),
    ("every_event_was_told", lambda: told("task").delete()),
    ("every_event_was_told", lambda: told("queue").delete()),
    ("every_event_was_told", lambda: told("site").delete()),
    (
        "history_tells_the_assignments_status",
        lambda: Event.objects.filter(type="ASSIGNMENT_FINISHED").update(delta={"status": "SKIPPED"}),
    ),
    ("an_assignments_history_is_complete", lambda: Assignment.objects.update(sequence=9)),
    (
        "a_type_says_the_assignments_status",
        lambda: Event.objects.filter(type="ASSIGNMENT_CREATED").update(delta={"status": "EXPIRED"}),
    ),
    (
        "an_ended_assignment_tells_nothing_more",
        lambda: Event.objects.filter(type="ASSIGNMENT_CREATED").update(type="ASSIGNMENT_SKIPPED"),
    ),
    ("an_ended_assignment_tells_nothing_more", lambda: skipped().update(ended_at=LATER)),
    ("events_tell_the_lease", lambda: Assignment.objects.filter(status="CREATED").update(expire_at=LATER)),
    (
        "events_tell_the_lease",
        lambda: skipped().update(reviewer=Assignment.objects.exclude(pk__in=skipped())[0].reviewer),
    ),
    ("events_count_the_open_slots", lambda: Event.objects.filter(type="ASSIGNMENT_CREATED").delete()),
    ("history_is_complete", lambda: Task.objects.update(sequence=9)),
    (
        "a_closed_task_tells_nothing_more",
        lambda: Event.objects.filter(type="TASK_CREATED").update(type="TASK_CANCELED"),
    ),
    ("a_closed_task_has_not_changed", lambda: Task.objects.filter(status="FINISHED").update(updated_at=LATER)),
    ("finished_has_an_output", finished_without_an_output),
    ("a_target_may_review", lambda: Task.objects.filter(status="ASSIGNED").update(target_reviewer=cast.person("eve"))),
    ("shown_keys_are_the_kept_ones", lambda: GlobalKey.objects.all().delete()),
    ("slots_add_up", lambda: Assignment.objects.filter(status="CREATED").delete()),
    ("a_status_says_whether_a_slot_is_open", assigned_with_an_open_slot),
    (
        "finished_means_judged",
        lambda: Task.objects.filter(status="FINISHED", judgments_required=1).update(judgments_required=2),
    ),
    ("finished_means_judged", lambda: Assignment.objects.filter(status="FINISHED").delete()),
    (
        "the_output_is_the_answer",
        lambda: Task.objects.filter(judgments_required=1, status="FINISHED").update(output_data=4),
    ),
    (
        "the_output_is_what_most_said",
        lambda: Task.objects.filter(judgments_required=2).update(output_data={"label": "7", "agreement": 0.5}),
    ),
    (
        "nothing_is_live_under_a_closed_task",
        lambda: Task.objects.filter(status="ASSIGNED").update(status="CANCELED"),
    ),
    ("one_live_assignment_a_slot", two_live_in_one_slot),
    ("what_is_live_has_a_slot", live_without_a_slot),
    ("nobody_is_over_capacity", lambda: Queue.objects.update(max_multitask=1)),
    ("nobody_is_over_capacity", lambda: Membership.objects.filter(role="reviewer").update(max_live=1)),
    ("nobody_is_twice_on_a_task", one_person_twice),
    (
        "exclusions_are_honoured",
        lambda: [
            Exclusion.objects.create(task=held.task, reviewer=held.reviewer)
            for held in Assignment.objects.filter(status="CREATED")
        ],
    ),
    ("a_skip_keeps_the_task_away", handed_out_again),
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


def told(level: str) -> Any:
    """The last delivery by the setting of this level, as if it had got lost."""
    return Delivery.objects.filter(notification_id=Notification.objects.get(level=level).pk).order_by("-pk")[0]


def tell(level: Level, owner: str, *types: str, **of: Any) -> None:
    draft = NotificationDraft(endpoint=f"https://93.184.216.34/{level}", events_to_notify=types)
    notifications.create(level=level, draft=draft, owner=cast.person(owner), now=NOW, **of)


def work() -> None:
    """A queue in which something happened: a task that two judged, one that alice did, two in her hands, one that she
    skipped, one that was changed, one that waits.
    """
    before = NOW - timedelta(hours=1)
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    bob = cast.join(queue, "bob")
    Event.objects.update(created_at=before)
    Membership.objects.update(created_at=before)
    cast.post(queue, 1, judgments_required=2)
    for member, label in ((alice, "3"), (bob, "7")):
        (held,) = cast.grab(member).assignments
        lifecycle.finalize(assignment_id=held.pk, data={"label": label})
    posted = cast.post(queue, 5, global_keys=("batch:1",))
    tell(Level.TASK, "rick", "TASK_FINISHED", task=posted[0])
    tell(Level.QUEUE, "mia", "TASK_FINISHED", "ASSIGNMENT_CREATED", queue=queue)
    tell(Level.SITE, "root", "TASK_AVAILABLE")
    done, passed = cast.grab(alice, multitask_index=2).assignments
    lifecycle.finalize(assignment_id=done.pk, data={"label": "3"})
    lifecycle.skip(assignment_id=passed.pk, seconds_to_expire=600)
    cast.grab(alice, multitask_index=2)
    (task,) = cast.post(queue, 1, topic="new")
    values = {"priority": Change(5), "topic": "changed", "target_reviewer": bob.user}
    update_task(task_id=task.pk, changes={**values, "schedule_to": NOW + timedelta(days=1)})
    update_task(task_id=task.pk, changes={"expire_at": NOW + timedelta(days=2)})
    (task,) = cast.post(queue, 1, topic="plain", target_reviewer="bob@example.org", expire_at=NOW + timedelta(days=2))
    update_task(task_id=task.pk, changes={"target_reviewer": None, "expire_at": None})
    (waiting,) = outbox.waiting(outbox.endpoint(), now=NOW)
    assert waiting.status == "WAITING"


@pytest.fixture
def history() -> Iterator[None]:
    """Something of all that may be broken."""
    cast.person("root", is_superuser=True)
    work()
    pool_breaks.history()
    run_breaks.history()
    while sequence(now=LATER).count:
        continue
    yield
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA ignore_check_constraints = 0")


def test_a_history_made_by_the_writers_breaks_none(history: None) -> None:
    assert invariants.broken() == {}


def command(
    capsys: pytest.CaptureFixture[str], *arguments: str, status: str | None = None
) -> tuple[list[str], list[str]]:
    """What `manage.py check_invariants` writes to its output and its errors; `status`: how it says that it failed."""
    if status is None:
        call_command("check_invariants", *arguments)
    else:
        with pytest.raises(CommandError, match=status):
            call_command("check_invariants", *arguments)
    said = capsys.readouterr()
    return said.out.splitlines(), said.err.splitlines()


def test_the_command_names_what_is_broken(history: None, capsys: pytest.CaptureFixture[str]) -> None:
    number = len(invariants.rules())
    (said,), _errors = command(capsys)
    assert said.startswith(f"{number} invariants hold (")
    FeedEntry.objects.filter(position=2).delete()
    _said, errors = command(capsys, status=rf"^2 of {number} invariants are broken\.$")
    assert errors == [
        "every_event_is_pending_or_has_its_place: "
        "An event is pending, or has its place in the feed, or had it and was purged from there.",
        "  Broken by 1:",
        f"  crowd_queues.Event {Event.objects.order_by('pk')[1].pk}",
        "the_feed_has_no_gap: Positions rise by one, from the last that was purged.",
        "  Broken by 1:",
        "  crowd_queues.FeedEntry 3",
    ]


def test_the_command_counts_more_than_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    for event_id in range(10**9, 10**9 + 12):
        EventPending.objects.create(event_id=event_id)
    _said, errors = command(capsys, "--rule=what_is_pending_happened", status=r"^1 of 1 invariants are broken\.$")
    assert errors[1] == "  Broken by 12, first by:"
    assert len(errors[2:]) == 10
    EventPending.objects.all().delete()


def test_the_command_asks_for_the_rules_that_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    (one, all_), _errors = command(capsys, "--rule=slots_add_up", "-v2")
    assert one.startswith("slots_add_up: holds (")
    assert all_.startswith("1 invariants hold (")
    listed, _errors = command(capsys, "--list")
    assert len(listed) == len(invariants.rules())
    assert "the_feed_has_no_gap: Positions rise by one, from the last that was purged." in listed
    command(capsys, "--rule=slots_add", status=r"^There is no rule slots_add; --list names them all\.$")


def calls(name: str, break_it: Callable[[], object]) -> bool:
    """Whether the rule of this name calls what was broken, which is undone."""
    with transaction.atomic():
        break_it()
        called = bool(invariants.rules()[name].broken()[:1])
        transaction.set_rollback(True)
    return called


def test_broken_data_is_called_by_name(history: None) -> None:
    """All in one history, for that takes longer than to break it."""
    assert [name for name, break_it in BREAKS if not calls(name, break_it)] == []


def test_every_invariant_was_seen_to_fail() -> None:
    assert set(invariants.rules()) == {name for name, _ in BREAKS}
