"""JSON that every reader understands alike and every database keeps alike: I-JSON (RFC 7493) and nothing more.

What the databases treat differently is refused at the door: NUL and lone surrogates (PostgreSQL refuses them,
SQLite stores them), numbers beyond ±(2^53−1), NaN and infinities (jsonb turns 1e300 into an integer of 301
digits, and no canonical form exists), doubled keys, and nests deeper than 32.
"""

import json
import math
import re
from typing import Any

import rfc8785

MAX_DEPTH = 32
"""How many arrays and objects may stand inside one another."""

MAX_NUMBER = 2**53 - 1
"""The greatest magnitude of a number, integer or not: beyond it a double cannot tell neighbours apart."""

_BIG_DIGITS = 17
_BEYOND = MAX_NUMBER + 1

TOO_DEEP = f"Arrays and objects may be nested {MAX_DEPTH} deep at most."

_SHAPE = bytes(
    ord("0") if byte in b"0123456789" else byte if byte in b".[{" else ord("e") if byte in b"eE" else 0x20
    for byte in range(256)
)
_LONG_INTEGER = re.compile(rb"(?<![.0])0{%d}" % (_BIG_DIGITS - 1))
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class StrictJSONError(ValueError):
    """The text or value is not the JSON we take.

    `detail` is a sentence, `pointer` a JSON pointer ("" if unknown).
    """

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(f"{pointer}: {detail}" if pointer else detail)
        self.detail = detail
        self.pointer = pointer


class _Doubled(dict[str, Any]):
    """Stands for an object that had one key twice, until the walk finds where it is."""


class _Reader:
    """The hooks of one reading; `suspect` says that the walk must look at the value."""

    def __init__(self) -> None:
        self.suspect = False

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        self.suspect = True
        return _Doubled(pairs)

    def integer(self, digits: str) -> int:
        # Never hands a long text to int(), whose cost is quadratic where the host lifted Python's limit.
        return int(digits) if len(digits) <= _BIG_DIGITS else _BEYOND

    def constant(self, name: str) -> float:
        self.suspect = True
        return float(name)


def pointer_to(*segments: str | int) -> str:
    """The JSON pointer (RFC 6901) made of these segments: `pointer_to("a/b", 0)` is "/a~1b/0"."""
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


def loads(raw: bytes) -> Any:
    """The value of a strict JSON text in UTF-8. Raises StrictJSONError."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StrictJSONError(f"The body is not UTF-8 (byte {error.start}).") from None
    # Most texts have no long integer, no exponent and no odd escape; then a walk over every value is saved.
    # Plain searches in the shape of the text are many times faster than patterns.
    shape = raw.translate(_SHAPE)
    long_integer = b"0" * (_BIG_DIGITS - 1) in shape and _LONG_INTEGER.search(shape) is not None
    reader = _Reader()
    try:
        value = json.loads(
            text,
            object_pairs_hook=reader.pairs,
            parse_int=reader.integer if long_integer else None,
            parse_constant=reader.constant,
        )
    except json.JSONDecodeError as error:
        raise StrictJSONError(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise StrictJSONError(TOO_DEEP) from None
    if (
        reader.suspect
        or long_integer
        or b"0e" in shape
        or ("\\u" in text and _ODD_ESCAPE.search(text))
        or (shape.count(b"[") + shape.count(b"{") > MAX_DEPTH and _is_too_deep(value))
    ):
        check(value)
    return value


def _is_too_deep(value: Any) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if container.__class__ is dict else container)
            if child.__class__ is dict or child.__class__ is list
        ]
        if not level:
            return False
    return True


def check(value: Any) -> None:
    """Raise StrictJSONError unless a Python value is what `loads` may return.

    Values are None, bool, int, float, str, list and dict with text keys; tuples are not JSON. A value that
    contains itself is too deep.
    """
    # A frame is (value, its segment, the frame around it, depth): a pointer is only built for a refusal.
    stack: list[tuple[Any, str | int | None, Any, int]] = [([value], None, None, -1)]
    while stack:
        frame = stack.pop()
        container, depth = frame[0], frame[3] + 1
        for segment, item in container.items() if isinstance(container, dict) else enumerate(container):
            fault = ""
            if isinstance(item, str):
                if not item.isascii() or "\x00" in item:
                    fault = _text_fault(item)
            elif isinstance(item, (int, float)):
                if not -MAX_NUMBER <= item <= MAX_NUMBER:
                    fault = _number_fault(item)
            elif isinstance(item, (dict, list)):
                if depth == MAX_DEPTH:
                    fault = TOO_DEEP
                else:
                    fault = _keys_fault(item) if isinstance(item, dict) else ""
                    stack.append((item, segment, frame, depth))
            elif item is not None:
                fault = f"{type(item).__name__} is not a JSON type."
            if fault:
                raise StrictJSONError(fault, _pointer((item, segment, frame, depth)))


def _pointer(frame: Any) -> str:
    segments = []
    while frame[2] is not None:
        segments.append(frame[1])
        frame = frame[2]
    # The outermost segment is the place in the list that the walk began with.
    return pointer_to(*reversed(segments[:-1]))


def _text_fault(text: str) -> str:
    if "\x00" in text:
        return "Text with a NUL character is not accepted."
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "Text with half a surrogate pair is not accepted."
    return ""


def _number_fault(number: float) -> str:
    if isinstance(number, float) and not math.isfinite(number):
        return "The number is not finite."
    return "Numbers beyond ±(2^53−1) lose digits on the way; send it as a string."


def _keys_fault(item: dict[Any, Any]) -> str:
    if isinstance(item, _Doubled):
        return "The object has the same key twice."
    for key in item:
        if not isinstance(key, str):
            return "The keys of an object must be text."
        if fault := _text_fault(key):
            return f"A key cannot be taken: {fault}"
    return ""


def canonical(value: Any) -> bytes:
    """The canonical form (RFC 8785) of a value. Raises StrictJSONError where none exists."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise StrictJSONError(f"The value has no canonical form: {error}.") from None


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; the order of keys and 1 against 1.0 make no difference."""
    return canonical(one) == canonical(other)
