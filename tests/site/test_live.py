"""Sockets of the site as it is served: in one process, in several, and when what is between them goes away."""

import json
import signal
import urllib.request
from contextlib import contextmanager

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests import cast
from tests.servers import valkey
from tests.site.serving import LONG
from tests.sockets import serving, telling

QUEUE = "live"


class Operator:
    """The demo's operator, who may do everything but review."""

    def __init__(self, site, folder):
        self.site = site
        self.token = json.loads((folder / "demo.json").read_text())["users"]["operator"]["token"]

    def post(self, path, body):
        request = urllib.request.Request(
            f"{self.site.url}api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=LONG).close()

    @contextmanager
    def socket(self, backend):
        """A welcomed socket at the queue."""
        port = self.site.given["PORT" if backend == "sqlite" else "WS_PORT"]
        with connect(f"ws://127.0.0.1:{port}/ws/queues/{QUEUE}/", open_timeout=LONG) as socket:
            socket.send(json.dumps({"type": "authenticate", "token": self.token}))
            assert json.loads(socket.recv(timeout=LONG))["type"] == "welcome"
            yield socket


@pytest.mark.servers
def test_what_is_posted_over_http_is_told_to_sockets_which_do_not_delay_the_end(serve, tmp_path, backend):
    site = serve(DEMO=1)
    site.wait_until_ready()
    operator = Operator(site, tmp_path)
    operator.post("queues/", {"name": QUEUE})
    with operator.socket(backend) as socket:
        operator.post(f"queues/{QUEUE}/tasks/", {"input_data": {}})
        assert json.loads(socket.recv(timeout=LONG)) == {"type": "available"}
        site.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=LONG)
        # "Service restart": come back soon.
        assert closed.value.rcvd.code == 1012
    assert site.wait() == 0, site.output
    assert "did not end" not in site.output
    assert "Traceback" not in site.output


@pytest.mark.threads
def test_when_the_broker_goes_away_sockets_are_closed_and_none_is_let_in(tmp_path, settings):
    queue = cast.queue("digits")
    cast.join(queue, "alice")
    with valkey(tmp_path) as url, serving() as site:
        hosts = [{"address": url, "socket_timeout": None}]
        settings.CHANNEL_LAYERS = {
            "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": hosts}}
        }
        with site.of("alice", "queues/digits/") as alice:
            with telling(site):
                cast.post(queue)
                assert alice.next() == {"type": "available"}
            with redis.Redis.from_url(url) as broker:
                broker.shutdown(nosave=True)
            assert alice.closed() == 1013
        with site.socket("queues/digits/") as alice:
            alice.authenticate("alice")
            assert alice.closed() == 1013
