"""Posting one message to where it goes, and telling how that went. The database is not asked.

What is connected to is an address that was checked in this very try: each has a connection of its own, and names are
looked up, and what they lead to is checked, by the resolver that the connection is made with. (Literal addresses never
reach a resolver; they are checked before.)
"""

import asyncio
import ipaddress
import logging
import socket
import ssl
import threading
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from standardwebhooks import Webhook
from yarl import URL

from queues import addresses, conf, vault
from queues.deliveries import Claimed, Outcome
from queues.models.notification import EXCERPT_LENGTH
from queues.notifications import headers_of

logger = logging.getLogger(__name__)

READ_MAX = 64 * 1024
USER_AGENT = "Crowdsite-Webhooks/1"


_scheme: ContextVar[str] = ContextVar("scheme of the address that is looked up", default="https")


class CheckedResolver(AbstractResolver):
    """Looks names up and refuses those that lead, in whatever part, to where webhooks must not go."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses to connect to. Raises RefusedAddress."""
        found = await _looked_up(host, port)
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


async def _looked_up(host: str, port: int) -> list[str]:
    """The addresses of a host, asked for on a thread that nobody waits for.

    A name server that hangs holds it for longer than a try may take: threads that are shared would run out, and one
    that is joined would hold up the end.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str], fault: Exception | None) -> None:
        if answer.done():
            return
        if fault is None:
            answer.set_result(found)
        else:
            answer.set_exception(fault)

    def look_up() -> None:
        found, fault = list[str](), None
        try:
            found = addresses.resolve(host, port)
        except Exception as raised:
            fault = raised
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, found, fault)

    threading.Thread(target=look_up, name="lookup", daemon=True).start()
    return await answer


def client() -> aiohttp.ClientSession:
    """The HTTP client of a sender: a connection for each request, no proxies, no cookies. To be made on its loop."""
    trusted = ssl.create_default_context()
    trusted.set_alpn_protocols(["http/1.1"])
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(), ssl=trusted, force_close=True, use_dns_cache=False, limit=0
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
    )


async def post(session: aiohttp.ClientSession, claimed: Claimed) -> Outcome:
    """Post once, within the time that an endpoint has, and tell how it went."""
    loop, started_at = asyncio.get_running_loop(), _now(claimed)
    clock, seconds = loop.time(), conf.webhook_seconds()
    answer: dict[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            await _post(session, claimed, answer)
    except TimeoutError:
        answer["error"] = f"No answer within {seconds:g} s."
    except addresses.RefusedAddress as refused:
        answer["error"] = str(refused)
    except (aiohttp.ClientError, OSError, ValueError) as fault:
        answer["error"] = _sentence(fault)
    except Exception:
        logger.exception("Delivery %s was not sent.", claimed.id)
        answer["error"], answer["ours"] = "Not sent, by a fault of the site's own; its log says more.", True
    if "status_code" in answer:
        # An answer whose head came in time counts, whatever becomes of the rest of it.
        answer.pop("error", None)
    took = round((loop.time() - clock) * 1000)
    return Outcome(claimed, started_at, took, **answer)


async def _post(session: aiohttp.ClientSession, claimed: Claimed, answer: dict[str, Any]) -> None:
    """Post, and put the answer into `answer` as it comes in."""
    host, port = addresses.check_url(claimed.url)
    # As it was written, and checked: nothing in it is put differently.
    url = URL(claimed.url, encoded=True)
    _scheme.set(url.scheme)
    with suppress(ValueError):
        # Raises ValueError for a name, which the resolver checks.
        literal = str(ipaddress.ip_address(host))
        addresses.check_resolved([literal], scheme=url.scheme, port=port)
    headers = CIMultiDict(headers_of(claimed.headers))
    headers.update(signed(claimed, _now(claimed)))
    async with session.post(url, data=claimed.body.encode(), headers=headers, allow_redirects=False) as response:
        answer["status_code"] = response.status
        answer["retry_after"] = _seconds(response.headers.get("Retry-After"))
        read = 0
        beginning = b""
        while read < READ_MAX and (part := await response.content.read(READ_MAX - read)):
            read += len(part)
            beginning = (beginning + part)[:EXCERPT_LENGTH]
            answer["excerpt"] = storable(beginning.decode(errors="replace"))


def _now(claimed: Claimed) -> datetime:
    """The database's time: receivers refuse what is signed minutes off, as a host with a wrong clock would sign it."""
    return datetime.now(UTC) + claimed.ahead


@lru_cache(maxsize=1000)
def _signer(sealed: str) -> Webhook:
    return Webhook(vault.unseal(sealed))


def signed(claimed: Claimed, now: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification, with a signature for each live secret, and the usual ones."""
    message_id = f"msg_{claimed.id}"
    signatures = [_signer(sealed).sign(message_id, now, claimed.body) for sealed in claimed.secrets]
    return {
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def storable(text: str) -> str:
    """A text as both databases keep it: without NUL and halves of characters."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


_FAULTS: dict[type[Exception], str] = {
    aiohttp.ClientConnectorCertificateError: "Its certificate is not trusted",
    aiohttp.ClientSSLError: "There is no secure connection",
    aiohttp.ClientConnectorError: "There is no connection",
    aiohttp.ServerDisconnectedError: "It closed the connection without an answer",
    aiohttp.ClientOSError: "The connection broke",
    aiohttp.ClientResponseError: "Its answer is not HTTP",
}


def _sentence(fault: Exception) -> str:
    """What went wrong, and what the fault says of it."""
    what = next((words for kind, words in _FAULTS.items() if isinstance(fault, kind)), "It could not be sent")
    return storable(f"{what}: {fault}")


def _seconds(header: str | None) -> float | None:
    """Seconds from a Retry-After header (RFC 9110: a number or a date); None for none, or what is neither."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - datetime.now(UTC).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None
