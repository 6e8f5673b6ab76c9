"""Bodies that are taken without a serializer's machinery are those that the serializer takes, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from assignments.api.serializers import AssignSerializer, ExtendSerializer, FinalizeSerializer, SkipSerializer
from queues.api.acceptance import Acceptance
from queues.api.serializers.queues import CallStrategySerializer, MemberSerializer
from queues.drafts import TOPIC_LENGTH
from queues.states import SECONDS_MAX

SERIALIZERS = (CallStrategySerializer, AssignSerializer, FinalizeSerializer, SkipSerializer, ExtendSerializer)
NAMES = ("seconds_to_expire", "expire_at", "order", "priority_order", "topic", "multitask_index", "data", "strategy")

EDGES = (
    *(None, True, False, 1.0, 10.0, [], {}, -1, 0, 1, 9, 10, 11, SECONDS_MAX, SECONDS_MAX + 1, 2**53),
    *(
        "",
        "fifo",
        "FIFO",
        "no",
        "other",
        "a" * TOPIC_LENGTH,
        "a" * (TOPIC_LENGTH + 1),
        "ü",
        "\x00",
        "\n",
        "\ud800",
        "5",
    ),
    *("2027-03-01T09:30:00Z", "2027-03-01", {"order": "lifo"}, {"order": "other"}, {"data": 1}),
)
VALUES = st.one_of(st.sampled_from(EDGES), st.integers(), st.text(max_size=5))
FIELDS = st.sampled_from([*NAMES, "assign_new_task", "other"])
BODIES = st.one_of(
    VALUES, st.dictionaries(FIELDS, st.one_of(VALUES, st.dictionaries(FIELDS, VALUES, max_size=3)), max_size=4)
)


def outcome(function: Any, *given: Any) -> Any:
    try:
        return function(*given)
    except ValidationError as refused:
        return repr(refused.detail)


def by_serializer(serializer: Any, body: Any) -> Any:
    asked = serializer(data=body)
    asked.is_valid(raise_exception=True)
    return asked.validated_data


@pytest.mark.parametrize("serializer", SERIALIZERS)
@given(body=BODIES)
def test_every_body_has_the_same_outcome(serializer: Any, body: Any) -> None:
    assert outcome(Acceptance(serializer), body) == outcome(by_serializer, serializer, body)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_every_field_ends_where_the_serializers_does(serializer: Any) -> None:
    accepted, required = Acceptance(serializer), {"data": 1} if serializer is FinalizeSerializer else {}
    for name in serializer().fields:
        for value in EDGES:
            body = {**required, name: value}
            assert outcome(accepted, body) == outcome(by_serializer, serializer, body), body


USUAL = (
    (CallStrategySerializer, {}),
    (CallStrategySerializer, {"multitask_index": 10, "order": "lifo", "priority_order": "no", "topic": "birds"}),
    (CallStrategySerializer, {"seconds_to_expire": 60, "topic": None, "expire_at": None}),
    (AssignSerializer, {"multitask_index": 3}),
    (FinalizeSerializer, {"data": "cat"}),
    (FinalizeSerializer, {"data": {"a": [1]}, "assign_new_task": True, "strategy": {"topic": "birds"}}),
    (SkipSerializer, {"seconds_to_expire": None}),
    (ExtendSerializer, {"seconds_to_expire": 600}),
)


@pytest.mark.parametrize(("serializer", "body"), USUAL)
def test_the_usual_bodies_need_no_serializer(serializer: Any, body: Any) -> None:
    accepted = Acceptance(serializer)
    assert accepted.is_plain(body)
    assert accepted(body) == by_serializer(serializer, body)


def test_fields_that_are_only_shown_are_the_serializers_to_refuse() -> None:
    body = {"id": 5, "user": "alice@example.org", "role": "reviewer"}
    assert outcome(Acceptance(MemberSerializer), body) == outcome(by_serializer, MemberSerializer, body)
