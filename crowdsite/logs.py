"""How log lines look: for people, or as JSON for machines; of which request each is; and what never stands in one.

A secret should not get as far as here. Where one does, in a path that Django complains of or in an exception's text,
it is blotted out.
"""

import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger
from pythonjsonlogger.json import JsonFormatter

about: ContextVar[str] = ContextVar("about", default="")
"""The id of the request, or of the job, that is being worked on; "" for none."""

TOLD = ("method", "path", "status", "duration_ms", "user_id")
"""What of a record's own fields is told. Others' hold whatever they like, a whole request among it."""

BLOT = "[secret]"

SECRETS = {
    mark: re.compile(mark + rest)
    for mark, rest in (
        # API tokens, and secrets of webhooks.
        ("cs_", r"[\w+/=-]{16,}"),
        ("whsec_", r"[\w+/=-]{16,}"),
        # The signature of what Django has signed: the links of offers and seats, a window's token.
        (":", r"[0-9A-Za-z]{6}:[\w-]{43}"),
        ("%3A", r"[0-9A-Za-z]{6}%3A[\w-]{43}"),
        # A header that somebody quotes.
        ("Bearer ", r"[\w.~+/=-]{8,}"),
        ("Basic ", r"[\w.~+/=-]{8,}"),
    )
}
"""By how they begin, which is looked for first: every line is looked through, and hardly any has one."""


def blotted(text: str) -> str:
    """The text without secrets of the kinds that are known by their form."""
    for mark, secret in SECRETS.items():
        if mark in text:
            text = secret.sub(mark + BLOT, text)
    return text


class Line(logging.Formatter):
    """`2027-03-01 09:30:00,000 WARNING queues.courier [id]: sentence`; without the id outside of requests and jobs."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        of = about.get()
        record.about = f" [{of}]" if of else ""
        return blotted(super().format(record))


class Json(JsonFormatter):
    """An object a line: time, level, logger, message, process; request_id, exc_info and those of TOLD where there."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if of := about.get():
            log_data["request_id"] = of
        log_data |= {name: record.__dict__[name] for name in TOLD if name in record.__dict__}
        log_data |= {name: message_dict[name] for name in ("exc_info", "stack_info") if name in message_dict}

    def format(self, record: logging.LogRecord) -> str:
        return blotted(super().format(record))


class Gunicorn(GunicornLogger):
    """gunicorn's own complaints go where all others go."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
