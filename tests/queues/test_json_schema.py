"""The schemas of answers: which are taken, what they say of an answer, and that no check is slow."""

import json
import time
from random import Random
from threading import Thread

import pytest

from queues import schemas
from queues.schemas import SchemaRefused, check_answer, check_schema

LABEL = {
    "type": "object",
    "required": ["label"],
    "properties": {"label": {"enum": [str(n) for n in range(10)]}},
    "additionalProperties": False,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def refusal(schema):
    with pytest.raises(SchemaRefused) as caught:
        check_schema(schema)
    return caught.value


def pointers(schema, value):
    check_schema(schema)
    return [error["pointer"] for error in check_answer(schema, value)]


def seconds(work):
    started = time.process_time()
    work()
    return time.process_time() - started


def chain(length, **last):
    """A schema whose references lead from one definition to the next."""
    definitions = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{length}": last}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        LABEL,
        {"$schema": DIALECT},
        {"$id": "https://example.org/answer", "$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}},
        {"properties": {"$id": {"type": "string"}, "$ref": True}},
        {"const": {"$ref": "https://example.org/not-a-reference", "pattern": "(?=data)"}},
        {"properties": {"child": {"$ref": "#"}}},
        {"format": "email"},
    ],
)
def test_an_honest_schema_is_taken(schema):
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ([], ""),
        ({"type": "text"}, "/type"),
        ({"properties": {"a": {"minimum": "1"}}}, "/properties/a/minimum"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"properties": {"a": {"$schema": DIALECT}}}, "/properties/a/$schema"),
        ({"$defs": {"a": {"$id": "https://example.org/a"}}}, "/$defs/a/$id"),
        ({"allOf": [{"$ref": "https://example.org/a.json"}]}, "/allOf/0/$ref"),
        ({"$ref": "other.json#/a"}, "/$ref"),
        ({"$dynamicRef": DIALECT + "#meta"}, "/$dynamicRef"),
        ({"$ref": "#/$defs/missing"}, "/$ref"),
        ({"$ref": "#missing"}, "/$ref"),
        ({"$ref": "#/examples/0", "examples": [{"pattern": "(?=a)"}]}, "/$ref"),
        ({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}, "/$defs/b/$anchor"),
        ({"a": float("nan")}, "/a"),
    ],
)
def test_a_refused_schema_is_told_the_place(schema, pointer):
    assert refusal(schema).pointer == pointer


def test_a_schema_of_more_than_64_kib_is_refused():
    assert check_schema({"const": "x" * (schemas.MAX_SCHEMA_BYTES - 12)}) is None
    assert "64 KiB" in refusal({"const": "x" * (schemas.MAX_SCHEMA_BYTES - 11)}).detail


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)", "(?<!a)b", "a{2000}", "("])
@pytest.mark.parametrize(
    ("around", "pointer"),
    [
        (lambda pattern: {"pattern": pattern}, "/pattern"),
        (lambda pattern: {"items": {"patternProperties": {pattern: True}}}, "/items/patternProperties/"),
        (lambda pattern: {"propertyNames": {"pattern": pattern}}, "/propertyNames/pattern"),
        (lambda pattern: {"$defs": {"a": {"not": {"pattern": pattern}}}}, "/$defs/a/not/pattern"),
    ],
)
def test_a_pattern_that_re2_cannot_run_is_refused(pattern, around, pointer):
    error = refusal(around(pattern))
    assert error.pointer.startswith(pointer)
    assert "RE2" in error.detail


@pytest.mark.parametrize("beside", [{}, {"maxItems": 101}, {"items": {"maxItems": 3}}])
def test_unique_items_need_a_small_bound(beside):
    assert refusal({"properties": {"a": {"uniqueItems": True, **beside}}}).pointer == "/properties/a/uniqueItems"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"anyOf": [{"$ref": "#"}]}]},
        {"if": {"not": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"dependentSchemas": {"x": {"$ref": "#"}}}}},
        {"$dynamicAnchor": "me", "$dynamicRef": "#me"},
    ],
)
def test_references_that_lead_back_without_end_are_refused(schema):
    assert "without end" in refusal(schema).detail


def test_a_chain_of_references_has_a_bound():
    assert pointers(chain(40, type="string"), 1) == [""]
    assert "in a row" in refusal(chain(2000, type="string")).detail


def test_a_good_answer_has_no_errors():
    assert check_answer(LABEL, {"label": "3"}) == []


@pytest.mark.parametrize(
    ("answer", "pointer", "words"),
    [
        ({}, "", "'label'"),
        ({"label": 3}, "/label", '"3"'),
        ({"label": "3", "more": 1}, "/more", "not allow"),
        (None, "", "object, not null"),
        ([], "", "object, not array"),
        (True, "", "object, not boolean"),
    ],
)
def test_an_error_names_the_place_and_what_was_expected(answer, pointer, words):
    (error,) = check_answer(LABEL, answer)
    assert error["pointer"] == pointer
    assert words in error["detail"].replace('"label"', "'label'")


@pytest.mark.parametrize(
    ("schema", "good", "bad", "pointer"),
    [
        ({"const": True}, True, 1, ""),
        ({"const": {"a": [1.0]}}, {"a": [1]}, {"a": [True]}, ""),
        ({"enum": [None, [1]]}, None, [2], ""),
        ({"type": ["integer", "null"]}, 1.0, 1.5, ""),
        ({"uniqueItems": True, "maxItems": 3}, [1, "1", True], [1, 1.0], ""),
        ({"prefixItems": [True], "items": False}, [1], [1, 2], ""),
        ({"prefixItems": [True], "items": {"type": "null"}}, [1, None], [1, 2], "/1"),
        ({"pattern": "^é+$"}, "éé", "éé\n", ""),
        ({"patternProperties": {"^n_": {"type": "number"}}}, {"n_a": 1, "b": "x"}, {"n_a": "x"}, "/n_a"),
        (
            {"patternProperties": {"^n_": True}, "additionalProperties": False},
            {"n_a": 1},
            {"a~/b": 1},
            "/a~0~1b",
        ),
        ({"properties": {"a": True}, "additionalProperties": {"type": "null"}}, {"b": None}, {"b": 1}, "/b"),
        ({"$ref": "#a", "$defs": {"x": {"$anchor": "a", "type": "null"}}}, None, 1, ""),
        ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "null"}}}, None, 1, ""),
        (
            {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False},
            {"a": {"a": {}}},
            {"a": {"b": 1}},
            "/a/b",
        ),
        ({"$dynamicRef": "#n", "$defs": {"n": {"$dynamicAnchor": "n", "type": "null"}}}, None, 1, ""),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1, "b": 1}, {"a": 1}, ""),
        ({"not": {"type": "string"}}, 1, "x", ""),
        ({"oneOf": [{"type": "integer"}, {"minimum": 5}]}, 3, 7, ""),
    ],
)
def test_keywords_mean_what_the_specification_says(schema, good, bad, pointer):
    assert pointers(schema, good) == []
    assert pointers(schema, bad) == [pointer]


EVALUATES_A = [
    {"properties": {"a": True}},
    {"patternProperties": {"^a$": True}},
    {"allOf": [{"properties": {"a": True}}]},
    {"anyOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"a": {"type": "integer"}}}]},
    {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": True}}}},
    {"if": {"required": ["a"]}, "then": {"properties": {"a": True}}},
    {"if": {"required": ["z"]}, "else": {"properties": {"a": True}}},
    {"dependentSchemas": {"a": {"properties": {"a": True}}}},
]


@pytest.mark.parametrize("schema", EVALUATES_A)
def test_a_property_that_any_part_looked_at_is_evaluated(schema):
    closed = {**schema, "unevaluatedProperties": False}
    assert pointers(closed, {"a": 1}) == []
    assert pointers(closed, {"a": 1, "b": 1}) == ["/b"]


@pytest.mark.parametrize(
    "schema",
    [
        {"prefixItems": [True]},
        {"allOf": [{"prefixItems": [True]}]},
        {"contains": {"type": "integer"}},
    ],
)
def test_an_item_that_any_part_looked_at_is_evaluated(schema):
    closed = {**schema, "unevaluatedItems": False}
    assert pointers(closed, [1]) == []
    assert pointers(closed, [1, "x"]) == ["/1"]


def test_what_an_inner_schema_left_open_is_unevaluated():
    closed = {"anyOf": [{"properties": {"a": {"type": "string"}}}, True], "unevaluatedProperties": False}
    assert pointers(closed, {"a": 1}) == ["/a"]


def test_formats_are_not_asserted():
    assert pointers({"format": "date-time"}, "yesterday") == []


def test_a_schema_that_refers_to_itself_cannot_bring_another_validator_along():
    # Where it comes upon a `$schema`, the library goes on with its own, and runs patterns with Python's `re`.
    schema = {"$schema": DIALECT, "pattern": "^(a+)+$", "properties": {"a": {"$ref": "#"}}}
    assert pointers(schema, {"a": {"a": "a" * 30 + "!"}}) == ["/a/a"]


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 5000 + "!"),
        ({"patternProperties": {"^(a+)+$": True}, "additionalProperties": False}, {"a" * 5000 + "!": 1}),
        ({"patternProperties": {"^(a+)+$": True}, "unevaluatedProperties": False}, {"a" * 5000 + "!": 1}),
        ({"propertyNames": {"pattern": "^(a+)+$"}}, {"a" * 5000 + "!": 1}),
    ],
)
def test_a_catastrophic_pattern_is_quick(schema, answer):
    check_schema(schema)
    assert seconds(lambda: check_answer(schema, answer)) < 0.05
    assert check_answer(schema, answer)


def test_a_list_of_objects_cannot_make_uniqueness_slow():
    schema = {"uniqueItems": True, "maxItems": 100}
    assert seconds(lambda: check_answer(schema, [{"a": n} for n in range(3000)])) < 0.1
    assert check_answer(schema, [{"a": n} for n in range(3000)])[0]["detail"] == "the list is too long"


mixed_letters = "".join(Random(1).choices("abc", k=2**20))
doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(25)}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"$ref": "#/$defs/d0", "$defs": {**doubling, "d25": {"type": "string"}}}, "x"),
        (
            {"anyOf": [{"anyOf": [{"type": "string"}, {"items": {"type": "string"}}]}] * 500},
            list(range(50_000)),
        ),
        ({"items": {"required": [f"n{n}" for n in range(5000)]}, "maxItems": 1}, [{}] * 100_000),
        ({"not": {"items": {"properties": {f"n{n}": True for n in range(3000)}}}}, [{}] * 100_000),
        ({"pattern": "|".join(f"a.{{{n}}}bd" for n in range(100, 990, 50))}, mixed_letters),
        ({"allOf": [{"uniqueItems": True, "maxItems": 100}] * 1000}, [["x" * 5000] * 2] * 100),
        ({"$ref": "#/$defs/d0", "$defs": {**doubling, "d25": {"const": ["x"] * 3000}}}, ["x"] * 3000),
    ],
)
def test_no_pair_of_schema_and_answer_takes_long(schema, answer):
    check_schema(schema)
    assert seconds(lambda: check_answer(schema, answer)) < 8
    assert check_answer(schema, answer)


def test_an_answer_that_takes_too_much_work_is_refused():
    schema = {"$ref": "#/$defs/d0", "$defs": {**doubling, "d25": {"type": "string"}}}
    assert check_answer(schema, "x") == [
        {"pointer": "", "detail": "This is too large to be checked against its schema."}
    ]


def test_a_large_honest_answer_is_checked():
    schema = {"items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number", "minimum": 0}}}
    assert pointers(schema, [[n / 7, n] for n in range(10_000)]) == []


def test_a_schema_that_is_slow_to_look_at_is_still_taken_or_refused_soon():
    assert seconds(lambda: refusal({"type": ["x", *range(9000)]})) < 5


def test_recursion_through_a_deep_answer_never_escapes():
    answer = 1
    for _ in range(32):
        answer = [answer]
    assert pointers({"items": {"$ref": "#"}}, answer) == []
    through = chain(60, items={"$ref": "#"})
    check_schema(through)
    assert "nested too deep" in check_answer(through, answer)[0]["detail"]


def test_errors_are_few_and_short():
    errors = check_answer({"items": {"enum": ["x" * 400]}}, ["y" * 10_000] * 1000)
    assert len(errors) == schemas.MAX_ERRORS
    assert max(len(error["detail"]) for error in errors) <= schemas.MAX_DETAIL
    (one,) = check_answer({"pattern": "^a$"}, "z" * 100_000)
    assert len(one["detail"]) < 100
    json.dumps(errors)


def test_a_validator_is_kept():
    schema = {"type": "object", "title": "kept"}
    check_schema(schema)
    before = schemas._rules.cache_info()
    check_answer({"title": "kept", "type": "object"}, {})
    after = schemas._rules.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def test_threads_do_not_share_the_work_that_is_left():
    schema = {"items": {"type": "integer"}}
    answer = list(range(40_000))
    found = []
    threads = [Thread(target=lambda: found.append(check_answer(schema, answer))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[]] * 6
