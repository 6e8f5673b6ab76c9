"""A reviewer's own numbers on a page."""

import json
import re

import pytest
from django.utils import timezone

from assignments import lifecycle, metrics, rollup
from assignments.views.metrics import span
from tests.cast import grab, join, person, post, queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    """She has answered twice in digits and skipped once in pets, and it is counted."""
    member, other = join(queue(), "alice"), join(queue("pets"), "alice")
    now = timezone.now()
    post(member.queue, 2, now=now)
    post(other.queue, now=now)
    for _ in range(2):
        lifecycle.finalize(assignment_id=grab(member, now).assignments[0].pk, data=1, now=now)
    lifecycle.skip(assignment_id=grab(other, now).assignments[0].pk, seconds_to_expire=None, now=now)
    while rollup.roll_up():
        pass
    return member.user


def totals(page):
    """The first two cells of the table's last row."""
    foot = page.text.split("<tfoot>")[1]
    return re.findall(r"<td>(.*?)</td>", foot)[:2]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("", ["2", "1"]),
        ("period=week", ["2", "1"]),
        ("period=month&queue=digits", ["2", "0"]),
        ("queue=pets", ["0", "1"]),
    ],
)
def test_the_numbers_are_in_a_table(client, alice, asked, shown):
    client.force_login(alice)
    page = client.get(f"/desk/metrics/?{asked}")
    assert page.status_code == 200
    assert totals(page) == shown
    assert "Counted up to" in page.text


def test_the_plots_have_the_same_numbers_oldest_first(client, alice):
    client.force_login(alice)
    page = client.get("/desk/metrics/?period=week").text
    data = json.loads(re.search(r'id="plots-data" type="application/json">(.*?)</script>', page)[1])
    assert data["start"] == sorted(data["start"])
    assert (sum(data["completed"]), data["completed"][-1], len(data["start"])) == (2, 2, metrics.PERIODS["week"])


@pytest.mark.parametrize(
    ("asked", "said"), [("period=year", "day, week or month"), ("queue=nowhere", "no work in a queue of that name")]
)
def test_what_cannot_be_read_is_answered_with_a_sentence(client, alice, asked, said):
    client.force_login(alice)
    page = client.get(f"/desk/metrics/?{asked}")
    assert page.status_code == 400
    assert said in page.text
    assert totals(page) == ["2", "1"]


def test_one_who_never_worked_is_told_so(client):
    client.force_login(person("alice"))
    page = client.get("/desk/metrics/")
    assert "No numbers yet" in page.text
    assert "<table" not in page.text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.84, "0.8 s"),
        (12, "12 s"),
        (59.7, "1 min 0 s"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_is_said_in_its_largest_units(seconds, shown):
    assert span(seconds) == shown
