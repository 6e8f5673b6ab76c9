"""A round: a crowd at work, faults one after the other, and what came of it."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

# They register what they hold.
from tests.faults import broker, database, outside, processes, stage  # noqa: F401
from tests.faults.judge import Judge, wait_for_the_rest
from tests.faults.kinds import KINDS, Impossible
from tests.faults.waiting import until

HOLD = (2.0, 6.0)
"""Seconds that a fault lasts, from and to."""

BREATH = 1.0
"""Seconds between two faults."""

STEP = 5
"""How many faults further the next seed begins; it must not divide their number, so that each comes first some time."""


@dataclass
class Round:
    """What a round found: `bites`: (seconds after its begin, fault, how it was seen); `wrong`: what must not be."""

    seed: int
    seconds: float = 0
    bites: list[tuple[float, str, str]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    output: str = ""


def order(seed: int, names: Sequence[str]) -> list[str]:
    """In which order a seed has the faults. Seeds that follow one another begin with other ones."""
    shuffled = sorted(names)
    random.Random(seed // len(names)).shuffle(shuffled)
    start = seed * STEP % len(shuffled)
    return shuffled[start:] + shuffled[:start]


def play(
    seed: int,
    seconds: float,
    only: Sequence[str] = (),
    keep: Path | None = None,
    hold: tuple[float, float] = HOLD,
    say: Callable[[str], None] = print,
) -> Round:
    """A crowd at work for so many seconds, with all faults in turn, or those in `only`, each of these at least once.

    `hold`: how long a fault lasts, from and to, in seconds. `keep`: a folder for what was written down.
    """
    round_, dice = Round(seed), random.Random(seed)
    with stage.made(seed, seconds, keep) as site:
        site.start_clients()
        site.wait_for_answers(20)
        began = time.monotonic()
        for number, name in enumerate(cycle(order(seed, list(only) or list(KINDS)))):
            at = time.monotonic() - began
            if at > seconds and number >= len(only):
                break
            try:
                seen = KINDS[name](site, dice, dice.uniform(*hold))
                round_.bites.append((at, name, seen))
                say(f"{at:5.0f} s  {name}: {seen}")
                site.wait_for_answers(1)
            except Impossible as why:
                round_.left_out[name] = str(why)
            except Exception as why:
                # Harmless, or whatever else keeps it from what it is to do.
                round_.wrong.append(f"{name}: {why!r}")
                break
            time.sleep(BREATH)
        round_.seconds = time.monotonic() - began
        try:
            until(site.works, "that both hosts work", 120)
            site.end_clients()
            round_.told["hurried"] = wait_for_the_rest(site)
        except (RuntimeError, TimeoutError) as why:
            round_.wrong.append(repr(why))
        for host in site.hosts:
            host.end()
        judge = Judge(site)
        judge.judge()
        round_.told |= judge.told
        round_.wrong += judge.wrong
        round_.output = "\n".join(host.output()[-3000:] for host in site.hosts)
    return round_
