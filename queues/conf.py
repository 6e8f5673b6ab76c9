"""The settings that this app reads from its host."""

import os

from django.conf import settings
from django.contrib.auth import get_user_model


def user_email_field() -> str:
    """The name of the user model's e-mail field: CROWDSITE_USER_EMAIL_FIELD, or the model's own EMAIL_FIELD."""
    return getattr(settings, "CROWDSITE_USER_EMAIL_FIELD", "") or get_user_model().get_email_field_name()


def encryption_keys() -> tuple[str, ...]:
    """The Fernet keys of CROWDSITE_ENCRYPTION_KEYS, the newest first."""
    return tuple(getattr(settings, "CROWDSITE_ENCRYPTION_KEYS", ()))


def webhook_seconds() -> float:
    """How long an endpoint may take to answer: CROWDSITE_WEBHOOK_SECONDS, 5 unless set."""
    return getattr(settings, "CROWDSITE_WEBHOOK_SECONDS", 5)


def webhook_ports() -> frozenset[int]:
    """The ports to which webhooks may go: CROWDSITE_WEBHOOK_PORTS, 443 unless set."""
    return frozenset(getattr(settings, "CROWDSITE_WEBHOOK_PORTS", [443]))


def webhooks_may_stay_here() -> bool:
    """CROWDSITE_WEBHOOKS_LOOPBACK: for development, http and https to this machine itself, on any port."""
    return getattr(settings, "CROWDSITE_WEBHOOKS_LOOPBACK", False)


def events_kept_days() -> int:
    """Days for which the feed and the history of closed tasks are kept: CROWDSITE_EVENTS_KEPT_DAYS, 90 unless set."""
    return getattr(settings, "CROWDSITE_EVENTS_KEPT_DAYS", 90)


def deliveries_kept_days() -> int:
    """For how many days deliveries that have ended are kept: CROWDSITE_DELIVERIES_KEPT_DAYS, 30 unless set."""
    return getattr(settings, "CROWDSITE_DELIVERIES_KEPT_DAYS", 30)


def sockets() -> str | None:
    """Where browsers reach the sockets: CROWDSITE_SOCKETS. None, unless set: nowhere, and pages look by themselves.

    "": where they reach the pages. ":8001": at this port of the same host. "wss://live.example": elsewhere.
    """
    return getattr(settings, "CROWDSITE_SOCKETS", None)


def sockets_per_user() -> int:
    """How many sockets one user may have in a process: CROWDSITE_SOCKETS_PER_USER, 20 unless set."""
    return getattr(settings, "CROWDSITE_SOCKETS_PER_USER", 20)


def processes() -> int:
    """How many processes serve the site or tell its sockets: CROWDSITE_PROCESSES, or the number of processes that
    gunicorn and uvicorn take from WEB_CONCURRENCY; 1 where neither says so.
    """
    concurrency = os.environ.get("WEB_CONCURRENCY", "")
    return max(getattr(settings, "CROWDSITE_PROCESSES", 1), int(concurrency) if concurrency.isdecimal() else 1)


THROTTLES = {"grab": "3000/m", "create": "3000/m", "tokens": "60/h", "sign_in": "10/m"}
"""The rates that hold where the host says nothing (see queues.throttles)."""


def throttles() -> dict[str, str]:
    """How often one may ask, as `{"grab": "3000/m"}`: CROWDSITE_THROTTLES; for what it leaves out THROTTLES hold."""
    given = getattr(settings, "CROWDSITE_THROTTLES", {})
    return THROTTLES | given if given else THROTTLES


def throttle_cache() -> str:
    """The alias of the cache in which it is counted how often somebody asks: `throttles`, or where there is none
    the default.
    """
    return "throttles" if "throttles" in settings.CACHES else "default"


def prepares_statements() -> bool:
    """Whether PostgreSQL may be asked to prepare statements: CROWDSITE_PREPARE_STATEMENTS, True unless set.

    Not behind a pooler that knows nothing of prepared statements, as PgBouncer before 1.21.
    """
    return getattr(settings, "CROWDSITE_PREPARE_STATEMENTS", True)


def layer() -> str:
    """The class of the default channel layer, "" where there is none."""
    return str(getattr(settings, "CHANNEL_LAYERS", {}).get("default", {}).get("BACKEND", ""))


def layer_is_in_memory() -> bool:
    """Whether pushes stay in the process that sends them."""
    return layer().rpartition(".")[2] == "InMemoryChannelLayer"
