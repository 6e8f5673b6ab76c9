"""`/healthz`, `/readyz` and `/courierz`."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from crowdsite import health
from queues import sequencer
from queues.models import EventPending
from tests import cast
from tests.servers import free_port
from tests.site.serving import ROOT, variables


@pytest.fixture(autouse=True)
def _nothing_remembered():
    yield
    health.migrations.cache_clear()


def test_healthz_asks_no_database(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_says_that_each_part_is_ready(client, backend):
    answer = client.get("/readyz")
    parts = {"database", "migrations"} | ({"broker"} if backend == "postgresql" else set())
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["parts"] == dict.fromkeys(parts, "ok")


@pytest.mark.django_db
def test_readyz_refuses_while_a_migration_is_missing(client):
    health.migrations.cache_clear()
    applied = MigrationRecorder.Migration.objects.filter(app="crowd_queues")
    rows = list(applied)
    applied.delete()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["migrations"] == "migrations are not applied"
    MigrationRecorder.Migration.objects.bulk_create(rows)
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_readyz_refuses_without_the_broker(client, settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["broker"] == "the broker does not answer"


def test_readyz_refuses_without_the_database(tmp_path):
    program = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "answer = Client(headers={'host': 'localhost'}).get('/readyz')\n"
        "print(answer.status_code, answer.json()['parts']['database'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=variables(
            DJANGO_SETTINGS_MODULE="crowdsite.settings",
            DATABASE_URL=f"postgres://nobody@127.0.0.1:{free_port()}/nothing",
            CROWDSITE_DATA_DIR=tmp_path,
        ),
    )
    assert done.stdout == "503 the database does not answer\n", done.stderr


@pytest.mark.django_db
def test_courierz_says_whether_events_are_looked_after(client):
    cast.queue()
    assert client.get("/courierz").json()["status"] == "ok"
    assert client.get("/courierz").json()["event_waits_seconds"] >= 0
    while sequencer.sequence().count:
        pass
    answer = client.get("/courierz")
    assert (answer.status_code, answer.json()["event_waits_seconds"]) == (200, None)
    cast.post(cast.queue("late"), now=timezone.now() - timedelta(minutes=2))
    EventPending.objects.filter(event__type__startswith="QUEUE").delete()
    answer = client.get("/courierz")
    assert (answer.status_code, answer.json()["status"]) == (503, "behind")
