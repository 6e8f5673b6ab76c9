"""docs/invariants.md names every rule with its sentence, and what makes it so is there in the code."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps

from queues import invariants

PAGE = Path(__file__).resolve().parents[2] / "docs" / "invariants.md"


def rows() -> list[tuple[str, str, str]]:
    """(rule, what is true, what makes it so) of each line of the tables."""
    lines = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    return [(rule, says, by) for rule, says, by in lines]


def found(path: str) -> Any:
    """What a dotted path leads to; None where that is nothing."""
    module, *names = path.split(".")
    at: Any = import_module(module)
    for number, name in enumerate(names, 1):
        if not hasattr(at, name):
            try:
                import_module(".".join([module, *names[:number]]))
            except ImportError:
                return None
        at = getattr(at, name)
    return at


def test_the_page_has_every_rule_once_with_what_it_says() -> None:
    assert sorted((rule, says) for rule, says, _by in rows()) == [
        (rule.name, rule.says) for rule in invariants.rules().values()
    ]


def test_what_makes_a_rule_so_is_there() -> None:
    constraints = {constraint.name for model in apps.get_models() for constraint in model._meta.constraints}
    named = {name for _rule, _says, by in rows() for name in re.findall(r"`([^`]+)`", by)}
    assert {name for name in named if name not in constraints and ("." not in name or found(name) is None)} == set()
