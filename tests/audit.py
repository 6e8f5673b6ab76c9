"""Ask whether a known hole is in any package of requirements/*.txt, by pip-audit; `make check` calls it.

`python -m tests.audit [pip-audit's arguments]`, such as `-s osv --osv-url https://osv.example/v1/query`. A hole that is
known ends it with 1. Where nobody could be asked it says so in a line, and ends with 0: being offline is no hole. What
is not known to the service is told of by number and name, for it was not audited either.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"

NAMES_SHOWN = 5

AWAY = ("requests.exceptions.", "ServiceError", "vulnerability feed", "ConnectionError")
"""What pip-audit says, or raises, where the service does not answer as it should."""

# pip-audit ends with 1 where it found something, and where it could not ask.
FOUND, CLEAN = 1, 0


def audit(arguments: list[str], files: list[Path]) -> int:
    """Print what became of asking about these files; the answer is the exit status."""
    named = [argument for file in files for argument in ("--requirement", str(file))]
    # Everything is pinned, with hashes: nothing is resolved, and pip is not asked.
    fixed = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    command = [sys.executable, "-m", "pip_audit", *named, *fixed, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return _not_asked(done)
    return _told(found)


def _not_asked(done: subprocess.CompletedProcess[str]) -> int:
    said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    if not any(word in done.stderr for word in AWAY):
        # Not about the way there: a file that cannot be read, an argument that does not exist.
        print(done.stderr, file=sys.stderr)
        return done.returncode or FOUND
    print(f"NOT AUDITED: the service of advisories cannot be reached ({said[-1]}).")
    return CLEAN


def _told(found: list[dict[str, Any]]) -> int:
    holes = [(one, hole) for one in found for hole in one.get("vulns", ())]
    for one, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "nothing yet"
        print(f"{one['name']} {one['version']}: {hole['id']} {' '.join(hole['aliases'])}, mended in {fixed}")
    unknown = sorted(one["name"] for one in found if "skip_reason" in one)
    if unknown:
        shown = ", ".join(unknown[:NAMES_SHOWN]) + (", …" if len(unknown) > NAMES_SHOWN else "")
        print(f"NOT AUDITED: the service of advisories does not know {len(unknown)} of {len(found)} packages: {shown}")
    if len(unknown) < len(found):
        print(f"Audited {len(found) - len(unknown)} packages: {len(holes)} known holes.")
    return FOUND if holes else CLEAN


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1:], sorted(REQUIREMENTS.glob("*.txt"))))
