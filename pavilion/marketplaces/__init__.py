"""The marketplaces that a pool may choose, by slug; see base.py for what one is."""

from functools import lru_cache

from django.utils.module_loading import import_string

from pavilion import conf
from pavilion.marketplaces.base import Later, Marketplace, Offered, Refused, Visitor

__all__ = ["Later", "Marketplace", "Offered", "Refused", "Visitor", "kind", "known", "of"]


def known() -> dict[str, str]:
    """Slug → title of the marketplaces that are set up here."""
    return {slug: str(kind(slug).title) for slug in conf.marketplaces()}


@lru_cache
def _class(path: str) -> type[Marketplace]:
    return import_string(path)


def kind(slug: str) -> type[Marketplace]:
    """The class of a marketplace: what it can do. Raises KeyError for one that is not set up."""
    return _class(conf.marketplaces()[slug])


def of(slug: str) -> Marketplace:
    """A marketplace to speak to. Raises KeyError for one that is not set up."""
    return kind(slug)(conf.of_marketplace(slug))
