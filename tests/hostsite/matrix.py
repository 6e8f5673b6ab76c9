"""The kennel on every Python that is found, with the oldest and the newest packages that fit, on both databases.

`python -m tests.hostsite.matrix [a Python …]`; `make hosts` calls it. Beside the Pythons that are named it takes those
of PATH and of pyenv. Prints a table; ends with 1 where something failed, and keeps what pytest printed then.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.hostsite.environments import NEWEST, OLDEST
from tests.run import BACKENDS

VERSIONS = ("3.11", "3.12", "3.13")

DJANGO_6 = (3, 12)
"""The first Python that Django 6 takes."""

ASKS = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"


def pythons(named: list[str]) -> dict[str, Path]:
    """Version → a Python of it, of those that we are about: the named, ours, those on PATH, those of pyenv."""
    found: dict[str, Path] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [*named, sys.executable, *filter(None, (shutil.which(f"python{version}") for version in VERSIONS))]
    candidates += sorted(map(str, pyenv.glob("versions/*/bin/python3.[0-9][0-9]")), reverse=True)
    for candidate in candidates:
        asked = subprocess.run([candidate, "-c", ASKS], capture_output=True, text=True, check=False)
        # A shim of pyenv is there for versions too that it would not run.
        if asked.returncode == 0:
            version, path = asked.stdout.split(maxsplit=1)
            found.setdefault(version, Path(path.strip()))
    return {version: found[version] for version in VERSIONS if version in found}


def packages(version: str) -> Iterator[tuple[str, str]]:
    """Which packages, and which Django where that is not said by them."""
    yield OLDEST, ""
    if tuple(map(int, version.split("."))) >= DJANGO_6:
        yield NEWEST, "6.0.*"
    yield NEWEST, ""


def main() -> int:
    """Run them one after the other; the answer is the exit status."""
    found = pythons(sys.argv[1:])
    for version in VERSIONS:
        print(f"Python {version}: {'found' if version in found else 'NOT FOUND'}", flush=True)
    rows, failed = [], 0
    for version, python in found.items():
        for chosen, django in packages(version):
            for backend in BACKENDS:
                row, good = one(version, python, chosen, django, backend)
                rows.append(row)
                failed += not good
                print(rows[-1], flush=True)
    print("\n| Python | packages | Django | database | what pytest said | s |\n|---|---|---|---|---|---|")
    print("\n".join(rows))
    return 1 if failed or not rows else 0


def one(version: str, python: Path, chosen: str, django: str, backend: str) -> tuple[str, bool]:
    """The row of one of them, and whether all was well."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as report:
        given = {
            "KENNEL_PYTHON": os.fspath(python),
            "KENNEL_PACKAGES": chosen,
            "KENNEL_DJANGO": django,
            "KENNEL_REPORT": report.name,
        }
        command = [sys.executable, "-m", "tests.run", "--backend", backend, "--", "-q", "-p", "no:cacheprovider"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "tests/hostsite/test_mount.py", "tests/hostsite/test_walk.py"],
            env=os.environ | given,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        versions = json.loads(report.read() or "{}")
    said = re.findall(r"^\d+ (?:passed|failed|error).* in [\d.]+s", done.stdout, re.MULTILINE) or ["did not run"]
    if done.returncode:
        with tempfile.NamedTemporaryFile("w", prefix="kennel-", suffix=".log", delete=False) as log:
            log.write(done.stdout + done.stderr)
        said[-1] += f", see {log.name}"
    shown = (versions.get("python", version), chosen, versions.get("django", "?"), backend, said[-1], f"{seconds:.0f}")
    return f"| {' | '.join(shown)} |", done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
