"""Whom webhooks are sent to: a receiver that answers well, and sockets that answer in whatever way.

`python -m tests.receiver PORT LOG` runs the first as a process of its own, which writes what it got down, and onto the
disk, before it answers.
"""

import json
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request: its path, its headers by lower-case name, and its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """What it says, if the signature is right; raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver(ThreadingHTTPServer):
    """Answers each POST with `status`; what came is in `received`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, log: str = "", handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        self.received: list[Received] = []
        self.came = threading.Condition()
        self.status, self.headers = 204, dict[str, str]()
        self.connections = 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else None
        super().__init__(("127.0.0.1", port), handler or Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/in"

    def get_request(self) -> tuple[socket.socket, Any]:
        """Count the connections."""
        taken = super().get_request()
        self.connections += 1
        return taken

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not trust us, is its own affair."""

    def keep(self, one: Received) -> None:
        """Note what came, on the disk where there is a log."""
        if self.log is not None:
            line = {"id": one.id, "headers": one.headers, "body": one.body.decode()}
            os.write(self.log, json.dumps(line).encode() + b"\n")
            os.fsync(self.log)
        with self.came:
            self.received.append(one)
            self.came.notify_all()

    def wait_for(self, count: int, seconds: float = 20) -> list[Received]:
        """What has come, once it is so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.received) >= count, seconds), f"{len(self.received)} came"
            return list(self.received)


class Handler(BaseHTTPRequestHandler):
    """Of a Receiver."""

    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Note it, and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keep(Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        if self.server.status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving(trusted: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on a thread; with a certificate it speaks TLS."""
    with Receiver() as receiver:
        if trusted is not None:
            receiver.socket = trusted.wrap_socket(receiver.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


@dataclass
class Listener:
    """A socket that listens; `connections` came in."""

    socket: socket.socket
    connections: int = 0

    @property
    def port(self) -> int:
        return self.socket.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"


@contextmanager
def answering(answer: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[Listener]:
    """Have `answer` deal with each connection, on a thread, once it has sent something; it is closed afterwards."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, 0))
        listening.listen(128)
        listener = Listener(listening)

        def deal(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                answer(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _address = listening.accept()
                    listener.connections += 1
                    threading.Thread(target=deal, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def main(port: str, log: str) -> None:
    """Receive until the process is killed."""
    with Receiver(int(port), log) as receiver:
        receiver.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
