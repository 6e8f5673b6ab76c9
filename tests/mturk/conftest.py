"""A marketplace for each test."""

from collections.abc import Iterator

import pytest

from tests.mturk.server import MTurk, serving


@pytest.fixture
def mturk() -> Iterator[MTurk]:
    """A marketplace that delivers no messages of events; they are in `market.post.sent`."""
    with serving() as server:
        yield server
