"""How figures and what was run are called in the reports."""

SPOKEN = {"pair": "grab and finalize", "next": "finalize with the next task"}


def shown(value: float | None, unit: str = "") -> str:
    """A figure with two decimals below ten and one below a hundred; – for none."""
    if value is None:
        return "–"
    text = f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
    return text + (f" {unit}" if unit else "")


def power(number: str) -> str:
    """10⁴ for 10000, where it is one."""
    zeros = len(number) - 1
    if number != "1" + "0" * zeros:
        return f"{int(number):,}"
    return "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(zeros))


def flatness(times: dict[str, list[tuple[float, float]]], small: str, big: str) -> list[float]:
    """How many times as long the median took at the big size, in each repetition.

    `times`: size → (median, longest) of each repetition.
    """
    return [many / few for (few, _longest), (many, _) in zip(times[small], times[big], strict=True)]
