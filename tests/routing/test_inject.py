"""What methods of choices, loops and hooks may name, and how a call is filled."""

import pytest

from routing import calling
from routing.exceptions import CrowdRouterError

KNOWN = {"data": 1, "form": 2, "pipe_data": 3}


def call(function, **how):
    return calling.call(function, "me", KNOWN, **how)


def test_a_parameter_gets_what_it_names():
    assert call(lambda self, form, data: (self, form, data)) == ("me", 2, 1)
    assert call(lambda self: self) == "me"
    assert call(lambda self, /, data, *, form: (data, form)) == (1, 2)


def test_a_default_stands_where_nothing_is_known():
    assert call(lambda self, level=5, data=6: (level, data)) == (5, 1)


def test_keywords_get_the_pipe_data_and_what_was_added():
    assert call(lambda self, **kwargs: kwargs, extra={"more": 4}) == {"pipe_data": 3, "more": 4}
    assert call(lambda self, pipe_data, **kwargs: kwargs, extra={"more": 4}) == {"more": 4}


def test_what_is_given_by_hand_wins():
    assert call(lambda self, data, form: (data, form), args=("a",)) == ("a", 2)
    assert call(lambda self, data, form: (data, form), extra={"form": "b"}) == (1, "b")


def test_another_name_is_an_error_that_says_which_there_are():
    with pytest.raises(CrowdRouterError, match="asks for request; it may name crowd_request, workflow, task, data"):
        call(lambda self, request: request)


def test_names_that_nobody_knows_are_listed():
    assert calling.unknown_names(lambda self, a, data, b=1, *, c: None) == ["a", "c"]
