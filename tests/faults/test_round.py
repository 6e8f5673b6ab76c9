"""A short round: faults that need no host to start again, one after the other, under a crowd."""

from pathlib import Path

import pytest

from tests.faults.rounds import play

pytestmark = [pytest.mark.servers, pytest.mark.only("postgresql")]

QUICK = ("a child of gunicorn is killed", "back ends are terminated", "the broker forgets")


def test_a_crowd_is_told_nothing_that_is_not_so(tmp_path: Path) -> None:
    found = play(1, 0, QUICK, hold=(0.5, 1.0))
    assert not found.wrong, "\n".join([*found.wrong[:20], found.output])
    assert {name for _at, name, _how in found.bites} == set(QUICK)
