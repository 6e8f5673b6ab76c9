"""Whatever schema is given: it is refused with its place, or whatever answer is checked against it in bounded time; and
nothing is asked of any network.
"""

import socket
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queues import schemas
from queues.schemas import SchemaRefused, check_answer, check_schema
from queues.strictjson import StrictJSONError, check
from tests.hostile.fuzz import examples, scalars, texts, values

SECONDS = 3
"""Of the processor's time, that one check may take at most, where the machine is at its busiest."""

PATTERNS = ["^(a+)+$", "(a|aa)+$", "(x+x+)+y", r"^(a+)+\1$", "(?=a)", "[", "a{1000}{1000}", "(.*)*" * 50, "é", "\x00"]
REFERENCES = ["#", "#/$defs/a", "#/$defs/b", "#a", "#/properties/a", "https://127.0.0.1:1/x.json", "other.json", "#/x"]
REFERENCES += ["https://json-schema.org/draft/2020-12/schema", "http://[", "#/%24defs/a", "#/~", "urn:uuid:1", "\x00"]
SIZES = [-1, 0, 1, 5, 100, 101, 2**53, 10**400, 1.5]

leaves: Any = (
    st.booleans()
    | st.just({})
    | st.builds(lambda word, value: {word: value}, st.sampled_from(["type", "const", "enum", "required"]), values)
    | st.builds(lambda value: {"pattern": value}, st.sampled_from(PATTERNS) | texts)
    | st.builds(lambda word, to: {word: to}, st.sampled_from(["$ref", "$dynamicRef"]), st.sampled_from(REFERENCES))
    | st.builds(lambda size: {"uniqueItems": True, "maxItems": size}, st.sampled_from(SIZES))
    | st.builds(
        lambda word, size: {word: size},
        st.sampled_from(["minLength", "maxItems", "multipleOf", "maximum", "minContains", "maxProperties"]),
        st.sampled_from(SIZES),
    )
    | st.builds(
        lambda word, value: {word: value},
        st.sampled_from(["$id", "$schema", "$anchor", "$dynamicAnchor", "$vocabulary", "$comment", "default", "x"]),
        scalars,
    )
)

ONE = ["not", "items", "contains", "if", "then", "else", "additionalProperties", "propertyNames"]
ONE += ["unevaluatedProperties", "unevaluatedItems", "contentSchema"]
SEVERAL = ["allOf", "anyOf", "oneOf", "prefixItems"]
NAMED = ["properties", "patternProperties", "dependentSchemas", "$defs"]

trees = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda word, one: {word: one}, st.sampled_from(ONE), inner)
        | st.builds(lambda word, some: {word: some}, st.sampled_from(SEVERAL), st.lists(inner, max_size=3))
        | st.builds(
            lambda word, named: {word: named},
            st.sampled_from(NAMED),
            st.dictionaries(st.sampled_from(["a", "b", "^a", "(a+)+$"]) | texts, inner, max_size=3),
        )
        | st.builds(lambda one, other: {**_object(one), **_object(other)}, inner, inner)
    ),
    max_leaves=12,
)


def _object(schema: Any) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {"not": schema}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*to: Any) -> None:
        raise AssertionError(f"somebody asked {to}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


def checked(schema: Any, value: Any) -> list[dict[str, str]] | None:
    """What is wrong with a value, None where the schema is refused; in bounded time."""
    began = time.process_time()
    faults = None
    with suppress(SchemaRefused):
        check_schema(schema)
        faults = check_answer(schema, value)
    assert time.process_time() - began < SECONDS
    return faults


def is_good_json(value: Any) -> bool:
    try:
        check(value)
    except StrictJSONError:
        return False
    return True


@examples(400)
@given(schema=trees | values, value=values.filter(is_good_json))
def test_a_schema_is_refused_or_runs_over_anything(no_network: None, schema: Any, value: Any) -> None:
    faults = checked(schema, value)
    for fault in faults or ():
        assert fault.keys() == {"pointer", "detail"}
        assert 0 < len(fault["detail"]) <= schemas.MAX_DETAIL


def nested(levels: int) -> Any:
    """A schema that denies one that denies one, so many times."""
    schema: Any = True
    for _level in range(levels):
        schema = {"not": schema}
    return schema


LONG = "a" * 50_000 + "!"
MANY = [{"n": n} for n in range(20_000)]

BOMBS: dict[str, tuple[Any, Any]] = {
    "nested repetitions": ({"pattern": "^(a+)+$"}, LONG),
    "a hundred of them": ({"allOf": [{"pattern": f"^(a+)+{n}$"} for n in range(100)]}, LONG),
    "for every key": ({"patternProperties": {"^(a+)+$": {"pattern": "(a|aa)+$"}}}, {LONG: LONG}),
    "a pattern that counts": ({"pattern": "((a{0,30}){0,30}){0,30}"}, LONG),
    "uniqueItems": ({"uniqueItems": True, "maxItems": 100}, MANY),
    "uniqueItems without bounds": ({"uniqueItems": True}, MANY),
    "uniqueItems beneath": ({"items": {"uniqueItems": True, "maxItems": 100}}, [MANY[:100]] * 200),
    "an endless reference": ({"$ref": "#"}, 1),
    "two that lead to one another": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        1,
    ),
    "a reference that is dynamic": ({"$dynamicAnchor": "a", "items": {"$dynamicRef": "#a"}}, [[[[[]]]]]),
    "a tree without end": ({"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}}, {"a": {"b": {"a": {}}}}),
    "branches that double": (
        {
            "$ref": "#/$defs/0",
            "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(30)} | {"30": False},
        },
        1,
    ),
    "thousands of branches": ({"oneOf": [{"const": n} for n in range(4000)]}, MANY[:100]),
    "thousands for each": ({"items": {"enum": list(range(4000))}}, MANY),
    "a remote one": ({"$ref": "https://127.0.0.1:9/schema.json"}, 1),
    "another dialect": ({"$schema": "https://example.org/dialect", "type": "object"}, 1),
    "a hundred thousand keys": ({"required": [str(n) for n in range(5000)]}, {str(n): n for n in range(100_000)}),
    "larger than it may be": ({"enum": ["x" * 70_000]}, 1),
    "deeper than it may be": (nested(60), 1),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_does_not_go_off(no_network: None, what: str) -> None:
    checked(*BOMBS[what])
