"""The sites that these tests start."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.site.serving import Served, own_database, serving


@pytest.fixture
def serve(tmp_path: Path, backend: str) -> Iterator[Callable[..., Served]]:
    """Return `serve(**variables)`, which starts a site.

    On SQLite it is the embedded one; on PostgreSQL the one of several processes, with a database of its own.
    """
    with ExitStack() as stack:
        where: dict[str, str] = {}
        if backend == "postgresql":
            where["DATABASE_URL"] = stack.enter_context(own_database(os.environ["DATABASE_URL"]))
            where["REDIS_URL"] = os.environ["REDIS_URL"].removesuffix("/0") + "/1"
        yield lambda **given: stack.enter_context(serving(tmp_path, **where | given))
