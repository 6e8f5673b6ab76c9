"""The figures of the claim as one picture: an SVG by hand, which reads in light and in dark."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, log10
from typing import Any

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 52, 44

STYLE = """
  svg { --ink: #1f2328; --soft: #59636e; --grid: #d1d9e0; --paper: #ffffff;
    --one: #0969da; --two: #bc4c00; --three: #1a7f37; --four: #8250df; --five: #9a6700; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #f0f6fc; --soft: #9198a1; --grid: #3d444d; --paper: #0d1117;
      --one: #4493f8; --two: #f0883e; --three: #3fb950; --four: #ab7df8; --five: #d29922; }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--soft); }
  .title { font-size: 14px; font-weight: 600; fill: var(--ink); }
  .paper { fill: var(--paper); }
  .grid { stroke: var(--grid); stroke-width: 1; }
  .wanted { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
  path { fill: none; stroke-width: 2; stroke-linejoin: round; }
"""
COLORS = ("one", "two", "three", "four", "five")

NEIGHBOURS = {
    "PyBossa 4.0.2": {1e3: 55.7, 1e4: 37.3, 1e5: 25.0},
    "doccano 1.8.4": {1e3: 48.5, 1e4: 32.3, 1e5: 10.5},
    "Label Studio 1.23.2": {1e3: 14.3, 1e4: 11.8, 1e5: 9.5, 1e6: 1.65},
}
"""Cycles a second over HTTP by backlog; see the report for where that is from."""


@dataclass
class Panel:
    """One plot. `x`, `y`: from where to where the axes go; logarithmic where it is said."""

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str = ""
    log_x: bool = False
    log_y: bool = False
    parts: list[str] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)

    def across(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * _share(value, self.x, self.log_x)

    def up(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(value, self.y, self.log_y)

    def line(self, name: str, points: Iterable[tuple[float, float]]) -> None:
        """A line with a color of its own and its name above the plot."""
        color = COLORS[len(self.names) % len(COLORS)]
        places = [(self.across(x), self.up(y)) for x, y in points]
        drawn = " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        self.parts.append(f'<path d="M{drawn}" style="stroke: var(--{color})"/>')
        if len(places) <= 12:
            dots = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill: var(--{color})"/>' for x, y in places)
            self.parts.extend(dots)
        self.names.append((name, color))

    def bar(self, number: int, count: int, name: str, value: float, color: str) -> None:
        """One of so many bars that lie below each other; the value goes across."""
        room = (HEIGHT - TOP - BOTTOM) / count
        top = TOP + room * number
        self.parts.append(
            f'<rect x="{LEFT}" y="{top + room * 0.5:.1f}" width="{self.across(value) - LEFT:.1f}"'
            f' height="{room * 0.4:.1f}" style="fill: var(--{color})"/>'
            f'<text x="{LEFT}" y="{top + room * 0.4:.1f}">{escape(name)}: {value:.2f}</text>'
        )

    def wanted(self, value: float, name: str) -> None:
        """A line up from a value on the axis that goes across."""
        x = self.across(value)
        self.parts.append(
            f'<line class="wanted" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text x="{x:.1f}" y="{TOP - 4}" text-anchor="middle">{escape(name)}</text>'
        )

    def axes(self, across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]]) -> None:
        """Ticks and their names."""
        for value, name in up:
            y = self.up(value)
            self.parts.append(
                f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{name}</text>'
            )
        for value, name in across:
            x = self.across(value)
            self.parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{name}</text>')

    def drawn(self, number: int) -> str:
        """The panel at its place, two in a row."""
        x, y = number % 2 * WIDTH, number // 2 * HEIGHT
        named, at = [], LEFT
        for name, color in self.names:
            named.append(
                f'<rect x="{at}" y="33" width="10" height="10" style="fill: var(--{color})"/>'
                f'<text x="{at + 14}" y="42">{escape(name)}</text>'
            )
            at += 24 + round(len(name) * 6.3)
        return (
            f'<g transform="translate({x} {y})"><text class="title" x="{LEFT}" y="22">{escape(self.title)}</text>'
            + "".join([*named, *self.parts])
            + f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{self.x_label}</text>'
            + "</g>\n"
        )


def _share(value: float, ends: tuple[float, float], is_log: bool) -> float:
    low, high, value = (log10(one) for one in (*ends, value)) if is_log else (*ends, value)
    return (value - low) / (high - low)


def _powers(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks at the powers of ten."""
    found = []
    for exponent in range(ceil(log10(low) - 1e-9), int(log10(high) + 1e-9) + 1):
        value = 10.0**exponent
        name = f"{value:,.0f}" if value < 1e4 else f"10{''.join('⁰¹²³⁴⁵⁶⁷⁸⁹'[int(digit)] for digit in str(exponent))}"
        found.append((value, name))
    return found


def _nice(most: float) -> list[tuple[float, str]]:
    """A few round ticks from zero to at least `most`."""
    step = next(s * 10**e for e in range(-3, 9) for s in (1, 2, 5) if most / (s * 10**e) <= 5)
    return [(step * number, f"{step * number:,.10g}") for number in range(ceil(most / step) + 1)]


def _middle(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def _shares(found: dict[str, Any]) -> Panel:
    """Writers and HTTP as shares of the limit."""
    bars: list[tuple[str, float, str]] = []
    for part, who, doer in (("writers", "app", "writers"), ("http", "http", "HTTP")):
        runs = found.get(part, {}).get("repetitions", [])
        for name in sorted(runs[0] if runs else ()):
            form, people, which = name.split()
            if which != who:
                continue
            limit = f"{form} {people} limit" if f"{form} {people} limit" in runs[0] else f"{form} 8 limit"
            share = _middle(run[name]["rate"] / run[limit]["rate"] for run in runs)
            cycle = {"pair": "grab, finalize", "next": "finalize with next"}[form]
            bars.append((f"{doer}, {cycle}, {int(people):,} reviewers", share, "one" if who == "app" else "two"))
    panel = Panel("Share of what the database alone reaches", (0, 1), (0, 1), "pgbench with the same statements = 1")
    for value, name in ((0.3, "HTTP’s floor"), (0.6, "the writers’ floor")):
        panel.wanted(value, name)
    for number, (name, share, color) in enumerate(bars):
        panel.bar(number, len(bars), name, min(share, 1.0), color)
    panel.axes([(number / 5, f"{number / 5:g}") for number in range(6)], [])
    return panel


def _flatness(found: dict[str, Any]) -> Panel:
    """What a grab takes, by the number of open tasks, in the slowest, the middle and the quickest variation."""
    part = found["flat"]
    sizes = [str(size) for size in part["sizes"]]
    medians = {
        name: [_middle(middle for middle, _longest in times[size]) for size in sizes]
        for name, times in part["times"].items()
    }
    ticks = _nice(max(max(values) for values in medians.values()))
    ends = float(sizes[0]), float(sizes[-1])
    panel = Panel("A grab's p50, milliseconds", ends, (0, ticks[-1][0]), "open tasks", log_x=True)
    panel.axes(_powers(*ends), ticks)
    ranked = sorted(medians, key=lambda name: medians[name][-1])
    for how, name in (("quickest", ranked[0]), ("middle", ranked[len(ranked) // 2]), ("slowest variation", ranked[-1])):
        panel.line(how, [(float(size), value) for size, value in zip(sizes, medians[name], strict=True)])
    return panel


def _neighbours(found: dict[str, Any]) -> Panel:
    """Cycles a second over HTTP, beside others."""
    ours = {float(size): _middle(rates) for size, rates in found["http"]["by_backlog"].items()}
    panel = Panel("Over HTTP, cycles a second", (1e3, 1e6), (1, 1e4), "open tasks", log_x=True, log_y=True)
    panel.axes(_powers(1e3, 1e6), _powers(1, 1e4))
    panel.line("Crowdsite", ours.items())
    for name, rates in NEIGHBOURS.items():
        panel.line(name, rates.items())
    return panel


def _held(found: dict[str, Any]) -> Panel:
    """Throughput from before a transaction was held open, the longest run of each."""
    runs = {name: max(some, key=lambda run: len(run["curve"])) for name, some in found["held"]["runs"].items()}
    longest = max(at for run in runs.values() for at, _rate in run["curve"])
    before = min(at for run in runs.values() for at, _rate in run["curve"])
    ticks = _nice(max(rate for run in runs.values() for _at, rate in run["curve"]))
    panel = Panel(
        "With a transaction held open, cycles a second", (before, longest), (0, ticks[-1][0]), "seconds since it began"
    )
    panel.axes([tick for tick in _nice(longest) if tick[0] <= longest], ticks)
    for name, run in runs.items():
        who, people = name.split()
        spoken = {"app": f"writers, {int(people):,}", "limit": "pgbench", "naive": "plain pgbench"}[who]
        panel.line(spoken, run["curve"])
    return panel


def _churn(found: dict[str, Any]) -> Panel:
    """Cycles a second in each part of the time."""
    part = found["churn"]
    rates, minute = part["rates"], part["minute"]
    ticks = _nice(max(rates))
    end = len(rates) * minute / 60
    panel = Panel("Steady work with the sequencer, cycles a second", (0, end), (0, ticks[-1][0]), "minutes")
    panel.axes([tick for tick in _nice(end) if tick[0] <= end], ticks)
    panel.line("finalize with next", [((at + 0.5) * minute / 60, rate) for at, rate in enumerate(rates)])
    return panel


def drawn(found: dict[str, Any]) -> str:
    """All panels for which there are figures."""
    panels = []
    if "writers" in found or "http" in found:
        panels.append(_shares(found))
    for part, panel in (("flat", _flatness), ("http", _neighbours), ("held", _held), ("churn", _churn)):
        if part in found:
            panels.append(panel(found))
    height = HEIGHT * ceil(len(panels) / 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * 2} {height}" role="img"'
        ' aria-label="How quick the claim is; the tables say the same in figures.">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect class="paper" width="{WIDTH * 2}" height="{height}"/>\n'
        + "".join(panel.drawn(number) for number, panel in enumerate(panels))
        + "</svg>\n"
    )
