"""The desk: what waits for a reviewer, what they hold, and how they did today."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments import desk, lifecycle
from queues import administration
from tests.cast import grab, join, person, post, queue

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def place(name="digits", *, of="alice", now=NOW):
    """What `of` sees of the queue on their desk."""
    return next(place for place in desk.of_user(person(of), now=now).places if place.queue.name == name)


@pytest.fixture
def digits():
    made = queue()
    join(made, "alice")
    return made


def test_it_shows_the_queues_one_reviews_by_their_names(digits):
    join(queue("b", alias="Anchors"), "alice")
    join(queue("c"), "bob")
    assert [str(place.queue) for place in desk.of_user(person("alice")).places] == ["Anchors", "digits"]
    assert desk.of_user(person("mia")).places == []


def test_it_counts_what_waits(digits):
    post(digits, 3)
    assert (place().waiting, place().waiting_capped) == (3, False)


def test_it_counts_no_further_than_it_shows(digits):
    post(digits, desk.WAITING_SHOWN + 1)
    assert (place().waiting, place().waiting_capped) == (desk.WAITING_SHOWN, True)


def test_what_is_meant_for_others_or_skipped_does_not_wait(digits):
    join(digits, "bob")
    mine, *_ = post(digits, now=NOW) + post(digits, now=NOW) + post(digits, now=NOW, target_reviewer="bob@example.org")
    alice = digits.memberships.get(user=person("alice"))
    held = grab(alice, NOW).assignments[0]
    assert held.task_id == mine.pk
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=60, now=NOW)
    assert place().waiting == 1
    assert place(now=NOW + timedelta(minutes=2)).waiting == 2
    assert place(of="bob").waiting == 3


def test_what_a_manager_lets_one_have_is_all_that_waits():
    made = queue()
    join(made, "alice", strategy={"topic": "cats"})
    post(made, 2, topic="cats")
    post(made, 3, topic="dogs")
    assert place().waiting == 2


def test_ones_own_tasks_do_not_wait_where_that_is_forbidden():
    made = queue(requester_may_review=False)
    join(made, "alice")
    post(made, by="alice")
    assert place().waiting == 0


def test_nothing_waits_in_a_paused_queue(digits):
    post(digits)
    administration.update_queue(queue_id=digits.pk, changes={"is_paused": True}, actor=person("mia"))
    assert place().waiting is None


def test_what_is_held_is_there_until_its_time_ends(digits):
    tasks = post(digits, 2, now=NOW)
    alice = digits.memberships.get(user=person("alice"))
    grab(alice, NOW, seconds_to_expire=90)
    grab(alice, NOW, multitask_index=2, seconds_to_expire=30)
    held = place(now=NOW + timedelta(seconds=10)).held
    assert [(h.assignment.task_id, h.seconds_left, h.is_short) for h in held] == [
        (tasks[1].pk, 20, True),
        (tasks[0].pk, 80, False),
    ]
    assert [h.assignment.task_id for h in place(now=NOW + timedelta(seconds=31)).held] == [tasks[0].pk]


def test_today_is_what_ended_since_midnight(digits):
    post(digits, 4, now=NOW - timedelta(days=1))
    alice = digits.memberships.get(user=person("alice"))
    for at in (NOW - timedelta(days=1), NOW):
        lifecycle.finalize(assignment_id=grab(alice, at).assignments[0].pk, data=1, now=at)
    lifecycle.skip(assignment_id=grab(alice, NOW).assignments[0].pk, seconds_to_expire=None, now=NOW)
    grab(alice, NOW, seconds_to_expire=10)
    lifecycle.expire_assignments(now=NOW + timedelta(seconds=11))
    today = place(now=NOW + timedelta(seconds=11)).today
    assert (today.finished, today.skipped, today.expired, today.capped) == (1, 1, 1, False)


def test_a_very_busy_day_is_said_to_be_at_least_so_much(digits, monkeypatch):
    monkeypatch.setattr(desk, "TODAY_SHOWN", 2)
    post(digits, 3, now=NOW)
    alice = digits.memberships.get(user=person("alice"))
    for _ in range(3):
        lifecycle.finalize(assignment_id=grab(alice, NOW).assignments[0].pk, data=1, now=NOW)
    assert (place().today.finished, place().today.capped) == (2, True)


def test_many_queues_cost_no_more_queries_than_one(digits):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            desk.of_user(person("alice"))
        return len(asked)

    post(digits)
    grab(digits.memberships.get(user=person("alice")))
    one = queries()
    for n in range(20):
        join(queue(f"q{n}"), "alice")
    assert queries() == one


def test_the_page_leads_to_the_work(client, digits):
    administration.update_queue(
        queue_id=digits.pk, changes={"reviewer_frontend_url": "https://tool.example/digits"}, actor=person("mia")
    )
    client.force_login(person("alice"))
    page = client.get("/desk/")
    assert 'href="/desk/queues/digits/"' in page.text
    assert 'href="https://tool.example/digits"' in page.text
    assert "Start" in page.text
    post(digits)
    grab(digits.memberships.get(user=person("alice")))
    assert "Continue" in client.get("/desk/").text


def test_one_without_queues_learns_how_to_get_in(client):
    client.force_login(person("alice"))
    assert "can make you one of its reviewers" in client.get("/desk/").text


@pytest.mark.parametrize("path", ["/desk/", "/desk/done/", "/desk/done/1/", "/desk/metrics/"])
def test_one_who_is_not_signed_in_signs_in_and_comes_back(client, path):
    person("alice")
    away = client.get(path)
    assert away.headers["Location"] == f"/login/?next={path}"
    back = client.post(away.headers["Location"], {"username": "alice", "password": "secret", "next": path})
    assert back.headers["Location"] == path


def test_the_navigation_says_where_one_is(client):
    client.force_login(person("alice"))
    assert '<a href="/desk/metrics/" aria-current="page">' in client.get("/desk/metrics/").text
    assert 'href="/admin/"' not in client.get("/desk/").text
    client.force_login(person("sam", is_staff=True))
    assert 'href="/admin/"' in client.get("/desk/").text
