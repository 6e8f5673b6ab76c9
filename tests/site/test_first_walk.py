"""The README's first walk, run as written against a served site."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.site.serving import ROOT, Served, variables

pytestmark = pytest.mark.servers

NEXT = "=== next ==="


def walk() -> tuple[str, list[str]]:
    """The README's shell blocks as one script that prints NEXT after each step, and what each step must print."""
    text = (ROOT / "README.md").read_text().split("## A first walk")[1].split("\n## ")[0]
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    expected = [line.removeprefix("#→ ") for line in lines if line.startswith("#→ ")]
    return "\n".join(f"echo '{NEXT}'" if line.startswith("#→ ") else line for line in lines), expected


def test_the_readmes_first_walk_works_as_written(serve: Callable[..., Served], tmp_path: Path) -> None:
    script, expected = walk()
    site = serve(DEMO=1, CROWDSITE_DATA_DIR=tmp_path / "var")
    site.wait_until_ready()
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env=variables(PORT=site.port), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split(NEXT)
    assert len(printed) == len(expected) + 1
    for text, output in zip(expected, printed, strict=False):
        assert text in output
