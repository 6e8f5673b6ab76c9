"""API tokens: 32 random bytes behind a prefix, of which only the SHA-256 is kept."""

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from queues.looks import NOTHING, Look
from queues.models import Token
from queues.transactions import database_now, writer

T = TypeVar("T")

PREFIX = "cs_"
SHOWN = 8
"""How much of a token's text is kept in the clear, to tell tokens apart."""
NOTE_USE_EVERY = timedelta(minutes=1)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@writer
def issue(
    *, user: Any, name: str, expires_at: datetime | None = None, now: datetime | None = None
) -> tuple[Token, str]:
    """Make a token; returns it with its text, which exists nowhere else."""
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(
        user=user,
        name=name,
        prefix=secret[:SHOWN],
        digest=_digest(secret),
        created_at=database_now(now),
        expires_at=expires_at,
    )
    return token, secret


def _living() -> QuerySet[Token]:
    """Tokens that are neither revoked nor expired, with their users, who may be inactive."""
    in_time = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    return Token.objects.select_related("user").filter(in_time, revoked_at__isnull=True)


def holder(*, token_id: int) -> Any:
    """The active user of this token while it lives, for who was authenticated by it before; else None."""
    token = _living().filter(pk=token_id).first()
    return token.user if token is not None and token.user.is_active else None


def authenticate(*, secret: str) -> Token | None:
    """The living token of an active user with this text, its use noted at most once a minute; else None."""
    found = identify(secret=secret, look=NOTHING)
    return found and found[0]


def identify(*, secret: str, look: Look[T], **values: Any) -> tuple[Token, T] | None:
    """The same, with what `look` finds for the user: on PostgreSQL in one statement with who it is."""
    if not secret.startswith(PREFIX):
        return None
    find = look.by_token if look.takes_tokens else partial(_find_portably, look)
    found = find(_digest(secret), **values)
    if found is None or not found[0].user.is_active:
        return None
    token, now, what = found
    _note_use(token, now)
    return token, what


def _find_portably(look: Look[T], digest: str, **values: Any) -> tuple[Token, datetime, T] | None:
    token = _living().annotate(now=Now()).filter(digest=digest).first()
    return None if token is None else (token, token.now, look.of(token.user, **values))


def _note_use(token: Token, now: datetime) -> None:
    stale = now - NOTE_USE_EVERY
    if token.last_used_at is None or token.last_used_at < stale:
        note = Q(last_used_at__isnull=True) | Q(last_used_at__lt=stale)
        Token.objects.filter(note, pk=token.pk).update(last_used_at=now)


@writer
def revoke(*, token: Token, now: datetime | None = None) -> None:
    """End a token at once. Revoking twice changes nothing."""
    Token.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=database_now(now))
