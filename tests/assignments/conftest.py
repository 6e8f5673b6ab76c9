"""The two ways of the hot transitions."""

import pytest

from queues import statements


@pytest.fixture(params=[pytest.param("at once", marks=pytest.mark.only("postgresql")), "portably"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On PostgreSQL a test runs twice: with the statements that do a transition at once, and with the way of SQLite,
    which also stands behind them.
    """
    if request.param == "portably":
        monkeypatch.setattr(statements, "are_supported", lambda: False)
    return request.param
