"""How many workers to keep waiting: the formulas against published figures, exact solutions, and their own limits."""

import doctest
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavilion import sizing
from pavilion.sizing import Demand

WAGE = Decimal("0.05")
PAGE = Path(__file__).parents[2] / "docs" / "sizing.md"

loads = st.floats(0.01, 200)
busy_loads = st.floats(10, 200)
"""With fewer tasks, and 200 who wait, the share that is missed may be smaller than the smallest float."""

targets = st.integers(0, 200)
quit_rates = st.one_of(st.just(0.0), st.floats(0.001, 5))
wrong_numbers = pytest.mark.parametrize("wrong", [-1, math.inf, math.nan])


def stationary(rate, hires, quits, target):
    """The exact shares of time for which 0, 1, … workers wait: flows in and out of each state solved, and a sum of 1.

    `rate`, `hires` (a second, each) and `quits` (a second, each) are Fractions. Knows nothing of the product formula.
    """
    size = target + 1
    flows = [[Fraction(0)] * size for _ in range(size)]
    for i in range(size):
        if i < target:
            flows[i][i + 1] += (target - i) * hires
        if i > 0:
            flows[i][i - 1] += rate + i * quits
    rows = [
        [flows[j][i] if j != i else -sum(flows[i], Fraction(0)) for j in range(size)] + [Fraction(0)]
        for i in range(target)
    ]
    rows.append([Fraction(1)] * (size + 1))
    for column in range(size):
        pivot = next(row for row in range(column, size) if rows[row][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for row in range(size):
            if row != column and rows[row][column]:
                factor = rows[row][column]
                rows[row] = [value - factor * top for value, top in zip(rows[row], rows[column], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize(
    ("load", "share", "target"), [(10, 0.05, 15), (10, 0.01, 18), (100, 0.05, 105), (100, 0.01, 117)]
)
def test_the_smallest_target_for_a_miss_rate(load, share, target):
    demand = Demand(rate=load / 60, hire_seconds=60)
    assert sizing.smallest_target(demand, share) == target
    assert sizing.miss_rate(demand, target) <= share < sizing.miss_rate(demand, target - 1)


def test_workers_who_quit_raise_the_miss_rate():
    assert sizing.miss_rate(Demand(6, 1, 0.1), 10) == pytest.approx(0.052914, abs=1e-6)
    assert sizing.miss_rate(Demand(6, 1), 10) == pytest.approx(0.043142, abs=1e-6)


def test_what_is_a_second_and_what_is_a_minute_does_not_matter_to_the_shares():
    seconds, minutes = Demand(0.1, 60, 0.1 / 60), Demand(6, 1, 0.1)
    assert sizing.miss_rate(seconds, 10) == pytest.approx(sizing.miss_rate(minutes, 10))
    assert sizing.idle(seconds, 10) == pytest.approx(sizing.idle(minutes, 10))


@pytest.mark.parametrize(("rate", "hires"), [(3, 2), (10, 1), (1, 7)])
@pytest.mark.parametrize("quits", [0, Fraction(1, 4), 3])
@pytest.mark.parametrize("target", [0, 1, 2, 7])
def test_shares_and_means_are_those_of_the_exact_balance(rate, hires, quits, target):
    exact = stationary(Fraction(rate), Fraction(hires), Fraction(quits), target)
    demand = Demand(rate, 1 / hires, float(quits))
    assert sizing.distribution(demand, target) == pytest.approx([float(share) for share in exact], rel=1e-12, abs=0)
    assert sizing.miss_rate(demand, target) == pytest.approx(float(exact[0]), rel=1e-12, abs=0)
    mean = sum(i * share for i, share in enumerate(exact))
    assert sizing.idle(demand, target) == pytest.approx(float(mean), rel=1e-12, abs=1e-12)


@given(loads, targets)
def test_nearly_nobody_quitting_is_nobody_quitting(load, target):
    nearly, nobody = Demand(load, 1, 1e-13), Demand(load, 1)
    assert sizing.miss_rate(nearly, target) == pytest.approx(sizing.erlang_b(load, target), rel=1e-6, abs=1e-300)
    assert sizing.idle(nearly, target) == pytest.approx(sizing.idle(nobody, target), rel=1e-6, abs=1e-9)


@given(loads, targets, quit_rates)
def test_the_step_by_step_figures_are_those_of_the_whole_distribution(load, target, quits):
    demand = Demand(load, 1, quits)
    shares = sizing.distribution(demand, target)
    assert math.fsum(shares) == pytest.approx(1)
    assert sizing.miss_rate(demand, target) == pytest.approx(shares[0], rel=1e-9, abs=1e-290)
    mean = math.fsum(i * share for i, share in enumerate(shares))
    assert sizing.idle(demand, target) == pytest.approx(mean, rel=1e-9, abs=1e-9)


@given(busy_loads, targets, quit_rates)
def test_who_wants_more_waiting_misses_less_and_has_more_idle(load, target, quits):
    demand = Demand(load, 1, quits)
    assert 0 < sizing.miss_rate(demand, target + 1) < sizing.miss_rate(demand, target) <= 1
    assert 0 <= sizing.idle(demand, target) < sizing.idle(demand, target + 1) <= target + 1


@given(busy_loads, st.floats(1.01, 3), st.integers(1, 200), quit_rates)
def test_more_tasks_miss_more_and_leave_fewer_idle(load, factor, target, quits):
    calm, busy = Demand(load, 1, quits), Demand(load * factor, 1, quits)
    assert sizing.miss_rate(calm, target) < sizing.miss_rate(busy, target)
    assert sizing.idle(calm, target) > sizing.idle(busy, target)


@given(busy_loads, st.integers(1, 200), st.floats(0.01, 5), st.floats(1.01, 3))
def test_the_more_quit_the_more_is_missed(load, target, quits, factor):
    few, many = Demand(load, 1, quits), Demand(load, 1, quits * factor)
    assert sizing.erlang_b(load, target) < sizing.miss_rate(few, target) < sizing.miss_rate(many, target)


@given(loads, quit_rates, st.floats(0.0001, 0.9999))
def test_the_smallest_target_is_enough_and_one_fewer_is_not(load, quits, share):
    demand = Demand(load, 1, quits)
    target = sizing.smallest_target(demand, share)
    assert sizing.miss_rate(demand, target) <= share < sizing.miss_rate(demand, target - 1)


@pytest.mark.parametrize("quits", ["0", "0.01", "2"])
@pytest.mark.parametrize("load", [1, 9_000, 10_000])
def test_thousands_of_workers_lose_no_digits(load, quits):
    """Against 60 decimal digits, and exponents without end."""
    target = 10_000
    with localcontext(prec=60):
        weight = total = Decimal(1)
        moment = Decimal(0)
        for k in range(1, target + 1):
            weight *= Decimal(target - k + 1) / (Decimal(load) + k * Decimal(quits))
            total, moment = total + weight, moment + k * weight
        missed, mean = float(1 / total), float(moment / total)
    demand = Demand(load, 1, float(quits))
    assert sizing.miss_rate(demand, target) == pytest.approx(missed, rel=1e-10, abs=1e-300)
    assert sizing.idle(demand, target) == pytest.approx(mean, rel=1e-10)
    assert sizing.distribution(demand, target)[0] == pytest.approx(missed, rel=1e-7, abs=1e-300)


@pytest.mark.parametrize(
    ("load", "target"), [(10, 15), (10, 3), (2.5, 2), (0.3, 1), (10_000, 9_900), (10_000, 10_200), (10, 60)]
)
def test_tasks_that_queue_are_the_tail_of_poisson(load, target):
    with localcontext(prec=60):
        term = fewer = (-Decimal(load)).exp()
        for k in range(1, target):
            term *= Decimal(load) / k
            fewer += term
        more = float(1 - fewer)
    assert sizing.queueing(load, target) == pytest.approx(more, rel=1e-9, abs=0)


@given(st.floats(0, 300), targets)
def test_the_more_wait_the_fewer_tasks_queue(load, target):
    more, fewer = sizing.queueing(load, target), sizing.queueing(load, target + 1)
    assert 0 <= fewer <= more * (1 + 1e-9) <= 1 + 2e-9


def test_where_nobody_is_to_wait_every_task_queues():
    assert sizing.queueing(0, 0) == 1
    assert sizing.queueing(0, 1) == 0


def test_those_who_wait_cost_their_wage():
    demand = Demand(rate=0, hire_seconds=60)
    assert sizing.cost_an_hour(demand, 4, wage_per_minute=WAGE) == Decimal("12.00")


def test_a_missed_task_costs_what_it_is_said_to():
    demand = Demand(rate=0.1, hire_seconds=60)
    assert sizing.cost_an_hour(demand, 0, wage_per_minute=WAGE, cost_per_miss=Decimal("0.10")) == Decimal("36.00")


def test_a_task_waits_for_a_hire_where_nobody_waits():
    assert sizing.wait_seconds(Demand(1, 30), 0) == 30
    assert sizing.wait_seconds(Demand(10 / 60, 60), 15) == pytest.approx(60 * 0.036497, abs=1e-4)


def test_where_hiring_takes_no_time_nobody_is_missed():
    assert sizing.distribution(Demand(5, 0, 1), 2) == [0, 0, 1]
    assert sizing.miss_rate(Demand(5, 0, 1), 2) == 0
    assert sizing.idle(Demand(5, 0, 1), 2) == 2


def test_where_nothing_comes_and_nobody_quits_all_wait():
    assert sizing.distribution(Demand(0, 60), 2) == [0, 0, 1]
    assert sizing.idle(Demand(0, 60), 2) == 2


def test_advice_stops_at_the_ceiling_and_says_so():
    demand = Demand(rate=10, hire_seconds=1)
    found = sizing.advise(demand, wage_per_minute=WAGE, share=0.05, ceiling=12)
    assert (found.target, found.bound) == (12, True)
    found = sizing.advise(demand, wage_per_minute=WAGE, share=0.05, ceiling=15)
    assert (found.target, found.bound) == (15, False)


def test_advice_stays_above_the_floor():
    found = sizing.advise(Demand(10, 1), wage_per_minute=WAGE, share=0.05, floor=20, ceiling=30)
    assert (found.target, found.bound) == (20, False)


def test_advice_says_what_its_target_brings():
    demand = Demand(rate=0.1, hire_seconds=60, quit_rate=0.001)
    found = sizing.advise(demand, wage_per_minute=WAGE, share=0.05, ceiling=100)
    assert found.miss_rate == sizing.miss_rate(demand, found.target)
    assert found.idle == sizing.idle(demand, found.target)
    assert found.cost_an_hour == sizing.cost_an_hour(demand, found.target, wage_per_minute=WAGE)


def test_advice_is_the_ceiling_where_no_target_is_enough():
    found = sizing.advise(Demand(1e9, 1), wage_per_minute=WAGE, share=0.05, ceiling=7)
    assert (found.target, found.bound) == (7, True)


def test_the_curve_has_a_point_for_each_target():
    demand = Demand(10, 1, 0.1)
    points = sizing.curve(demand, up_to=20, wage_per_minute=WAGE)
    assert [point.target for point in points] == list(range(21))
    assert points == [sizing.point(demand, target, wage_per_minute=WAGE) for target in range(21)]
    assert points[0].miss_rate == 1


def test_targets_are_found_up_to_the_most_there_are_and_no_further():
    assert sizing.miss_rate(Demand(80_000, 1), sizing.smallest_target(Demand(80_000, 1), 0.05)) <= 0.05
    with pytest.raises(ValueError, match="Not even 100000 waiting workers are enough"):
        sizing.smallest_target(Demand(200_000, 1), 0.05)


@pytest.mark.parametrize("name", ["rate", "hire_seconds", "quit_rate"])
@wrong_numbers
def test_what_is_no_rate_is_refused(name, wrong):
    with pytest.raises(ValueError, match=f"{name} must be a number that is not negative"):
        Demand(**{"rate": 1, "hire_seconds": 1, name: wrong})


@pytest.mark.parametrize("demand", [(1e200, 1e200, 0), (1, 1e200, 1e200), (1, 0, 1e308)])
def test_rates_too_large_to_reckon_with_are_refused(demand):
    with pytest.raises(ValueError, match="too large to reckon with"):
        Demand(*demand)


@wrong_numbers
def test_what_is_no_load_is_refused(wrong):
    with pytest.raises(ValueError, match="load must be a number"):
        sizing.queueing(wrong, 3)
    with pytest.raises(ValueError, match="must be a number"):
        sizing.erlang_b(wrong, 3)


@pytest.mark.parametrize("name", ["wage_per_minute", "cost_per_miss"])
@pytest.mark.parametrize("wrong", ["-0.01", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(name, wrong):
    with pytest.raises(ValueError, match=f"{name} must be an amount"):
        sizing.cost_an_hour(Demand(1, 1), 3, **{"wage_per_minute": WAGE, name: Decimal(wrong)})


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, math.nan])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        sizing.smallest_target(Demand(1, 1), share)
    with pytest.raises(ValueError, match="between 0 and 1"):
        sizing.advise(Demand(1, 1), wage_per_minute=WAGE, share=share, ceiling=5)


@pytest.mark.parametrize("target", [-1, 2.5, math.inf, math.nan, sizing.TARGET_MAX + 1])
def test_what_is_no_target_is_refused(target):
    for asked in (sizing.miss_rate, sizing.idle, sizing.wait_seconds, sizing.distribution):
        with pytest.raises(ValueError, match="A target is a whole number"):
            asked(Demand(1, 1), target)
    with pytest.raises(ValueError, match="A target is a whole number"):
        sizing.queueing(1, target)
    with pytest.raises(ValueError, match="A target is a whole number"):
        sizing.advise(Demand(1, 1), wage_per_minute=WAGE, share=0.05, ceiling=target)
    with pytest.raises(ValueError, match="A target is a whole number"):
        sizing.curve(Demand(1, 1), up_to=target, wage_per_minute=WAGE)


def test_the_example_on_the_page_is_what_comes_out():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert tried > 5
    assert failed == 0
