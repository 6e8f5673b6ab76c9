"""What the benchmark of the claim found, beside what was asked for, as docs/benchmarks/claims.md."""

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.sections import SECTIONS
from benchmarks.wording import SPOKEN, flatness, power, shown

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
RESULTS, REPORT, PLOT = (FOLDER / f"claims.{kind}" for kind in ("json", "md", "svg"))
BEGIN, END = "<!-- written by the benchmark: begin -->\n", "<!-- written by the benchmark: end -->\n"

Found = dict[str, dict[str, Any]]
"""Part → what it found (see claims.PARTS), with its date and where that was."""


@dataclass(frozen=True)
class Row:
    """A line of the table. `least`: the figure is to be at least so much, else at most."""

    what: str
    command: str
    floor: float | None
    goal: float | None
    figures: Sequence[float]
    least: bool = True
    unit: str = ""
    note: str = ""

    @property
    def figure(self) -> float:
        return statistics.median(self.figures)

    @property
    def verdict(self) -> str:
        if self.goal is not None and self._met(self.goal):
            return "goal reached"
        if self.floor is not None and not self._met(self.floor):
            return f"**below the floor by {self._missing(self.floor):.0f} %**"
        if self.goal is None:
            return "floor held" if self.floor is not None else ""
        return f"{'floor held, ' if self.floor is not None else ''}goal missed by {self._missing(self.goal):.0f} %"

    def _met(self, wanted: float) -> bool:
        return self.figure >= wanted if self.least else self.figure <= wanted

    def _missing(self, wanted: float) -> float:
        return 100 * abs(self.figure / wanted - 1)

    def line(self) -> str:
        cells = (
            self.what,
            shown(self.floor, self.unit),
            shown(self.goal, self.unit),
            f"**{shown(self.figure, self.unit)}**{self._range()}{self.note}",
            self.verdict,
            f"`{self.command}`",
        )
        return "| " + " | ".join(cells) + " |"

    def _range(self) -> str:
        if len(self.figures) < 2:
            return ""
        return f" ({shown(min(self.figures))}–{shown(max(self.figures))}, {len(self.figures)} ×)"


def kept() -> Found:
    """What parts found when they were run in full before."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(found: Found) -> None:
    """Keep what there is, so that another part can be run at another time."""
    RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def write(found: Found, *, keep: bool) -> str:
    """The report's figures in Markdown; with `keep` they and the plot are written."""
    sections = [table(found), *(section(found[part]) for part, section in SECTIONS.items() if part in found)]
    said = "\n\n".join(sections)
    if keep:
        before, _begin, rest = REPORT.read_text().partition(BEGIN)
        _old, _end, after = rest.partition(END)
        REPORT.write_text(f"{before}{BEGIN}\n{said}\n\n{END}{after}")
        PLOT.write_text(plot.drawn(found))
    return said


def table(found: Found) -> str:
    """What was asked for, what came out, and whether that is enough."""
    rows = [*_of_writers(found), *_of_http(found), *_of_flat(found), *_of_held(found), *_of_others()]
    head = "| what | floor | goal | figure | verdict | command |\n|---|---:|---:|---|---|---|"
    return "\n".join([head, *(row.line() for row in rows), SHARED])


SHARED = "| 64 clients whose grabs share a claim ÷ one by one | – | 2 | not built; its bound is below | | |"


def _ratios(repetitions: Sequence[Any], over: str, under: str) -> list[float]:
    return [one[over]["rate"] / one[under]["rate"] for one in repetitions]


def _of_writers(found: Found) -> list[Row]:
    runs = found.get("writers", {}).get("repetitions", [])
    names = [name.removesuffix(" app") for name in (runs[0] if runs else ()) if name.endswith(" app")]
    return [
        Row(
            f"writers ÷ limit: {SPOKEN[form]}, {int(people):,} reviewers",
            "python -m benchmarks.claims writers",
            0.6,
            0.75,
            _ratios(runs, f"{form} {people} app", f"{form} {people} limit"),
        )
        for form, people in sorted((name.split() for name in names), key=lambda name: (name[0], int(name[1])))
    ]


def _of_http(found: Found) -> list[Row]:
    runs = found.get("http", {}).get("repetitions", [])
    names = [name.removesuffix(" http") for name in (runs[0] if runs else ()) if name.endswith(" http")]
    rows = []
    for form, people in sorted((name.split() for name in names), key=lambda name: (name[0], int(name[1]))):
        requests = {"pair": "as two requests", "next": "as one request"}[form]
        (limit,) = (name for name in runs[0] if name.startswith(form) and name.endswith("limit"))
        rows.append(
            Row(
                f"HTTP cycles ÷ limit: {SPOKEN[form]} {requests}, {int(people):,} reviewers",
                "python -m benchmarks.claims http",
                0.3 if form == "next" else None,
                0.4 if form == "next" else None,
                _ratios(runs, f"{form} {people} http", limit),
            )
        )
    return rows


def _of_flat(found: Found) -> list[Row]:
    if "flat" not in found:
        return []
    sizes, times = [str(size) for size in found["flat"]["sizes"]], found["flat"]["times"]
    rows = []
    for big, floor, goal in zip(sizes[2:] or sizes[1:], (1.3, None), (1.2, 1.2), strict=False):
        ratios = {name: flatness(by_size, sizes[0], big) for name, by_size in times.items()}
        worst = max(ratios, key=lambda name: statistics.median(ratios[name]))
        what = f"a grab's p50 at {power(big)} open tasks ÷ at {power(sizes[0])}, the worst of {len(ratios)} variations"
        command = f"{'HUGE=1 ' if len(sizes) > 3 else ''}python -m benchmarks.claims flat"
        rows.append(Row(what, command, floor, goal, ratios[worst], least=False, note=f": {worst}"))
    return rows


HELD_ASKED = {"60": (0.25, None), "300": (None, 0.7)}
"""Seconds that a transaction was held → the floor and the goal of what is left."""


def _of_held(found: Found) -> list[Row]:
    rows = []
    for name, runs in found.get("held", {}).get("runs", {}).items():
        who, people = name.split()
        if who != "app":
            continue
        moments = sorted({moment for run in runs for moment in run["rates"]} - {"normal"}, key=int)
        for moment in moments:
            floor, goal = HELD_ASKED.get(moment, (None, None))
            figures = [run["rates"][moment] / run["rates"]["normal"] for run in runs if moment in run["rates"]]
            what = f"throughput with a transaction held for {moment} s ÷ normal, {int(people):,} reviewers"
            rows.append(Row(what, "python -m benchmarks.claims held", floor, goal, figures))
    return rows


ELSEWHERE = (
    (
        "bulk.md",
        r"into an empty queue",
        Row("bulk creation into an empty queue, tasks/s", "python -m benchmarks.bulk", 5_000, 10_000, ()),
    ),
    (
        "bulk.md",
        r"into a queue with [\d,]+ open tasks",
        Row("bulk creation beside a million open tasks, tasks/s", "python -m benchmarks.bulk", 5_000, 10_000, ()),
    ),
    (
        "stats.md",
        r"`stats/`[^|]*1,000,000[^|]*",
        Row("`stats/` at 10⁶", "python -m benchmarks.stats", 50, 10, (), least=False, unit="ms"),
    ),
)
"""Report → what the row is called that has the median, the least and the most in its second cell; the row here."""


def _of_others() -> list[Row]:
    """What other benchmarks found, as their reports have it."""
    rows = []
    for name, row, wanted in ELSEWHERE:
        text = (FOLDER / name).read_text() if (FOLDER / name).exists() else ""
        cell = re.search(rf"^\| {row} \| ([\d.,]+)[^(|]*(\([^)|]*\))?", text, re.MULTILINE)
        if cell:
            note = f" {cell[2]}" if cell[2] else ""
            rows.append(replace(wanted, figures=[float(cell[1].replace(",", ""))], note=note))
    return rows
