"""The marketplace behind HTTP on a thread: the API at `/`, and `/mturk/externalSubmit` for workers' browsers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.config import Config

from tests.mturk import pages, wire
from tests.mturk.asked import OPERATIONS
from tests.mturk.events import Deliver
from tests.mturk.faults import CallFaults, Dropped
from tests.mturk.state import Market, Unavailable
from tests.mturk.wire import Refusal

CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


class MTurk(ThreadingHTTPServer):
    """Serves `market`. `calls`: the operations that were asked for, with what was asked, done or not. `faults`: of
    calls; those of events are `market.post`'s. `broken`: what went wrong in here, which fails the test (see `serving`).
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, deliver: Deliver | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.market = Market(submit_to=self.url, deliver=deliver)
        self.faults = CallFaults()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.broken: list[Exception] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def client(self, **config: Any) -> Any:
        """A client of boto3's that tries once, unless `config` (botocore.config.Config's) says otherwise."""
        config = {"retries": {"total_max_attempts": 1}} | config
        return boto3.client("mturk", endpoint_url=self.url, config=Config(**config), **CREDENTIALS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is its own affair."""


class Handler(BaseHTTPRequestHandler):
    """Of an MTurk."""

    server: MTurk
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """An operation, or a worker's form."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/":
            self.operation(body)
        else:
            self.form(dict(parse_qsl(body.decode(), keep_blank_values=True)))

    def do_GET(self) -> None:
        """A worker's form, which may come so too; else a page."""
        self.form(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))

    def operation(self, body: bytes) -> None:
        """Answer a requester."""
        try:
            answer, status = self.done(body), 200
        except Refusal as refusal:
            answer, status = json.dumps(refusal.body()).encode(), refusal.status
        except Dropped:
            self.close_connection = True
            return
        except Exception as problem:
            self.server.broken.append(problem)
            answer, status = b'{"__type": "InternalFailure"}', 500
        self.answer(status, wire.CONTENT_TYPE, answer)

    def done(self, body: bytes) -> bytes:
        """The answer to an operation. Raises Refusal, Dropped."""
        prefix, _dot, operation = self.headers.get("X-Amz-Target", "").partition(".")
        scope = "/us-east-1/mturk-requester/aws4_request"
        if f"{scope}, " not in self.headers.get("Authorization", ""):
            raise Refusal("MissingAuthenticationTokenException", f"The request is not signed for {scope}")
        if prefix != wire.TARGET or self.headers.get("Content-Type") != wire.CONTENT_TYPE:
            raise Refusal("UnknownOperationException", self.headers.get("X-Amz-Target", ""))
        asked = wire.read(operation, body)
        if operation not in OPERATIONS:
            raise wire.refused(f"{operation} is not among what this server knows")
        self.server.calls.append((operation, asked))
        fault = self.server.faults.next(operation)
        if isinstance(fault, Refusal):
            raise fault
        answer = wire.written(operation, self.server.market.ask(OPERATIONS[operation], asked))
        if fault is not None:
            raise fault
        return answer

    def form(self, fields: dict[str, str]) -> None:
        """A worker submits, or looks at a page."""
        path = urlsplit(self.path).path
        try:
            if path == "/mturk/externalSubmit":
                # A form with nothing else in it is refused there too, though the reference does not say so.
                number = fields.pop("assignmentId", "")
                if not fields:
                    raise Unavailable("There was a problem submitting your results for this HIT.")
                self.server.market.submit(number, fields)
                self.answer(200, "text/html; charset=utf-8", pages.submitted())
            elif (page := pages.shown(self.server.market, path, fields)) is not None:
                self.answer(200, "text/html; charset=utf-8", page)
            else:
                self.answer(404, "text/plain", b"")
        except Unavailable as problem:
            self.answer(400, "text/plain; charset=utf-8", str(problem).encode())

    def answer(self, status: int, kind: str, body: bytes) -> None:
        """Send it."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(deliver: Deliver | None = None) -> Iterator[MTurk]:
    """A marketplace on a thread. Raises at the end what went wrong inside it."""
    with MTurk(deliver=deliver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
    if server.broken:
        raise server.broken[0]
