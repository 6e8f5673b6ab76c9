"""How often one may ask: counted in the cache for all processes, quickly, and without it where it is away."""

import timeit
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import run_checks

from queues import throttles
from queues.exceptions import Throttled
from queues.throttles import Kind, Rate, Throttle, read_rate

NOON = 1_800_000_000.0


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Away(LocMemCache):
    """A cache that does not answer."""

    asked = 0

    def incr(self, *args: Any, **kwargs: Any) -> int:
        Away.asked += 1
        raise ConnectionError("nobody there")


@pytest.fixture(autouse=True)
def numbers(settings: Any) -> Iterator[None]:
    """The site's own cache, with numbers that nobody else counts."""
    prefix = {"KEY_PREFIX": uuid4().hex}
    settings.CACHES = {alias: {**options, **prefix} for alias, options in settings.CACHES.items()}
    settings.CROWDSITE_THROTTLES = {"grab": "100/m"}
    throttles.forget()
    yield
    throttles.forget()


def until_refused(*processes: Throttle, who: str = "alice", most: int = 1000) -> int:
    """How many may come, asking one process after the other, until all have refused."""
    came, left = 0, list(processes)
    while left and came < most:
        try:
            left[came % len(left)].require(Kind.GRAB, who)
            came += 1
        except Throttled:
            left.remove(left[came % len(left)])
    return came


def test_so_many_may_come_and_no_more() -> None:
    assert until_refused(Throttle(Clock())) == 100


def test_all_processes_count_together() -> None:
    clock = Clock()
    assert until_refused(*[Throttle(clock) for _process in range(4)]) == 100


def test_everyone_has_a_count_of_their_own() -> None:
    one = Throttle(Clock())
    assert until_refused(one) == 100
    assert until_refused(one, who="bob") == 100


def test_after_the_time_that_is_said_one_may_ask_again() -> None:
    clock = Clock()
    one = Throttle(clock)
    until_refused(one)
    with pytest.raises(Throttled) as refused:
        one.require(Kind.GRAB, "alice")
    assert 1 <= refused.value.retry_after <= 60
    clock.now += refused.value.retry_after
    assert until_refused(one) == 100


def test_not_all_may_ask_again_at_the_same_time() -> None:
    one, waits = Throttle(Clock()), set()
    for who in range(10):
        until_refused(one, who=str(who))
        with pytest.raises(Throttled) as refused:
            one.require(Kind.GRAB, str(who))
        waits.add(refused.value.retry_after)
    assert len(waits) > 1


def test_whoever_is_refused_is_refused_without_asking_the_cache(settings: Any) -> None:
    one = Throttle(Clock())
    until_refused(one)
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Away", "LOCATION": "x"}}
    with pytest.raises(Throttled):
        one.require(Kind.GRAB, "alice")


@pytest.mark.parametrize("off", ["", "0"])
def test_without_a_rate_nothing_is_counted(settings: Any, off: str) -> None:
    settings.CROWDSITE_THROTTLES = {"grab": off}
    assert until_refused(Throttle(), most=500) == 500


def test_where_the_cache_is_away_each_process_counts_by_itself(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Away", "LOCATION": "x"}}
    Away.asked, clock = 0, Clock()
    assert until_refused(Throttle(clock), Throttle(clock)) == 200
    assert Away.asked == 2
    assert [record.message for record in caplog.records] == [
        "The cache does not answer, so each process counts by itself: ConnectionError('nobody there')"
    ] * 2


def test_a_cache_that_comes_back_is_asked_again(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "ALONE_SECONDS", 0)
    here, clock = settings.CACHES, Clock()
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Away", "LOCATION": "x"}}
    one = Throttle(clock)
    assert until_refused(one) == 100
    settings.CACHES = here
    # What came meanwhile was counted nowhere else.
    assert until_refused(one) == 100
    assert until_refused(one) == 0


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "KEPT_MAX", 10)
    one = Throttle(Clock())
    for who in range(100):
        one.require(Kind.GRAB, str(who))
    assert len(one._windows) <= 10


def test_asking_costs_little(settings: Any) -> None:
    settings.CROWDSITE_THROTTLES = {"grab": "3000/m"}
    one = Throttle(Clock())
    seconds = min(timeit.repeat(lambda: one.require(Kind.GRAB, "alice"), number=500, repeat=5))
    assert seconds / 500 < 100e-6


def test_the_cache_of_the_site_is_asked_seldom(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CROWDSITE_THROTTLES = {"grab": "3000/m"}
    cache, asked = caches["throttles"], []
    incr = type(cache).incr
    monkeypatch.setattr(type(cache), "incr", lambda self, *args: asked.append(args) or incr(self, *args))
    assert until_refused(Throttle(Clock()), most=1500) == 1500
    assert len(asked) < 50


@pytest.mark.parametrize(
    ("text", "rate"), [("3000/m", Rate(3000, 60)), ("60/h", Rate(60, 3600)), ("1/s", Rate(1, 1)), ("0", None)]
)
def test_a_rate_is_read(text: str, rate: Rate | None) -> None:
    assert read_rate(text) == rate


@pytest.mark.parametrize("text", ["many", "10", "10/w", "-1/m", "0/m", "1.5/m", "10/m/s", " 10/m"])
def test_what_is_no_rate_is_refused_in_a_sentence(settings: Any, text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        read_rate(text)
    settings.CROWDSITE_THROTTLES = {"grab": text}
    assert [problem.id for problem in run_checks(tags=["security"])] == ["queues.E009"]


def test_a_throttle_that_does_not_exist_is_refused(settings: Any) -> None:
    settings.CROWDSITE_THROTTLES = {"grap": "10/m"}
    assert [problem.id for problem in run_checks(tags=["security"])] == ["queues.E009"]


def test_a_host_without_the_cache_counts_in_its_default(settings: Any) -> None:
    del settings.CACHES["throttles"]
    settings.CACHES = {**settings.CACHES}
    Throttle(Clock()).require(Kind.GRAB, "alice")
    prefix = settings.CACHES["default"]["KEY_PREFIX"]
    assert [key for key in caches["default"]._cache if key.startswith(f"{prefix}:1:crowd:grab:alice:")]
