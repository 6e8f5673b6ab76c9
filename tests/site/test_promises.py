"""docs/promises.md and docs/security.md: what they name as tested is there."""

import re

import pytest

from tests.site.serving import ROOT

DOCS = {"promises.md": 25, "security.md": 40}
"""The least number of files that each names."""

LINKS = {name: re.findall(r"\]\(((?!http)[^)#]+)", (ROOT / "docs" / name).read_text()) for name in DOCS}


@pytest.mark.parametrize("name", DOCS)
def test_there_are_many(name):
    assert len(LINKS[name]) > DOCS[name]


@pytest.mark.parametrize("link", sorted({link for links in LINKS.values() for link in links}))
def test_each_file_that_is_named_is_there(link):
    assert (ROOT / "docs" / link).exists()
