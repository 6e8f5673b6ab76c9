"""The wheel, built as `make wheel` builds it, and environments of their own in which it is installed."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.run import SITE_VARIABLES
from tests.site.serving import ROOT, variables

APPS = ("queues", "assignments", "pavilion", "routing")

PINNED, OLDEST, NEWEST = "pinned", "oldest", "newest"
"""Which packages: those of requirements/core.txt, the oldest that pyproject.toml allows, the newest."""

SERVER = ["uvicorn", "websockets"]
"""What the kennel brings along itself, to be served by."""

EXTRAS = {"sqlite": "", "postgresql": "[postgres,redis]"}
"""A host on SQLite has no driver of PostgreSQL, and needs none."""


def _run(*command: Any, **options: Any) -> str:
    """What the command prints; raises AssertionError with it where it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def clean(**given: object) -> dict[str, str]:
    """The environment without what our site, this Python, or a virtual environment would read."""
    names = ("PYTHON", "VIRTUAL_ENV", "KENNEL_", *SITE_VARIABLES)
    return {name: value for name, value in variables().items() if not name.startswith(names)} | {
        name: str(value) for name, value in given.items()
    }


def build(folder: Path) -> Path:
    """The wheel's path. It is built from a copy in `folder`, so that nothing is left in the tree."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in APPS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation")
    _run(*pip, "--wheel-dir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


def make(
    folder: Path, wheel: Path, *, vendor: str, python: str = sys.executable, packages: str = PINNED, django: str = ""
) -> Path:
    """Make an environment of this Python with the wheel in `folder`; the value is its Python.

    `django`: its versions, where `packages` leave that open. By uv, which takes seconds where pip takes half a minute;
    by pip where there is no uv and packages are pinned.
    """
    made = folder / "bin" / "python"
    server = [f"crowdsite{EXTRAS[vendor]} @ {wheel.as_uri()}", *SERVER, *([f"Django=={django}"] if django else [])]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        assert packages == PINNED, "this needs uv"
        _run(python, "-m", "venv", folder, env=clean())
        install = (made, "-m", "pip", "--quiet", "install", "--disable-pip-version-check")
        _run(*install, "--require-hashes", "-r", ROOT / "requirements" / "core.txt", env=clean())
        _run(*install, *server, env=clean())
        return made
    install = (uv, "pip", "install", "--quiet", "--python", made)
    _run(uv, "venv", "--quiet", "--python", python, folder, env=clean())
    if packages == PINNED:
        _run(*install, "--require-hashes", "-r", ROOT / "requirements" / "core.txt", env=clean())
    elif packages == OLDEST:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        needed = [*project["dependencies"]]
        for extra in EXTRAS[vendor].strip("[]").split(",") if EXTRAS[vendor] else ():
            needed += project["optional-dependencies"][extra]
        _run(*install, "--resolution", "lowest-direct", *needed, env=clean())
    _run(*install, *server, env=clean())
    return made
