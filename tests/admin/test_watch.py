"""What an operator sees of queues at work, and what it costs to look."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assignments import dashboard, lifecycle, minutes
from assignments.models import Reviewer, ReviewerHour
from queues.administration import archive_queue, update_queue
from queues.lifecycle import release_scheduled
from queues.models import Event, Queue, Task
from tests import cast
from tests.plans import prefer_indexes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_kept")]

LIST = "/admin/crowd_assignments/queueatwork/"


@pytest.fixture
def now():
    return timezone.now().replace(second=30, microsecond=0)


@pytest.fixture
def operator(client):
    client.force_login(cast.person("olga", is_staff=True, is_superuser=True))
    return client


def board(queue):
    return f"{LIST}{queue.pk}/change/"


def staff(client, *permissions):
    user = cast.person("stella", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def answer(queue, name="alice", *, at):
    """`name` takes a task and answers it ten seconds later."""
    membership = queue.memberships.filter(user=cast.person(name)).first() or cast.join(queue, name)
    (held,) = cast.grab(membership, now=at - timedelta(seconds=10)).assignments
    lifecycle.finalize(assignment_id=held.pk, data=1, now=at)


def this(queue, now):
    return dashboard.board(queue.pk, now=now).now


# Who may look, and who may pause.


def test_the_index_of_the_admin_offers_the_dashboard(operator):
    assert LIST in operator.get("/admin/").text


@pytest.mark.parametrize("permission", ["operate", "view_queue", "view_queueatwork"])
def test_staff_with_one_of_three_permissions_may_look(client, permission):
    queue = cast.queue()
    watching = staff(client, permission)
    assert LIST in watching.get("/admin/").text
    assert {watching.get(at).status_code for at in (LIST, board(queue), f"{LIST}now/", f"{LIST}{queue.pk}/now/")} == {
        200
    }


def test_other_staff_may_not_look(client):
    queue = cast.queue()
    other = staff(client, "view_user")
    assert {other.get(at).status_code for at in (LIST, board(queue), f"{LIST}now/", f"{LIST}{queue.pk}/now/")} == {403}


def test_the_signed_out_are_sent_to_sign_in(client):
    answer = client.get(f"{LIST}now/")
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={LIST}now/")


def test_whoever_may_only_view_cannot_pause(client):
    queue = cast.queue()
    watching = staff(client, "view_queue")
    assert watching.post(f"{LIST}{queue.pk}/pause/", {"paused": "1"}).status_code == 403
    assert "/pause/" not in watching.get(board(queue)).text
    assert not Queue.objects.get().is_paused


@pytest.mark.parametrize("permission", ["operate", "change_queue"])
def test_pausing_and_resuming_goes_through_the_writer(client, permission):
    queue = cast.queue()
    pausing = staff(client, "view_queue", permission)
    answer = pausing.post(f"{LIST}{queue.pk}/pause/", {"paused": "1", "back": board(queue)})
    assert answer["Location"] == board(queue)
    assert Queue.objects.get().is_paused
    pausing.post(f"{LIST}{queue.pk}/pause/", {"paused": "0", "back": "https://elsewhere.example/"})
    assert not Queue.objects.get().is_paused
    told = Event.objects.filter(type="QUEUE_UPDATED")
    assert [(event.actor, event.delta["is_paused"]) for event in told] == [
        (str(cast.person("stella").pk), True),
        (str(cast.person("stella").pk), False),
    ]


def test_one_is_not_led_elsewhere_after_pausing(operator):
    queue = cast.queue()
    answer = operator.post(f"{LIST}{queue.pk}/pause/", {"paused": "1", "back": "https://elsewhere.example/"})
    assert answer["Location"] == LIST


def test_a_deleted_queue_is_not_shown_and_says_so(operator):
    queue = cast.queue()
    archive_queue(queue_id=queue.pk)
    assert operator.get(f"{LIST}{queue.pk}/now/").status_code == 404
    for answer in (operator.get(board(queue)), operator.post(f"{LIST}{queue.pk}/pause/", {"paused": "1"})):
        assert answer["Location"] == LIST
    assert "it was deleted" in operator.get(LIST).text


# What is shown.


def test_open_tasks_are_counted_by_state(now):
    queue = cast.queue()
    cast.post(queue, 3, now=now)
    cast.post(queue, 2, now=now, schedule_to=now + timedelta(hours=1))
    cast.grab(cast.join(queue, "alice"), now=now)
    seen = this(queue, now)
    assert (seen.available.number, seen.assigned.number, seen.scheduled.number) == (2, 1, 2)


def test_counting_ends_at_the_cap(monkeypatch, operator):
    monkeypatch.setattr(dashboard, "CAP", 2)
    queue = cast.queue()
    cast.post(queue, 2)
    assert this(queue, None).available == dashboard.Depth(2, more=False)
    cast.post(queue, 1)
    assert this(queue, None).available == dashboard.Depth(2, more=True)
    assert operator.get(f"{LIST}{queue.pk}/now/").json()["texts"]["available"] == "2+"
    assert set(dashboard.board(queue.pk).open) == {None}


def test_the_oldest_waits_since_it_was_created_or_scheduled_for(now):
    queue = cast.queue()
    early = now - timedelta(hours=5)
    cast.post(queue, 1, now=early, schedule_to=early + timedelta(hours=2))
    release_scheduled(now=early + timedelta(hours=2))
    cast.post(queue, 1, now=now - timedelta(hours=1))
    assert this(queue, now).waiting_since == early + timedelta(hours=2)


def test_the_last_hour_counts_answers_lapses_and_skips(now):
    queue = cast.queue()
    cast.post(queue, 5, now=now - timedelta(hours=3))
    answer(queue, at=now - timedelta(minutes=75))
    answer(queue, at=now - timedelta(minutes=59))
    answer(queue, at=now)
    bob = cast.join(queue, "bob")
    (held,) = cast.grab(bob, now=now - timedelta(minutes=20)).assignments
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=None, now=now - timedelta(minutes=19))
    cast.grab(bob, now=now - timedelta(minutes=10), seconds_to_expire=60)
    lifecycle.expire_assignments(now=now - timedelta(minutes=5))
    seen = dashboard.board(queue.pk, now=now)
    assert seen.now.hour[:3] == (2, 1, 1)
    assert seen.now.lost == 0.5
    by_minute = [counts.answered for _at, counts in seen.minutes]
    assert (by_minute[0], by_minute[-1], sum(by_minute)) == (1, 1, 2)


def test_open_tasks_are_traced_back_through_the_hour(now):
    queue = cast.queue()
    cast.post(queue, 4, now=now - timedelta(hours=3))
    answer(queue, at=now - timedelta(minutes=30))
    cast.post(queue, 2, now=now - timedelta(minutes=10))
    seen = dashboard.board(queue.pk, now=now).open
    assert (seen[0], seen[28], seen[29], seen[48], seen[49], seen[-1]) == (4, 4, 3, 3, 5, 5)


def test_hours_and_days_come_from_what_is_rolled_up(now):
    queue, other = cast.queue(), cast.queue("other")
    alice = Reviewer.objects.create(user=cast.person("alice"), created_at=now)
    hour = now.replace(minute=0, second=0)
    for back, where, done in ((0, queue, 3), (0, other, 100), (30, queue, 4), (29 * 24, queue, 5), (40 * 24, queue, 9)):
        ReviewerHour.objects.create(
            reviewer=alice, queue=where, hour=hour - timedelta(hours=back), completed=done, skipped=1
        )
    seen = dashboard.board(queue.pk, now=now)
    assert [span.answered for span in seen.hours] == [0] * 23 + [3]
    assert sum(span.answered for span in seen.days) == 12
    assert (len(seen.days), seen.days[-1].answered) == (30, 3)
    assert seen.now.today == 3


def test_people_at_work_are_named_with_what_they_hold(operator):
    queue = cast.queue()
    cast.post(queue, 4)
    cast.grab(cast.join(queue, "alice"), seconds_to_expire=600, multitask_index=2)
    cast.grab(cast.join(queue, "bob"), seconds_to_expire=300)
    now = operator.get(f"{LIST}{queue.pk}/now/").json()
    assert now["texts"]["at_work"] == "2 reviewers, 3 tasks"
    assert now["texts"]["names"] == "alice@example.org 2, bob@example.org 1"
    assert now["texts"]["lease_end"] == "next lease ends in 4 min"
    assert [[cell["text"] for cell in row["cells"][:2]] for row in now["rows"]["holders"]] == [
        ["alice@example.org", "2"],
        ["bob@example.org", "1"],
    ]


def test_a_lease_that_is_over_is_nobodys_work(now):
    queue = cast.queue()
    cast.post(queue, 1, now=now)
    cast.grab(cast.join(queue, "alice"), now=now, seconds_to_expire=60)
    later = dashboard.board(queue.pk, now=now + timedelta(seconds=60))
    assert (later.now.at_work.reviewers, later.holders) == (0, [])


def test_what_was_lost_last_leads_to_its_task(operator):
    queue = cast.queue()
    (task,) = cast.post(queue, 1)
    (held,) = cast.grab(cast.join(queue, "alice")).assignments
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=None)
    (row,) = operator.get(f"{LIST}{queue.pk}/now/").json()["rows"]["lost"]
    assert (row["key"], row["cells"][1]["text"]) == (held.pk, "skipped")
    assert operator.get(row["cells"][2]["href"]).status_code == 200
    assert row["cells"][2]["href"] == f"/admin/crowd_queues/task/{task.pk}/change/"


def test_the_list_links_only_to_what_one_may_see(client):
    queue = cast.queue()
    assert f"/admin/crowd_queues/task/?queue={queue.pk}" not in staff(client, "view_queue").get(LIST).text
    assert f"/admin/crowd_queues/task/?queue={queue.pk}" in staff(client, "view_queue", "view_task").get(LIST).text


def test_a_queue_without_a_lease_limit_is_marked(operator):
    queue = cast.queue(max_lease_seconds=None)
    limited = cast.queue("limited")
    shown = operator.get(f"{LIST}now/?ids={queue.pk},{limited.pk}").json()["shown"]
    assert (shown[f"{queue.pk}.limitless"], shown[f"{limited.pk}.limitless"]) == (True, False)


def test_queues_with_work_come_first_and_then_the_names(now):
    quiet, waiting, worked, held = (cast.queue(name) for name in ("a-quiet", "d-waiting", "b-worked", "c-held"))
    cast.post(waiting, 1, now=now)
    cast.post(held, 1, now=now)
    cast.grab(cast.join(held, "bob"), now=now)
    alice = Reviewer.objects.create(user=cast.person("alice"), created_at=now)
    ReviewerHour.objects.create(reviewer=alice, queue=worked, hour=now.replace(minute=0, second=0), completed=1)
    update_queue(queue_id=waiting.pk, changes={"is_paused": True})
    assert dashboard.in_order(now=now) == [worked.pk, held.pk, waiting.pk, quiet.pk]


def test_two_hundred_queues_are_shown_in_pages_and_found_by_name(operator):
    Queue.objects.bulk_create(
        Queue(name=f"queue-{number:03}", created_at=timezone.now(), updated_at=timezone.now()) for number in range(200)
    )
    first, last = operator.get(LIST).text, operator.get(f"{LIST}?p=4").text
    assert ("queue-000" in first, "queue-050" in first, "1–50 of 200 queues" in first) == (True, False, True)
    assert "queue-199" in last
    assert "queue-117" in operator.get(f"{LIST}?q=e-117").text
    assert "No queue has “nothing”" in operator.get(f"{LIST}?q=nothing").text


@pytest.mark.parametrize("query", ["ids=", "ids=x,-1,99999999999999999999,٣", "", "ids=1%00"])
def test_a_refresh_of_no_known_queue_is_empty(operator, query):
    assert operator.get(f"{LIST}now/?{query}").json()["queues"] == []


@pytest.mark.parametrize("query", ["p=0", "p=x", "p=99", "q=%00", "q=%25"])
def test_odd_addresses_of_the_list_are_answered(operator, query):
    cast.queue()
    assert operator.get(f"{LIST}?{query}").status_code == 200


def test_a_refresh_is_never_stored(operator):
    queue = cast.queue()
    for address in (f"{LIST}now/", f"{LIST}{queue.pk}/now/"):
        assert "no-store" in operator.get(address)["Cache-Control"]


def test_names_are_text_and_never_markup(operator):
    queue = cast.queue(alias="<img src=x onerror=alert(1)>")
    for address in (LIST, board(queue)):
        page = operator.get(address).text
        assert "<img" not in page
        assert "&lt;img" in page


# Counting the minutes of the last hour.


def minutes_of(queue, now):
    return [counts and counts.created for counts in minutes.of_the_hour(now).of(queue.pk)]


def test_more_events_than_one_look_reads_are_counted_over_several(monkeypatch, now):
    monkeypatch.setattr(minutes, "EVENTS_MAX", 20)
    queue = cast.queue()
    Event.objects.all().delete()
    for back in range(10, 60, 10):
        cast.post(queue, 6, now=now - timedelta(minutes=back))
    first = minutes.of_the_hour(now)
    assert (first.totals()[queue.pk].created, first.complete, first.of(queue.pk)[0]) == (6, False, None)
    looks = [minutes.of_the_hour(now) for _again in range(5)]
    assert [look.totals()[queue.pk].created for look in looks[:3]] == [12, 18, 24]
    assert (looks[-1].totals()[queue.pk].created, looks[-1].complete) == (30, True)


def test_a_minute_with_more_events_than_that_is_shown_as_the_least_it_was(monkeypatch, now):
    monkeypatch.setattr(minutes, "EVENTS_MAX", 20)
    queue = cast.queue()
    Event.objects.all().delete()
    cast.post(queue, 40, now=now - timedelta(minutes=10))
    cast.post(queue, 1, now=now - timedelta(minutes=20))
    looks = [minutes.of_the_hour(now) for _again in range(3)]
    # Which of the events of one moment are read is for the database to choose.
    assert 0 < looks[-1].of(queue.pk)[-11].created < 40
    assert looks[-1].of(queue.pk)[-21].created == 1
    assert not looks[-1].complete


def test_minutes_that_are_settled_are_not_counted_again(now):
    queue = cast.queue()
    cast.post(queue, 3, now=now - timedelta(minutes=30))
    assert sum(minutes_of(queue, now)) == 3
    cast.post(queue, 1, now=now - timedelta(minutes=30))
    cast.post(queue, 1, now=now - timedelta(minutes=1))
    assert sum(minutes_of(queue, now)) == 4
    cache.clear()
    assert sum(minutes_of(queue, now)) == 5


# What a look costs.


def queries_of(client, address):
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in seen.captured_queries]


def test_a_refresh_asks_as_often_for_twenty_queues_as_for_one(operator):
    queues = [cast.queue(f"queue-{number}") for number in range(20)]
    for queue in queues:
        cast.post(queue, 2)
        cast.grab(cast.join(queue, "alice"))
    ids = ",".join(str(queue.pk) for queue in queues)
    operator.get(f"{LIST}now/?ids={ids}")
    one, many = (len(queries_of(operator, f"{LIST}now/?ids={which}")) for which in (queues[0].pk, ids))
    assert one == many <= 10


def test_a_refresh_of_one_queue_asks_few_times(operator):
    queue = cast.queue()
    cast.post(queue, 9)
    for name in ("alice", "bob", "carol"):
        cast.grab(cast.join(queue, name))
    operator.get(f"{LIST}{queue.pk}/now/")
    assert len(queries_of(operator, f"{LIST}{queue.pk}/now/")) <= 14


def test_no_look_counts_a_table(operator):
    queue = cast.queue()
    cast.post(queue, 1)
    asked = [
        sql
        for address in (LIST, board(queue), f"{LIST}now/?ids={queue.pk}", f"{LIST}{queue.pk}/now/")
        for sql in queries_of(operator, address)
        if "crowd_queues_task" in sql
    ]
    assert asked
    assert all(sql.count("LIMIT") >= sql.count('FROM "crowd_queues_task"') for sql in asked if "EXISTS" not in sql)


@pytest.mark.only("postgresql")
def test_open_tasks_are_counted_along_their_index(operator):
    """Even where the planner believes that most rows are of this queue and state, and waiting there is cheap."""
    queue = cast.queue()
    cast.post(queue, 2000)
    prefer_indexes(Task)
    plan = dashboard._with_depths([queue.pk], 100).explain()
    assert plan.count("task_by_queue") == 4, plan
    assert "Sort" not in plan
