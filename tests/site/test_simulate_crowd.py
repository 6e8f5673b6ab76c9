"""`manage.py simulate_crowd` against a site that is served, with everything between them real."""

import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

from tests.site.serving import LONG, ROOT, until, variables

pytestmark = pytest.mark.servers


@pytest.fixture
def site(serve):
    """A site with the demo, whose pool is at work."""
    site = serve(DEMO=1)
    site.wait_until_ready()
    return site


@pytest.fixture
def operator(site, tmp_path):
    """A function that asks the site's API as the demo's operator. With a body it posts."""
    token = json.loads((tmp_path / "demo.json").read_text())["users"]["operator"]["token"]

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with urlopen(Request(f"{site.url}api/v1/{path}", data=data, headers=headers), timeout=LONG) as answer:
            return json.load(answer)

    ask.token = token
    return ask


@contextmanager
def crowd(site, environment, **given):
    """The command at work for the block, whatever happens in it."""
    options = [f"--{name}={value}" for name, value in given.items()]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "simulate_crowd", f"--url={site.url}", *options],
        cwd=ROOT,
        env=variables(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def counts(said):
    """The numbers of a summary, by what they count."""
    return {name.strip(): int(number) for name, number in re.findall(r"([a-z ]+) (\d+)(?=[,\s(]|$)", said)}


def test_people_join_are_promoted_answer_and_leave_without_an_error(site, operator):
    def all_of_it_has_happened():
        kinds = {payment["kind"] for payment in operator("payments/")["results"]}
        return {"base", "answers"} <= kinds

    with crowd(site, site.given, workers=10, seconds=30, seed=3) as process:
        until(lambda: all_of_it_has_happened() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=LONG)
    assert process.returncode == 0, said + site.output
    number = counts(said)
    assert (
        number["joins"] == number["submits"] + number["returns"] + number["went silent"] + number["ended by the site"]
    )
    assert number["promotions"] >= number["confirmed"] >= 1
    assert number["submits"] >= 1
    assert re.search(r"promotion to frame: p50 \d+ ms, p95 \d+ ms, p99 \d+ ms", said)
    assert operator("queues/digits/stats/")["by_status"]["FINISHED"] == number["answers"] >= 1
    assert "Traceback" not in site.output


def test_when_the_session_is_stopped_the_crowd_goes_home(site, operator, tmp_path):
    # With another database: the invitation comes by the API.
    elsewhere = {"CROWDSITE_DATA_DIR": tmp_path / "elsewhere"}
    with crowd(site, elsewhere, workers=4, seconds=30, token=operator.token) as process:
        (session,) = operator("sessions/?status=LIVE")["results"]
        until(lambda: operator(f"sessions/{session['id']}/")["active"] or process.poll() is not None)
        operator(f"sessions/{session['id']}/stop/", {})
        said, _ = process.communicate(timeout=LONG)
    assert process.returncode == 0, said + site.output
    assert counts(said)["ended by the site"] >= 1
