"""Strict JSON: what is taken, what is refused and where, and when two values are the same."""

import json
import sys
import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queues import strictjson
from queues.strictjson import StrictJSONError, canonical, check, loads, same


def refusal(raw: str | bytes) -> StrictJSONError:
    with pytest.raises(StrictJSONError) as caught:
        loads(raw.encode() if isinstance(raw, str) else raw)
    return caught.value


def nest(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        '"é 😀 \\ud83d\\ude00 \\\\u0000"',
        "9007199254740991",
        "-9007199254740991",
        "0.1234567890123456789",
        "1e-7",
        "5e15",
        nest(32),
        json.dumps(["[" * 100, "{" * 100]),
    ],
)
def test_good_json_is_read_as_python_reads_it(text):
    assert loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "{'a': 1}",
        '{"a": 1} x',
        '"\x01"',
        "01",
        "\ufeff{}",
    ],
)
def test_what_is_not_json_is_refused_with_its_place(text):
    assert "line 1, column" in refusal(text).detail


@pytest.mark.parametrize("raw", [b'"\xff"', b'"\xed\xa0\x80"', '"é"'.encode("latin-1"), '"a"'.encode("utf-16")])
def test_other_encodings_are_refused(raw):
    assert "UTF-8" in refusal(raw).detail


@pytest.mark.parametrize(
    ("text", "pointer", "words"),
    [
        ('{"a": ["x", "b\\u0000"]}', "/a/1", "NUL"),
        ('{"a": {"k\\u0000": 1}}', "/a", "NUL"),
        ('["\\uD800"]', "/0", "surrogate"),
        ('["\\udfff\\ud800"]', "/0", "surrogate"),
        ('{"\\udc00": 1}', "", "surrogate"),
        ('{"a": NaN}', "/a", "finite"),
        ('["x", -Infinity]', "/1", "finite"),
        ('{"a/b": {"~": 1e999}}', "/a~1b/~0", "finite"),
        ('{"a": 9007199254740992}', "/a", "send it as a string"),
        ('{"a": -9007199254740992}', "/a", "send it as a string"),
        ('{"a": 1e300}', "/a", "send it as a string"),
        ('{"a": 9007199254740993.0}', "/a", "send it as a string"),
        ('[{"a": 1, "b": 2, "a": 1}]', "/0", "same key twice"),
        ('{"a": {"x": {"b": 1, "b": 2}}}', "/a/x", "same key twice"),
    ],
)
def test_a_refusal_names_the_place_and_the_reason(text, pointer, words):
    error = refusal(text)
    assert (error.pointer, words in error.detail) == (pointer, True), error


def test_a_nest_of_32_is_taken_and_one_of_33_refused():
    assert loads(nest(32).encode()) == json.loads(nest(32))
    assert refusal(nest(33)).pointer == "/0" * 32


def test_objects_count_for_the_depth():
    assert "32 deep" in refusal('{"a":' * 33 + "1" + "}" * 33).detail
    assert loads(('{"a":' * 32 + "1" + "}" * 32).encode())


def test_a_nest_of_a_million_raises_no_recursion_error():
    assert "32 deep" in refusal("[" * 1_000_000).detail


def test_a_bomb_of_digits_costs_nothing():
    # Where a host has lifted Python's own limit, int() takes seconds for these.
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        started = time.process_time()
        assert "send it as a string" in refusal("[" + "9" * 1_000_000 + "]").detail
        assert time.process_time() - started < 0.5
    finally:
        sys.set_int_max_str_digits(limit)


def test_reading_a_mebibyte_is_not_much_slower_than_the_standard_library():
    raw = json.dumps(
        [{"id": n, "name": f"person {n}", "tags": ["a", "b"], "score": n / 7} for n in range(14_000)]
    ).encode()
    assert len(raw) > 2**20

    def cost(read):
        best = 1.0
        for _ in range(5):
            started = time.process_time()
            read(raw)
            best = min(best, time.process_time() - started)
        return best

    assert cost(loads) < 6 * cost(json.loads)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-strictjson.MAX_NUMBER, strictjson.MAX_NUMBER)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=1)), inner),
    max_leaves=20,
)


@given(json_values)
def test_whatever_passes_the_check_comes_back_from_its_text(value):
    check(value)
    assert loads(json.dumps(value).encode()) == value
    assert same(loads(canonical(value)), value)


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"a": (1, 2)}, "/a"),
        ([date(2027, 1, 1)], "/0"),
        ({"a": {1: 2}}, "/a"),
        ([b"x"], "/0"),
        ({"a": float("nan")}, "/a"),
        ([10**400], "/0"),
        ("\ud800", ""),
        ({"a": ["\x00"]}, "/a/0"),
    ],
)
def test_a_python_value_that_is_not_json_is_refused(value, pointer):
    with pytest.raises(StrictJSONError) as caught:
        check(value)
    assert caught.value.pointer == pointer


def test_a_value_that_contains_itself_is_too_deep():
    value = []
    value.append(value)
    with pytest.raises(StrictJSONError, match="32 deep"):
        check(value)


def test_the_canonical_form_sorts_keys_and_writes_numbers_one_way():
    assert canonical({"b": 1.0, "a": [1e-7, "é"], "€": None}) == '{"a":[1e-7,"é"],"b":1,"€":null}'.encode()


def test_what_has_no_canonical_form_is_refused():
    with pytest.raises(StrictJSONError, match="no canonical form"):
        canonical({"a": float("inf")})


def test_sameness_ignores_the_order_of_keys_and_the_spelling_of_numbers():
    assert same({"a": 1, "b": [1.0, -0.0]}, {"b": [1, 0], "a": 1.0})


@pytest.mark.parametrize(("one", "other"), [(True, 1), (0, False), ("1", 1), ([1, 2], [2, 1]), (None, 0), ({}, [])])
def test_what_merely_resembles_is_not_the_same(one, other):
    assert not same(one, other)
