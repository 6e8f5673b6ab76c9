"""The list of what a reviewer did, and one of it in full."""

from datetime import UTC, datetime, timedelta

import pytest

from assignments import done, lifecycle
from assignments.models import Assignment, Reviewer
from assignments.states import AssignmentStatus
from tests.cast import grab, join, person, post, queue
from tests.plans import prefer_indexes

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return join(queue(), "alice")


def answer(membership, data=1, now=NOW):
    """Grab and answer one task."""
    post(membership.queue, now=now)
    held = grab(membership, now).assignments[0]
    lifecycle.finalize(assignment_id=held.pk, data=data, now=now)
    return held


def skip(membership, now=NOW, seconds=None):
    post(membership.queue, now=now)
    held = grab(membership, now).assignments[0]
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=seconds, now=now)
    return held


def ids(wanted=None):
    return [row.pk for row in done.page(person("alice"), wanted=wanted or done.Filter()).rows]


def test_it_is_ones_own_newest_first_without_what_is_held(alice):
    first, second = answer(alice), skip(alice)
    answer(join(alice.queue, "bob"))
    post(alice.queue)
    grab(alice)
    assert ids() == [second.pk, first.pk]


def test_one_who_never_worked_has_an_empty_list(client):
    client.force_login(person("alice"))
    assert "Nothing yet" in client.get("/desk/done/").text


def test_it_is_filtered_by_queue_and_state(alice):
    there = join(queue("pets"), "alice")
    first, second, third = answer(alice), answer(there), skip(there)
    assert ids(done.Filter(queue=alice.queue)) == [first.pk]
    assert ids(done.Filter(queue=there.queue)) == [third.pk, second.pk]
    assert ids(done.Filter(status=AssignmentStatus.SKIPPED)) == [third.pk]


def test_it_is_filtered_by_days_from_the_first_to_the_last(alice):
    midnight = NOW.replace(hour=0)
    before, at, last, after = (
        answer(alice, now=when)
        for when in (midnight - timedelta(seconds=1), midnight, midnight + DAY - timedelta(seconds=1), midnight + DAY)
    )
    today = NOW.date()
    assert ids(done.Filter(first=today, last=today)) == [last.pk, at.pk]
    assert ids(done.Filter(first=today)) == [after.pk, last.pk, at.pk]
    assert ids(done.Filter(last=today)) == [last.pk, at.pk, before.pk]


def test_the_pages_together_are_the_whole_list(alice, monkeypatch):
    monkeypatch.setattr(done, "PAGE", 2)
    given = [answer(alice).pk for _ in range(5)]
    seen, before = [], None
    for _ in range(3):
        page = done.page(person("alice"), wanted=done.Filter(), before=before)
        seen += [row.pk for row in page.rows]
        before = page.older
    assert seen == given[::-1]
    assert before is None


def test_a_filter_looks_through_so_much_at_a_time_and_says_how_far(alice, monkeypatch):
    monkeypatch.setattr(done, "LOOKED_THROUGH", 2)
    old = skip(alice, now=NOW - DAY)
    for _ in range(3):
        answer(alice)
    wanted = done.Filter(status=AssignmentStatus.SKIPPED)
    page = done.page(person("alice"), wanted=wanted)
    assert (page.rows, page.back_to) == ([], NOW)
    further = done.page(person("alice"), wanted=wanted, before=page.older)
    assert [row.pk for row in further.rows] == [old.pk]


def test_a_page_goes_through_the_index_of_the_reviewers_own(alice):
    last = answer(alice)
    bob = Reviewer.objects.of_users([person("bob")], now=NOW)[person("bob").pk]
    others = {"task": last.task, "queue": last.queue, "reviewer": bob, "created_at": NOW, "ended_at": NOW}
    Assignment.objects.bulk_create([Assignment(status="SKIPPED", counted=None, **others) for _ in range(500)])
    mine = Assignment.objects.filter(reviewer=last.reviewer_id, pk__lt=last.pk + 500).order_by("-id")
    prefer_indexes(Assignment)
    plan = done._matching(mine, done.Filter())[: done.PAGE].explain()
    assert "assignment_by_reviewer" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("queue=nowhere", "no work in a queue of that name"),
        ("queue=%00", "Null characters are not allowed"),
        ("status=LOST", "no such state"),
        ("first=24.11.2026", "such as 2026-11-24"),
        ("first=0001-01-01", "too long ago"),
        ("last=9999-12-31", "too far ahead"),
        ("first=2026-11-24&last=2026-11-23", "before the first"),
        ("before=x", "That place in the list is not known"),
        ("before=99999999999999999999", "That place in the list is not known"),
    ],
)
def test_what_cannot_be_read_is_answered_with_a_sentence(client, alice, asked, said):
    answer(alice)
    client.force_login(alice.user)
    page = client.get(f"/desk/done/?{asked}&status=FINISHED" if "status" not in asked else f"/desk/done/?{asked}")
    assert page.status_code == 400
    assert said in page.text
    if "first=24" in asked:
        assert 'value="24.11.2026"' in page.text
        assert '<option value="FINISHED" selected>' in page.text


def test_the_links_to_other_pages_keep_the_filter(client, alice, monkeypatch):
    monkeypatch.setattr(done, "PAGE", 1)
    second = [answer(alice), answer(alice)][-1]
    client.force_login(alice.user)
    assert f'href="?status=FINISHED&amp;before={second.pk}"' in client.get("/desk/done/?status=FINISHED").text


def test_an_answer_is_shown_in_a_line(client, alice):
    answer(alice, {"label": "Ångström <b>"})
    answer(alice, [True, "x" * 200])
    client.force_login(alice.user)
    text = client.get("/desk/done/").text
    assert "label: Ångström &lt;b&gt;" in text
    assert "[true, &quot;xxx" in text
    assert "x" * 80 not in text


def test_one_of_it_is_shown_in_full(client, alice):
    held = answer(alice, {"label": "seven"})
    client.force_login(alice.user)
    page = client.get(f"/desk/done/{held.pk}/").text
    assert "You answered it." in page
    assert "&quot;label&quot;: &quot;seven&quot;" in page
    assert '{"n": 0}' in page


def test_each_end_says_why(client, alice):
    forever, for_now = skip(alice), skip(alice, seconds=60)
    post(alice.queue, 2, now=NOW)
    lapsed = grab(alice, NOW, seconds_to_expire=10).assignments[0]
    lifecycle.expire_assignments(now=NOW + timedelta(seconds=11))
    taken = grab(alice, NOW + timedelta(seconds=11)).assignments[0]
    lifecycle.release(assignment_id=taken.pk, reason="A mistake of ours.", now=NOW + timedelta(seconds=11))
    client.force_login(alice.user)
    for row, said in [
        (forever, "It does not come back to you."),
        (for_now, "It stays away from you until"),
        (lapsed, "Its time ended before there was an answer"),
        (taken, "It was taken back: A mistake of ours."),
    ]:
        assert said in client.get(f"/desk/done/{row.pk}/").text


def test_what_is_not_ones_own_is_as_if_it_were_not_there(client, alice):
    theirs = answer(join(alice.queue, "bob"))
    post(alice.queue)
    held = grab(alice).assignments[0]
    client.force_login(person("alice"))
    for pk in (theirs.pk, held.pk, 10**6, 10**30):
        assert client.get(f"/desk/done/{pk}/").status_code == 404
