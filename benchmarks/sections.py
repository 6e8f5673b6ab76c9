"""What each part of the benchmark of the claim found, in Markdown."""

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.wording import SPOKEN, flatness, power, shown


def _measured(part: dict[str, Any], how: str) -> str:
    return f"Measured on {part['date']}: {part['machine']} {how}"


def _spread(values: Sequence[float]) -> str:
    return f"{shown(statistics.median(values))} ({shown(min(values))}–{shown(max(values))})"


def _paces(part: dict[str, Any], how: str) -> str:
    """Rates and times of all that was run."""
    runs = part["repetitions"]
    lines = [
        f"| {_named(name)} | "
        + " | ".join(_spread([run[name][figure] for run in runs]) for figure in ("rate", "p50", "p99"))
        + f" | {_spread([run[name]['python'] for run in runs]) if 'python' in runs[0][name] else ''} |"
        for name in sorted(runs[0], key=lambda name: (name.split()[0], int(name.split()[1]), name))
    ]
    head = "| what | cycles/s | p50, ms | p99, ms | processor, ms |\n|---|---:|---:|---:|---:|"
    said = (
        f"{len(runs)} repetitions in turn, medians, the least and the most in brackets; `processor` is what Python's"
        " processes take a cycle."
    )
    return "\n".join([f"{_measured(part, said)} {how}".strip(), "", head, *lines])


def _named(name: str) -> str:
    form, people, who = name.split()
    doer = {"app": "the writers", "http": "over HTTP", "limit": "pgbench, the same statements"}[who]
    return f"{SPOKEN[form]}, {int(people):,} reviewers: {doer}"


def _writers_section(part: dict[str, Any]) -> str:
    return "## Through the writers\n\n" + _paces(part, "")


def _http_section(part: dict[str, Any]) -> str:
    rates = part["by_backlog"]
    by_backlog = [
        f"| open tasks | {' | '.join(map(power, rates))} |",
        f"|---|{'---:|' * len(rates)}",
        f"| cycles/s, {SPOKEN['next']}, 8 reviewers | {' | '.join(map(_spread, rates.values()))} |",
    ]
    paces = _paces(part, f"The client took {part['client'] * 100:.0f} % of a core at most.")
    return "\n".join(["## Over HTTP", "", paces, "", *by_backlog])


def _flat_section(part: dict[str, Any]) -> str:
    sizes = [str(size) for size in part["sizes"]]
    lines = []
    for name, times in part["times"].items():
        medians = [statistics.median(middle for middle, _longest in times[size]) for size in sizes]
        slowest = statistics.median(longest for _middle, longest in times[sizes[-1]])
        ratio = statistics.median(flatness(times, sizes[0], sizes[-1]))
        lines.append(f"| {name} | {' | '.join(map(shown, medians))} | {shown(ratio)} | {shown(slowest)} |")
    repetitions = next(iter(part["times"].values()))[sizes[0]]
    said = f"{len(repetitions)} × {part['grabs']} grabs each, in turn, one client."
    last, first = power(sizes[-1]), power(sizes[0])
    return "\n".join(
        [
            "## Flatness",
            "",
            _measured(
                part, f"{said} Behind each are {part['closed']:,} closed tasks. p50 in milliseconds by open tasks."
            ),
            "",
            f"| variation | {' | '.join(map(power, sizes))} | {last} ÷ {first} | longest at {last} |",
            f"|---|{'---:|' * (len(sizes) + 2)}",
            *lines,
        ]
    )


def _held_section(part: dict[str, Any]) -> str:
    moments = sorted({m for runs in part["runs"].values() for run in runs for m in run["rates"]} - {"normal"}, key=int)
    lines = []
    doers = {
        "app": "the writers",
        "limit": "pgbench, the same statements, from remembered places",
        "naive": "pgbench, two plain statements from the head",
    }
    for name, runs in part["runs"].items():
        who, people = name.split()
        cells = [_spread([run["rates"]["normal"] for run in runs])]
        for moment in moments:
            values = [run["rates"][moment] for run in runs if moment in run["rates"]]
            cells.append(f"{_spread(values)}, {len(values)} ×" if values else "")
        lines.append(f"| {doers[who]}, {int(people):,} reviewers | {' | '.join(cells)} |")
    return "\n".join(
        [
            "## With a transaction held open",
            "",
            _measured(part, "Grab and finalize, cycles a second, over five seconds each."),
            "",
            f"| what | normal | {' | '.join(f'after {moment} s' for moment in moments)} |",
            f"|---|{'---:|' * (len(moments) + 1)}",
            *lines,
        ]
    )


def _churn_section(part: dict[str, Any]) -> str:
    rates, third = part["rates"], max(1, len(part["rates"]) // 3)
    steady = statistics.median(rates[-third:]) / statistics.median(rates[:third])
    unit = "minute" if part["minute"] == 60 else f"{part['minute']:g} s"
    lines = [
        f"| {name} | {' | '.join(f'{sizes[at] / 2**20:,.1f}' for at in _marks(len(rates)))} |"
        for name, sizes in part["sizes"].items()
    ]
    marks = _marks(len(rates))
    return "\n".join(
        [
            "## Steady work",
            "",
            _measured(
                part,
                f"{part['answered']:,} finalizes with the next task by {len(rates)} × {part['minute']:g} s of eight"
                f" clients, {part['created']:,} tasks created meanwhile, {part['sequenced']:,} events given their"
                f" places; {part['open']:,} tasks were available at the end. p99 was {part['p99']:.0f} ms.",
            ),
            "",
            f"Cycles a second in each {unit}: {', '.join(f'{rate:,.0f}' for rate in rates)}."
            f" The last third ÷ the first: {steady:.2f}.",
            f"Events without a place at the end of each: {', '.join(f'{count:,}' for count in part['pending'])}.",
            "",
            f"| MiB at the end of | {' | '.join(f'{unit} {at + 1}' for at in marks)} |",
            f"|---|{'---:|' * len(marks)}",
            *lines,
        ]
    )


def _marks(count: int) -> list[int]:
    return sorted({0, count // 2, count - 1})


def _sharing_section(part: dict[str, Any]) -> str:
    runs = part["repetitions"]
    lines = [
        f"| {amount} | {_spread([run[amount] for run in runs])} | {_spread([run[amount] / run['1'] for run in runs])} |"
        for amount in sorted(runs[0], key=int)
    ]
    said = f"{part['clients']} clients of pgbench, {len(runs)} repetitions in turn; medians, the least and the most."
    head = "| tasks by one statement | tasks/s | ÷ one by one |\n|---|---:|---:|"
    return "\n".join(["## What a shared claim could bring at most", "", _measured(part, said), "", head, *lines])


def _layers_section(part: dict[str, Any]) -> str:
    names = list(part["runs"])
    middle = {name: _whose(runs) for name, runs in part["runs"].items()}
    whose = list(dict.fromkeys(one for figures in middle.values() for one in figures))
    lines = [f"| {one} | {' | '.join(shown(middle[name].get(one)) for name in names)} |" for one in whose]
    shares = [figures["Database"] / (figures["Database"] + figures["Python"]) for figures in middle.values()]
    return "\n".join(
        [
            "## Where the time goes",
            "",
            _measured(part, "One client alone, milliseconds of processor time a cycle, medians."),
            "",
            f"| | {' | '.join(f'{SPOKEN[form]}, {OVER[over]}' for form, over in map(str.split, names))} |",
            f"|---|{'---:|' * len(names)}",
            *lines,
            f"| database ÷ both | {' | '.join(map(shown, shares))} |",
        ]
    )


OVER = {"writers": "by the writers", "http": "over HTTP without the server"}


def _whose(runs: Sequence[Any]) -> dict[str, float]:
    """Milliseconds a cycle: the database's, Python's, and then of whose code these are, most first."""
    owners = {owner for run in runs for owner in run["owners"]}
    of_owner = {owner: statistics.median(run["owners"].get(owner, 0.0) for run in runs) for owner in owners}
    both = {name: statistics.median(run[name.lower()] for run in runs) for name in ("Database", "Python")}
    return both | {f"– {owner}": of_owner[owner] for owner in sorted(owners, key=lambda owner: -of_owner[owner])}


SECTIONS = {
    "writers": _writers_section,
    "http": _http_section,
    "flat": _flat_section,
    "held": _held_section,
    "churn": _churn_section,
    "sharing": _sharing_section,
    "layers": _layers_section,
}
