"""A new task as JSON: the members that the API takes, read where there is no request, from a line or from a part."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from queues import moments, strictjson
from queues.drafts import TaskDraft
from queues.exceptions import InvalidInput


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Must be text.")
    try:
        strictjson.check(value)
    except strictjson.StrictJSONError as refused:
        raise ValueError(refused.detail) from None
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("Must be a whole number.")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("Must be a list of texts.")
    return tuple(_text(item) for item in value)


def _moment(value: Any) -> Any:
    return moments.parse(_text(value))


FIELDS: dict[str, Callable[[Any], Any]] = {
    "input_data": lambda value: value,
    "output_data": lambda value: value,
    "topic": _text,
    "priority": _number,
    "target_reviewer": _text,
    "exclude_reviewers": _texts,
    "global_keys": _texts,
    "judgments_required": _number,
    "schedule_to": _moment,
    "expire_at": _moment,
    "seconds_to_expire": _number,
}
"""Each member of a new task, and how it is read: a function that raises ValueError with a sentence."""

_NULLABLE = FIELDS.keys() - {"topic", "priority", "exclude_reviewers", "global_keys"}


def hint(name: str) -> str | None:
    """The field that a name which is none was probably meant to be."""
    plain = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    found = difflib.get_close_matches(plain, FIELDS, n=1, cutoff=0.8)
    return found[0] if found else None


def read(members: Any) -> TaskDraft:
    """The draft of a task's members. The rules between them, and the values' ranges, are those of queues.intake.

    Raises InvalidInput with every member that is unknown or of the wrong type.
    """
    if not isinstance(members, Mapping):
        raise InvalidInput.at("", "Must be an object with the members of a task.")
    fields: dict[str, Any] = {}
    errors = []
    for name, value in members.items():
        if name not in FIELDS:
            meant = hint(name)
            detail = f"Unknown field; did you mean {meant}?" if meant else "Unknown field."
            errors.append({"pointer": strictjson.pointer_to(name), "detail": detail})
        elif value is not None or name not in _NULLABLE:
            try:
                fields[name] = FIELDS[name](value)
            except ValueError as refused:
                errors.append({"pointer": f"/{name}", "detail": str(refused)})
    if errors:
        raise InvalidInput(errors)
    return TaskDraft(**{"input_data": None, **fields})
