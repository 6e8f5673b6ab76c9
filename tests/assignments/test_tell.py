"""What sockets hear: each what concerns them, of work as a hint and never its content."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from assignments import lifecycle, pushes, standing
from assignments.consumers import counting
from queues import administration, members
from queues.lifecycle import cancel_task, update_task
from queues.models import Event, Membership
from tests import cast
from tests.site.serving import until
from tests.sockets import LONG, serving, telling

pytestmark = pytest.mark.threads

DIGITS = "queues/digits/"


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.fixture
def site(server, transactional_db):
    with telling(server):
        yield server


@pytest.fixture
def digits(transactional_db):
    queue = cast.queue("digits")
    cast.join(queue, "rick", "requester")
    cast.join(queue, "alice")
    cast.join(queue, "bob")
    return queue


def membership(name):
    return Membership.objects.get(user__username=name, role="reviewer")


def grab(name, **call):
    (assignment,) = cast.grab(membership(name), **call).assignments
    return assignment


# Work.


def test_reviewers_and_managers_hear_of_work(site, digits):
    with site.of("alice", DIGITS) as alice, site.of("mia", DIGITS) as mia:
        cast.post(digits)
        assert alice.next() == {"type": "available"}
        assert mia.next() == {"type": "available"}


def test_others_hear_nothing_of_it(site, digits):
    cast.join(cast.queue("letters"), "carol")
    with site.of("alice", DIGITS) as alice, site.of("carol", "queues/letters/") as carol:
        cast.post(digits)
        alice.until("available")
        assert carol.quiet() == []


def test_a_lot_is_one_message_for_a_queue(digits):
    before = Event.objects.latest("pk").pk
    cast.post(digits, 50)
    told = [push for push in pushes.told(Event.objects.filter(pk__gt=before)) if push.message["type"] == "available"]
    assert [push.group for push in told] == [pushes.of_queue(digits.pk)]


def test_a_task_for_one_reviewer_is_told_to_them_alone(site, digits):
    with site.of("alice", DIGITS) as alice, site.of("bob", DIGITS) as bob:
        cast.post(digits, target_reviewer="alice@example.org")
        assert alice.next() == {"type": "available"}
        assert bob.quiet() == []


def test_a_task_that_loses_its_target_is_told_to_all(site, digits):
    (task,) = cast.post(digits, target_reviewer="alice@example.org")
    with site.of("bob", DIGITS) as bob:
        update_task(task_id=task.pk, changes={"target_reviewer": None})
        assert bob.next() == {"type": "available"}


def test_who_skipped_the_task_does_not_hear_of_it(site, digits):
    with site.of("alice", DIGITS) as alice, site.of("bob", DIGITS) as bob:
        cast.post(digits)
        assert alice.next() == bob.next() == {"type": "available"}
        lifecycle.skip(assignment_id=grab("alice").pk, seconds_to_expire=None)
        assert bob.next() == {"type": "available"}
        assert alice.quiet() == []


def test_who_posted_the_task_does_not_hear_of_it_where_they_may_not_review_it(site, digits):
    administration.update_queue(queue_id=digits.pk, changes={"requester_may_review": False})
    digits.refresh_from_db()
    with site.of("alice", DIGITS) as alice, site.of("bob", DIGITS) as bob:
        cast.post(digits, by="alice")
        bob.until("available")
        assert {"type": "available"} not in alice.quiet()


def test_who_reviews_one_topic_does_not_hear_of_another(site, digits):
    members.change(membership=membership("alice"), changes={"strategy": {"topic": "fr"}})
    with site.of("alice", DIGITS) as alice, site.of("bob", DIGITS) as bob:
        cast.post(digits, topic="de")
        bob.until("available")
        assert alice.quiet() == []
        cast.post(digits, topic="fr")
        assert alice.next() == {"type": "available"}


def test_work_in_a_paused_queue_is_not_told(site, digits):
    with site.of("alice", DIGITS) as alice:
        administration.update_queue(queue_id=digits.pk, changes={"is_paused": True})
        assert alice.next() == {"type": "queue.changed"}
        cast.post(digits)
        administration.update_queue(queue_id=digits.pk, changes={"alias": "Digits"})
        assert alice.next() == {"type": "queue.changed"}
        assert alice.quiet() == []


def test_a_change_of_the_queue_is_told_to_all_of_it(site, digits):
    with site.of("alice", DIGITS) as alice, site.of("mia", DIGITS) as mia:
        administration.update_queue(queue_id=digits.pk, changes={"instructions": "Look twice."})
        assert alice.next() == mia.next() == {"type": "queue.changed"}


def test_no_push_has_anything_of_the_task_in_it(digits):
    before = Event.objects.latest("pk").pk
    cast.post(digits, input_data={"secret": "swordfish"}, topic="swordfish", global_keys=["swordfish"])
    lifecycle.finalize(assignment_id=grab("alice").pk, data={"label": "swordfish"})
    told = list(pushes.told(list(Event.objects.filter(pk__gt=before))))
    assert {push.message["type"] for push in told} >= {"lease", "ended", "changed"}
    for push in told:
        # The topic is for choosing who hears; no frame has it.
        assert "swordfish" not in str({**push.message, "topics": None})


# What one holds.


def test_a_canceled_task_is_told_to_its_reviewer_alone(site, digits):
    cast.post(digits)
    assignment = grab("alice")
    with site.of("alice", DIGITS) as alice, site.of("bob", DIGITS) as bob:
        cancel_task(task_id=assignment.task_id, reason="sold out")
        frame = alice.next()
        assert frame.pop("expires_at").endswith("Z")
        assert frame == {"type": "assignment.canceled", "assignment": assignment.pk, "task": assignment.task_id}
        assert bob.quiet() == []


def test_a_lease_that_is_about_to_lapse_is_told(site, digits):
    cast.post(digits, now=timezone.now() - timedelta(seconds=3600))
    assignment = grab("alice", now=timezone.now() - timedelta(seconds=3580), seconds_to_expire=3600)
    with site.of("alice", DIGITS) as alice:
        frame = alice.next()
        assert (frame["type"], frame["assignment"]) == ("assignment.lapsing", assignment.pk)


def test_a_lease_lapses_once_whoever_notices_first(site, digits):
    with site.of("alice", DIGITS) as alice:
        begun = timezone.now() - timedelta(seconds=9.5)
        cast.post(digits, now=begun)
        assignment = grab("alice", now=begun, seconds_to_expire=10)
        assert alice.until("assignment.lapsed")["assignment"] == assignment.pk
        lifecycle.expire_assignments(now=timezone.now() + timedelta(seconds=1))
        alice.until("available")
        assert alice.quiet() == []


def test_a_lease_of_which_the_socket_knew_nothing_lapses_too(site, digits):
    with site.of("alice", DIGITS) as alice:
        cast.post(digits)
        assignment = grab("alice")
        lifecycle.expire_assignments(now=timezone.now() + timedelta(days=1))
        assert alice.until("assignment.lapsed")["assignment"] == assignment.pk


def test_a_lease_that_began_on_an_open_socket_is_watched(site, digits):
    with site.of("alice", DIGITS) as alice:
        begun = timezone.now() - timedelta(seconds=7.5)
        cast.post(digits, now=begun)
        assignment = grab("alice", now=begun, seconds_to_expire=10)
        frame = alice.until("assignment.lapsing")
        assert frame["assignment"] == assignment.pk
        # A fifth of the lease before its end.
        assert datetime.fromisoformat(frame["expires_at"]) - timezone.now() < timedelta(seconds=2.1)


def test_a_lease_whose_end_is_moved_lapses_then(site, digits):
    (task,) = cast.post(digits)
    assignment = grab("alice")
    with site.of("alice", DIGITS) as alice:
        now = timezone.now()
        end = now + timedelta(seconds=1.5)
        update_task(task_id=task.pk, changes={"expire_at": end}, now=now - timedelta(seconds=8.5))
        frame = alice.until("assignment.lapsing")
        assert (frame["assignment"], datetime.fromisoformat(frame["expires_at"])) == (assignment.pk, end)


# How things are.


def test_the_welcome_and_each_look_say_how_things_are(site, digits):
    with site.socket(DIGITS) as alice:
        alice.authenticate("alice")
        assert alice.next() == {"type": "welcome", "available": False, "paused": False, "assignments": []}
        cast.post(digits, 2)
        assignment = grab("alice")
        alice.until("available")
        alice.send({"type": "look"})
        held = {"id": assignment.pk, "task": assignment.task_id}
        held["expires_at"] = assignment.expire_at.isoformat().replace("+00:00", "Z")
        assert alice.until("state") == {"type": "state", "available": True, "paused": False, "assignments": [held]}


def stands(name, queue):
    queue.refresh_from_db()
    return standing.of(standing.member(cast.person(name), queue))


def test_work_is_there_for_whom_a_grab_would_hand_it_to(digits):
    assert not stands("alice", digits).available
    cast.post(digits, target_reviewer="alice@example.org")
    assert stands("alice", digits).available
    assert not stands("bob", digits).available
    assert stands("mia", digits).available
    cast.post(digits)
    assert stands("bob", digits).available
    lifecycle.skip(assignment_id=grab("bob").pk, seconds_to_expire=None)
    assert not stands("bob", digits).available
    administration.update_queue(queue_id=digits.pk, changes={"is_paused": True})
    assert not stands("alice", digits).available


def test_work_of_another_topic_is_not_there(digits):
    cast.post(digits, topic="de")
    members.change(membership=membership("alice"), changes={"strategy": {"topic": "fr"}})
    assert not stands("alice", digits).available
    assert stands("bob", digits).available


def test_work_that_has_expired_is_not_there(digits):
    (task,) = cast.post(digits, expire_at=timezone.now() + timedelta(hours=1))
    member = standing.member(cast.person("alice"), digits)
    assert standing.of(member).available
    assert not standing.of(member, now=task.expire_at).available


# Operators.


def numbers_of(client, available):
    """The first frame in which so many tasks are available in a queue."""
    while True:
        frame = client.until("counts")
        if any(row["available"] == {"number": available, "more": False} for row in frame["queues"]):
            return frame


def test_operators_hear_the_numbers_of_queues_that_change(site, digits):
    cast.queue("letters")
    cast.person("olga", is_superuser=True)
    with site.of("olga", "operator/") as olga:
        assert {row["name"] for row in olga.next()["queues"]} == {"digits", "letters"}
        cast.post(digits, 3)
        numbers_of(olga, available=3)
        cast.post(digits)
        assert [row["name"] for row in numbers_of(olga, available=4)["queues"]] == ["digits"]


def test_staff_who_may_view_queues_hear_them_too(site, digits):
    vera = cast.person("vera", is_staff=True)
    vera.user_permissions.add(Permission.objects.get(codename="view_queue"))
    with site.of("vera", "operator/") as client:
        assert client.next()["type"] == "counts"


def test_numbers_are_counted_once_for_all_operators(site, digits, monkeypatch):
    counted = []
    count = counting._count

    def counting_count(wanted):
        counted.append(wanted)
        return count(wanted)

    monkeypatch.setattr(counting, "_count", counting_count)
    cast.person("olga", is_superuser=True)
    with site.of("olga", "operator/") as one, site.of("olga", "operator/") as other:
        cast.post(digits)
        frames = [numbers_of(client, available=1) for client in (one, other)]
        assert frames[0] == frames[1]
        assert len(counted) <= 3


def test_what_changes_while_it_is_counted_is_counted_again(digits):
    told = []

    class Watcher:
        say_text = told.append

    async def watch():
        board = counting.Counting()
        watcher = Watcher()
        board.join(watcher)
        board.changed([digits.pk])
        # The counting begins, on its thread; it can be done no sooner than this loop is asked again.
        for _turn in range(3):
            await asyncio.sleep(0)
        board.changed([digits.pk])
        async with asyncio.timeout(LONG):
            while len(told) < 2:
                await asyncio.sleep(0.01)
        board.leave(watcher)

    asyncio.run(watch())
    assert [[queue["name"] for queue in json.loads(text)["queues"]] for text in told] == [["digits"], ["digits"]]


def test_nothing_is_counted_where_nobody_watches(site, digits, monkeypatch):
    counted = []
    count = counting._count

    def counting_count(wanted):
        counted.append(wanted)
        return count(wanted)

    monkeypatch.setattr(counting, "_count", counting_count)
    cast.person("olga", is_superuser=True)
    with site.of("alice", DIGITS) as alice:
        with site.of("olga", "operator/") as olga:
            olga.until("counts")
        until(lambda: not any(one._watching for one in counting.Counting._here.values()))
        counted.clear()
        cast.post(digits)
        alice.until("available")
    assert counted == []
