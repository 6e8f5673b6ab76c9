"""What must always be true, each rule a query for the rows that break it: no row, no fault.

Every rule is one statement and so sees one moment: they may be asked of a busy system. Apps add theirs in a module
of this name, which `check_invariants` finds. All of them, and what enforces each, are listed in docs/invariants.md.
"""

from queues.invariants import database as database  # registers its rules
from queues.invariants import feed as feed
from queues.invariants import tasks as tasks
from queues.invariants.registry import SHOWN, Broken, Invariant, Rule, ask, broken, invariant, registry, rules
from queues.invariants.telling import (
    NEVER,
    OWN,
    TOLD,
    AsTime,
    as_id,
    may_be_forgotten,
    purged_until,
    saying_something_else,
    surely,
)

__all__ = [
    "NEVER",
    "OWN",
    "SHOWN",
    "TOLD",
    "AsTime",
    "Broken",
    "Invariant",
    "Rule",
    "as_id",
    "ask",
    "broken",
    "invariant",
    "may_be_forgotten",
    "purged_until",
    "registry",
    "rules",
    "saying_something_else",
    "surely",
]
