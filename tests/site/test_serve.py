"""`manage.py serve`, with real processes: embedded on SQLite, several processes on PostgreSQL."""

import json
import signal
import socket
from urllib.request import Request, urlopen

import pytest
from uvicorn import Config

from crowdsite.embedded import Courying, Server
from tests.receiver import answering, receiving
from tests.servers import free_port
from tests.site.serving import LONG, gone, manage, until

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_with_status_0(serve, number):
    site = serve()
    site.wait_until_ready()
    assert site.status_of("readyz") == 200
    family = site.family()
    site.process.send_signal(number)
    assert site.wait() == 0, site.output
    assert all(gone(process) for process in family)
    assert "Crowdsite has stopped." in site.output
    assert "Traceback" not in site.output


def test_a_signal_during_the_start_ends_it_with_status_0(serve):
    site = serve()
    until(lambda: "Migrating the database." in site.output)
    site.process.send_signal(signal.SIGTERM)
    assert site.wait() == 0, site.output
    assert "Traceback" not in site.output


def test_it_says_where_it_is_once(serve):
    site = serve()
    site.wait_until_ready()
    assert site.output.count(site.url) == 1


def test_it_serves_pages_with_their_files(serve):
    site = serve()
    site.wait_until_ready()
    for path in ("", "static/queues/site.css", "static/admin/css/base.css", "api/docs/", "admin/login/"):
        assert site.status_of(path) == 200


def test_a_port_in_use_is_a_sentence(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        site = serve(PORT=port)
        assert site.wait() == 1
    assert f"Port {port} of 127.0.0.1 is in use" in site.output
    assert "Traceback" not in site.output


def test_a_database_that_does_not_answer_is_a_sentence(tmp_path):
    url = f"postgres://nobody@127.0.0.1:{free_port()}/nothing"
    done = manage("serve", DATABASE_URL=url, PORT=free_port(), CROWDSITE_DATA_DIR=tmp_path)
    assert done.returncode == 1
    assert "The database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_site_sends_webhooks_and_ends_in_time_while_receivers_hang(serve, tmp_path):
    with answering(lambda connection: connection.recv(1)) as hanging, receiving() as receiver:
        site = serve(DEMO=1, CROWDSITE_WEBHOOKS_LOOPBACK=1, CROWDSITE_WEBHOOK_SECONDS=30)
        site.wait_until_ready()
        token = json.loads((tmp_path / "demo.json").read_text())["users"]["operator"]["token"]

        def post(path, body):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            request = Request(f"{site.url}api/v1/{path}", json.dumps(body).encode(), headers)
            with urlopen(request, timeout=LONG) as answer:
                return json.loads(answer.read())

        post("queues/", {"name": "heard"})
        for listener in (hanging, receiver):
            setting = {"level": "queue", "queue": "heard", "events_to_notify": ["TASK_CREATED"]}
            made = post("notifications/", {**setting, "endpoint": listener.url})
        task = post("queues/heard/tasks/", {"input_data": 1})
        (got,) = receiver.wait_for(1, LONG)
        assert got.verified(made["secret"])["data"]["id"] == task["id"]
        until(lambda: hanging.connections)
        site.process.send_signal(signal.SIGTERM)
        assert site.wait() == 0, site.output
    assert "did not end" not in site.output
    assert "Traceback" not in site.output


def test_a_courier_that_has_ended_can_be_stopped():
    courier = Courying(Server(Config("crowdsite.asgi:application")))
    courier.loop.close()
    courier.stop()


@pytest.mark.only("postgresql")
@pytest.mark.parametrize("name", ["gunicorn", "uvicorn", "worker", "beat", "courier"])
def test_when_a_part_dies_everything_ends_with_a_sentence(serve, name):
    site = serve()
    site.wait_until_ready()
    family = site.family()
    site.part(name).kill()
    assert site.wait() == 1
    assert f"{name} was killed by signal 9" in site.output
    until(lambda: all(gone(process) for process in family))


@pytest.mark.only("postgresql")
def test_a_part_that_does_not_listen_to_signals_is_killed(serve):
    site = serve()
    site.wait_until_ready()
    family = site.family()
    site.part("uvicorn").suspend()
    site.process.send_signal(signal.SIGTERM)
    assert site.wait() == 0
    assert "uvicorn did not end" in site.output
    assert all(gone(process) for process in family)


@pytest.mark.only("postgresql")
def test_a_killed_supervisor_leaves_no_orphans(serve):
    site = serve()
    site.wait_until_ready()
    family = site.family()
    assert len(family) >= 7
    site.process.kill()
    until(lambda: all(gone(process) for process in family))
