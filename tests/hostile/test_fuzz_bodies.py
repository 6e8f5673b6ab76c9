"""Whatever stands in a body: it is taken, or refused with a problem and nothing is changed."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from queues.api.problems import CONTENT_TYPE, URN, registered
from tests.api import flows
from tests.api.calling import ROOT
from tests.api.test_authorization import GOOD_BODIES, World, filled
from tests.hostile.fuzz import damages, examples, raw_json, values
from tests.hostile.rows import rows

pytestmark = pytest.mark.django_db

SECONDS = 2
"""Of the processor's time, that a refusal may take at most; it takes a few thousandths of one."""

TAKING = sorted(where for where in GOOD_BODIES if where[1].startswith(ROOT))
PEOPLE = ("operator", "manager", "requester", "reviewer")


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with flows.registered():
        yield World()


@pytest.fixture
def as_it_was(world: World) -> Any:
    """The rows of the world, in which every example finds it."""
    return rows()


@st.composite
def bodies(draw: Any, good: Any) -> bytes:
    """A good body, of which one member is replaced, added or left out, or which is damaged; or any JSON at all."""
    how = draw(st.sampled_from(("replace", "replace", "add", "leave", "damage", "any")))
    if how == "any" or not isinstance(good, dict):
        return draw(raw_json)
    body = dict(good)
    if how in ("replace", "leave") and body:
        name = draw(st.sampled_from(sorted(body)))
        if how == "leave":
            del body[name]
        else:
            body[name] = draw(values)
    elif how == "add":
        body[draw(st.sampled_from(ADDED))] = draw(values)
    raw = json.dumps(body).encode()
    return draw(damages)(raw) if how == "damage" else raw


ADDED = (
    *("id", "status", "priority", "topic", "expire_at", "schedule_to", "target_reviewer", "seconds_to_expire"),
    *("global_keys", "exclude_reviewers", "notifications", "judgments_required", "output_data", "strategy", "max_live"),
    *("input_schema", "output_schema", "default_assignment_strategy", "alias", "headers", "events_to_notify"),
    *("count", "reason", "min_waiting", "max_active", "budget", "base_reward", "countries", "time_limit", "miss_rate"),
    *("approved_hits", "waiting_wage", "multitask_index", "order", "max_lease_seconds", "step", "expires_at", "\x00"),
)


@examples(80)
@given(data=st.data())
def test_a_body_is_taken_or_refused_and_then_changes_nothing(world: World, as_it_was: Any, data: Any) -> None:
    method, address = data.draw(st.sampled_from(TAKING))
    things = world.things[data.draw(st.sampled_from(("mine", "team")))]
    try:
        path = address.partition("#")[0].format(**things)
    except KeyError:
        things = world.things["team"] | world.things["mine"] | world.things["team"]
        path = address.partition("#")[0].format(**things)
    body = data.draw(bodies(filled(GOOD_BODIES[method, address], things)))
    caller = world.callers[data.draw(st.sampled_from(PEOPLE))]
    with transaction.atomic():
        began = time.process_time()
        answer = caller.client.generic(method, path, body, content_type="application/json")
        took = time.process_time() - began
        if answer.status_code >= 400:
            assert rows() == as_it_was
        transaction.set_rollback(True)
    assert took < SECONDS
    assert answer.status_code < 500, answer.content
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        assert answer.json()["type"].removeprefix(URN) in registered()


@examples(25)
@given(body=raw_json | st.binary(max_size=40) | st.builds(lambda n: b"[" * n, st.integers(900, 5000)))
def test_a_window_asks_for_its_seat_with_whatever_body(world: World, body: bytes) -> None:
    with transaction.atomic():
        path = f"/pool/room/{world.things['team']['room']}/enter/"
        answer = world.callers["anonymous"].client.generic("POST", path, body, content_type="application/json")
        transaction.set_rollback(True)
    assert answer.status_code in (200, 400), answer.content
    if answer.status_code == 400:
        assert answer.json()["type"] == f"{URN}invalid-input"
