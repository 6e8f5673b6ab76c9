"""How many workers to keep waiting: the arithmetic of retainer pools. Pure; nothing here knows of the database.

Tasks come at a rate λ, each takes one waiting worker away, and for each that is taken another is hired, which takes
1/μ on average; c are kept waiting or on their way. That is an Erlang loss system with ρ = λ/μ, for which a task that
finds nobody waiting is one that meets all c "servers" (hires under way) busy:

- M. S. Bernstein, D. R. Karger, R. C. Miller, J. Brandt: Analytic Methods for Optimizing Realtime Crowdsourcing.
  Collective Intelligence 2012. (The retainer model, its miss rate, wait and cost.)
- A. K. Erlang: Solution of some problems in the theory of probabilities of significance in automatic telephone
  exchanges, 1917. (The formula B, and its recursion, as in any book on queues.)
- Workers who quit while they wait are a birth-and-death process, as with reneging in any book on queues.

Tasks are taken to come independently of each other (Poisson), and so are hires and quits.

Rates are in a second throughout, times in seconds, money in the pool's currency; a wage is for a minute of waiting.
Whatever is negative, infinite or no number is refused with a ValueError whose text is a sentence.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

TARGET_MAX = 100_000
"""No pool keeps more waiting than this."""


@dataclass(frozen=True)
class Demand:
    """`rate`: tasks a second. `hire_seconds`: from offering a place to somebody waiting, on average. `quit_rate`: how
    many of those who wait leave in a second, each; 0: nobody does.

    Raises ValueError for what is negative or no number, and for rates so large that they cannot be reckoned with.
    """

    rate: float
    hire_seconds: float
    quit_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rate", "hire_seconds", "quit_rate"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{name} must be a number that is not negative, and is {value}.")
        if not math.isfinite((self.rate + TARGET_MAX * self.quit_rate) * self.hire_seconds):
            raise ValueError("The rates and hire_seconds are too large to reckon with.")

    @property
    def load(self) -> float:
        """ρ: how many tasks come while one worker is hired."""
        return self.rate * self.hire_seconds


@dataclass(frozen=True)
class Point:
    """What a target brings: the share of tasks that find nobody, how many wait on average, and what that costs."""

    target: int
    miss_rate: float
    idle: float
    cost_an_hour: Decimal


@dataclass(frozen=True)
class Advice(Point):
    """The smallest target for a miss rate, or the ceiling where that is smaller (`bound`)."""

    bound: bool


def erlang_b(load: float, target: int) -> float:
    """B: the share of tasks that find nobody waiting, of whom `target` are kept, when nobody quits.

    B(0) = 1, B(k) = ρB(k−1) / (k + ρB(k−1)), which neither overflows nor loses digits.
    """
    return miss_rate(Demand(rate=load, hire_seconds=1.0), target)


def _shares(demand: Demand) -> Iterator[tuple[float, float]]:
    """For the targets 0, 1, 2 and so on: the share of tasks that find nobody, and of those that find somebody.

    With q = θ/μ it is P(0) = 1, P(k) = (ρ + kq)P(k−1) / (ρP(k−1) + k(1 + q)): Erlang's recursion where q = 0, and π(0)
    of `distribution` otherwise (its sum is an integral of a power, and integrating that by parts gives one step).
    Only sums of what is positive, so nothing cancels; therefore 1 − P has a recursion of its own.
    """
    load, quits = demand.load, demand.quit_rate * demand.hire_seconds
    missed, met = 1.0, 0.0
    yield missed, met
    for k in itertools.count(1):
        whole = load * missed + k * (1 + quits)
        missed, met = (load + k * quits) * missed / whole, k * (1 + quits * met) / whole
        yield missed, met


def _shares_at(demand: Demand, target: int) -> tuple[float, float]:
    return next(itertools.islice(_shares(demand), _whole(target), None))


def _idle(demand: Demand, target: int, met: float) -> float:
    # Hires equal departures: (c − idle)μ = λ(1 − P) + θ·idle. Rounding alone takes it below nothing.
    return max(0.0, (target - demand.load * met) / (1 + demand.quit_rate * demand.hire_seconds))


def distribution(demand: Demand, target: int) -> list[float]:
    """π: the share of time for which i workers wait, i from 0 to the target.

    π(i) ∝ Π_{k=1..i} (c−k+1)μ / (λ+kθ). In logarithms, for c in the thousands.
    """
    target = _whole(target)
    if not demand.hire_seconds or not (demand.rate or demand.quit_rate):
        return [0.0] * target + [1.0]
    logs, at = [0.0], 0.0
    for k in range(1, target + 1):
        out = demand.rate + k * demand.quit_rate
        at += math.log(target - k + 1) - math.log(demand.hire_seconds) - math.log(out)
        logs.append(at)
    highest = max(logs)
    weights = [math.exp(log - highest) for log in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def miss_rate(demand: Demand, target: int) -> float:
    """The share of tasks that find nobody waiting: B, and π(0) where workers quit."""
    return _shares_at(demand, target)[0]


def idle(demand: Demand, target: int) -> float:
    """How many wait on average: c − ρ(1−B), and that over 1 + θ/μ where workers quit."""
    return _idle(demand, target, _shares_at(demand, target)[1])


def wait_seconds(demand: Demand, target: int) -> float:
    """How long a task waits for its worker on average: B/μ, for one that finds nobody waits for a hire."""
    return miss_rate(demand, target) * demand.hire_seconds


def cost_an_hour(
    demand: Demand, target: int, *, wage_per_minute: Decimal, cost_per_miss: Decimal = Decimal(0)
) -> Decimal:
    """What those who wait cost in an hour, and the tasks that find nobody where such a task costs something."""
    missed, met = _shares_at(demand, target)
    waiting = _wages_an_hour(_idle(demand, target, met), wage_per_minute)
    misses = Decimal(str(demand.rate * missed * 3600)) * _money("cost_per_miss", cost_per_miss)
    return (waiting + misses).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _wages_an_hour(waiting: float, wage_per_minute: Decimal) -> Decimal:
    return Decimal(str(waiting * 60)) * _money("wage_per_minute", wage_per_minute)


def smallest_target(demand: Demand, share: float) -> int:
    """The smallest target at which no more than this share of tasks finds nobody.

    Raises ValueError unless 0 < share < 1, and where no target up to TARGET_MAX is enough.
    """
    found = _smallest_target(demand, share)
    if found is None:
        raise ValueError(f"Not even {TARGET_MAX} waiting workers are enough.")
    return found


def _smallest_target(demand: Demand, share: float) -> int | None:
    if not 0 < share < 1:
        raise ValueError(f"The share of tasks must be between 0 and 1, and is {share}.")
    targets = enumerate(itertools.islice(_shares(demand), TARGET_MAX + 1))
    return next((target for target, (missed, _) in targets if missed <= share), None)


def queueing(load: float, target: int) -> float:
    """P(Poisson(ρ) ≥ c): the share of tasks that queue where each waits for a worker instead of being missed."""
    if not math.isfinite(load) or load < 0:
        raise ValueError(f"load must be a number that is not negative, and is {load}.")
    if not _whole(target):
        return 1.0
    if not load:
        return 0.0
    return -math.expm1(_log_of_fewer(load, target)) if target <= load else _tail(load, target)


def _log_of_fewer(load: float, target: int) -> float:
    """ln P(Poisson(ρ) < c)."""
    logs = [k * math.log(load) - load - math.lgamma(k + 1) for k in range(target)]
    highest = max(logs)
    return min(0.0, highest + math.log(math.fsum(math.exp(log - highest) for log in logs)))


def _tail(load: float, target: int) -> float:
    """P(Poisson(ρ) ≥ c) for c > ρ, summed from the largest term on."""
    term = math.exp(target * math.log(load) - load - math.lgamma(target + 1))
    total, k = 0.0, target
    while term > total * 1e-17:
        total += term
        k += 1
        term *= load / k
    return total


def point(demand: Demand, target: int, *, wage_per_minute: Decimal) -> Point:
    """What this target brings."""
    return _point(demand, target, _shares_at(demand, target), wage_per_minute)


def _point(demand: Demand, target: int, shares: tuple[float, float], wage_per_minute: Decimal) -> Point:
    missed, met = shares
    waiting = _idle(demand, target, met)
    cost = _wages_an_hour(waiting, wage_per_minute).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return Point(target, missed, waiting, cost)


def advise(demand: Demand, *, wage_per_minute: Decimal, share: float, floor: int = 0, ceiling: int) -> Advice:
    """The smallest target for this miss rate, from `floor` to `ceiling`; `floor`, where that is above the ceiling.

    Raises ValueError unless 0 < share < 1. Where no target is enough it is the ceiling.
    """
    wanted = _smallest_target(demand, share)
    bound = wanted is None or wanted > _whole(ceiling)
    target = max(_whole(floor), ceiling if wanted is None else min(wanted, ceiling))
    found = point(demand, target, wage_per_minute=wage_per_minute)
    return Advice(found.target, found.miss_rate, found.idle, found.cost_an_hour, bound=bound)


def curve(demand: Demand, *, up_to: int, wage_per_minute: Decimal) -> list[Point]:
    """What each target from 0 on brings, for a plot; one pass, however many there are."""
    targets = enumerate(itertools.islice(_shares(demand), _whole(up_to) + 1))
    return [_point(demand, target, shares, wage_per_minute) for target, shares in targets]


def _money(name: str, amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{name} must be an amount that is not negative, and is {amount}.")
    return amount


def _whole(target: int) -> int:
    if not isinstance(target, int) or not 0 <= target <= TARGET_MAX:
        raise ValueError(f"A target is a whole number from 0 to {TARGET_MAX}, and is {target}.")
    return target
