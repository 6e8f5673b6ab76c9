"""`/metrics`: who may read it, that its numbers are those of the rows, and that every name is documented."""

import re
from datetime import timedelta
from threading import Event, Thread

import pytest
import yaml
from django.contrib.auth.models import Permission
from django.core.checks import run_checks
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from assignments import census, lifecycle, rollup
from assignments.models import MetricsMark
from crowdsite import gauges, monitoring
from pavilion import pool
from pavilion.models import Seat
from queues import sequencer
from queues.models import Delivery
from tests import cast, outbox, pools
from tests.api.calling import Caller
from tests.servers import free_port
from tests.site.serving import ROOT

pytestmark = pytest.mark.django_db

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(autouse=True)
def _looked_up_anew(settings):
    settings.CROWDSITE_METRICS_TOKEN = TOKEN
    monitoring.page.forget()
    yield
    monitoring.page.forget()


class Scraped:
    """What `/metrics` says now: `names`, and by calling it the value of a name with these labels; None: it has none."""

    def __init__(self, client):
        monitoring.page.forget()
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200, answer.content
        families = text_string_to_metric_families(answer.content.decode())
        self.found = {(one.name, *sorted(one.labels.items())): one.value for each in families for one in each.samples}
        self.names = {name for name, *_labels in self.found}

    def __call__(self, name, **labels):
        return self.found.get((f"crowdsite_{name}", *sorted(labels.items())))


def bring_up_to_date():
    while sequencer.sequence().count:
        pass
    while census.roll_up():
        pass


def test_it_is_for_operators_and_for_who_brings_the_token(client, settings):
    operator = cast.person("olga")
    operator.user_permissions.add(Permission.objects.get(codename="operate"))

    def status(who=None, **headers):
        return (Caller(who).client if who else client).get("/metrics", headers=headers).status_code

    assert status("olga") == 200
    assert status("mia") == 403
    assert status() == 401
    assert status(Authorization=f"Bearer {TOKEN}") == 200
    assert status(Authorization=f"Bearer {TOKEN}x") == 401
    assert status(Authorization=f"Basic {TOKEN}") == 401
    settings.CROWDSITE_METRICS_TOKEN = ""
    assert status(Authorization="Bearer ") == 401
    client.force_login(cast.person("mia"))
    assert status() == 403
    client.force_login(operator)
    assert status() == 200


def test_a_short_token_is_refused(settings):
    settings.CROWDSITE_METRICS_TOKEN = "12345"
    assert "crowdsite.E005" in {problem.id for problem in run_checks(tags=["crowdsite"])}


def test_tasks_are_counted_by_queue_and_status_with_what_was_handed_out_and_how_it_ended(client):
    digits, now = cast.queue("digits"), timezone.now()
    alice = cast.join(digits, "alice")
    cast.post(digits, 6, now=now - timedelta(minutes=5))
    (first,) = cast.grab(alice).assignments
    lifecycle.finalize(assignment_id=first.pk, data=1)
    (second,) = cast.grab(alice).assignments
    lifecycle.skip(assignment_id=second.pk, seconds_to_expire=None)
    cast.grab(alice, now=now - timedelta(hours=2), seconds_to_expire=60)
    lifecycle.expire_assignments()
    cast.grab(alice)
    assert Scraped(client)("tasks", queue="digits", status="available") is None
    bring_up_to_date()
    found = Scraped(client)
    depths = [found("tasks", queue="digits", status=status) for status in ("available", "assigned", "finished")]
    assert depths == [4, 1, 1]
    assert found("assignments_handed_out_total", queue="digits") == 4
    ends = ("finished", "skipped", "expired", "canceled")
    assert [found("assignments_ended_total", queue="digits", how=how) for how in ends] == [1, 1, 1, 0]
    assert 300 <= found("task_oldest_available_seconds", queue="digits") < 400
    assert found("census_behind_events") == 0


def test_it_says_how_far_the_courier_and_the_endpoints_are_behind(client):
    now = timezone.now()
    working, away = outbox.endpoint(), outbox.endpoint("https://hooks.example/away", failing_since=now)
    outbox.endpoint("https://hooks.example/gone", disabled_at=now, disabled_reason="gone")
    outbox.waiting(working, 2, now=now)
    (failed,) = outbox.waiting(away, 1, now=now)
    Delivery.objects.filter(pk=failed.pk).update(status="FAILED", next_try_at=None, ended_at=now)
    queue = cast.queue("digits")
    bring_up_to_date()
    cast.post(queue, 1, now=now - timedelta(minutes=2))
    found = Scraped(client)
    assert found("events_pending") == 2
    assert 120 <= found("event_oldest_pending_seconds") < 200
    assert [found("deliveries", status=status) for status in ("waiting", "retry", "failed")] == [2, 0, 1]
    assert [found("endpoints", state=state) for state in ("working", "failing", "disabled")] == [1, 1, 1]


def at_work():
    """A pool of one who confirmed four seconds after the promotion, and one who waits."""
    now = timezone.now() - timedelta(minutes=1)
    session = pools.post(name="fast", now=now, min_waiting=1, max_waiting=4, max_active=3)
    for name in ("ann", "ben"):
        pools.join(session, name, now=now)
    (active,) = Seat.objects.active()
    pool.confirm(seat_id=active.pk, now=now + timedelta(seconds=4))
    return session


def test_it_says_who_is_in_the_pools_and_how_quickly_they_say_so(client):
    at_work()
    found = Scraped(client)
    fast = {"project": "Study", "pool": "fast"}
    assert [found("pool_workers", state=state, **fast) for state in ("waiting", "active")] == [1, 1]
    assert [found("pool_wanted", state=state, **fast) for state in ("waiting", "active")] == [4, 3]
    assert found("pool_offers", **fast) == 5
    assert (found("promotion_seconds", quantile="0.9"), found("promotions_within_hour")) == (4, 1)


def test_it_says_whether_the_jobs_are_carried_out(client):
    cast.queue("digits")
    assert Scraped(client)("jobs_age_seconds") is None
    MetricsMark.objects.create(as_of=timezone.now() - timedelta(minutes=3))
    assert 180 <= Scraped(client)("jobs_age_seconds") < 240
    rollup.roll_up()
    assert Scraped(client)("jobs_age_seconds") < 60


def test_a_broker_that_is_away_is_told_and_the_rest_is_there(client, settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    found = Scraped(client)
    assert (found("part_up", part="broker"), found("part_up", part="database")) == (0, 1)
    assert found("scrape_failed", part="tasks") == 0


@pytest.mark.only("postgresql")
def test_what_takes_too_long_is_given_up_and_said_so(client, monkeypatch):
    monkeypatch.setattr(gauges, "STATEMENT_MS", 50)
    monkeypatch.setattr(gauges, "ACTIVITY", "SELECT pg_sleep(5)")
    found = Scraped(client)
    assert (found("scrape_failed", part="database"), found("scrape_failed", part="tasks")) == (1, 0)
    assert found("database_connections") is None
    assert found("scrape_seconds") < 4


def test_while_somebody_looks_others_are_shown_what_was_there_and_wait_for_nothing(monkeypatch):
    began, go = Event(), Event()

    def hang():
        began.set()
        assert go.wait(30)
        return b"new"

    page = monitoring.Page()
    monkeypatch.setattr(monitoring, "_look", hang)
    looking = Thread(target=page.text)
    looking.start()
    try:
        assert began.wait(30)
        with pytest.raises(monitoring.Busy):
            page.text()
    finally:
        go.set()
        looking.join()
    assert page.text() == b"new"


def test_every_name_is_documented_and_the_alerts_know_no_other(client, backend):
    cast.post(cast.queue("digits"))
    at_work()
    bring_up_to_date()
    rollup.roll_up()
    found = Scraped(client).names
    documented = set(re.findall(r"^\| `(crowdsite_\w+)", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE))
    elsewhere = {"sqlite": ("crowdsite_database_",), "postgresql": ()}[backend]
    assert found == {name for name in documented if not name.startswith(elsewhere)}
    groups = yaml.safe_load((ROOT / "docs/prometheus-alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 5
    for rule in rules:
        names = set(re.findall(r"crowdsite_\w+", rule["expr"]))
        assert names, rule
        assert names <= documented, rule
        assert {"alert", "expr", "for", "labels", "annotations"} <= set(rule)
