"""What reviewers did, by the hour, from what happened."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments import jobs, lifecycle, metrics, rollup
from assignments.models import MetricsMark, Reviewer, ReviewerHour
from queues.exceptions import InvalidInput
from queues.models import Event, FeedMark
from tests import cast

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(hour=0, minute=0, second=0, day=0):
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


def catch_up(now):
    while rollup.roll_up(now=now):
        pass


@pytest.fixture
def digits(db):
    return cast.queue("digits", max_lease_seconds=7200)


@pytest.fixture
def alice(digits):
    return cast.join(digits, "alice")


def handed(member, now, posted=None, lease=3600, **draft):
    """A fresh task, handed to this reviewer."""
    cast.post(member.queue, now=posted or now, **draft)
    return cast.grab(member, now=now, seconds_to_expire=lease).assignments[0]


def answered(member, start, end, **draft):
    held = handed(member, start, **draft)
    lifecycle.finalize(assignment_id=held.pk, data=1, now=end)
    return held


def hours(name="alice"):
    """Hour of the day → the row."""
    return {row.hour.hour: row for row in ReviewerHour.objects.filter(reviewer__user__username=name)}


def reviewer(name="alice"):
    return Reviewer.objects.get(user__username=name)


def everything():
    values = ("reviewer", "queue", "hour", *rollup.VALUES)
    return list(ReviewerHour.objects.order_by("reviewer", "queue", "hour").values(*values))


def test_every_end_counts_in_its_hour(alice):
    answered(alice, at(8, 50), at(9, 10))
    skipped = handed(alice, at(9, 20))
    lifecycle.skip(assignment_id=skipped.pk, seconds_to_expire=None, now=at(9, 21))
    taken = handed(alice, at(9, 30))
    lifecycle.release(assignment_id=taken.pk, reason="because", now=at(9, 31))
    lapsed = cast.grab(alice, now=at(9, 40), seconds_to_expire=60).assignments[0]
    lifecycle.expire_assignments(now=at(10, 5))
    catch_up(at(10, 6))
    rows = hours()
    assert lapsed.pk
    assert (rows[9].completed, rows[9].skipped, rows[9].canceled, rows[9].expired) == (1, 1, 1, 0)
    assert rows[10].expired == 1
    assert rows[8].completed == 0


def test_a_lease_that_lapsed_is_no_work_until_it_is_swept(alice):
    handed(alice, at(9), lease=60)
    lifecycle.expire_assignments(now=at(9, 50))
    catch_up(at(10))
    assert hours()[9].active_seconds == 60


def test_handling_is_from_the_hand_out_and_response_from_when_the_task_was_there(alice):
    answered(alice, at(9), at(9, 2), posted=at(8))
    catch_up(at(10))
    total = metrics.of_reviewer(reviewer(), period="day", now=at(10)).total
    assert total.handling_median == pytest.approx(120, rel=0.01)
    assert total.response_median == pytest.approx(3720, rel=0.01)


def test_the_response_to_a_scheduled_task_is_from_its_time(alice):
    answered(alice, at(9), at(9, 2), posted=at(1), schedule_to=at(8, 59))
    catch_up(at(10))
    assert metrics.of_reviewer(reviewer(), period="day", now=at(10)).total.response_p95 == pytest.approx(180, rel=0.01)


def test_what_is_held_now_counts_up_to_now(alice):
    handed(alice, at(9, 50))
    catch_up(at(10, 5))
    assert (hours()[9].active_seconds, hours()[10].active_seconds) == (600, 300)
    catch_up(at(10, 6))
    assert hours()[10].active_seconds == 360


def test_work_in_two_queues_at_once_adds_up_to_the_time_it_took(alice):
    letters = cast.join(cast.queue("letters", max_lease_seconds=7200), "alice")
    first, second = handed(alice, at(9)), handed(letters, at(9, 10))
    lifecycle.finalize(assignment_id=second.pk, data=1, now=at(9, 15))
    lifecycle.finalize(assignment_id=first.pk, data=1, now=at(9, 20))
    catch_up(at(10))
    active = dict(ReviewerHour.objects.values_list("queue__name", "active_seconds"))
    assert active == {"digits": 900, "letters": 300}


def test_slack_of_the_hour_before_is_counted_once_work_goes_on(alice):
    answered(alice, at(9, 40), at(9, 50))
    catch_up(at(10, 9))
    assert hours()[9].slack_seconds == 0
    answered(alice, at(10, 10), at(10, 11))
    catch_up(at(10, 12))
    assert (hours()[9].slack_seconds, hours()[10].slack_seconds) == (600, 600)


def test_a_long_hold_counts_in_every_hour_when_it_is_made_in_retrospect(alice):
    answered(alice, at(1, 30), at(3, 10), lease=7200)
    catch_up(at(12))
    assert {hour: row.active_seconds for hour, row in hours().items()} == {1: 1800, 2: 3600, 3: 600}


def test_what_was_committed_late_is_counted(alice):
    held = handed(alice, at(9, 50))
    catch_up(at(10, 1))
    lifecycle.finalize(assignment_id=held.pk, data=1, now=at(9, 55))
    catch_up(at(10, 2))
    assert hours()[9].completed == 1
    assert 10 not in hours()


def test_what_was_committed_much_too_late_is_counted_a_day_later(alice):
    held = handed(alice, at(9, 50))
    catch_up(at(12))
    lifecycle.finalize(assignment_id=held.pk, data=1, now=at(9, 55))
    catch_up(at(13))
    assert hours()[9].completed == 0
    for hour in range(14, 35):
        catch_up(at(hour))
    assert hours()[9].completed == 1


def test_rolling_up_again_writes_nothing_but_the_mark(alice):
    answered(alice, at(9), at(9, 2))
    catch_up(at(10))
    before = everything()
    with CaptureQueriesContext(connection) as asked:
        rollup.roll_up(now=at(10))
    table = ReviewerHour._meta.db_table
    assert not [query for query in asked if table in query["sql"] and not query["sql"].startswith("SELECT")]
    assert everything() == before


def test_an_old_site_is_caught_up_with_in_steps(alice):
    answered(alice, at(0), at(0, 1))
    answered(alice, at(20), at(20, 1))
    assert rollup.roll_up(now=at(21))
    assert rollup.as_of() == at(0) + rollup.STEP
    assert set(hours()) == {0}
    catch_up(at(21))
    assert set(hours()) == {0, 20}
    assert rollup.as_of() == at(21)


def test_often_and_once_come_to_the_same(alice, digits):
    letters, bob = cast.join(cast.queue("letters", max_lease_seconds=7200), "alice"), cast.join(digits, "bob")
    for number, member in enumerate([alice, letters, bob, letters, alice, bob] * 2):
        start = at(7, 13 * number)
        held = handed(member, start, lease=600 + 300 * (number % 5))
        if number % 4 == 0:
            lifecycle.skip(assignment_id=held.pk, seconds_to_expire=None, now=start + timedelta(minutes=3))
        elif number % 4 != 1:
            lifecycle.finalize(assignment_id=held.pk, data=1, now=start + timedelta(seconds=97 * (number % 6)))
        catch_up(start + timedelta(seconds=500))
        lifecycle.expire_assignments(now=start + timedelta(minutes=12))
    catch_up(at(18))
    often = everything()
    ReviewerHour.objects.all().delete()
    assert list(rollup.remake(since=at(0), now=at(18)))
    assert everything() == often
    assert (
        sum(row["completed"] + row["skipped"] + row["expired"] for row in often)
        == Event.objects.filter(type__in=["ASSIGNMENT_FINISHED", "ASSIGNMENT_SKIPPED", "ASSIGNMENT_EXPIRED"]).count()
    )


def test_rows_that_nothing_speaks_for_go_away(alice, digits):
    answered(alice, at(9), at(9, 1))
    handed(cast.join(digits, "bob"), at(8, 59), lease=30)
    ReviewerHour.objects.create(reviewer=reviewer("bob"), queue=digits, hour=at(9), completed=7)
    catch_up(at(9, 30))
    assert [(row["hour"], row["completed"]) for row in everything()] == [(at(9), 1), (at(8), 0)]


def test_a_site_on_which_nothing_happened_has_a_mark():
    assert rollup.as_of() is None
    assert not rollup.roll_up(now=at(9))
    assert rollup.as_of() == at(9)


def test_many_reviewers_are_written_in_chunks(digits, monkeypatch):
    monkeypatch.setattr(metrics, "CHUNK", 2)
    for name in ("alice", "bob", "carol", "dora", "emil"):
        answered(cast.join(digits, name), at(9), at(9, 1))
    catch_up(at(10))
    catch_up(at(10, 1))
    assert [row["completed"] for row in everything()] == [1] * 5


@pytest.mark.threads
def test_two_at_once_count_once(digits, together):
    for name in ("alice", "bob"):
        answered(cast.join(digits, name), at(9), at(9, 1))
    for minute in range(5):
        answers = together(*[lambda minute=minute: catch_up(at(10, minute))] * 4)
        assert answers == [None] * 4
    catch_up(at(10, 6))
    assert [row["completed"] for row in everything()] == [1, 1]
    assert MetricsMark.objects.get().as_of == at(10, 6)


def test_the_job_rolls_up(alice):
    answered(alice, None, None)
    assert jobs.roll_up_metrics() == 0
    assert sum(row["completed"] for row in everything()) == 1


def test_the_command_makes_the_rows_anew(alice, capsys):
    answered(alice, None, None)
    call_command("roll_up_metrics")
    ReviewerHour.objects.update(completed=5)
    call_command("roll_up_metrics", since=f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}")
    assert [row["completed"] for row in everything()] == [1]
    assert "Counted until" in capsys.readouterr().out


@pytest.mark.parametrize("since", ["yesterday", "2026-02-30"])
def test_the_command_refuses_what_is_no_date(since):
    with pytest.raises(CommandError, match="not a date"):
        call_command("roll_up_metrics", since=since)


def test_days_are_shown_newest_first_and_those_without_work_too(alice):
    answered(alice, at(9), at(9, 1))
    answered(alice, at(9, day=2), at(9, 3, day=2))
    catch_up(at(10, day=2))
    found = metrics.of_reviewer(reviewer(), period="day", count=3, now=at(10, day=2))
    assert [(row.start, row.completed) for row in found.rows] == [(at(day=2), 1), (at(day=1), 0), (at(), 1)]
    assert found.as_of == at(10, day=2)
    assert (found.total.start, found.total.end, found.total.completed) == (at(), at(day=3), 2)
    assert (found.total.active_seconds, found.rows[1].handling_median, found.rows[1].skip_rate) == (240, None, None)


@pytest.mark.parametrize(
    ("period", "moment", "starts"),
    [
        ("week", datetime(2026, 3, 8, 23, 59, tzinfo=UTC), [MONDAY, MONDAY - timedelta(days=7)]),
        (
            "month",
            datetime(2026, 3, 31, tzinfo=UTC),
            [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)],
        ),
        (
            "month",
            datetime(2026, 1, 31, tzinfo=UTC),
            [datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)],
        ),
    ],
)
def test_weeks_begin_on_monday_and_months_on_their_first(alice, period, moment, starts):
    handed(alice, at(9))
    rows = metrics.of_reviewer(reviewer(), period=period, count=2, now=moment).rows
    assert [row.start for row in rows] == starts
    assert rows[1].end == rows[0].start


@pytest.mark.parametrize("wrong", [{"period": "year"}, {"period": "day", "count": 0}, {"period": "day", "count": 93}])
def test_another_period_or_count_is_refused(alice, wrong):
    handed(alice, at(9))
    with pytest.raises(InvalidInput):
        metrics.of_reviewer(reviewer(), now=at(9), **wrong)


def test_the_skip_rate_is_of_what_was_tried(alice):
    answered(alice, at(9), at(9, 1))
    skipped = handed(alice, at(9, 20))
    lifecycle.skip(assignment_id=skipped.pk, seconds_to_expire=None, now=at(9, 21))
    catch_up(at(10))
    assert metrics.of_reviewer(reviewer(), period="day", now=at(10)).total.skip_rate == 0.5


def test_queues_by_the_hour(alice, digits):
    letters = cast.join(cast.queue("letters", max_lease_seconds=7200), "alice")
    answered(letters, at(7), at(7, 30))
    answered(letters, at(8), at(8, 30))
    answered(alice, at(9), at(9, 1))
    answered(alice, at(9, 2), at(9, 3))
    catch_up(at(10))
    found = metrics.of_queues(hours=3, now=at(10))
    assert [(row.queue_id, row.hour, row.completed, row.skipped) for row in found] == [
        (letters.queue_id, at(8), 1, 0),
        (digits.pk, at(9), 2, 0),
    ]
    assert [row.completed for row in metrics.of_queues(hours=3, queue=digits, now=at(10))] == [2]
    with pytest.raises(InvalidInput):
        metrics.of_queues(hours=31 * 24 + 1)


def test_the_reviewers_of_a_queue_busiest_first(alice, digits):
    bob = cast.join(digits, "bob")
    answered(alice, at(9), at(9, 1))
    answered(bob, at(9, 10), at(9, 11))
    answered(bob, at(9, 12), at(9, 13))
    answered(alice, at(9, day=1), at(9, 1, day=1))
    catch_up(at(10, day=1))
    today = metrics.of_reviewers(digits, period="day", now=at(20))
    assert [(each.reviewer.user.username, each.row.completed) for each in today] == [("bob", 2), ("alice", 1)]


def test_hours_whose_events_were_purged_stay_as_they_are(alice):
    answered(alice, at(8), at(8, 5))
    answered(alice, at(8, day=2), at(8, 5, day=2))
    catch_up(at(9, day=2))
    Event.objects.filter(created_at__lt=at(12)).delete()
    FeedMark.objects.create(purged_to=1, purged_until=at(12))
    before = everything()
    with pytest.raises(InvalidInput, match="from 2026-03-02 13:00 UTC on"):
        list(rollup.remake(since=at(12)))
    with pytest.raises(CommandError, match="Events are not kept for ever"):
        call_command("roll_up_metrics", since="2026-03-02")
    assert list(rollup.remake(since=at(13)))
    assert everything() == before


def test_a_roll_up_that_was_away_until_events_were_purged_counts_what_is_left(alice):
    answered(alice, at(8), at(8, 5))
    catch_up(at(9))
    answered(alice, at(15), at(15, 5))
    Event.objects.filter(created_at__lt=at(12)).delete()
    FeedMark.objects.create(purged_to=1, purged_until=at(12))
    catch_up(at(16))
    assert {hour: row.completed for hour, row in hours().items()} == {8: 1, 15: 1}
    catch_up(at(9, day=1))
    assert {hour: row.completed for hour, row in hours().items()} == {8: 1, 15: 1}


def test_what_is_purged_while_hours_are_made_anew_changes_none(alice):
    answered(alice, at(8), at(8, 5))
    catch_up(at(9))
    before, purges = everything(), [at(12)]

    def purging(execute, sql, params, many, context):
        if purges and "crowd_assignments_assignment" in sql:
            FeedMark.objects.create(purged_to=1, purged_until=purges.pop())
            Event.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(purging), pytest.raises(InvalidInput):
        list(rollup.remake(since=at(8)))
    assert not purges
    assert everything() == before
