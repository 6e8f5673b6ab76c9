"""The compiled requirements: each pinned and hashed, from no registry in particular."""

import re

import pytest

from tests.site.serving import ROOT

FILES = sorted((ROOT / "requirements").glob("*.txt"))


def name(requirement):
    return re.split(r"[\[<>=~!; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_there_are_five():
    assert [path.name for path in FILES] == ["core.txt", "dev.txt", "node.txt", "site.txt", "test.txt"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(path):
    entries = re.split(r"\n(?=\S)", path.read_text().strip())
    requirements = [entry for entry in entries if not entry.startswith("#")]
    assert requirements
    for entry in requirements:
        assert re.match(r"[a-z0-9.-]+==[^ ]+ ", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_registry_is_named(path):
    assert not re.search(r"://|--index|--extra-index|--find-links|file:|@ ", path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_asked_for_is_compiled(path):
    asked = [
        name(line)
        for line in path.with_suffix(".in").read_text().splitlines()
        if line and not line.startswith(("#", "-r"))
    ]
    compiled = {name(line) for line in path.read_text().splitlines() if "==" in line}
    assert asked
    assert set(asked) <= compiled
