"""A broker that refuses its work, on the site of several processes: the site goes on without it, and with it again."""

from collections.abc import Callable

import pytest
import redis
from celery import Celery

from tests.site.serving import Served, until
from tests.site.test_kill_deliveries import Program, programs, received  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.servers, pytest.mark.only("postgresql")]


def test_a_full_broker_ends_nothing(
    serve: Callable[..., Served],
    programs: dict[str, Program],  # noqa: F811
) -> None:
    url = f"redis://127.0.0.1:{programs['broker'].port}/0"
    site = serve(REDIS_URL=url)
    site.wait_until_ready()
    worker = site.part("worker")
    with redis.Redis.from_url(url) as broker:
        broker.config_set("maxmemory-policy", "noeviction")
        broker.config_set("maxmemory", "1")
        until(lambda: "begins anew" in site.output or site.process.poll() is not None)
        assert site.process.poll() is None, site.output
        assert site.status_of("healthz") == 200
        broker.config_set("maxmemory", "0")
    with Celery(broker=url) as crew:
        until(lambda: crew.control.ping(timeout=1))
    assert worker.is_running()
    assert worker.pid == site.part("worker").pid
