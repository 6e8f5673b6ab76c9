"""System checks that hold in any host."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import connections

from queues import vault
from queues.conf import (
    deliveries_kept_days,
    encryption_keys,
    events_kept_days,
    layer,
    layer_is_in_memory,
    processes,
    sockets_per_user,
    throttles,
    user_email_field,
    webhook_ports,
    webhook_seconds,
)
from queues.throttles import Kind, read_rate

POSTGRESQL_MINIMUM = 140000

PACKAGES = ("queues", "assignments", "pavilion", "routing")
"""What this distribution brings, beside each other in one folder."""


@register()
def nothing_shadows_our_packages(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """queues.W008: a host's own module of one of our packages' names hides that package."""
    home = Path(__file__).resolve().parent.parent
    return [
        Warning(
            f"{origin} hides the package {name!r} of Crowdsite: whoever imports {name} gets that file.",
            hint=f"Give it another name, or put it into a package of yours. If you do not use Crowdsite's {name},"
            " and keep the file, add queues.W008 to SILENCED_SYSTEM_CHECKS.",
            id="queues.W008",
        )
        for name in PACKAGES
        if (origin := _origin(name)) is not None and origin.parent != home / name
    ]


def _origin(name: str) -> Path | None:
    """The file that Python imports by this name; None where there is none."""
    try:
        spec = find_spec(name)
    except ValueError:
        # Somebody has put a module without a spec into sys.modules.
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


@register(Tags.models)
def user_email_field_exists(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """queues.E001: people are named by e-mail, so the user model must have that field."""
    try:
        get_user_model()._meta.get_field(user_email_field())
    except FieldDoesNotExist:
        return [
            Error(
                f"The user model has no field {user_email_field()!r}, by which reviewers are named.",
                hint="Set CROWDSITE_USER_EMAIL_FIELD to the name of the user model's e-mail field.",
                id="queues.E001",
            )
        ]
    return []


@register(Tags.security)
def encryption_keys_are_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """queues.E004, queues.W004: webhooks' secrets are kept encrypted, which takes keys."""
    hint = "Make one with `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`."
    if not encryption_keys():
        return [
            Warning(
                "CROWDSITE_ENCRYPTION_KEYS has no key, so no webhook can be set up: its secret could not be kept.",
                hint=hint,
                id="queues.W004",
            )
        ]
    try:
        vault.check_keys()
    except ImproperlyConfigured as problem:
        return [Error(str(problem), hint=hint, id="queues.E004")]
    return []


@register(Tags.security)
def webhook_settings_are_sane(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """queues.E005: how long an endpoint may take, and the ports it may have."""
    problems: list[CheckMessage] = []
    if not 1 <= webhook_seconds() <= 30:
        problems.append(Error("CROWDSITE_WEBHOOK_SECONDS must be from 1 to 30.", id="queues.E005"))
    if not all(1 <= port <= 65535 for port in webhook_ports()):
        problems.append(Error("CROWDSITE_WEBHOOK_PORTS must be ports, from 1 to 65535.", id="queues.E005"))
    # The roll-up of metrics looks a day back, and what happened late is still to be read.
    if events_kept_days() < 3 or deliveries_kept_days() < 3:
        problems.append(Error("Events and deliveries must be kept for three days at least.", id="queues.E005"))
    return problems


@register(Tags.database)
def database_is_supported(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """queues.E002, queues.E003: the claim relies on what PostgreSQL 14 does, and SQLite when it locks first."""
    problems: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor == "sqlite":
            options = settings.DATABASES[alias].get("OPTIONS", {})
            if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
                problems.append(
                    Error(
                        f"The SQLite database {alias!r} does not open its transactions with IMMEDIATE, "
                        "so concurrent writers would fail with “database is locked”.",
                        hint='Add "transaction_mode": "IMMEDIATE" to its OPTIONS.',
                        id="queues.E003",
                    )
                )
        elif connection.vendor != "postgresql" or connection.pg_version < POSTGRESQL_MINIMUM:  # type: ignore[attr-defined]
            problems.append(
                Error(
                    f"The database {alias!r} is neither PostgreSQL 14 or newer nor SQLite, "
                    "and Crowdsite's guarantees were proven on no other.",
                    id="queues.E002",
                )
            )
    return problems


@register(Tags.async_support)
def pushes_reach_sockets(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """queues.W006, queues.E006: sockets hear through the default channel layer; one in memory ends with its process."""
    if not layer():
        # ASGI_APPLICATION says that the host uses Channels.
        if not getattr(settings, "ASGI_APPLICATION", None):
            return []
        return [
            Warning(
                "There is no channel layer, so sockets are turned away and pages look by themselves.",
                hint="Set CHANNEL_LAYERS, to channels_redis.core.RedisChannelLayer where there are several processes.",
                id="queues.W006",
            )
        ]
    if layer_is_in_memory() and (number := processes()) > 1:
        return [
            Error(
                f"The channel layer is in memory, and there are {number} processes: sockets in one would not hear what"
                " happens in another.",
                hint="Set CHANNEL_LAYERS to channels_redis.core.RedisChannelLayer. The number is"
                " CROWDSITE_PROCESSES, or WEB_CONCURRENCY in the environment.",
                id="queues.E006",
            )
        ]
    return []


@register(Tags.security)
def throttles_are_rates(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """queues.E009: how often one may ask."""
    problems: list[CheckMessage] = []
    for name, text in throttles().items():
        try:
            read_rate(text)
            Kind(name)
        except ValueError as problem:
            problems.append(Error(f"CROWDSITE_THROTTLES cannot have {name!r}: {problem}", id="queues.E009"))
    return problems


@register(Tags.security)
def sockets_are_bounded(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """queues.E007: how many sockets one user may have."""
    if sockets_per_user() >= 1:
        return []
    return [Error("CROWDSITE_SOCKETS_PER_USER must be at least 1.", id="queues.E007")]
