"""Many open WebSockets in one process that does as little as it can: it notes when frames come, and reads them later.

RFC 6455, as far as a client needs it that only listens: the server's frames are short, whole and not masked.
"""

import base64
import json
import multiprocessing
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
PATIENCE = 60
"""Seconds that opening one socket may take."""

FIRST = ("welcome", "state")
"""The type of the frame by which a server takes a socket."""

_spawn = multiprocessing.get_context("spawn")


class Sockets:
    """Open sockets, in a process of their own."""

    def __init__(self, line: Connection) -> None:
        self.line = line

    def taken(self, *, may_close: bool = False) -> list[tuple[float, int, str]]:
        """(when it came by this machine's clock, which socket, the frame's `type`) since this was asked last.

        Raises RuntimeError where a socket was closed, unless some `may_close`.
        """
        self.line.send("taken")
        frames, closed = self.line.recv()
        if closed and not may_close:
            raise RuntimeError(f"{len(closed)} sockets were closed, the first with {closed[0]}.")
        return frames


@contextmanager
def sockets(url: str, tokens: Sequence[str]) -> Iterator[Sockets]:
    """One socket at `url` (ws://…) for each bearer token, each open and known to the server."""
    here, there = _spawn.Pipe()
    process = _spawn.Process(target=_listen, args=(url, tokens, there), daemon=True)
    process.start()
    there.close()
    try:
        if said := here.recv():
            raise RuntimeError(said)
        yield Sockets(here)
    finally:
        process.terminate()
        process.join()


class _Socket:
    """One socket, and the bytes of it that are not a whole frame yet."""

    def __init__(self, url: str, token: str) -> None:
        place = urlsplit(url)
        self.rest = b""
        self.connection = socket.create_connection((place.hostname, place.port), timeout=PATIENCE)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall(
            f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        if b" 101 " not in head.splitlines()[0]:
            raise RuntimeError(f"{url}: {head.decode(errors='replace')}")
        self.send(TEXT, json.dumps({"type": "authenticate", "token": token}).encode())

    def _more(self) -> None:
        part = self.connection.recv(65536)
        if not part:
            raise RuntimeError(f"closed after {self.rest!r}")
        self.rest += part

    def until_welcome(self) -> None:
        while True:
            for kind, body in self.frames(b""):
                if kind == TEXT and json.loads(body)["type"] in FIRST:
                    return
                if kind == CLOSE:
                    raise RuntimeError(f"closed with {_code(body)}")
            self._more()

    def send(self, kind: int, body: bytes) -> None:
        """Send one frame, masked with zeros, as the protocol allows."""
        length = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0xFE]) + struct.pack("!H", len(body))
        self.connection.sendall(bytes([0x80 | kind]) + length + bytes(4) + body)

    def frames(self, part: bytes) -> list[tuple[int, bytes]]:
        """The (opcode, body) of each frame that is whole with this part."""
        data, found = self.rest + part, []
        while len(data) >= 2:
            start, size = 2, data[1]
            if size == 126 and len(data) >= 4:
                start, size = 4, struct.unpack("!H", data[2:4])[0]
            if (size >= 126 and start == 2) or len(data) < start + size:
                break
            found.append((data[0] & 15, data[start : start + size]))
            data = data[start + size :]
        self.rest = data
        return found


def _code(body: bytes) -> str:
    return str(struct.unpack("!H", body[:2])[0]) if len(body) >= 2 else "no code"


def _listen(url: str, tokens: Sequence[str], line: Connection) -> None:
    with suppress(KeyboardInterrupt, EOFError):
        try:
            opened = [_Socket(url, token) for token in tokens]
            for one in opened:
                one.until_welcome()
        except (OSError, RuntimeError) as fault:
            line.send(f"The sockets did not open: {fault}")
            return
        _note({one.connection.fileno(): one for one in opened}, line)


def _note(opened: dict[int, _Socket], line: Connection) -> None:
    """Note when frames come, until nobody asks any more; pings are answered."""
    poll = select.epoll()
    poll.register(line.fileno(), select.EPOLLIN)
    for number in opened:
        poll.register(number, select.EPOLLIN)
    line.send("")
    came: list[tuple[float, int, bytes]] = []
    closed: list[str] = []
    while True:
        asked = False
        for number, _event in poll.poll():
            if number == line.fileno():
                asked = True
                continue
            part, at = opened[number].connection.recv(65536), time.time()
            for kind, body in opened[number].frames(part):
                if kind == TEXT:
                    came.append((at, number, body))
                elif kind == PING:
                    opened[number].send(PONG, body)
                elif kind == CLOSE:
                    closed.append(_code(body))
            if not part:
                poll.unregister(number)
                closed.append("no code")
        if asked:
            line.recv()
            line.send(([(at, number, json.loads(body)["type"]) for at, number, body in came], closed))
            came.clear()
