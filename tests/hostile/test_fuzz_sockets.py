"""Whatever is sent to a socket: it is told what is wrong with it or closed, and the next socket is served."""

import json
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from pavilion import links, pool
from queues import tokens
from queues.consumers.base import FRAME_MAX
from queues.consumers.limits import FRAMES_AT_ONCE
from tests import cast, pools
from tests.hostile.fuzz import examples, raw_json, values
from tests.hostile.rows import rows
from tests.sockets import Client, Site, serving

pytestmark = pytest.mark.threads

CODES = {1007, 1008, 1009, 4401, 4403, 4404, 4409, 4429}
"""With which a socket is closed for what was sent; 1007 is websockets' own, for text that is not UTF-8."""

COMPLAINTS = {"malformed", "unknown-type", "authenticated", "not-authenticated", "not-active", "too-fast"}

TYPES = ["look", "ping", "pong", "alive", "confirm", "authenticate", "welcome", "", "\x00", "__class__", "close"]

frames = (
    st.binary(max_size=50)
    | raw_json.filter(lambda raw: len(raw) < FRAME_MAX).map(lambda raw: raw.decode("utf-8", "replace"))
    | values.map(json.dumps)
    | st.builds(lambda type_, more: json.dumps({"type": type_, **more}), st.sampled_from(TYPES) | values, st.just({}))
    | st.builds(
        lambda type_, name, more: json.dumps({"type": type_, name: more}),
        st.sampled_from(TYPES),
        st.sampled_from(["token", "type", "seat", "connection", "x"]),
        values,
    )
    | st.sampled_from(["", "null", "[]", "0", '"look"', "x" * (FRAME_MAX + 1), "[" * FRAME_MAX, "{" * 1000])
)

paths = st.sampled_from(["queues/digits/", "pool/{session}/", "pool/{session}/console/", "queues/operator/"])


@pytest.fixture(scope="module")
def site() -> Any:
    with serving() as running:
        yield running


@pytest.fixture
def secrets(db: None) -> dict[str, Any]:
    """A token for each kind of socket, and the session of a pool."""
    queue = cast.queue("digits")
    cast.join(queue, "alice")
    session = pools.post()
    seat = pool.enter(seat_id=pools.join(session, "ann").pk)
    return {
        "session": session.pk,
        "mia": tokens.issue(user=cast.person("mia"), name="m")[1],
        "alice": tokens.issue(user=cast.person("alice"), name="a")[1],
        "seat": links.token(seat_id=seat.pk, connection=seat.connection),
    }


def serves(site: Site, secrets: dict[str, Any]) -> None:
    """A socket is welcomed, and answers."""
    with site.socket("queues/digits/") as alice:
        alice.send({"type": "authenticate", "token": secrets["alice"]})
        assert alice.next()["type"] == "welcome"
        alice.quiet()


def told(client: Client) -> None:
    """Read what the server says, until it has answered a ping or closed the socket."""
    with suppress(ConnectionClosed):
        client.send({"type": "ping"})
        while (frame := client.next())["type"] != "pong":
            if frame["type"] == "error":
                assert frame["code"] in COMPLAINTS
                assert frame["detail"]
                if frame["code"] == "not-authenticated":
                    break
        return
    assert client.connection.close_code in CODES, client.connection.close_code


@examples(40)
@given(path=paths, known=st.booleans(), sent=st.lists(frames, min_size=1, max_size=4))
def test_a_frame_is_answered_or_ends_its_socket(
    site: Site, secrets: dict[str, Any], path: str, known: bool, sent: list[Any]
) -> None:
    before = rows()
    with site.socket(path.format(**secrets)) as client:
        if known:
            of = "seat" if path == "pool/{session}/" else "alice" if path == "queues/digits/" else "mia"
            client.send({"type": "authenticate", "token": secrets[of]})
        with suppress(ConnectionClosed):
            for frame in sent:
                client.send(frame)
        told(client)
    if not known:
        assert rows() == before


def test_floods_end_their_own_sockets_and_no_other(site: Site, secrets: dict[str, Any]) -> None:
    with ExitStack() as open_:
        steady = open_.enter_context(site.of("alice", "queues/digits/"))
        for frame in (b"\x00" * 100, {"type": "look"}, "x", {"type": "authenticate", "token": "x" * 10_000}):
            with site.socket("queues/digits/") as flooding:
                if not isinstance(frame, str):
                    flooding.send({"type": "authenticate", "token": secrets["alice"]})
                flooding.flood(frame, FRAMES_AT_ONCE * 20)
                assert flooding.closed() in CODES
        steady.quiet()
    serves(site, secrets)
