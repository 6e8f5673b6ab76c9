"""The validator of JSON Schema 2020-12 that `queues.schemas` runs: the library's, with every keyword metered.

Some keywords are our own: those that match patterns (RE2 in place of Python's `re`), those whose cost in the
library is quadratic, references (they are resolved beforehand), and those whose messages the library writes
for programmers.
"""

import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from queues import strictjson

MAX_UNIQUE_ITEMS = 100
MAX_WORK = 250_000
"""Steps of one check, a few microseconds each: a list of 20,000 points takes a quarter of them."""

_PATTERN_UNIT = 500
_ERROR_STEPS = 10

REFERENCES = ("$ref", "$dynamicRef")


class TooMuchWork(Exception):
    """A check has used up its steps."""


class _Object(dict[str, Any]):
    """An object whose repr is short: the library writes values into its messages, however large they are."""

    def __repr__(self) -> str:
        return "the object"


class _Array(list[Any]):
    def __repr__(self) -> str:
        return "the list"


class _Text(str):
    def __repr__(self) -> str:
        return json.dumps(clipped(str(self), 60), ensure_ascii=False)


def clipped(text: str, length: int) -> str:
    """`text`, cut to at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def with_short_repr(value: Any) -> Any:
    """A copy of a JSON value, equal to it, whose parts have short reprs."""
    if isinstance(value, dict):
        return _Object((key, with_short_repr(item)) for key, item in value.items())
    if isinstance(value, list):
        return _Array(map(with_short_repr, value))
    return _Text(value) if isinstance(value, str) else value


class Check:
    """One check under way.

    It has the schema's patterns, compiled and with the sizes of their programs, the subschema of each reference,
    and the steps that are left.
    """

    def __init__(self, patterns: dict[str, tuple[Any, int]], targets: dict[str, Any]) -> None:
        self.patterns = patterns
        self.targets = targets
        self.left = MAX_WORK

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuchWork

    def matches(self, pattern: str, text: str) -> bool:
        compiled, size = self.patterns[pattern]
        # RE2's worst case is the text's length times the size of the pattern's program.
        self.spend(len(text) * size // _PATTERN_UNIT)
        return compiled.search(text) is not None

    def equal(self, one: Any, other: Any) -> bool:
        if isinstance(one, bool) or isinstance(other, bool):
            return one is other
        if isinstance(one, list) and isinstance(other, list):
            self.spend(1 + len(one) // 8)
            return len(one) == len(other) and all(map(self.equal, one, other))
        if isinstance(one, dict) and isinstance(other, dict):
            self.spend(1 + len(one) // 8)
            return one.keys() == other.keys() and all(self.equal(item, other[key]) for key, item in one.items())
        return bool(one == other)


under_way: ContextVar[Check] = ContextVar("queues_schema_check")

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]


def _reference(validator: Any, ref: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    # With one resource (a nested $id is refused) a dynamic reference is a plain one.
    yield from validator.descend(instance, under_way.get().targets[ref])


def _type(validator: Any, types: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    names = [types] if isinstance(types, str) else types
    if not any(validator.is_type(instance, name) for name in names):
        kind = next(name for name in _KINDS if validator.is_type(instance, name))
        yield ValidationError(f"Must be of type {' or '.join(names)}, not {kind}.")


_KINDS = ("null", "boolean", "number", "string", "array", "object")


def _enum(validator: Any, values: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    equal = under_way.get().equal
    if not any(equal(value, instance) for value in values):
        yield ValidationError(f"Must be one of {', '.join(map(_as_json, values[:20]))}.")


def _const(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not under_way.get().equal(value, instance):
        yield ValidationError(f"Must be {_as_json(value)}.")


def _as_json(value: Any) -> str:
    return repr(value) if isinstance(value, (str, dict, list)) else json.dumps(value)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not under_way.get().matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}.")


def _items(validator: Any, items: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, list):
        return
    first = len(schema.get("prefixItems", ()))
    if items is False and len(instance) > first:
        yield ValidationError(f"Must have at most {first} items.")
    elif items is not False:
        for index in range(first, len(instance)):
            yield from validator.descend(instance[index], items, path=index)


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    # A longer list breaks maxItems, which stands beside every uniqueItems.
    if not unique or not isinstance(instance, list) or len(instance) > MAX_UNIQUE_ITEMS:
        return
    forms = set()
    for item in instance:
        form = strictjson.canonical(item)
        under_way.get().spend(1 + len(form) // 64)
        forms.add(form)
    if len(forms) < len(instance):
        yield ValidationError("The items must differ from one another.")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    check = under_way.get()
    for pattern, subschema in patterns.items():
        check.spend(1 + len(instance) // 4)
        for key, value in instance.items():
            if check.matches(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _extras(instance: dict[str, Any], schema: Any) -> list[str]:
    """The keys of `instance` that neither `properties` nor `patternProperties` of this schema speak of."""
    check = under_way.get()
    patterns = schema.get("patternProperties", ())
    check.spend(len(instance) * (1 + len(patterns)) // 4)
    named = schema.get("properties", ())
    return [
        key for key in instance if key not in named and not any(check.matches(pattern, key) for pattern in patterns)
    ]


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        yield from _leftover(validator, subschema, instance, _extras(instance, schema))


def _leftover(validator: Any, subschema: Any, instance: Any, keys: list[Any]) -> Iterator[ValidationError]:
    for key in keys:
        if subschema is False:
            yield ValidationError("The schema does not allow this here.", path=[key])
        else:
            yield from validator.descend(instance[key], subschema, path=key)


def _unevaluated_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        seen = _evaluated(validator, instance, schema, "unevaluatedProperties")
        yield from _leftover(validator, subschema, instance, [key for key in instance if key not in seen])


def _unevaluated_items(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, list):
        seen = _evaluated(validator, instance, schema, "unevaluatedItems")
        yield from _leftover(validator, subschema, instance, [i for i in range(len(instance)) if i not in seen])


def _evaluated(validator: Any, instance: Any, schema: Any, asking: str = "") -> set[Any]:
    """The keys (or indexes) of `instance` that `schema`, known to hold, has looked at.

    `asking` is the unevaluated… keyword of this very schema, which wants to know; in a schema further in, it
    has looked at all that was left.
    """
    check = under_way.get()
    if isinstance(schema, bool):
        return set()
    check.spend(1 + len(instance) // 16)
    if isinstance(instance, dict):
        if "additionalProperties" in schema or ("unevaluatedProperties" in schema and not asking):
            return set(instance)
        seen: set[Any] = instance.keys() & schema.get("properties", {}).keys()
        if "patternProperties" in schema:
            seen.update(instance.keys() - set(_extras(instance, schema)))
    else:
        if "items" in schema or ("unevaluatedItems" in schema and not asking):
            return set(range(len(instance)))
        seen = set(range(min(len(instance), len(schema.get("prefixItems", ())))))
        if "contains" in schema:
            contains = validator.evolve(schema=schema["contains"])
            seen.update(index for index, item in enumerate(instance) if contains.is_valid(item))
    for subschema in _in_force(validator, instance, schema):
        seen |= _evaluated(validator, instance, subschema)
    return seen


def _in_force(validator: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """The subschemas that `schema` applies to the same value and that hold for it."""
    candidates = [under_way.get().targets[schema[keyword]] for keyword in REFERENCES if keyword in schema]
    for keyword in ("allOf", "anyOf", "oneOf"):
        candidates.extend(schema.get(keyword, ()))
    if isinstance(instance, dict):
        candidates.extend(sub for key, sub in schema.get("dependentSchemas", {}).items() if key in instance)
    if "if" in schema:
        holds = validator.evolve(schema=schema["if"]).is_valid(instance)
        candidates.extend(schema[word] for word in (("if", "then") if holds else ("else",)) if word in schema)
    for subschema in candidates:
        if validator.evolve(schema=subschema).is_valid(instance):
            yield subschema


def _metered(function: Keyword) -> Keyword:
    def keyword(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        check = under_way.get()
        check.spend(1 + len(value) // 16 if isinstance(value, (dict, list)) else 1)
        for error in function(validator, value, instance, schema) or ():
            check.spend(_ERROR_STEPS)
            yield error

    return keyword


_OURS: dict[str, Keyword] = {
    "$ref": _reference,
    "$dynamicRef": _reference,
    "additionalProperties": _additional_properties,
    "const": _const,
    "enum": _enum,
    "items": _items,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "type": _type,
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_properties,
    "uniqueItems": _unique_items,
}

MeteredValidator: Any = extend(
    Draft202012Validator,
    {name: _metered(_OURS.get(name, function)) for name, function in Draft202012Validator.VALIDATORS.items()},
)
