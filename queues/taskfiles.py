"""Reading a file of new tasks, line by line: JSON Lines, or a table as spreadsheets write them (CSV).

In both, line numbers are those of the file. A line may be as long as a request to the API. What is wrong with the file
as a whole is raised; what is wrong with a line is said on that line, and reading goes on behind it.

JSON Lines: one object a line with the members of a new task. CSV: a header, then rows. A column is named after a field
of a task, or `input_data.NAME` (`input_data.A.B`) for a member of the input; any other name is such a member too, and
what an export adds (`task.…`, `assignment.…`) is passed over. An empty cell leaves its member out. Several values in a
cell of `global_keys` or `exclude_reviewers` are separated by blanks or semicolons, or are a JSON list. `input_data` and
`output_data` hold JSON; for the cells of their members see `queues.csvjson`.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from queues import csvjson, strictjson, taskjson
from queues.models import Queue

MAX_LINE = 1024 * 1024
"""Bytes of a line (of a row, in a table): what the API takes for one task."""

FORMATS = ("jsonl", "csv")

_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r"[\s;]+")
_OF_EXPORTS = frozenset({"task", "assignment"})
_NAME_LENGTH = 200
_DATA = re.compile(r"[+-]?\d+(?:[.,]\d+)?|https?://.*|data:.*|[{\[\"].*", re.DOTALL)
"""A name that no column has: the first line is a row."""

# The standard library refuses cells of more than 128 KiB, for the whole process; pictures in data URIs are longer.
csv.field_size_limit(max(MAX_LINE, csv.field_size_limit()))


class FileRefused(Exception):
    """The file cannot be read as a file of tasks at all. `detail` is a sentence that says where and why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True)
class Line:
    """A line (or row) of the file that is not blank: its number, and the members of its task or what is wrong."""

    number: int
    members: Any = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """Something about a column that the person who imports should know. `kind`: "member", "ignored" or "hint"."""

    kind: str
    column: str
    meaning: str = ""


@dataclass
class TaskFile:
    """A file of tasks for a queue. `file` is binary; nothing of it is kept. Without a `format` its beginning tells it.

    Iterating it gives a Line each; raises FileRefused. `read(bytes)` is called as the file is read.
    """

    file: IO[bytes]
    queue: Queue
    format: str | None = None
    read: Callable[[int], object] = lambda count: None
    notes: list[Note] = field(default_factory=list)

    def __iter__(self) -> Iterator[Line]:
        lines = _Lines(self.file, self.read)
        first = next(lines, None)
        while first is not None and first.raw is not None and not first.raw.strip():
            first = next(lines, None)
        if first is None:
            raise FileRefused("The file is empty.")
        lines.back(first)
        begins = (first.raw or b"").lstrip()[:1]
        self.format = self.format or ("jsonl" if begins in (b"{", b"[") else "csv")
        return self._objects(lines) if self.format == "jsonl" else self._rows(lines)

    def _objects(self, lines: "_Lines") -> Iterator[Line]:
        for line in lines:
            if line.raw is None:
                yield Line(line.number, faults=(_too_long(),))
                continue
            if not line.raw.strip():
                continue
            if line.raw.lstrip().startswith(b"["):
                raise FileRefused(
                    f"Line {line.number} begins a list. Write one object a line, without brackets around"
                    " them and commas between them (jq -c '.[]' does it)."
                )
            try:
                members = strictjson.loads(line.raw.rstrip())
                yield Line(line.number, self._postable(members) if isinstance(members, dict) else members)
            except strictjson.StrictJSONError as refused:
                yield Line(line.number, faults=(_sentence(refused, line.raw),))

    def _postable(self, members: dict[str, Any]) -> dict[str, Any]:
        """The members without those that an export adds."""
        added = _OF_EXPORTS & members.keys()
        for name in added:
            if not any(note.column == name for note in self.notes):
                self.notes.append(Note("ignored", name))
        return {name: members[name] for name in members.keys() - added} if added else members

    def _rows(self, lines: "_Lines") -> Iterator[Line]:
        text = _Text(lines)
        header = next(lines)
        if header.raw is None:
            raise FileRefused(f"Line {header.number}: the header is longer than {MAX_LINE // 2**20} MiB.")
        lines.back(header)
        rows = csv.reader(text, delimiter=_delimiter(header.raw), strict=True)
        try:
            names = next(rows)
        except csv.Error as error:
            raise FileRefused(f"Line {header.number}: {_csv_sentence(error, text)}") from None
        if text.damaged:
            raise FileRefused(f"Line {header.number} is not UTF-8. Save the file as UTF-8 (in Excel: CSV UTF-8).")
        table = _Table([name.strip() for name in names], self.queue, header.number)
        self.notes += table.notes
        while True:
            number = text.begin()
            try:
                cells = next(rows)
            except StopIteration:
                return
            except _TooLong:
                yield Line(number, faults=(_too_long(),))
                continue
            except csv.Error as error:
                yield Line(number, faults=(_csv_sentence(error, text),))
                continue
            if text.damaged:
                yield Line(number, faults=(f"Line {text.damaged} is not UTF-8. Save the file as UTF-8.",))
            elif any(cells):
                yield table.line(number, cells)


@dataclass(frozen=True)
class _Raw:
    number: int
    raw: bytes | None
    """None: longer than MAX_LINE."""


class _Lines:
    """The file's lines with their numbers, the byte order mark taken off."""

    def __init__(self, file: IO[bytes], read: Callable[[int], object]) -> None:
        self._file, self._read, self._number = file, read, 0
        self._returned: _Raw | None = None

    def back(self, line: _Raw) -> None:
        self._returned = line

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> _Raw:
        if self._returned is not None:
            line, self._returned = self._returned, None
            return line
        raw = self._file.readline(MAX_LINE + 1)
        if not raw:
            raise StopIteration
        self._read(len(raw))
        self._number += 1
        if self._number == 1:
            if raw.startswith(_WIDE):
                raise FileRefused("Line 1: the file is UTF-16. Save it as UTF-8 (in Excel: CSV UTF-8).")
            raw = raw.removeprefix(_BOM)
        if len(raw) <= MAX_LINE or raw.endswith(b"\n"):
            return _Raw(self._number, raw)
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(MAX_LINE)
            self._read(len(raw))
        return _Raw(self._number, None)


class _TooLong(Exception):
    """The row has grown beyond MAX_LINE, perhaps because a quotation mark is never closed."""


class _Text:
    """The lines as the csv module wants them; `damaged` is the number of a line of this row that is not UTF-8."""

    def __init__(self, lines: _Lines) -> None:
        self._lines, self.number, self.damaged, self._size = lines, 0, 0, 0

    def begin(self) -> int:
        """A row begins: the number of its first line."""
        self.damaged = self._size = 0
        following = next(self._lines, None)
        if following is None:
            return self.number + 1
        self._lines.back(following)
        return following.number

    def __iter__(self) -> "_Text":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number = line.number
        self._size += len(line.raw or b"")
        if line.raw is None or self._size > MAX_LINE:
            raise _TooLong
        try:
            return line.raw.decode("utf-8")
        except UnicodeDecodeError:
            self.damaged = line.number
            return line.raw.decode("utf-8", "replace")


class _Table:
    """What the columns of a table mean. Raises FileRefused for a header that means nothing or two things."""

    def __init__(self, names: list[str], queue: Queue, number: int) -> None:
        self.names, self.notes = names, list[Note]()
        columns: list[tuple[int, str, Callable[[dict[str, Any], str], None]]] = []
        where = f"Line {number}"
        for position, name in enumerate(names, 1):
            if len(name) > _NAME_LENGTH or _DATA.fullmatch(name):
                raise FileRefused(
                    f"{where}: “{name[:40]}” looks like data. The first line must hold the names of the columns."
                )
            if not name:
                raise FileRefused(f"{where}: column {position} has no name.")
        seen: set[tuple[str, ...]] = set()
        schemas = {"input_data": queue.input_schema, "output_data": queue.output_schema}
        for at, name in enumerate(names):
            if "." in name and name.split(".")[0] in _OF_EXPORTS:
                self.notes.append(Note("ignored", name))
                continue
            path = self._path(name, queue)
            if path in seen:
                raise FileRefused(f"{where}: there are two columns for {'.'.join(path)}.")
            seen.add(path)
            columns.append((at, name, _reader(path, csvjson.types_at(schemas.get(path[0]), path[1:]))))
        for path in seen:
            for depth in range(2, len(path)):
                if path[:depth] in seen:
                    inner, outer = ".".join(path), ".".join(path[:depth])
                    raise FileRefused(f"{where}: the column {inner} lies within the column {outer}; keep one of them.")
        # The cell of the whole input first, whatever its place: those of single members are put into it.
        self._columns = sorted(columns, key=lambda column: column[1] not in taskjson.FIELDS)
        if not any(path[0] == "input_data" for path in seen):
            raise FileRefused(f"{where}: no column is for the input of the tasks, such as input_data.image_url.")

    def _path(self, name: str, queue: Queue) -> tuple[str, ...]:
        root, *within = name.split(".")
        if root in ("input_data", "output_data") or name in taskjson.FIELDS:
            if not all(within):
                raise FileRefused(f"The column “{name}” has an empty part between or behind its dots.")
            return root, *within
        path = ("input_data", *name.split("."))
        if not all(path):
            raise FileRefused(f"The column “{name}” has an empty part between or behind its dots.")
        self.notes.append(Note("member", name, ".".join(path)))
        meant = taskjson.hint(name)
        if meant and csvjson.types_at(queue.input_schema, path[1:]) is None:
            self.notes.append(Note("hint", name, meant))
        return path

    def line(self, number: int, cells: list[str]) -> Line:
        """The line of a row."""
        if len(cells) != len(self.names):
            return Line(number, faults=(f"The row has {len(cells)} cells where the header has {len(self.names)}.",))
        members: dict[str, Any] = {}
        faults = []
        for at, name, reader in self._columns:
            if cells[at]:
                try:
                    reader(members, cells[at])
                except ValueError as refused:
                    faults.append(f"{name}: {refused}")
        return Line(number, faults=tuple(faults)) if faults else Line(number, members)


def _reader(path: tuple[str, ...], types: frozenset[str] | None) -> Callable[[dict[str, Any], str], None]:
    """How a cell of this column is put into the members of a task."""
    *outer, last = path
    convert: Callable[[str], Any]
    if len(path) > 1:
        convert = lambda cell: csvjson.from_cell(cell, types)  # noqa: E731
    elif last in ("input_data", "output_data"):
        convert = csvjson.from_json
    elif last in ("global_keys", "exclude_reviewers"):
        convert = _several
    elif last in ("priority", "judgments_required", "seconds_to_expire"):
        convert = _whole
    elif last in ("schedule_to", "expire_at"):
        convert = str.strip
    else:
        convert = csvjson.unguarded

    def put(members: dict[str, Any], cell: str) -> None:
        place = members
        for name in outer:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ValueError(f"{name} is not an object here, so it cannot have this member.")
        place[last] = convert(cell)

    return put


def _several(cell: str) -> list[Any]:
    text = csvjson.unguarded(cell).strip()
    if text.startswith("["):
        return csvjson.from_json(text)
    return [part for part in _SEPARATOR.split(text) if part]


def _whole(cell: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,15}", cell.strip(), re.ASCII):
        raise ValueError("Must be a whole number.")
    return int(cell)


def _delimiter(header: bytes) -> str:
    """The separator that the header has most of, outside quotes."""
    bare = re.sub(rb'"[^"]*"', b"", header).decode("utf-8", "replace")
    return max(_DELIMITERS, key=bare.count)


def _too_long() -> str:
    return (
        f"The line is longer than {MAX_LINE // 2**20} MiB, the most that a task may have;"
        " in a table a quotation mark may not be closed."
    )


def _sentence(refused: strictjson.StrictJSONError, raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"The line is not UTF-8 (byte {error.start + 1}). Save the file as UTF-8."
    # The reader of JSON counts lines too, and here there is always one.
    detail = refused.detail.replace(" at line 1, column ", " at column ")
    return f"{refused.pointer[1:]}: {detail}" if refused.pointer else detail


def _csv_sentence(error: csv.Error, text: _Text) -> str:
    if "unexpected end of data" in str(error):
        return f"A quotation mark is opened and not closed up to the end of the file (line {text.number})."
    if "expected after" in str(error):
        return "Behind a closing quotation mark stands neither a separator nor the end of the row."
    return f"The row cannot be read: {error}."
