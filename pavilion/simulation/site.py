"""The site as a worker's browser sees it: an invitation, a room, calls with a token, and a socket."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import aiohttp

PATIENCE = 30.0
"""Seconds that an answer may take."""


class Refused(Exception):
    """The site said no: the HTTP status, and the type and detail of the problem, or what else it said."""

    def __init__(self, what: str, status: int, problem: str, detail: str) -> None:
        super().__init__(f"{what}: {status} {problem or detail}".strip())
        self.status = status
        self.problem = problem


class Full(Exception):
    """All places are taken just now."""


class Closed(Exception):
    """The session takes nobody in any more."""


class Over(Exception):
    """The seat has ended."""


@dataclass(frozen=True)
class Window:
    """What a room that was opened may do: its token and number, and where its socket is."""

    room: str
    token: str
    connection: int
    socket: str


class Site:
    """A server at `url`, and the connections to it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/"
        self._http = aiohttp.ClientSession(
            # None waits for another's connection, and none is kept: a server may close one that is about to be used
            # again, and what was sent on it by then cannot be told from what was done.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            # A worker is known by links and tokens alone.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
        )

    async def __aenter__(self) -> "Site":
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._http.close()

    async def accept(self, invitation: str, name: str) -> str:
        """Read an offer and accept it; the address of the room. Raises Full, Closed, Refused."""
        async with self._http.get(invitation) as answer:
            await _require(answer, "the offer")
            if 'method="post"' not in await answer.text():
                # There is nothing to accept it with.
                raise Closed
        async with self._http.post(invitation, data={"name": name}, allow_redirects=False) as answer:
            if answer.status == 303:
                return urljoin(str(answer.url), answer.headers["Location"])
            if answer.status == 409:
                # Where that is for good, the offer has no button the next time.
                raise Full
            await _require(answer, "accepting")
            raise Refused("accepting", answer.status, "", "led to no room")

    async def open(self, room: str) -> Window:
        """Load the room's page and take it over. Raises Over, Refused."""
        async with self._http.get(room) as answer:
            await _require(answer, "the room")
        return await self.enter(room, None)

    async def enter(self, room: str, connection: int | None) -> Window:
        """Take a room over (None), or renew the token of its window with this number. Raises Over, Refused."""
        async with self._http.post(urljoin(room, "enter/"), json={"connection": connection}) as answer:
            await _require(answer, "entering")
            given = await answer.json()
        if given["token"] is None:
            raise Over
        if not given["socket"]:
            raise Refused("entering", answer.status, "", "the site has no sockets")
        # As pages find it: a path, or with another host and port, or whole.
        socket = urljoin(str(answer.url), given["socket"])
        return Window(room, given["token"], given["connection"], re.sub("^http", "ws", socket))

    async def call(self, window: Window, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST to the seat's API. Raises Over, Refused; with status 401 the token is too old."""
        headers = {"Authorization": f"Seat {window.token}"}
        async with self._http.post(f"{self.url}api/v1/seat/{path}", json=body or {}, headers=headers) as answer:
            await _require(answer, path.split("/")[-2])
            return await answer.json()

    async def invitation(self, token: str, pool: str) -> str:
        """The many-use invitation to the live session of the pool with this name or id, by the API. Raises Refused."""
        path = "pools/?page_size=200"
        while path:
            page = await self._get(path, token)
            for row in page["results"]:
                if pool in (row["name"], str(row["id"])):
                    return await self._invitation_to(token, row["id"])
            path = page["next"]
        raise Refused("the pool", 404, "", f"no pool {pool} can be seen with this token")

    async def _invitation_to(self, token: str, pool: int) -> str:
        sessions = (await self._get(f"sessions/?pool={pool}&status=LIVE", token))["results"]
        if not sessions:
            raise Refused("the pool", 404, "", "it is not at work: post it first")
        return (await self._get(f"sessions/{sessions[0]['id']}/invitations/", token))["any"]

    async def _get(self, path: str, token: str) -> Any:
        """GET from the API as a user."""
        headers = {"Authorization": f"Bearer {token}"}
        async with self._http.get(urljoin(f"{self.url}api/v1/", path), headers=headers) as answer:
            await _require(answer, path.partition("?")[0])
            return await answer.json()

    async def socket(self, window: Window) -> aiohttp.ClientWebSocketResponse:
        """The room's socket, open, after its first frame."""
        socket = await self._http.ws_connect(window.socket, compress=0, autoping=True)
        await socket.send_json({"type": "authenticate", "token": window.token})
        return socket


async def _require(answer: aiohttp.ClientResponse, what: str) -> None:
    """Raises Over, Refused."""
    if answer.status < 400:
        # Read to the end, so that the connection can be used again.
        await answer.read()
        return
    text = await answer.text()
    problem, detail = _problem(text)
    if problem == "seat-over":
        raise Over
    raise Refused(what, answer.status, problem, detail)


def _problem(text: str) -> tuple[str, str]:
    """The slug and the detail of a problem document; of a page nothing but that it is one."""
    try:
        document = json.loads(text)
        return str(document["type"]).rsplit(":", 1)[-1], str(document.get("detail", ""))
    except (ValueError, KeyError, TypeError):
        return "", "a page" if "<html" in text.lower() else text[:100]


PASSING = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""What a call raises where the server is not there, or does not answer in time."""
