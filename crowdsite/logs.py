"""How log lines look for people; of which request each is; and what never stands in one.

A secret should not get as far as here. Where one does, in a path that Django complains of or in an exception's text,
it is blotted out.
"""

import logging
import re
from contextvars import ContextVar

about: ContextVar[str] = ContextVar("about", default="")
"""The id of the request, or of the job, that is being worked on; "" for none."""

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
