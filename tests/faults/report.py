"""docs/proof.md: what rounds and guards showed, written between its marks."""

import os
import platform
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.kinds import KINDS
from tests.faults.rounds import Round


def replace(path: Path, mark: str, text: str) -> None:
    """Put a text between `<!-- mark -->` and `<!-- /mark -->`. Raises ValueError where these are not."""
    before, begin, rest = path.read_text().partition(f"<!-- {mark} -->\n")
    _old, end, after = rest.partition(f"<!-- /{mark} -->")
    if not end:
        raise ValueError(f"{path} has no place for {mark}")
    path.write_text(f"{before}{begin}{text.strip()}\n{end}{after}")


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)


def rounds(played: Sequence[Round], seconds: float) -> str:
    """What these rounds showed, in Markdown."""
    right = sum(not one.wrong for one in played)
    last, seeds = played[-1], f"{played[0].seed} to {played[-1].seed}"
    said = [
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}:"
        f" `make soak SEED={played[0].seed} SEEDS={len(played)} SECONDS_EACH={seconds:g}`."
        f" **{right} of {len(played)} rounds were right** (seeds {seeds}).",
        "",
        _table(
            ("seed", "faults", "acknowledged", "sent again", "no answer", "503", "webhooks", "deadlocks", "verdict"),
            [
                (
                    one.seed,
                    len(one.bites),
                    one.told.get("acknowledged", 0),
                    one.told.get("sent more than once", 0),
                    one.told.get("no answer", 0),
                    one.told.get("503", 0),
                    one.told.get("webhooks received", 0),
                    one.told.get("deadlocks", 0),
                    "wrong" if one.wrong else "right",
                )
                for one in played
            ],
        ),
        "",
    ]
    seen: dict[str, list[str]] = defaultdict(list)
    for one in played:
        for _at, name, how in one.bites:
            seen[name].append(how)
    never = {name: last.left_out.get(name, "not yet its turn") for name in KINDS if name not in seen}
    said.append(
        _table(
            ("fault", "times seen to bite", "for example"),
            [(name, len(seen[name]), seen[name][-1]) for name in KINDS if name in seen]
            + [(name, "never", why) for name, why in never.items()],
        )
    )
    return "\n".join(said)


def guards(rows: Sequence[Sequence[object]]) -> str:
    """What became of the guards, in Markdown."""
    return _table(("guard", "taken away", "seed", "faults", "result", "because"), rows)
