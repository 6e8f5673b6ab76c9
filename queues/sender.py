"""Sending deliveries: takes what is due under leases, posts it, writes down how it went.

One event loop, on which nothing but the network is waited for; the database is asked on one thread beside it. Bounded:
so many tries at once, few of them to one endpoint, and only a share of them to endpoints that did not answer well the
last time. So endpoints that hang, however many, and rows that wait for a dead one leave the others as quick as before.

What is connected to is an address that was checked in this very try: each has a connection of its own, and names are
looked up, and what they lead to is checked, by the resolver that the connection is made with. (Literal addresses never
reach a resolver; they are checked before.)
"""

import asyncio
import ipaddress
import logging
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import Any, ParamSpec, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.db import DatabaseError, close_old_connections
from standardwebhooks import Webhook
from yarl import URL

from queues import addresses, conf, deliveries, vault
from queues.deliveries import Claimed, Outcome
from queues.models.notification import EXCERPT_LENGTH
from queues.notifications import headers_of

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

SLOTS = 64
PER_ENDPOINT = 2
UNPROVEN_SLOTS = 24
"""How many tries go at once to endpoints whose last try failed, or that have had none yet; to each of them one."""

HAND = 16
"""How many deliveries of a proven endpoint are taken at once; of another it is one."""

LOOKUPS = 64
"""Threads that look names up: a name server that hangs holds them for longer than a try may take."""

HELD_MAX = 4 * SLOTS
"""How many deliveries may be taken and not tried yet."""

TICK = 0.05
PAUSE = 1.0
"""Seconds to wait after the database has failed."""

READ_MAX = 64 * 1024
USER_AGENT = "Crowdsite-Webhooks/1"


_scheme: ContextVar[str] = ContextVar("scheme of the address that is looked up", default="https")


class CheckedResolver(AbstractResolver):
    """Looks names up and refuses those that lead, in whatever part, to where webhooks must not go."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses to connect to. Raises RefusedAddress."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, addresses.resolve, host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses.check_resolved(found, scheme=_scheme.get(), port=port)
        ]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Lane:
    """An endpoint at work: what was taken for it and is not tried yet, each with the end of its lease (loop time)."""

    proven: bool
    waiting: deque[tuple[Claimed, float]] = field(default_factory=deque)
    in_flight: int = 0

    @property
    def width(self) -> int:
        return PER_ENDPOINT if self.proven else 1


class Sender:
    """Sends until it is told to stop. `wake` it when something may be due that was not before."""

    def __init__(self) -> None:
        self.lanes: dict[int, Lane] = {}
        self.outcomes: list[Outcome] = []
        self.in_flight: set[asyncio.Task[None]] = set()
        self.unproven = 0
        self.woken = asyncio.Event()
        self.database = ThreadPoolExecutor(1, thread_name_prefix="deliveries")
        self.lookups = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookups")

    def wake(self) -> None:
        """Look again at once. To be called on the sender's own loop."""
        self.woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; then finish the tries that are under way, and give back what was taken."""
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self.lookups), force_close=True, use_dns_cache=False, limit=0
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )
        async with self.session:
            while not stop.is_set():
                try:
                    await self._round()
                except DatabaseError:
                    logger.exception("Deliveries wait: the database does not answer.")
                    await asyncio.sleep(PAUSE)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.woken.wait(), TICK)
                self.woken.clear()
            await self._finish()
        self.database.shutdown()
        self.lookups.shutdown(wait=False, cancel_futures=True)

    async def _round(self) -> None:
        """Write down what has come back, take what is due, and start as much of it as there is room for."""
        await self._record()
        await self._take()
        self._start()

    async def _ask(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(
            self.database, partial(_asked, function, *args, **kwargs)
        )

    async def _record(self) -> None:
        while self.outcomes:
            batch = self.outcomes[: deliveries.BATCH]
            await self._ask(deliveries.record, outcomes=batch)
            del self.outcomes[: len(batch)]

    async def _take(self) -> None:
        """Fill the lanes that run dry, up to what can be tried within its lease."""
        held = sum(len(lane.waiting) for lane in self.lanes.values())
        if held < HELD_MAX:
            full = [pk for pk, lane in self.lanes.items() if len(lane.waiting) >= lane.width]
            await self._fill(proven=True, besides=full, limit=SLOTS)
        waiting = sum(len(lane.waiting) for lane in self.lanes.values() if not lane.proven)
        if (room := UNPROVEN_SLOTS - self.unproven - waiting) > 0:
            await self._fill(proven=False, besides=list(self.lanes), limit=room)

    async def _fill(self, *, proven: bool, besides: list[int], limit: int) -> None:
        for pk in await self._ask(deliveries.due, proven=proven, besides=besides, limit=limit):
            lease = self._lease()
            ends = asyncio.get_running_loop().time() + lease.total_seconds()
            hand = HAND if proven else 1
            taken = await self._ask(deliveries.claim, endpoint_id=pk, limit=hand, lease=lease)
            if taken:
                lane = self.lanes.setdefault(pk, Lane(proven))
                lane.waiting.extend((one, ends) for one in taken)
                self._start()

    @staticmethod
    def _lease() -> timedelta:
        """Long enough for a whole hand, two at a time, if half of it takes as long as it may."""
        return timedelta(seconds=10 + conf.webhook_seconds() * HAND / PER_ENDPOINT / 2)

    def _start(self) -> None:
        """Start tries: a turn for each lane, as long as there are slots."""
        going = True
        while going:
            going = False
            for pk, lane in list(self.lanes.items()):
                if len(self.in_flight) >= SLOTS:
                    return
                if lane.waiting and lane.in_flight < lane.width and (lane.proven or self.unproven < UNPROVEN_SLOTS):
                    self._begin(pk, lane)
                    going = True

    def _begin(self, pk: int, lane: Lane) -> None:
        claimed, ends = lane.waiting.popleft()
        counted = not lane.proven
        lane.in_flight += 1
        self.unproven += counted
        task = asyncio.create_task(self._deliver(pk, lane, claimed, ends))
        self.in_flight.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self.in_flight.discard(done)
            self.unproven -= counted
            lane.in_flight -= 1
            if not lane.waiting and not lane.in_flight:
                self.lanes.pop(pk, None)
            if not done.cancelled() and (fault := done.exception()):
                logger.error("A delivery was not sent, by a fault of ours.", exc_info=fault)
            self.wake()

        task.add_done_callback(ended)

    async def _deliver(self, pk: int, lane: Lane, claimed: Claimed, ends: float) -> None:
        if asyncio.get_running_loop().time() + conf.webhook_seconds() > ends:
            # Its lease would end under the try. What was taken and is not told of becomes due again by itself.
            return
        outcome = await self._try(claimed)
        self.outcomes.append(outcome)
        lane.proven = outcome.delivered
        if not outcome.delivered and lane.waiting:
            back = [one for one, _ends in lane.waiting]
            lane.waiting.clear()
            await self._ask(deliveries.give_back, claimed=back)

    async def _try(self, claimed: Claimed) -> Outcome:
        """Post once, within the time that an endpoint has."""
        loop, started_at = asyncio.get_running_loop(), datetime.now(UTC)
        clock, seconds = loop.time(), conf.webhook_seconds()
        answer: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                await self._post(claimed, answer)
        except TimeoutError:
            # An answer whose head came in time counts; its body may still have been on the way.
            answer.setdefault("error", "" if "status_code" in answer else f"No answer within {seconds:g} s.")
        except addresses.RefusedAddress as refused:
            answer["error"] = str(refused)
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            if "status_code" not in answer:
                answer["error"] = _sentence(fault)
        took = round((loop.time() - clock) * 1000)
        return Outcome(claimed, started_at, took, **answer)

    async def _post(self, claimed: Claimed, answer: dict[str, Any]) -> None:
        """Post, and put the answer into `answer` as it comes in."""
        addresses.check_url(claimed.url)
        url = URL(claimed.url)
        _scheme.set(url.scheme)
        with suppress(ValueError):
            # Raises ValueError for a name, which the resolver checks.
            literal = str(ipaddress.ip_address(url.host or ""))
            addresses.check_resolved([literal], scheme=url.scheme, port=url.port or 0)
        headers = {**headers_of(claimed.headers), **signed(claimed, datetime.now(UTC))}
        async with self.session.post(
            url, data=claimed.body.encode(), headers=headers, allow_redirects=False
        ) as response:
            answer["status_code"] = response.status
            answer["retry_after"] = _seconds(response.headers.get("Retry-After"))
            read = b""
            while len(read) < EXCERPT_LENGTH and (part := await response.content.read(READ_MAX)):
                read += part
                answer["excerpt"] = read[:EXCERPT_LENGTH].decode(errors="replace").replace("\0", "\ufffd")

    async def _finish(self) -> None:
        if self.in_flight:
            await asyncio.wait(self.in_flight)
        back = [one for lane in self.lanes.values() for one, _ends in lane.waiting]
        try:
            await self._record()
            if back:
                await self._ask(deliveries.give_back, claimed=back)
        except DatabaseError:
            logger.exception("The last deliveries are not written down; they are sent again.")


def _asked(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Ask the database; a connection that is broken or too old is not kept."""
    try:
        return function(*args, **kwargs)
    finally:
        close_old_connections()


@lru_cache(maxsize=1000)
def _signer(sealed: str) -> Webhook:
    return Webhook(vault.unseal(sealed))


def signed(claimed: Claimed, now: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification, with a signature for each live secret, and the usual ones."""
    message_id = f"msg_{claimed.id}"
    signatures = [_signer(sealed).sign(message_id, now, claimed.body) for sealed in claimed.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _sentence(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"[:300] if str(fault) else type(fault).__name__


def _seconds(header: str | None) -> float | None:
    """Seconds from a Retry-After header (RFC 9110: a number or a date); None for none, or what is neither."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        at = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds())
