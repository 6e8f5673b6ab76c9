"""Play rounds (see tests.faults): prints what happened; the status is 1 where something was wrong."""

import argparse
import signal
import sys
import time
from pathlib import Path

from tests.faults import report
from tests.faults.kinds import KINDS
from tests.faults.rounds import Round, play

SHOWN = 20
"""How much of what is wrong in a round is printed."""


def tell(found: Round) -> None:
    """Print what a round found."""
    for name, why in found.left_out.items():
        print(f"         {name}: left out, {why}")
    print(", ".join(f"{name} {number:,}" for name, number in found.told.items()))
    for one in found.wrong[:SHOWN]:
        print(f"WRONG: {one}")
    if len(found.wrong) > SHOWN:
        print(f"WRONG: and {len(found.wrong) - SHOWN} more")
    if found.wrong:
        print(found.output)


def main() -> int:
    """Play the rounds of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many rounds, of the seeds that follow")
    parser.add_argument("--seconds", type=float, default=60, help="so long is each crowd at work, at least")
    parser.add_argument("--only", action="append", default=[], choices=list(KINDS), help="these faults, each once")
    parser.add_argument("--keep", type=Path, help="leave what was written down in this folder")
    parser.add_argument("--report", type=Path, help="write what the rounds showed into this page (docs/proof.md)")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    played: list[Round] = []
    for seed in range(given.seed, given.seed + given.seeds):
        began = time.monotonic()
        print(f"# Seed {seed}", flush=True)
        found = play(seed, given.seconds, given.only, given.keep, say=lambda line: print(line, flush=True))
        played.append(found)
        tell(found)
        whole = time.monotonic() - began
        print(f"{len(found.bites)} faults in {found.seconds:.0f} s, {whole:.0f} s in all\n", flush=True)
        if given.report:
            report.replace(given.report, "rounds", report.rounds(played, given.seconds))
    right = sum(not found.wrong for found in played)
    print(f"{right} of {given.seeds} rounds were right.")
    return 0 if right == given.seeds else 1


if __name__ == "__main__":
    sys.exit(main())
