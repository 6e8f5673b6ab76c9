"""What every test may use: the backend's name, threads, a browser; and the rules of the run."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock, current_thread, main_thread
from time import monotonic, sleep
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import connection, connections
from hypothesis import HealthCheck, settings

from queues.places import places
from tests.browser import chromium

# Under this variable whatever is missing, a backend or a browser, fails the run instead of being skipped.
REQUIRE_ALL = os.environ.get("CROWDSITE_REQUIRE_ALL") == "1"

settings.register_profile(
    "crowdsite",
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("crowdsite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are about the other database, and give tests on threads real transactions."""
    here, elsewhere = [], []
    for item in items:
        marker = item.get_closest_marker("only")
        (elsewhere if marker and marker.args[0] != connection.vendor else here).append(item)
        if item.get_closest_marker("threads"):
            item.add_marker(pytest.mark.django_db(transaction=True))
    items[:] = here
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Where everything is required a skipped test is a failed one."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"CROWDSITE_REQUIRE_ALL=1, but the test was skipped: {report.longrepr}"
    return report


@pytest.fixture
def backend() -> str:
    """The database that the run is on: "sqlite" or "postgresql"."""
    return connection.vendor


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Return `together(*functions)`: call them at once, each on a thread and a connection of its own.

    The answer is the list of what they returned, in their order; what one raised stands in its place.
    """

    def run(*functions: Callable[[], Any]) -> list[Any]:
        barrier = Barrier(len(functions))

        def call(function: Callable[[], Any]) -> Any:
            try:
                barrier.wait(timeout=30)
                return function()
            except Exception as raised:
                return raised
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(functions)) as pool:
            return list(pool.map(call, functions))

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A running headless Chromium (playwright's Browser); the test is skipped where none is installed.

    Playwright keeps an event loop in the test's thread, where Django would refuse to use the database. Its guard
    is off only as long as the loop runs, so that the other tests have it.
    """
    with pytest.MonkeyPatch.context() as patch, chromium() as running:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        if running is None:
            pytest.skip("no Chromium is installed")
        yield running


class UnderWay:
    """Counts the requests that servers on other threads are answering."""

    def __init__(self) -> None:
        self.count = 0
        self.lock = Lock()

    def began(self, **kwargs: Any) -> None:
        """One has come."""
        self._add(1)

    def ended(self, **kwargs: Any) -> None:
        """One was answered."""
        self._add(-1)

    def _add(self, number: int) -> None:
        if current_thread() is not main_thread():
            with self.lock:
                self.count += number


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Each test has a database of its own, in which other tests' places mean nothing."""
    places.forget()


@pytest.fixture(autouse=True)
def answered_to_the_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a page of the live server asked last is answered before the database is emptied."""
    if "live_server" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("live_server")
    under_way = UnderWay()
    request_started.connect(under_way.began)
    request_finished.connect(under_way.ended)
    try:
        yield
        ends = monotonic() + 30
        while under_way.count > 0 and monotonic() < ends:
            sleep(0.01)
        assert under_way.count == 0, "a request was not answered in time"
    finally:
        request_started.disconnect(under_way.began)
        request_finished.disconnect(under_way.ended)


@pytest.fixture
def sockets(live_server: Any, settings: Any) -> Iterator[Any]:
    """The Sockets at a port of their own beside the live server, whose pages know of them."""
    # Celery and uvicorn come with it, which most runs do without.
    from tests.live import Sockets

    served = Sockets()
    served.lead_pages_here(settings)
    try:
        served.start()
        yield served
    finally:
        served.stop()
