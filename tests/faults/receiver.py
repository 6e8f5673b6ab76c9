"""Who gets the webhooks, well or badly: `python -m tests.faults.receiver PORT LOG MODE`.

MODE is a file with how it behaves at present: `well`, as tests.receiver does; `hang`, `trickle`, `flood`, `reset`.
Badly it keeps nothing of what came, but for how often it was asked.
"""

import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from tests.receiver import Handler, Receiver

MODES = ("hang", "trickle", "flood", "reset")
LINGER = struct.pack("ii", 1, 0)

PATIENCE = 20
"""Seconds after which it lets go by itself."""


class Moody(Handler):
    """Of the receiver: looks how it is to behave at each request."""

    def do_POST(self) -> None:
        """Answer, or misbehave."""
        mode = Path(self.server.mode).read_text()
        if mode not in MODES:
            super().do_POST()
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        with Path(f"{self.server.mode}.{mode}").open("a") as times:
            times.write("x")
        getattr(self, mode)()
        self.close_connection = True

    def hang(self) -> None:
        """Say nothing."""
        time.sleep(PATIENCE)

    def trickle(self) -> None:
        """Say a little at a time, without end."""
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * PATIENCE * 2:
            self.connection.sendall(bytes([byte]))
            time.sleep(0.5)

    def flood(self) -> None:
        """Say far more than anybody wants to know."""
        self.connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000000\r\n\r\n")
        for _megabyte in range(1000):
            self.connection.sendall(b"a" * 2**20)

    def reset(self) -> None:
        """Break the connection off."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)


def main(port: str, log: str, mode: str) -> None:
    """Receive until the process is killed."""
    with Receiver(int(port), log, Moody) as receiver:
        receiver.mode: Any = mode
        receiver.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
