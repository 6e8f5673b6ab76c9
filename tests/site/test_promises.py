"""docs/promises.md: what it names as tested is there."""

import re

import pytest

from tests.site.serving import ROOT

LINKS = re.findall(r"\]\(((?!http)[^)#]+)", (ROOT / "docs" / "promises.md").read_text())


def test_there_are_many():
    assert len(LINKS) > 25


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_each_file_that_is_named_is_there(link):
    assert (ROOT / "docs" / link).exists()
