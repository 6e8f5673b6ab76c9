"""The pool's settings, with what holds where the host sets none."""

from typing import Any

from django.conf import settings

MARKETPLACES = {
    "local": "pavilion.marketplaces.local.Local",
    "mturk": "pavilion.marketplaces.mturk.MTurk",
}


def marketplaces() -> dict[str, str]:
    """Slug → the dotted path of a Marketplace: CROWDSITE_MARKETPLACES, else these."""
    return dict(getattr(settings, "CROWDSITE_MARKETPLACES", MARKETPLACES))


def of_marketplace(slug: str) -> dict[str, Any]:
    """What the host has set for one marketplace: CROWDSITE_MARKETPLACE_OPTIONS[slug]."""
    return dict(getattr(settings, "CROWDSITE_MARKETPLACE_OPTIONS", {}).get(slug, {}))


def site_url() -> str:
    """Where people reach the site, without a slash at the end: CROWDSITE_URL. Links in offers begin with it."""
    return str(getattr(settings, "CROWDSITE_URL", "")).rstrip("/")


def make_worker_user() -> str:
    """The dotted path of what makes the user of a new worker, CROWDSITE_MAKE_WORKER_USER, or "" for our own.

    It is called with `username`, `email` and `name`, and returns the saved user, who cannot sign in.
    """
    return str(getattr(settings, "CROWDSITE_MAKE_WORKER_USER", ""))
