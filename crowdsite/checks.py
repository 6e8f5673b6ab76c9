"""System checks of the site's settings. Each has an id, and says in a sentence what to do."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

METRICS_TOKEN_LENGTH = 20
"""Characters that it has at least."""


@register("crowdsite")
def environment_is_readable(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """crowdsite.E001: an environment variable whose value could not be read."""
    return [
        Error(
            f"The environment variable {name} cannot be used: {' '.join(map(str, problems))}",
            id="crowdsite.E001",
        )
        for name, problems in sorted(settings.CROWDSITE_ENVIRONMENT_ERRORS.items())
    ]


@register("crowdsite", deploy=True)
def production_has_its_own_secret(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """crowdsite.E002: a site with a database server signs with the key that this machine made for itself."""
    if settings.SECRET_KEY_IS_SET or not settings.DATABASE_URL:
        return []
    return [
        Error(
            "SECRET_KEY is not set.",
            hint="With DATABASE_URL the site may run on several machines, which must share one key: set"
            " SECRET_KEY to the same 50 or more random characters on each.",
            id="crowdsite.E002",
        )
    ]


@register("crowdsite", deploy=True)
def production_has_its_own_encryption_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """crowdsite.E004: a site with a database server encrypts with a key that only this machine has."""
    if settings.ENCRYPTION_KEYS_ARE_SET or not settings.DATABASE_URL:
        return []
    return [
        Error(
            "CROWDSITE_ENCRYPTION_KEYS is not set.",
            hint="With DATABASE_URL the site may run on several machines, which must share the keys of webhooks'"
            " secrets: set it to the output of `python -c 'from cryptography.fernet import Fernet;"
            " print(Fernet.generate_key().decode())'` on each.",
            id="crowdsite.E004",
        )
    ]


@register("crowdsite", deploy=True)
def webhooks_do_not_stay_here(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """crowdsite.E007: whoever may set up a webhook reaches what listens on this machine."""
    if not settings.CROWDSITE_WEBHOOKS_LOOPBACK:
        return []
    return [
        Error(
            "CROWDSITE_WEBHOOKS_LOOPBACK is on, so webhooks may go to this machine itself.",
            hint="It is for development: unset it, or DEMO=0.",
            id="crowdsite.E007",
        )
    ]


@register("crowdsite", deploy=True)
def hosts_are_named(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """crowdsite.E006: any host is taken for ours, and with it the Origin of any page."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "ALLOWED_HOSTS has *, so any name is taken for the site's own.",
            hint="Name the hosts under which people reach it: ALLOWED_HOSTS=crowdsite.example.org",
            id="crowdsite.E006",
        )
    ]


@register("crowdsite")
def metrics_token_is_long(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """crowdsite.E005: CROWDSITE_METRICS_TOKEN can be guessed."""
    if not 0 < len(settings.CROWDSITE_METRICS_TOKEN) < METRICS_TOKEN_LENGTH:
        return []
    return [
        Error(
            f"CROWDSITE_METRICS_TOKEN is shorter than {METRICS_TOKEN_LENGTH} characters.",
            hint="Set it to random ones: `python -c 'import secrets; print(secrets.token_urlsafe(32))'`.",
            id="crowdsite.E005",
        )
    ]


@register("crowdsite")
def ports_are_ports(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """crowdsite.E003: PORT or WS_PORT is out of range, or both are the same."""
    problems: list[CheckMessage] = [
        Error(f"{name} is {value}; a port is a number from 1 to 65535.", id="crowdsite.E003")
        for name, value in (("PORT", settings.PORT), ("WS_PORT", settings.WS_PORT))
        if value is not None and not 1 <= value <= 65535
    ]
    if settings.PORT == settings.WS_PORT:
        problems.append(Error("PORT and WS_PORT must differ.", id="crowdsite.E003"))
    return problems
