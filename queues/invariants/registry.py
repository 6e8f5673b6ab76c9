"""The rules by name, and how they are asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.module_loading import autodiscover_modules

SHOWN = 10
"""How many of the rows that break a rule are shown."""

Rule = Callable[[], Any]
"""Gives a query set of the rows that break it, or, where no query can tell, a list."""


@dataclass(frozen=True)
class Invariant:
    """A rule by its name; `says` is what is true, `broken` asks for what breaks it."""

    name: str
    says: str
    broken: Rule


@dataclass(frozen=True)
class Broken:
    """The first rows that break a rule, and how many there are."""

    rows: list[Any]
    number: int


registry: dict[str, Invariant] = {}


def invariant(rule: Rule) -> Rule:
    """Register a function as a rule: its name is the rule's, the first line of its docstring what is true."""
    registry[rule.__name__] = Invariant(rule.__name__, (rule.__doc__ or "").partition("\n")[0], rule)
    return rule


def rules() -> dict[str, Invariant]:
    """The rules of all apps by name."""
    autodiscover_modules("invariants")
    return dict(sorted(registry.items()))


def broken() -> dict[str, list[Any]]:
    """Rule name → the first rows that break it, for the rules that are broken."""
    found = {name: list(rule.broken()[:SHOWN]) for name, rule in rules().items()}
    return {name: rows for name, rows in found.items() if rows}


def ask(rule: Invariant) -> Broken | None:
    """What breaks a rule; None where it holds. Counted after they were read, so there may be more by then, or fewer."""
    asked = rule.broken()
    rows = list(asked[:SHOWN])
    if len(rows) < SHOWN:
        return Broken(rows, len(rows)) if rows else None
    return Broken(rows, asked.count() if isinstance(asked, QuerySet) else len(asked))
