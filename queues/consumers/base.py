"""What every socket does: find out who is there, ask again whether they may, take commands, send frames, end well."""

import asyncio
import json
import logging
import random
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

from channels.db import database_sync_to_async
from django.db import Error

from queues import strictjson
from queues.consumers import identity
from queues.consumers.endings import Closed, Code, Gone
from queues.consumers.limits import Bucket, seats
from queues.consumers.origins import header, is_ours
from queues.consumers.switchboard import Switchboard

logger = logging.getLogger(__name__)

R = TypeVar("R")

FRAME_MAX = 16 * 1024
"""Bytes of the longest frame that is taken."""

ERRORS_MAX = 3
AUTHENTICATION_SECONDS = 10.0

CHECK_EVERY = 60.0
"""Seconds, at most, between two times of asking whether the user may still be here."""

OUTBOX_MAX = 64
"""So many frames may wait for a reader who is slow."""

WRITE_SECONDS = 20.0
"""Where a frame cannot be sent for so long nobody reads; noticed when the next is to be sent."""

GOODBYE_SECONDS = 1.0

THREADS = ThreadPoolExecutor(2, thread_name_prefix="sockets")
"""Where sockets ask the database: so many connections do all of them need together, and none while they are idle."""


async def ask(function: Callable[..., R], *args: Any) -> R:
    """Call what uses the database on one of THREADS; its connection is given back afterwards.

    Raises Closed where the database does not answer: who cannot be asked about is not let in.
    """
    try:
        return await database_sync_to_async(function, thread_sensitive=False, executor=THREADS)(*args)
    except Error as error:
        logger.error("The database does not answer a socket: %s", error)
        raise Closed(Code.LATER, "The database does not answer just now.") from error


async def nowhere(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application for the addresses of sockets that lead nowhere."""
    await receive()
    await _turn_away(scope, send, 404)


async def _turn_away(scope: Any, send: Any, status: int) -> None:
    """Answer the handshake with an HTTP status; 403 where the server can say no other."""
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": Code.NOT_ALLOWED})


class Socket:
    """One connection. `admit` and `snapshot` run on a thread and may use the database; all else runs on the loop and
    must be quick.
    """

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self._receive, self._send = receive, send
        self._loop = asyncio.get_running_loop()
        self._verdict: asyncio.Future[Closed] = self._loop.create_future()
        self._outbox: dict[Hashable, str] = {}
        self._something = asyncio.Event()
        self._writing_since: float | None = None
        self._bucket = Bucket(self._loop.time())
        self._errors = 0
        self._check_at = self._loop.time() + CHECK_EVERY
        self._patience: asyncio.Timeout | None = None
        self._identity: identity.Identity | None = None
        self._seat: Any = None
        self._board: Switchboard | None = None
        # What is heard while it is asked how things are: that may be about what happened afterwards.
        self._early: list[dict[str, Any]] | None = []
        self._groups: Collection[str] = ()

    commands: ClassVar[frozenset[str]] = frozenset({"look", "ping"})

    by_session: ClassVar[bool] = True
    """Whether the session of a signed-in browser says who is there."""

    @classmethod
    def as_asgi(cls) -> Any:
        """The ASGI application that makes one of these for each connection."""

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await cls(scope, receive, send).run()

        return application

    # What a kind of sockets says for itself.

    def admit(self, user: Any) -> Any:
        """What this user may hear of here; asked at the beginning, at each command and each minute. Raises Closed."""
        raise NotImplementedError

    def groups(self, admission: Any) -> Collection[str]:
        """The groups whose pushes they hear."""
        raise NotImplementedError

    def snapshot(self, admission: Any) -> Any:
        """How things are for them now."""
        raise NotImplementedError

    def show(self, type_: str, snapshot: Any) -> None:
        """Say how things are, in a frame of this type; "": nobody has asked, so take note only."""
        raise NotImplementedError

    def heard(self, message: dict[str, Any]) -> None:
        """A push has come."""
        raise NotImplementedError

    def identify(self, token: str) -> tuple[Any, Any] | None:
        """How the one who authenticates with this token is known, and their user; None: not at all."""
        return identity.of_token(token)

    async def obey(self, command: str) -> None:
        """Carry out a command of one's own. Raises Closed."""
        raise NotImplementedError

    def ended(self) -> None:
        """The socket is closed: let go of what was kept for it."""

    # What they have in common.

    async def run(self) -> None:
        """Serve the connection to its end."""
        await self._receive()
        if not is_ours(self.scope["headers"]):
            await _turn_away(self.scope, self._send, 403)
            return
        self._board = Switchboard.here()
        if self._board is None:
            await _turn_away(self.scope, self._send, 503)
            return
        try:
            await self._send({"type": "websocket.accept"})
            closed = await self._live()
            await self._say_goodbye(closed)
        except (Gone, OSError):
            # The server raises an OSError for a connection that is lost.
            pass

    def hear(self, message: dict[str, Any]) -> None:
        """A push for one of this socket's groups has come; those of the type "check" are about whether one may."""
        if message["type"] == "check":
            self._check_within(message.get("seconds", 0))
        elif self._early is None:
            self.heard(message)
        elif len(self._early) < OUTBOX_MAX:
            self._early.append(message)

    def cut_off(self) -> None:
        """Nothing will be heard any more."""
        self.hang_up(Code.LATER, "Live updates are away just now.")

    def hang_up(self, code: Code, reason: str) -> None:
        """Close the socket."""
        if not self._verdict.done():
            self._verdict.set_result(Closed(code, reason))

    def say(self, type_: str, key: Hashable = None, **fields: Any) -> None:
        """Send a frame. Of those with the same `key` that wait for a slow reader the latest is sent."""
        self.say_text(json.dumps({"type": type_, **fields}, separators=(",", ":")), key)

    def say_text(self, text: str, key: Hashable = None) -> None:
        """Send a frame whose text is made already."""
        self._outbox[object() if key is None else key] = text
        self._something.set()
        # A clock for each frame would cost as much as the frame.
        stuck = self._writing_since is not None and self._loop.time() - self._writing_since > WRITE_SECONDS
        if stuck or len(self._outbox) > OUTBOX_MAX:
            self.hang_up(Code.LATER, "You read too slowly.")

    async def _live(self) -> Closed:
        """Read and write until one of both has come to an end. Raises Gone, OSError."""
        work = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        ends: list[asyncio.Future[Any]] = [*work, self._verdict]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._verdict.done():
                return self._verdict.result()
            done = next(task for task in work if task.done())
            done.result()
            raise Gone
        except Closed as closed:
            return closed
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            self._let_go()

    def _let_go(self) -> None:
        if self._seat is not None:
            seats.give_back(self._seat)
        if self._board is not None:
            self._board.leave(self, self._groups)
        self.ended()

    async def _say_goodbye(self, closed: Closed) -> None:
        """The last words that were not sent yet, and the close; a reader who is slow does not keep us."""
        last = [text for key, text in self._outbox.items() if isinstance(key, LastWord)]
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                for text in last:
                    await self._send({"type": "websocket.send", "text": text})
                await self._send({"type": "websocket.close", "code": int(closed.code), "reason": closed.reason})
        except TimeoutError:
            pass

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._outbox:
                text = self._outbox.pop(next(iter(self._outbox)))
                self._writing_since = self._loop.time()
                await self._send({"type": "websocket.send", "text": text})
                self._writing_since = None

    async def _read(self) -> None:
        self._identity, user = await self._identify()
        if not seats.take(user.pk):
            raise Closed(Code.TOO_MANY, "You have too many sockets open.")
        self._seat = user.pk
        admission = await ask(self.admit, user)
        self._groups = frozenset(self.groups(admission))
        assert self._board is not None
        try:
            await self._board.enter(self, self._groups)
        except TimeoutError:
            raise Closed(Code.LATER, "Live updates are away just now.") from None
        self.show("welcome", await ask(self.snapshot, admission))
        early, self._early = self._early or [], None
        for message in early:
            self.heard(message)
        while True:
            try:
                async with asyncio.timeout_at(self._check_at) as self._patience:
                    frame = await self._frame()
            except TimeoutError:
                self.show("", await self._look())
                continue
            finally:
                self._patience = None
            if frame is not None:
                await self._obey(frame)

    async def _obey(self, frame: dict[str, Any]) -> None:
        command = frame["type"]
        if command == "authenticate":
            self._complain("authenticated", "It is known already who you are.")
        elif command not in self.commands:
            self._complain("unknown-type", "There is no such command.")
        elif frame.keys() != {"type"}:
            self._complain("malformed", "This command has no other members than its type.")
        elif command == "ping":
            await self._admit()
            self.say("pong", key="pong")
        elif command == "look":
            self.show("state", await self._look())
        else:
            await self.obey(command)

    async def _frame(self) -> dict[str, Any] | None:
        """The next frame; None for one that could not be taken, about which was complained."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise Gone
        if not self._bucket.take(self._loop.time()):
            self._complain("too-fast", "You send too many frames.")
            raise Closed(Code.POLICY, "Too many frames.")
        text = message.get("text")
        if text is None:
            self._complain("malformed", "Frames are text, not binary.")
            return None
        raw = text.encode("utf-8", "surrogatepass")
        if len(raw) > FRAME_MAX:
            raise Closed(Code.TOO_LARGE, f"A frame may have {FRAME_MAX} bytes.")
        try:
            frame = strictjson.loads(raw)
        except strictjson.StrictJSONError as error:
            self._complain("malformed", error.detail)
            return None
        if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
            self._complain("malformed", "A frame is an object with a type, which is text.")
            return None
        return frame

    def _complain(self, code: str, detail: str) -> None:
        """Tell of an error. Raises Closed at the third."""
        self._errors += 1
        self.say("error", key=LastWord(self._errors), code=code, detail=detail)
        if self._errors >= ERRORS_MAX:
            raise Closed(Code.POLICY, "Too many errors.")

    async def _identify(self) -> tuple[identity.Identity, Any]:
        """How they are known, and the user: by the session where a page of ours asks, else by the first frame.

        Raises Closed.
        """
        headers = self.scope["headers"]
        signed_in = self.by_session and header(headers, b"origin") is not None
        session = identity.of_cookies(headers) if signed_in else None
        if session is not None and (user := await ask(session.user)) is not None:
            return session, user
        seats.wait(self, lambda: self.hang_up(Code.LATER, "Too many sockets wait."))
        try:
            async with asyncio.timeout(AUTHENTICATION_SECONDS):
                secret = await self._secret()
        except TimeoutError:
            raise Closed(Code.NOT_KNOWN, "You did not say in time who you are.") from None
        finally:
            seats.stop_waiting(self)
        found = await ask(self.identify, secret)
        if found is None:
            raise Closed(Code.NOT_KNOWN, "The token is unknown, expired or revoked, or its user is not active.")
        return found

    async def _secret(self) -> str:
        """The token of the first frame that is one of authentication."""
        while True:
            frame = await self._frame()
            if frame is None:
                continue
            if frame["type"] != "authenticate":
                self._complain("not-authenticated", "Say first who you are: authenticate.")
            elif frame.keys() != {"type", "token"} or not isinstance(frame["token"], str):
                self._complain("malformed", "To authenticate takes a token, which is text, and nothing else.")
            else:
                return frame["token"]

    async def _admit(self) -> Any:
        """Ask again who is there and what they may. Raises Closed."""
        return await self._asked(self._known)

    async def _look(self) -> Any:
        """The same, and how things are."""
        return await self._asked(lambda: self.snapshot(self._known()))

    async def _asked(self, function: Callable[[], R]) -> R:
        # Not all at once, though all may have come at once. Set before it is asked: what is heard meanwhile brings the
        # next check forward, for the answer may be older than that.
        self._check_at = self._loop.time() + CHECK_EVERY * random.uniform(0.75, 1)
        return await ask(function)

    def _known(self) -> Any:
        assert self._identity is not None
        user = self._identity.user()
        if user is None or user.pk != self._seat:
            raise Closed(Code.NOT_KNOWN, "Your session or token has ended, or you are not active any more.")
        return self.admit(user)

    def _check_within(self, seconds: float) -> None:
        self._check_at = min(self._check_at, self._loop.time() + random.uniform(0, seconds))
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(self._check_at)


class LastWord(int):
    """The key of a frame that is sent even where the socket is closed, such as an error."""
