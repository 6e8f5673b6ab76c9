"""Whatever is posted where SNS posts, or waits in the queue of events: nothing is done but for our topic's events."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from pavilion.marketplaces.mturk import events
from tests.hostile.fuzz import damages, examples, raw_json, texts, values
from tests.hostile.rows import rows
from tests.mturk import crowd, sns
from tests.mturk.server import MTurk, serving
from tests.mturk.test_sns import ADDRESS, trusting

pytestmark = pytest.mark.django_db

REFUSED = (400, 403)
"""Too big for any site, or not our topic's."""


@dataclass
class Told:
    """A session at Mechanical Turk, the topic that tells of it, and what that told: somebody gave a HIT up."""

    topic: sns.Topic
    mturk: MTurk
    document: dict[str, Any]

    def push(self, body: bytes) -> int:
        """The status that a body is answered with."""
        return Client().generic("POST", ADDRESS, body, content_type="text/plain").status_code

    def signed(self, message: str) -> dict[str, str]:
        return self.topic.signed("Notification", {"Message": message, "Subject": "1"})


@pytest.fixture
def told(settings: Any, db: None) -> Iterator[Told]:
    said: list[dict[str, Any]] = []
    with sns.topic("2") as topic, serving(lambda _where, document: said.append(document)) as mturk:
        crowd.set_up(settings, mturk, **trusting(topic))
        seat = crowd.come(Client(), mturk, crowd.post(), "AANN")
        mturk.market.return_(seat.external_id)
        mturk.calls.clear()
        yield Told(topic, mturk, said[-1])


@pytest.fixture
def as_it_was(told: Told) -> Any:
    return rows()


@st.composite
def changed(draw: Any, message: dict[str, str]) -> bytes:
    """A message that is not as it was signed: a field is another one, is left out, or the bytes are damaged."""
    how = draw(st.sampled_from(("replace", "replace", "leave", "damage", "any")))
    if how == "any":
        return draw(raw_json | st.binary(max_size=40))
    name = draw(st.sampled_from(sorted(message)))
    if how == "leave":
        return json.dumps({key: value for key, value in message.items() if key != name}).encode()
    if how == "replace":
        return json.dumps(message | {name: draw(values)}).encode()
    return draw(damages)(json.dumps(message).encode())


@examples(80)
@given(data=st.data())
def test_a_push_that_was_changed_is_refused_and_does_nothing(told: Told, as_it_was: Any, data: Any) -> None:
    good = told.signed(json.dumps(told.document))
    body = data.draw(changed(good))
    with transaction.atomic():
        status = told.push(body)
        if status != 204:
            assert status in REFUSED
            assert rows() == as_it_was
            assert told.mturk.calls == []
        else:
            # What it says was not touched: only how its JSON is encoded.
            assert json.loads(body) == good
        told.mturk.calls.clear()
        transaction.set_rollback(True)


@st.composite
def documents(draw: Any, good: dict[str, Any]) -> str:
    """What a topic or a queue may hold: the document of events with something else in it, or something else."""
    how = draw(st.sampled_from(("event", "event", "events", "inside", "any")))
    if how == "any":
        return draw(texts | values.map(json.dumps))
    if how == "events":
        return json.dumps(good | {"Events": draw(values)})
    if how == "inside":
        return json.dumps({"Message": draw(texts | values.map(json.dumps))})
    event = dict(good["Events"][0])
    name = draw(st.sampled_from(sorted(event)))
    event[name] = draw(values)
    return json.dumps(good | {"Events": [event, *good["Events"]]})


@examples(60)
@given(data=st.data())
def test_whatever_our_topic_says_is_taken_and_at_most_a_hit_is_looked_at(told: Told, data: Any) -> None:
    said = data.draw(documents(told.document))
    with transaction.atomic():
        assert told.push(json.dumps(told.signed(json.dumps(said))).encode()) == 204
        assert told.push(json.dumps(told.signed(said.encode(errors="replace").decode())).encode()) == 204
        assert {name for name, _given in told.mturk.calls} <= {"GetHIT", "ListAssignmentsForHIT"}
        told.mturk.calls.clear()
        transaction.set_rollback(True)


@examples(150)
@given(data=st.data())
def test_a_document_of_the_queue_is_read_or_malformed(told: Told, data: Any) -> None:
    said = data.draw(documents(told.document))
    try:
        found = events.read(said)
    except events.Malformed:
        return
    for event in found:
        assert set(event) == {"kind", "hit", "assignment"}
        assert all(isinstance(value, str) for value in event.values())
