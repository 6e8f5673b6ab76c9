"""JSON values as the cells of a table and back: one rule for what is exported and what is imported.

A member of an object has a column of its own, `input_data.NAME`, where a schema names it. Its cell is plain text
where the schema allows text there, or says nothing, and JSON where it allows only other types. What such a cell
cannot say (empty text, a number where text is allowed, a member that the schema does not name) stands as JSON in the
column `input_data`. So nothing is dropped, and reading gives back what was written.

Spreadsheets run a cell that looks like a formula. Such a cell gets an apostrophe in front, unless it is a plain number,
and reading takes it off again. The rule is that of OWASP, “CSV Injection”
(https://owasp.org/www-community/attacks/CSV_Injection): the characters = + - @, tab, CR and LF in front, also behind
quotes and separators; every cell is quoted, and quotes are doubled.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from queues import strictjson

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_FORMULA = re.compile(r"""[\t\r\n＝＋－＠]|[\s"';,|]*[=+\-@＝＋－＠]""")
_HOPS = 10
"""How many references in a row are followed to the type of a member."""

_SHOWN = 40


def guarded(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    # An apostrophe that stands before a formula already gets another, so that `unguarded` gives it back.
    bare = text.lstrip("'")
    if _FORMULA.match(bare) and not (bare == text and _NUMBER.fullmatch(text)):
        return "'" + text
    return text


def unguarded(cell: str) -> str:
    """The text behind a cell that `guarded`, or a spreadsheet's user, put an apostrophe before."""
    if cell.startswith("'") and _FORMULA.match(cell.lstrip("'")):
        return cell[1:]
    return cell


def compact(value: Any) -> str:
    """A value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def types_at(schema: Any, path: Iterable[str]) -> frozenset[str] | None:
    """The JSON Schema types that a schema allows for the member at `path`; None where it does not say."""
    node = schema
    for name in path:
        node = _resolved(schema, node)
        properties = node.get("properties")
        node = properties.get(name) if isinstance(properties, dict) else None
    node = _resolved(schema, node)
    if "type" in node:
        named = node["type"]
        return frozenset(named if isinstance(named, list) else [named])
    if "const" in node:
        return frozenset({_type_of(node["const"])})
    if isinstance(node.get("enum"), list):
        return frozenset(map(_type_of, node["enum"]))
    return None


def _resolved(schema: Any, node: Any) -> dict[str, Any]:
    for _ in range(_HOPS):
        if not isinstance(node, dict) or not str(node.get("$ref", "")).startswith("#/"):
            break
        target: Any = schema
        for segment in node["$ref"][2:].split("/"):
            segment = segment.replace("~1", "/").replace("~0", "~")
            target = target.get(segment) if isinstance(target, dict) else None
        node = target
    return node if isinstance(node, dict) else {}


def _type_of(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def is_text(types: frozenset[str] | None) -> bool:
    """Whether the cells of such a member are plain text."""
    return types is None or "string" in types


def from_cell(cell: str, types: frozenset[str] | None) -> Any:
    """The value of a cell that is not empty. Raises ValueError with a sentence."""
    if is_text(types):
        return unguarded(cell)
    if types and "boolean" in types and cell.strip().lower() in {"true", "false"}:
        return cell.strip().lower() == "true"
    try:
        return from_json(cell)
    except ValueError as refused:
        wanted = " or ".join(sorted(types or ()))
        raise ValueError(f"The queue's schema wants {wanted} here. {refused}") from None


def from_json(cell: str) -> Any:
    """The value of a cell that holds JSON. Raises ValueError with a sentence."""
    text = unguarded(cell)
    try:
        return strictjson.loads(text.encode("utf-8", "surrogatepass"))
    except strictjson.StrictJSONError as refused:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        raise ValueError(f"“{shown}” is not JSON: {refused.detail}") from None


class Columns:
    """The columns in which one JSON value of each row is shown: `name.MEMBER` for each of the schema's, and `name`."""

    def __init__(self, name: str, schema: Any) -> None:
        self.name = name
        self.members: dict[str, frozenset[str] | None] = {}
        properties = _resolved(schema, schema).get("properties")
        for member in properties if isinstance(properties, dict) else ():
            # A dot in a header is a way into a member, and blanks around a name are taken off when it is read.
            if "." not in member and member == member.strip() and member:
                self.members[member] = types_at(schema, [member])

    @property
    def header(self) -> list[str]:
        return [*(f"{self.name}.{member}" for member in self.members), self.name]

    def cells(self, value: Any) -> list[str]:
        """The cells of a value; None, the absent value, has empty ones."""
        if value is None:
            return [""] * (len(self.members) + 1)
        if not isinstance(value, Mapping):
            return [*("" for _ in self.members), guarded(compact(value))]
        rest, cells = dict(value), []
        for member, types in self.members.items():
            cell = ""
            if member in value:
                if not is_text(types):
                    cell = compact(value[member])
                elif isinstance(value[member], str):
                    cell = value[member]
            if cell:
                del rest[member]
            cells.append(guarded(cell))
        return [*cells, guarded(compact(rest)) if rest or not value else ""]
