"""How sockets end: the codes with which they are closed, and what is raised to end one."""

from enum import IntEnum


class Code(IntEnum):
    """Why a socket is closed."""

    DONE = 1000
    POLICY = 1008
    TOO_LARGE = 1009
    LATER = 1013
    NOT_KNOWN = 4401
    NOT_ALLOWED = 4403
    MISSING = 4404
    ELSEWHERE = 4409
    TOO_MANY = 4429


class Closed(Exception):
    """The socket is to be closed; the reason is a sentence of at most 123 bytes, as the protocol has it."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Gone(Exception):
    """The other side has closed the socket, or was lost."""
