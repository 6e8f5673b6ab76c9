"""What webhooks are sent to: a receiver that counts, addresses that hang, and the client that sends without a database.

Each runs in a process of its own, with asyncio's own loop.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tests.servers import free_port

_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Receiver:
    """A receiver at `url`, each path of which may be an endpoint. `count` goes up with each message."""

    url: str
    count: Any
    line: Connection

    def taken(self) -> list[tuple[float, str, bytes]]:
        """(when it came by this machine's clock, the path, the body) of each message since this was asked last."""
        self.line.send("taken")
        return self.line.recv()


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver that answers 200 at once, over connections that may be kept."""
    port, count = free_port(), _spawn.Value("q", 0)
    here, there = _spawn.Pipe()
    process = _spawn.Process(target=_receive, args=(port, count, there), daemon=True)
    process.start()
    there.close()
    try:
        here.recv()
        yield Receiver(f"http://127.0.0.1:{port}/", count, here)
    finally:
        process.terminate()
        process.join()


def _receive(port: int, count: Any, line: Connection) -> None:
    from aiohttp import web

    came: list[tuple[float, str, bytes]] = []

    async def take(request: web.BaseRequest) -> web.Response:
        at = time.time()
        came.append((at, request.path, await request.read()))
        count.value = len(came) + given
        return web.Response()

    given = 0

    def tell() -> None:
        nonlocal given
        line.recv()
        line.send(came)
        given += len(came)
        came.clear()

    async def main() -> None:
        server = web.Server(take, access_log=None)
        await asyncio.get_running_loop().create_server(server, "127.0.0.1", port, backlog=1024)
        asyncio.get_running_loop().add_reader(line.fileno(), tell)
        line.send("ready")
        await asyncio.Event().wait()

    with suppress(KeyboardInterrupt, EOFError):
        asyncio.run(main())


@contextmanager
def hanging() -> Iterator[str]:
    """The address of a server that takes connections and messages, and never answers."""
    port = free_port()
    here, there = _spawn.Pipe()
    process = _spawn.Process(target=_hang, args=(port, there), daemon=True)
    process.start()
    there.close()
    try:
        here.recv()
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.join()


def _hang(port: int, line: Connection) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()

    async def main() -> None:
        await asyncio.start_server(swallow, "127.0.0.1", port, backlog=1024)
        line.send("ready")
        await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(main())


class Alone:
    """The sender's own HTTP client, alone in a process, without a database and without signing."""

    def __init__(self, line: Connection) -> None:
        self.line = line

    def send(self, urls: Sequence[str], bodies: Sequence[str], at_once: int) -> float:
        """Send every body to every address, so many at once to each; how many seconds it took."""
        self.line.send((urls, bodies, at_once))
        return self.line.recv()


@contextmanager
def alone() -> Iterator[Alone]:
    here, there = _spawn.Pipe()
    process = _spawn.Process(target=_send, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        here.recv()
        yield Alone(here)
    finally:
        process.terminate()
        process.join()


def _send(line: Connection) -> None:
    import django

    django.setup()
    from queues.posting import client

    async def post(urls: Sequence[str], bodies: Sequence[str], at_once: int) -> float:
        headers = {"Content-Type": "application/json", "webhook-id": "msg_1", "webhook-signature": "v1," + "x" * 44}
        async with client() as session:

            async def one(url: str, left: Iterator[str]) -> None:
                for body in left:
                    async with session.post(url, data=body.encode(), headers=headers) as answer:
                        await answer.read()

            begin = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for url in urls:
                    left = iter(bodies)
                    for _ in range(at_once):
                        group.create_task(one(url, left))
            return time.perf_counter() - begin

    line.send("ready")
    with suppress(KeyboardInterrupt, EOFError):
        while True:
            line.send(asyncio.run(post(*line.recv())))
