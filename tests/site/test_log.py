"""What the site logs: whole lines of the form that was asked for, under the request's id, without secrets."""

import json
import logging
import re
from contextlib import suppress
from time import perf_counter
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from asgiref.sync import async_to_sync
from celery import current_app
from django.test import AsyncClient, Client

from crowdsite import jsonlogs, logs, requestids
from tests.receiver import receiving
from tests.site.serving import LONG, manage, until

MADE = re.compile(r"[0-9a-f]{32}")


def rendered(formatter, message, *arguments, exc_info=None, **extra):
    record = logging.LogRecord("queues.courier", logging.WARNING, __file__, 1, message, arguments, exc_info)
    record.__dict__.update(extra)
    return formatter.format(record)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("a1-b2_c3.d4", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("-a", False),
        ("a b", False),
        ('a"b', False),
        ("a\x7f", False),
        ("é", False),
    ],
)
def test_an_id_of_the_callers_is_taken_over_where_it_is_short_and_plain(given, taken):
    answer = Client().get("/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is taken
    assert taken or MADE.fullmatch(answer.headers["X-Request-Id"])
    assert logs.about.get() == ""


def test_asynchronous_servers_answer_with_it_too():
    answer = async_to_sync(AsyncClient().get)("/healthz", headers={"X-Request-Id": "mine"})
    assert answer.headers["X-Request-Id"] == "mine"


@pytest.mark.django_db
def test_a_request_leaves_one_line_without_its_query(admin_client, settings, caplog):
    settings.CROWDSITE_ACCESS_LOG = True
    with caplog.at_level(logging.INFO, "crowdsite.access"):
        answer = admin_client.get("/desk/?token=hidden")
    (record,) = caplog.records
    assert (record.method, record.path, record.status) == ("GET", "/desk/", answer.status_code)
    assert record.user_id == answer.wsgi_request.user.pk
    assert record.duration_ms > 0
    assert "hidden" not in record.getMessage()


def test_a_line_of_json_has_what_machines_look_for_and_no_more():
    token = logs.about.set("r-1")
    try:
        line = rendered(jsonlogs.Json(), "%s wait", "deliveries", status=503, request="<WSGIRequest: GET '/?key=1'>")
        plain = rendered(logs.Line(), "%s wait", "deliveries")
    finally:
        logs.about.reset(token)
    told = json.loads(line)
    assert told.pop("time").endswith("+00:00")
    assert told.pop("process")
    assert told == {
        "level": "WARNING",
        "logger": "queues.courier",
        "message": "deliveries wait",
        "request_id": "r-1",
        "status": 503,
    }
    assert plain.endswith(" WARNING queues.courier [r-1]: deliveries wait")


@pytest.mark.parametrize(
    "secret",
    [
        "cs_yV2Qkq0b1C9o3m-_5Zf7LrXnYtHjKdWsAaEeUuIi",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WzEsbnVsbF0:1vYxyz:-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_abcde",
        "WzEsbnVsbF0%3A1vYxyz%3A-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_abcde",
    ],
)
def test_secrets_are_blotted_out_by_their_form(secret):
    try:
        raise ValueError(f"no such key: {secret}")
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    for formatter in (logs.Line(), jsonlogs.Json()):
        line = rendered(formatter, "Internal Server Error: /pool/room/%s/", secret, exc_info=told)
        assert secret not in line
        assert line.count(logs.BLOT) == 2
        assert "/pool/room/" in line


def test_long_lines_cost_no_more_than_their_length():
    began = perf_counter()
    logs.blotted("a" * 200_000 + " " + "cs_" * 60_000 + ":" * 50_000 + "Bearer " * 20_000)
    assert perf_counter() - began < 5


def test_the_value_of_a_header_is_blotted_out():
    line = rendered(logs.Line(), "refused {'Authorization': 'Bearer 0123456789abcdef'}")
    assert "0123456789abcdef" not in line


def test_a_job_goes_on_under_the_id_of_the_request_that_sent_it():
    seen = []

    @current_app.task(name="tests.note", shared=False)
    def note():
        seen.append(logs.about.get())

    def carried_out(**headers):
        requestids.begin(task_id="j-1", task=type("Task", (), {"request": type("Request", (), headers)}))
        note()
        requestids.end()

    sent = {}
    token = logs.about.set("r-1")
    requestids.send_along(headers=sent)
    logs.about.reset(token)
    carried_out(**sent)
    carried_out()
    assert seen == ["r-1", "j-1"]
    assert logs.about.get() == ""


@pytest.mark.servers
def test_a_served_site_logs_whole_objects_under_the_requests_ids_and_no_secret(serve, tmp_path):
    site = serve(CROWDSITE_LOG_FORMAT="json", CROWDSITE_WEBHOOKS_LOOPBACK=1, CROWDSITE_METRICS_TOKEN="m" * 30)
    site.wait_until_ready()
    olga = "from tests import cast; cast.person('olga', is_superuser=True)"
    made = manage("shell", "--no-imports", "-c", olga, **site.given)
    assert made.returncode == 0, made.stderr
    token = manage("issue_token", "olga", **site.given).stdout.split()[-1]
    secrets = {token, "m" * 30, "Header-Of-A-Receiver"}

    def call(method, path, body=None, **headers):
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(site.url + path, data, sent, method=method), timeout=LONG) as answer:
            return answer.headers["X-Request-Id"], json.loads(answer.read() or b"null")

    with receiving() as receiver:
        call("POST", "api/v1/queues/", {"name": "heard"})
        setting = {"level": "queue", "queue": "heard", "events_to_notify": ["TASK_CREATED"], "endpoint": receiver.url}
        _id, told = call("POST", "api/v1/notifications/", {**setting, "headers": {"X-Key": "Header-Of-A-Receiver"}})
        secrets.add(told["secret"])
        ours, _task = call("POST", "api/v1/queues/heard/tasks/?page=1", {"input_data": 1}, **{"X-Request-Id": "r-7"})
        receiver.wait_for(1, LONG)
    link = "WzEsbnVsbF0:1vYxyz:-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_abcde"
    secrets.add(link)
    for path, headers in (
        (f"pool/room/{link}/", {}),
        ("api/v1/queues/", {"Authorization": "Bearer cs_0123456789abcdefghijklmnop"}),
        (f"metrics?token={'m' * 30}", {"Authorization": f"Bearer {'m' * 30}"}),
    ):
        with suppress(HTTPError, ValueError):
            call("GET", path, **headers)
    secrets.add("cs_0123456789abcdefghijklmnop")
    until(lambda: "/metrics" in site.output)
    assert ours == "r-7"

    lines = [json.loads(line) for line in site.output.splitlines()]
    found = {line["request_id"]: line for line in lines if line["logger"] == "crowdsite.access"}
    assert found["r-7"] | {"method": "POST", "path": "/api/v1/queues/heard/tasks/", "status": 201} == found["r-7"]
    assert found["r-7"]["user_id"] == 1
    assert found["r-7"]["duration_ms"] > 0
    assert all(MADE.fullmatch(id_) for id_ in found if id_ != "r-7")
    assert any(logs.BLOT in line["path"] for line in found.values())
    assert not [secret for secret in secrets if secret in site.output]
