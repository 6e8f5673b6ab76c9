"""Who is at the other end of a socket, asked anew as long as it is open: a session or a token ends while it is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model, load_backend
from django.http import parse_cookie
from django.utils.crypto import constant_time_compare

from queues import tokens
from queues.consumers.origins import header


@dataclass(frozen=True)
class BySession:
    """Known by the session of a signed-in browser."""

    key: str = field(repr=False)

    def user(self) -> Any:
        """The active user who is signed in by it, or None. Reads only: a socket cannot set a cookie.

        So it is not Django's own function, which renews or ends sessions that do not fit any more.
        """
        session = import_module(settings.SESSION_ENGINE).SessionStore(self.key)
        try:
            user_id = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
            backend = session[BACKEND_SESSION_KEY]
        except KeyError:
            return None
        if backend not in settings.AUTHENTICATION_BACKENDS:
            return None
        user = load_backend(backend).get_user(user_id)
        if user is None or not user.is_active or not _fits(session.get(HASH_SESSION_KEY) or "", user):
            return None
        return user


def _fits(signature: str, user: Any) -> bool:
    """Whether a session was made with the user's present password, under the present key or one that still counts."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(signature, one) for one in hashes)


@dataclass(frozen=True)
class ByToken:
    """Known by a bearer token, whose text is not kept."""

    token_id: int

    def user(self) -> Any:
        """The active user whose token it is, or None."""
        return tokens.holder(token_id=self.token_id)


Identity = BySession | ByToken


def of_cookies(headers: Iterable[tuple[bytes, bytes]]) -> BySession | None:
    """The session that the handshake's cookies name, whatever it is worth."""
    key = parse_cookie(header(headers, b"cookie") or "").get(settings.SESSION_COOKIE_NAME)
    # A quoted cookie may spell any character by its number, and PostgreSQL looks up no text with a NUL.
    return BySession(key) if key and "\x00" not in key else None


def of_token(secret: str) -> tuple[ByToken, Any] | None:
    """The living token with this text, and its user."""
    token = tokens.authenticate(secret=secret)
    return None if token is None else (ByToken(token.pk), token.user)
