"""How synthetic workers behave: how long they wait, react, think and work, and how they leave. Pure, and by a seed."""

import random
from dataclasses import dataclass
from enum import StrEnum

PATIENCE = 90.0
"""Mean of the exponential time that somebody waits before they give up, in seconds."""

REACTION, REACTION_SPREAD = 3.0, 0.6
"""Median and sigma of the log-normal time from being called to saying “I am here”, in seconds. Times to react are
skewed to the right, for which the log-normal is a usual model (R. Ulrich and J. Miller: Information processing models
generating lognormally distributed reaction times. Journal of Mathematical Psychology 37, 1993).
"""

THINKING, THINKING_SPREAD = 5.0, 0.5
"""Median and sigma of the log-normal time for an answer, in seconds."""

MORE_ANSWERS = 4.0
"""Mean of how many answers somebody gives after the first."""

REST = 15.0
"""Mean of the exponential time after which the next person comes in the place of one who has left, in seconds."""

FULL_PACE = 120.0
"""In runs shorter than so many seconds everything is quicker in proportion, so that all of it still happens."""

ARRIVING = 0.25, 60.0
"""The first people come within this share of the run, or so many seconds, whichever is less."""


class Leaving(StrEnum):
    """How somebody goes who has had enough."""

    SUBMIT = "submit"
    RETURN = "return"
    SILENCE = "silence"


LEAVING = {Leaving.SUBMIT: 0.8, Leaving.RETURN: 0.12, Leaving.SILENCE: 0.08}


@dataclass(frozen=True)
class Plan:
    """What one person will do. Times are in seconds; `thinking` has one for each answer."""

    patience: float
    reaction: float
    thinking: tuple[float, ...]
    leaving: Leaving
    rest: float


def pace(seconds: float) -> float:
    """By how much the times of people are shortened in a run of so many seconds."""
    return min(1.0, seconds / FULL_PACE)


def generator(seed: int, number: int) -> random.Random:
    """The chance of the worker with this number: the same for the same seed, whatever the others do."""
    return random.Random(f"{seed}-{number}")


def arrival(chance: random.Random, seconds: float) -> float:
    """When somebody comes first, in a run of so many seconds."""
    share, most = ARRIVING
    return chance.uniform(0, min(share * seconds, most))


def plan(chance: random.Random, pace: float) -> Plan:
    """What the next person will do."""
    answers = 1 + int(chance.expovariate(1 / MORE_ANSWERS))
    return Plan(
        patience=pace * chance.expovariate(1 / PATIENCE),
        reaction=pace * REACTION * chance.lognormvariate(0, REACTION_SPREAD),
        thinking=tuple(pace * THINKING * chance.lognormvariate(0, THINKING_SPREAD) for _ in range(answers)),
        leaving=chance.choices(list(LEAVING), list(LEAVING.values()))[0],
        rest=pace * chance.expovariate(1 / REST),
    )
