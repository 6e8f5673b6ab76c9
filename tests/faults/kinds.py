"""What goes wrong. Each fault is a function of a stage and dice, which brings it about, holds it for so many seconds,
mends it, and says how it was seen to bite. It raises Harmless where it was not, and Impossible where it cannot be.
"""

import random
from collections.abc import Callable

from tests.faults.stage import Stage


class Harmless(Exception):
    """A fault had no effect, so nothing was shown."""


class Impossible(Exception):
    """A fault cannot be brought about on this machine."""


Fault = Callable[[Stage, random.Random, float], str]

KINDS: dict[str, Fault] = {}
"""Its name → the fault."""


def fault(kind: Fault) -> Fault:
    """Register a fault under what its function is called."""
    KINDS[kind.__name__.replace("_", " ")] = kind
    return kind


def bitten(happened: object, said: str) -> str:
    """What was seen, where it was. Raises Harmless."""
    if not happened:
        raise Harmless(said)
    return said
