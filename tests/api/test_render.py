"""The answers that people wait for are rendered as the serializers, which the schema is made of, would render them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assignments import claims, lifecycle
from assignments.api import rendering
from assignments.api.serializers import FinalizedSerializer, GrabSerializer, OneAssignmentSerializer
from assignments.claims import Grab
from assignments.models import Assignment
from assignments.states import Reason
from queues.api.base import plain
from tests import cast

pytestmark = pytest.mark.django_db


def finished(assignment: Assignment) -> Assignment:
    return lifecycle.finalize(assignment_id=assignment.pk, data={"say": ["ü", 1.5, None]}).assignment


def skipped(assignment: Assignment) -> Assignment:
    return lifecycle.skip(assignment_id=assignment.pk, seconds_to_expire=None)


def released(assignment: Assignment) -> Assignment:
    return lifecycle.release(assignment_id=assignment.pk, reason="Taken back.")


@pytest.mark.parametrize("becomes", [lambda assignment: assignment, finished, skipped, released])
@pytest.mark.parametrize(
    "draft", [{}, {"target_reviewer": "alice@example.org", "topic": "ü", "global_keys": ["a", "b"]}]
)
def test_an_assignment(digits: Any, becomes: Any, draft: Any) -> None:
    cast.post(digits, input_data={"text": ["ü", None]}, expire_at=datetime(2100, 1, 1, tzinfo=UTC), **draft)
    membership = digits.memberships.select_related("queue", "user").get(user__username="alice")
    assignment = becomes(claims.grab(membership=membership).assignments[0])
    assert rendering.one(assignment) == plain(OneAssignmentSerializer({"assignment": assignment}).data)


def test_what_is_held_and_the_next(digits: Any) -> None:
    cast.post(digits, 3)
    membership = digits.memberships.select_related("queue", "user").get(user__username="alice")
    found = claims.grab(membership=membership, call={"multitask_index": 3})
    first = found.assignments[0]
    for next_ in (None, Grab(), found):
        shown = plain(FinalizedSerializer({"assignment": first, "next": next_}).data)
        assert plain(rendering.finalized(first, next_)) == shown


@pytest.mark.parametrize("reason", [None, *Reason])
def test_a_grab_of_nothing(reason: Any) -> None:
    for moment in (None, datetime(2027, 3, 1, 9, 30, tzinfo=UTC), datetime.now(UTC) + timedelta(seconds=1)):
        found = Grab(reason=reason, retry_at=moment)
        assert plain(rendering.grab(found)) == plain(GrabSerializer(found).data)
