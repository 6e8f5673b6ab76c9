"""The handwritten digits of the demo (see ATTRIBUTION.md), and their pictures."""

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("digits.jsonl")
CATEGORIES = tuple("0123456789")
SCALE = 8
"""Pixels of the picture, across and down, for one of the digit's eight."""

INSTRUCTIONS = """\
Each picture shows **one handwritten digit**. Choose the digit that its writer meant.

- The pictures are small, eight by eight points: it helps to look from a little further away.
- If two digits seem possible, choose the likelier one.
- If you cannot tell at all, skip the task.
"""

INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["image_url", "categories"],
    "properties": {
        "image_url": {"type": "string", "title": "Picture"},
        "categories": {"type": "array", "items": {"type": "string"}, "minItems": 2},
    },
    "additionalProperties": False,
}

OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["label"],
    "properties": {"label": {"title": "Digit", "enum": list(CATEGORIES)}},
    "additionalProperties": False,
}

_GREYSCALE = 0
_BITS = 4
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Digit:
    """One digit: eight rows of eight hexadecimal digits of ink, and what its writer meant."""

    id: int
    pixels: tuple[str, ...]
    label: int

    @property
    def image_url(self) -> str:
        """The picture as a data URI."""
        return "data:image/png;base64," + base64.b64encode(png(self.pixels)).decode("ascii")


@lru_cache(maxsize=1)
def read() -> tuple[Digit, ...]:
    """All 1,797 digits, in the order of the file."""
    with DATA.open(encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return tuple(Digit(row["id"], tuple(row["pixels"]), row["label"]) for row in rows)


def task_input(digit: Digit) -> dict[str, Any]:
    """What somebody who is to read a digit is shown. Its number, which would tell the answer, is not in it."""
    return {"image_url": digit.image_url, "categories": list(CATEGORIES)}


def png(pixels: Sequence[str]) -> bytes:
    """A PNG of dark ink on white: each hexadecimal digit of `pixels` a square of SCALE × SCALE pixels.

    Sixteen shades are what a greyscale PNG of four bits has, so a row of it is hexadecimal digits too.
    """
    width, height = len(pixels[0]) * SCALE, len(pixels) * SCALE
    rows = (bytes.fromhex("".join(f"{15 - int(ink, 16):x}" * SCALE for ink in row)) for row in pixels)
    # Every line of a PNG begins with the number of its filter; 0 is none.
    lines = b"".join((b"\x00" + row) * SCALE for row in rows)
    header = struct.pack(">IIBBBBB", width, height, _BITS, _GREYSCALE, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
