"""`manage.py serve`, with real processes: embedded on SQLite, several processes on PostgreSQL."""

import signal
import socket

import pytest

from tests.servers import free_port
from tests.site.serving import gone, manage, until

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


@pytest.mark.only("postgresql")
@pytest.mark.parametrize("name", ["gunicorn", "uvicorn", "worker", "beat"])
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
    assert len(family) >= 6
    site.process.kill()
    until(lambda: all(gone(process) for process in family))
