"""Figures measured several times under several conditions, as a table that says what each condition changes."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Figures = dict[str, dict[str, float]]
"""One repetition: what was measured → by what was there besides."""

CHANGE = 10
"""So many per cent may a condition make a figure worse."""


@dataclass(frozen=True)
class Row:
    """A figure of the report, in which condition it is good: at least `goal`, or at most."""

    figure: str
    what: str
    unit: str
    goal: float | None = None
    at_least: bool = False
    compared: bool = True

    def met(self, value: float) -> bool:
        return self.goal is None or (value >= self.goal if self.at_least else value <= self.goal)


def table(rows: Sequence[Row], repetitions: Sequence[Figures], quiet: str, conditions: Sequence[str]) -> str:
    """The figures in Markdown: medians under the condition `quiet`, with their goals, and beside them the others."""
    head = f"| what | {quiet} | goal | | {' | '.join(conditions)} |\n|---|---:|---:|---|{'---:|' * len(conditions)}"
    there = [row for row in rows if row.figure in repetitions[0]]
    return "\n".join([head, *(_line(row, repetitions, quiet, conditions) for row in there)])


def _line(row: Row, repetitions: Sequence[Figures], quiet: str, conditions: Sequence[str]) -> str:
    values = [one[row.figure] for one in repetitions]
    alone = [one[quiet] for one in values]
    cells = [row.what, f"{shown(statistics.median(alone), row)} ({shown(min(alone))}–{shown(max(alone))})"]
    if row.goal is None:
        cells += ["", ""]
    else:
        met = "within" if row.met(statistics.median(alone)) else "**missed**"
        cells += [f"{'≥' if row.at_least else '≤'} {shown(row.goal, row)}", met]
    for condition in conditions:
        middle = shown(statistics.median(one[condition] for one in values), row)
        if not row.compared:
            cells.append(middle)
            continue
        change = 100 * (statistics.median(one[condition] / one[quiet] for one in values) - 1)
        worse = -change if row.at_least or row.unit == "/s" else change
        cells.append(f"{middle} ({'**' if worse > CHANGE else ''}{change:+.0f} %{'**' if worse > CHANGE else ''})")
    return "| " + " | ".join(cells) + " |"


def shown(value: float, row: Row | None = None) -> str:
    """A figure with two decimals below ten, and with the row's unit."""
    text = f"{value:.0f}" if value >= 10 else f"{value:.2f}"
    return text + (" " + row.unit if row and row.unit == "ms" else row.unit if row else "")
