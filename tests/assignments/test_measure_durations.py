"""Histograms of durations and spells of work: what they tell against what was put in."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignments import durations
from assignments.spells import ABSENCE, HOUR, Hold, spells, worked

seconds = st.floats(durations.SHORTEST, 10 * 366 * 86400)
places = st.integers(0, 180).map(lambda minute: minute * 60)
holds = st.lists(st.builds(lambda a, b, queue: Hold(min(a, b), max(a, b), queue), places, places, st.integers(1, 3)))


def histogram(values: list[float]) -> durations.Histogram:
    counted: durations.Histogram = {}
    for value in values:
        durations.add(counted, {str(durations.bucket(value)): 1})
    return counted


@given(st.lists(seconds, min_size=1, max_size=60), st.sampled_from([0, 0.5, 0.95, 1]))
def test_a_percentile_is_within_one_percent_of_the_exact_one(values, share):
    exact = sorted(values)[math.floor(share * (len(values) - 1))]
    found = durations.percentile(histogram(values), share)
    assert abs(found - exact) <= exact * durations.ERROR * 1.000001
    assert durations.ERROR < 0.01


@given(st.lists(seconds), st.lists(seconds))
def test_histograms_add_up_to_that_of_all(some, others):
    both = histogram(some)
    durations.add(both, histogram(others))
    assert both == histogram(some + others)


def test_there_is_no_percentile_of_nothing():
    assert durations.percentile({}, 0.5) is None


def test_no_time_at_all_counts_as_a_millisecond():
    assert durations.percentile(histogram([0.0]), 0.5) == pytest.approx(0.001, rel=0.01)


@given(holds)
def test_active_time_is_the_time_in_which_anything_is_held(held):
    covered = {minute for hold in held for minute in range(hold.start, hold.end, 60)}
    assert sorted(covered) == [minute for spell in spells(held) for minute in range(spell.start, spell.end, 60)]
    assert sum(active for _queue, _hour, active, _slack in worked(held)) == 60 * len(covered)


@given(holds)
def test_an_instant_counts_for_the_queue_of_what_was_handed_out_last(held):
    for spell in spells(held):
        live = [hold for hold in held if hold.start <= spell.start < hold.end]
        latest = max(hold.start for hold in live)
        assert spell.queue in {hold.queue for hold in live if hold.start == latest}


def test_work_is_cut_at_the_hour():
    assert list(worked([Hold(HOUR - 60, HOUR + 30, 1)])) == [(1, 0, 60, 0), (1, 1, 30, 0)]


def test_slack_counts_for_the_queue_of_the_work_that_follows_and_is_cut_at_the_hour():
    held = [Hold(HOUR - 60, HOUR - 50, 1), Hold(HOUR + 20, HOUR + 30, 2)]
    assert list(worked(held)) == [(1, 0, 10, 0), (2, 0, 0, 50), (2, 1, 0, 20), (2, 1, 10, 0)]


@pytest.mark.parametrize(("gap", "slack"), [(ABSENCE, ABSENCE), (ABSENCE + 1, 0)])
def test_a_gap_of_more_than_half_an_hour_is_an_absence(gap, slack):
    assert sum(row[3] for row in worked([Hold(0, 10, 1), Hold(10 + gap, 20 + gap, 1)])) == slack
