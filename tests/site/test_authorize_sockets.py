"""Who may open which socket, and what each of its commands does for them; everybody × what is theirs and another's.

The people and whose things they are: see tests/api/test_authorization.py. `worker` has a seat in the session of the
queue `digits`, and says who they are with its token, as `outsider` does with that of a seat in another session.
A number is the code with which the server closes: 4401 who are you; 4404 not for your eyes; 4403 you see it and may
not.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from crowdsite.asgi import sockets
from pavilion import links, pool
from queues.consumers import nowhere
from queues.consumers.base import Socket
from tests.api import flows
from tests.api.test_authorization import NAMES, PEOPLE, World
from tests.sockets import Client, Site, serving

pytestmark = pytest.mark.threads

WORKERS = {"worker": "team", "outsider": "else"}

TABLE = """
address                       whose anonymous stranger reviewer requester manager operator worker outsider
queues/{queue}/               team  4401      4404     welcome  4403      welcome welcome  4401   4401
queues/{queue}/               else  4401      4404     4404     4404      4404    welcome  4401   4401
operator/                     -     4401      4403     4403     4403      4403    welcome  4401   4401
pool/{session}/               team  4401      4401     4401     4401      4401    4401     state  4404
pool/{session}/               else  4401      4401     4401     4401      4401    4401     4404   state
pool/{session}/console/       team  4401      4404     4404     4404      welcome welcome  4401   4401
pool/{session}/console/       else  4401      4404     4404     4404      4404    welcome  4401   4401
"""

COMMANDS = """
address                       look   ping  alive        confirm
queues/{queue}/               state  pong  unknown-type unknown-type
operator/                     counts pong  unknown-type unknown-type
pool/{session}/               state  pong  -            not-active
pool/{session}/console/       state  pong  unknown-type unknown-type
"""
"""What is answered to those who are in. A worker who waits has nothing to confirm; that they live is not answered."""

HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
(_, *NAMED), *ANSWERS = [line.split() for line in COMMANDS.strip().splitlines()]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


@pytest.fixture
def world(transactional_db: None) -> Iterator[World]:
    with flows.registered():
        yield World()


def secret(world: World, person: str) -> str:
    """What somebody says who they are with."""
    if person in WORKERS:
        seat = pool.enter(seat_id=world.things[WORKERS[person]]["seat"])
        return links.token(seat_id=seat.pk, connection=seat.connection)
    if NAMES[person] is None:
        return "cs_nobody"
    return world.callers[person].client._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")


def came_in(client: Client, said: str) -> str:
    """The type of the first frame that is answered to who says so, or the code of the close."""
    client.send({"type": "authenticate", "token": said})
    try:
        return client.next()["type"]
    except ConnectionClosed as closed:
        return str(closed.rcvd and closed.rcvd.code)


def answered(client: Client, command: str) -> str:
    """The type of what is answered to a command, or the code of the error; "-": nothing."""
    client.send({"type": command})
    if command == "ping":
        return client.until("pong")["type"]
    if command == "look":
        return next(type_ for type_ in iter(lambda: client.next()["type"], "") if type_ in ("state", "counts"))
    said = [frame for frame in client.quiet() if frame["type"] in ("error", "state", "confirmed")]
    return said[0].get("code", said[0]["type"]) if said else "-"


def test_everybody_comes_in_where_the_table_says(site: Site, world: World) -> None:
    assert HEAD[2:] == [*PEOPLE, *WORKERS]
    met = []
    for address, whose, *_ in ROWS:
        outcomes = []
        for person in (*PEOPLE, *WORKERS):
            with site.socket(address.format(**world.things[whose])) as client:
                outcomes.append(came_in(client, secret(world, person)))
        met.append([address, whose, *outcomes])
    assert met == ROWS


def test_who_is_in_is_answered_what_the_table_says_and_nobody_else_anything(site: Site, world: World) -> None:
    met = []
    for address, *_ in ANSWERS:
        insider = "worker" if address == "pool/{session}/" else "operator"
        where = address.format(**world.things["team"])
        outcomes = []
        for command in NAMED:
            with site.socket(where) as client:
                client.send({"type": command})
                assert client.next()["code"] == "not-authenticated"
                client.send({"type": "authenticate", "token": secret(world, insider)})
                assert client.next()["type"] in ("welcome", "state")
                outcomes.append(answered(client, command))
        met.append([address, *outcomes])
    assert met == ANSWERS


def test_every_socket_and_every_command_of_it_has_a_row() -> None:
    there = {}
    for route in sockets.routes:
        if route.callback is not nowhere:
            names = iter(("queue",) if "name" in str(route.pattern) else ("session",))
            there[_plain(str(route.pattern), names)] = inspect.getclosurevars(route.callback).nonlocals["cls"]
    assert set(there) == {address for address, *_ in ROWS} == {address for address, *_ in ANSWERS}
    assert set(there.values()) == set(_below(Socket))
    commands: set[str] = set().union(*(kind.commands for kind in there.values()))
    assert commands == set(NAMED)


def _plain(pattern: str, names: Iterator[str]) -> str:
    """An address of the table, of a pattern below ws/."""
    inside = pattern.strip("^$").removeprefix("ws/")
    before, opened, rest = inside.partition("(?P" if "(?P" in inside else "<")
    after = rest.rpartition(")" if "(?P" in inside else ">")[2]
    return f"{before}{{{next(names)}}}{after}" if opened else inside


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith(("assignments.", "pavilion.", "queues.", "routing.", "crowdsite.")):
            yield below
            yield from _below(below)
