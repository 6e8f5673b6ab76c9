"""How log lines look for machines. A module of its own: a site that logs for people does not load it."""

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from crowdsite.logs import about, blotted

TOLD = ("method", "path", "status", "duration_ms", "user_id")
"""What of a record's own fields is told. Others' hold whatever they like, a whole request among it."""


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
