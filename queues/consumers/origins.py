"""Which pages may open sockets here: browsers let any page of the web try, and send our cookies along."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]
"""What Django allows in development where ALLOWED_HOSTS is empty."""


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The one value of a header. None where it is missing; where it is there twice, a value that nothing equals."""
    values = [value.decode("latin1") for key, value in headers if key.lower() == name]
    return (values[0] if len(values) == 1 else "\x00") if values else None


def is_ours(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the handshake was sent to one of our hosts, and by a page of ours where it has an Origin at all.

    As Django's CSRF check has it: the page's host is the one that is asked, or its origin is a trusted one. The port
    may differ, for sockets may have a server of their own.
    """
    headers = list(headers)
    forwarded = header(headers, b"x-forwarded-host") if settings.USE_X_FORWARDED_HOST else None
    host, _port = split_domain_port(forwarded or header(headers, b"host") or "")
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    if not host or not validate_host(host, allowed):
        return False
    origin = header(headers, b"origin")
    return origin is None or origin in settings.CSRF_TRUSTED_ORIGINS or _is_of(origin, host)


def _is_of(origin: str, host: str) -> bool:
    try:
        page = urlsplit(origin)
        netloc, _ = page.netloc, page.port
    except ValueError:
        return False
    if page.scheme not in ("http", "https") or origin != f"{page.scheme}://{netloc}":
        return False
    # A site that is served over HTTPS only has no pages of its own over HTTP: those are somebody's on the way.
    if (page.scheme == "https" or not settings.SESSION_COOKIE_SECURE) and split_domain_port(netloc)[0] == host:
        return True
    return any(
        page.scheme == trusted.scheme and is_same_domain(netloc, trusted.netloc.lstrip("*"))
        for trusted in map(urlsplit, settings.CSRF_TRUSTED_ORIGINS)
        if trusted.netloc.startswith("*")
    )
