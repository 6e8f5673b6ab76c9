"""System checks of what the pool is told by its host."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from pavilion import conf
from pavilion.marketplaces import Marketplace

SLUG_MAX = 20
"""Characters of a marketplace's slug, as rows have room for it."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@register("pavilion")
def marketplaces_are_known(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """pavilion.E001: each slug of CROWDSITE_MARKETPLACES leads to a class of marketplaces."""
    found = getattr(settings, "CROWDSITE_MARKETPLACES", conf.MARKETPLACES)
    if not isinstance(found, dict) or not found:
        return [Error("CROWDSITE_MARKETPLACES must name at least one marketplace by its slug.", id="pavilion.E001")]
    return [
        Error(f"CROWDSITE_MARKETPLACES: {slug}: {fault}", id="pavilion.E001")
        for slug, path in found.items()
        for fault in _faults_of_path(slug, path)
    ]


def _faults_of_path(slug: Any, path: Any) -> list[str]:
    if not isinstance(slug, str) or not 1 <= len(slug) <= SLUG_MAX:
        return [f"A slug has from 1 to {SLUG_MAX} characters."]
    try:
        kind = import_string(path)
    except (ImportError, AttributeError, TypeError) as error:
        return [f"{path} cannot be imported: {error}"]
    if not (isinstance(kind, type) and issubclass(kind, Marketplace)):
        return [f"{path} is no subclass of pavilion.marketplaces.Marketplace."]
    return [] if kind.slug == slug else [f"{path} calls itself {kind.slug}, and must be set up under that name."]


@register("pavilion")
def site_has_an_address(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """pavilion.E002: links in offers and letters begin with CROWDSITE_URL."""
    url = conf.site_url()
    if settings.DEBUG or _is_address(url):
        return []
    said = f"{url} is no such address" if url else "it is not set"
    return [
        Error(
            f"CROWDSITE_URL must be where people reach the site, by http or https, without a path or a query: {said}.",
            hint="Invitations and offers lead there: CROWDSITE_URL=https://pool.example.org",
            id="pavilion.E002",
        )
    ]


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.path or parts.query or parts.fragment or parts.username)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0 and plain


@register("pavilion", deploy=True)
def site_is_reached_by_others(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """pavilion.W004: an address that leads nobody here but this machine itself."""
    url = conf.site_url()
    if not _is_address(url) or urlsplit(url).hostname not in LOOPBACK:
        return []
    return [
        Warning(
            f"CROWDSITE_URL is {url}, which leads nobody here but people at this machine.",
            hint="Set it to the address under which the site is reached; invitations and offers begin with it.",
            id="pavilion.W004",
        )
    ]


@register("pavilion")
def options_are_right(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """pavilion.E003: CROWDSITE_MARKETPLACE_OPTIONS has what the marketplaces can take."""
    given = getattr(settings, "CROWDSITE_MARKETPLACE_OPTIONS", {})
    if not isinstance(given, dict) or not all(isinstance(options, dict) for options in given.values()):
        said = "CROWDSITE_MARKETPLACE_OPTIONS must have an object of options for each slug of a marketplace."
        return [Error(said, id="pavilion.E003")]
    known = getattr(settings, "CROWDSITE_MARKETPLACES", conf.MARKETPLACES)
    return [
        Error(f"CROWDSITE_MARKETPLACE_OPTIONS: {slug}: {fault}", id="pavilion.E003")
        for slug, options in given.items()
        for fault in _faults_of_options(known, slug, options)
    ]


def _faults_of_options(known: Any, slug: str, options: dict[str, Any]) -> list[str]:
    if not isinstance(known, dict) or slug not in known:
        return ["There is no such marketplace."]
    if _faults_of_path(slug, known[slug]):
        # That is said by pavilion.E001.
        return []
    return list(import_string(known[slug]).faults(options))
