"""The wheel, an environment with it, and the kennel as it grows: each stage is made once, and what it found is kept."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.hostsite import environments
from tests.hostsite.kennel import Kennel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's path."""
    return environments.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel is installed; KENNEL_* say of which Python, and with what."""
    return environments.make(
        tmp_path_factory.mktemp("environment") / "venv",
        wheel,
        vendor=connection.vendor,
        python=os.environ.get("KENNEL_PYTHON", sys.executable),
        packages=os.environ.get("KENNEL_PACKAGES", environments.PINNED),
        django=os.environ.get("KENNEL_DJANGO", ""),
    )


@dataclass(frozen=True)
class Stage:
    """A kennel with some of the apps, those whose pages were opened, and what its look around found."""

    kennel: Kennel
    opened: tuple[str, ...]
    found: dict[str, Any]


@pytest.fixture(scope="session")
def grow(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stage]]:
    """Return `grow(stage, *apps)`: the stage that comes of this one, None for the first, with these apps too.

    What is new is walked through, and its pages in the admin are opened; with `whole`, those of all.
    """
    made: list[Kennel] = []
    server = os.environ["DATABASE_URL"] if connection.vendor == "postgresql" else ""

    def grow(stage: Stage | None, *apps: str, whole: bool = False) -> Stage:
        folder = tmp_path_factory.mktemp("kennel") / "site"
        kennel = stage.kennel.grown(folder, *apps) if stage else Kennel.new(folder, python, apps, server=server)
        made.append(kennel)
        opened = kennel.apps if whole else apps
        return Stage(kennel, opened, kennel.look_around(walked=apps, opened=opened))

    yield grow
    for kennel in made:
        kennel.drop()


@pytest.fixture(scope="session")
def queues_alone(grow: Callable[..., Stage]) -> Stage:
    stage = grow(None, "queues")
    if report := os.environ.get("KENNEL_REPORT"):
        Path(report).write_text(json.dumps(stage.found["versions"]))
    return stage


@pytest.fixture(scope="session")
def with_assignments(grow: Callable[..., Stage], queues_alone: Stage) -> Stage:
    return grow(queues_alone, "assignments")


@pytest.fixture(scope="session")
def with_pavilion(grow: Callable[..., Stage], with_assignments: Stage) -> Stage:
    return grow(with_assignments, "pavilion")


@pytest.fixture(scope="session")
def with_routing(grow: Callable[..., Stage], with_assignments: Stage) -> Stage:
    return grow(with_assignments, "routing")


@pytest.fixture(scope="session")
def all_together(grow: Callable[..., Stage], with_pavilion: Stage) -> Stage:
    return grow(with_pavilion, "routing", whole=True)
