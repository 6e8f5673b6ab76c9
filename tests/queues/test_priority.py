"""Priorities and their changes: 120, "+10", "(N*2)+12"."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queues.exceptions import InvalidInput
from queues.priority import MAX_LENGTH, PriorityError, parse


@pytest.mark.parametrize(
    ("given", "present", "after"),
    [
        (5, 500, 5),
        (995, 500, 995),
        ("120", 500, 120),
        (" 120 ", 500, 120),
        ("+10", 500, 510),
        ("-10", 500, 490),
        ("- 10", 500, 490),
        ("+10", 990, 995),
        ("-10", 10, 5),
        ("N", 77, 77),
        ("(N*2)+12", 100, 212),
        ("1000-N", 400, 600),
        ("-N+1000", 400, 600),
        ("N//3", 100, 33),
        ("N-2-3", 100, 95),
        ("N+2*3", 100, 106),
        ("(N+2)*3", 100, 306),
        ("100//N//2", 10, 5),
        ("--N", 50, 50),
        ("N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N", 995, 995),
        ("5-N*N*N*N*N*N*N*N*N*N*N*N*N*N*N*N", 995, 5),
    ],
)
def test_a_change_gives_the_new_priority(given, present, after):
    assert parse(given).apply(present) == after


@pytest.mark.parametrize("given", [4, 996, 0, -10, 10**30, "4", "996", "9" * 64])
def test_an_absolute_number_out_of_range_is_refused(given):
    with pytest.raises(PriorityError, match="from 5 to 995"):
        parse(given)


@pytest.mark.parametrize("given", [True, False, None, 120.0, [], {}, b"5"])
def test_other_types_are_refused(given):
    with pytest.raises(PriorityError, match="whole number"):
        parse(given)


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "N N",
        "N 2",
        "N+",
        "+",
        "*N",
        "N***2",
        "N**2",
        "N/2",
        "N/ /2",
        "(N",
        "N)",
        "()",
        "n",
        "+N",
        "N+1.5",
        "N+0x10",
        "N_",
        "N if N else 5",
        "__import__('os')",
        "N\x00",
        "Ⅷ+N",
        "٣+N",
        "²+N",
        "+10*2",
        "10+20",
        "(5)",
        "-10*2",
    ],
)
def test_what_is_not_a_change_is_refused_in_a_sentence(given):
    with pytest.raises(PriorityError) as caught:
        parse(given)
    assert caught.value.sentence.endswith(".")


def test_an_expression_has_64_characters_at_most():
    assert parse("N" + "+1" * 31).apply(100) == 131
    with pytest.raises(PriorityError, match=str(MAX_LENGTH)):
        parse("N" + "+1" * 32)


def test_division_by_zero_is_an_error_where_it_happens():
    change = parse("100//(N-5)")
    assert change.apply(105) == 5
    with pytest.raises(PriorityError, match="divides by zero where N is 5"):
        change.apply(5)


def test_an_error_is_invalid_input_at_the_priority():
    with pytest.raises(InvalidInput) as caught:
        parse("N+")
    assert [error["pointer"] for error in caught.value.errors] == ["/priority"]


sums = st.recursive(
    st.integers(0, 999).map(str) | st.just("N"),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//"]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda part: f"-{part}")
    ),
    max_leaves=6,
)


@given(sums, st.integers(5, 995))
def test_expressions_compute_as_arithmetic_does(text, present):
    text = f"N+{text}"
    if len(text) > MAX_LENGTH:
        return
    try:
        expected = max(5, min(995, eval(text, {"__builtins__": {}}, {"N": present})))
    except ZeroDivisionError:
        with pytest.raises(PriorityError):
            parse(text).apply(present)
    else:
        assert parse(text).apply(present) == expected


@given(st.text("N0159+-*/() ", max_size=MAX_LENGTH))
def test_any_text_is_a_change_or_a_priority_error(text):
    with suppress(PriorityError):
        assert 5 <= parse(text).apply(500) <= 995
