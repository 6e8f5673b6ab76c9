"""A server of sockets on a thread of this process, with a courier beside it, and clients that speak to it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from crowdsite.embedded import Courying, Server
from crowdsite.processes import uvicorn_options
from queues import tokens
from tests.cast import person

LONG = 30
"""Seconds that a frame may take before the test fails; the machine is shared."""


class Site:
    """A running server: its port, and the uvicorn that serves."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def socket(self, path: str, **given: Any) -> Iterator["Client"]:
        """An open socket at ws/`path`, nobody's yet; `given` is for websockets' connect."""
        given = {"compression": None, "open_timeout": LONG, "close_timeout": 1} | given
        with connect(f"ws://127.0.0.1:{self.port}/ws/{path}", **given) as connection:
            yield Client(connection)

    @contextmanager
    def of(self, name: str, path: str) -> Iterator["Client"]:
        """A socket of the user `name`, by a token, that has been welcomed."""
        with self.socket(path) as client:
            client.authenticate(name)
            assert client.next()["type"] == "welcome"
            yield client


class Client:
    """One end of a socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, frame: Any) -> None:
        """Send text or bytes as they are, anything else as JSON."""
        self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def flood(self, frame: Any, times: int) -> None:
        """Send a frame so many times, or as often as the server lets: it may close before the last."""
        with suppress(ConnectionClosed):
            for _time in range(times):
                self.send(frame)

    def authenticate(self, name: str) -> Any:
        """Say that one is the user `name`; the answer is the token."""
        token, secret = tokens.issue(user=person(name), name="socket")
        self.send({"type": "authenticate", "token": secret})
        return token

    def next(self) -> Any:
        """The next frame."""
        return json.loads(self.connection.recv(timeout=LONG))

    def until(self, type_: str) -> Any:
        """The next frame of this type, whatever comes before it."""
        ends = time.monotonic() + LONG
        while (frame := self.next())["type"] != type_:
            assert time.monotonic() < ends, f"no {type_} came"
        return frame

    def closed(self) -> int:
        """Wait until the server has closed the socket; its code."""
        with pytest.raises(ConnectionClosed) as closed:
            self.until("nothing")
        assert closed.value.rcvd is not None, closed.value
        return closed.value.rcvd.code

    def quiet(self) -> list[Any]:
        """What the server had to say up to now: it answers in order, so whatever comes before the answer to a ping."""
        self.send({"type": "ping"})
        frames = []
        while (frame := self.next())["type"] != "pong":
            frames.append(frame)
        return frames


@contextmanager
def serving(port: int = 0) -> Iterator[Site]:
    """A server for the block, at this port or, with 0, at one that is free."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(100)
        config = uvicorn.Config("crowdsite.asgi:application", **uvicorn_options())
        server = Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            while not server.started:
                thread.join(0.01)
                assert thread.is_alive(), "the server has ended"
            yield Site(server, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(LONG)
            assert not thread.is_alive()


@contextmanager
def telling(site: Site) -> Iterator[None]:
    """The courier, which tells the sockets of the site what happens, for the block."""
    courier = Courying(site.server)
    thread = threading.Thread(target=courier.run, name="courier")
    thread.start()
    try:
        yield
    finally:
        courier.stop()
        thread.join(LONG)
        assert not thread.is_alive()
