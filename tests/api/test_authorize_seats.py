"""What a worker's window may do, by whose it is: each address of a seat × every kind of worker.

`active` has work in hand, which the rows about assignments are about; `waiting` waits in the same session, `outsider`
in another pool's; `older` is a window of the active one that a newer has followed; `left` has given back what they
accepted. Nobody else is let in at all: see test_authorization.py.
"""

from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from pavilion import links, pool, work
from pavilion.models import Seat
from queues import administration
from tests import cast, pools
from tests.api.calling import ROOT
from tests.api.test_authorization import SEAT, addresses, plain

pytestmark = pytest.mark.django_db

TABLE = """
method  address                                          active waiting outsider older left
GET     /api/v1/seat/                                    200    200     200      409   200
POST    /api/v1/seat/confirm/                            200    409     409      409   409
POST    /api/v1/seat/submit/                             200    200     200      409   409
POST    /api/v1/seat/return/                             200    200     200      409   409
POST    /api/v1/seat/grab/                               200    409     409      409   409
GET     /api/v1/seat/assignments/{assignment}/           200    404     404      409   409
POST    /api/v1/seat/assignments/{assignment}/finalize/  200    404     404      409   409
POST    /api/v1/seat/assignments/{assignment}/skip/      200    404     404      409   409
POST    /api/v1/seat/assignments/{assignment}/extend/    200    404     404      409   409
"""

HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
WINDOWS = HEAD[2:]

BODIES = {"finalize/": {"data": 1}, "skip/": {"seconds_to_expire": None}, "extend/": {"seconds_to_expire": 600}}


def window(seat: Seat) -> APIClient:
    """A window of the seat, the latest of it for now."""
    entered = pool.enter(seat_id=seat.pk)
    client = APIClient()
    token = links.token(seat_id=entered.pk, connection=entered.connection)
    client.credentials(HTTP_X_REQUEST_ID="tests", HTTP_AUTHORIZATION=f"Seat {token}")
    return client


class Pools:
    """Two pools with their workers' windows; `assignment` is in the active one's hands."""

    def __init__(self) -> None:
        limits = {"min_waiting": 1, "min_active": 1, "max_active": 1, "max_waiting": 4, "confirm_seconds": 600}
        session = pools.post(**limits)
        cast.post(session.pool.queue, 3)
        foreign = administration.create_queue(name="foreign", actor=cast.person("fay"))
        elsewhere = pools.post(pools.make("other", queue=foreign, **limits))
        cast.post(foreign)
        active, waiting, left = (pools.join(session, name) for name in ("ann", "ben", "cay"))
        older = window(active)
        self.windows = {
            "older": older,
            "active": window(active),
            "waiting": window(waiting),
            "outsider": window(pools.join(elsewhere, "oto")),
            "left": window(left),
        }
        pool.give_back(seat_id=left.pk)
        there = pools.fresh(active)
        pool.confirm(seat_id=there.pk, connection=there.connection)
        seat = work.seat_of(seat_id=there.pk, connection=there.connection)
        self.assignment = work.grab(seat=seat).assignments[0].pk

    def ask(self, name: str, method: str, address: str, assignment: int | None = None) -> Any:
        """One request, whose effect is undone."""
        body = next((body for end, body in BODIES.items() if address.endswith(end)), {})
        where = address.format(assignment=assignment or self.assignment)
        with transaction.atomic():
            answer = getattr(self.windows[name], method.lower())(where, body or None, format="json")
            transaction.set_rollback(True)
        return answer


def test_each_window_gets_what_the_table_says() -> None:
    there, met = Pools(), []
    for method, address, *_ in ROWS:
        answers = {name: there.ask(name, method, address) for name in WINDOWS}
        met.append([method, address, *(str(answer.status_code) for answer in answers.values())])
        for name, answer in answers.items():
            if answer.status_code == 404:
                missing = there.ask(name, method, address, 999_999)
                assert (answer.content, answer.headers) == (missing.content, missing.headers), (name, address)
    assert met == ROWS


def test_every_address_of_a_seat_has_a_row() -> None:
    there = {(method, where) for where, methods in addresses() if where.startswith(SEAT) for method in methods}
    assert {(method, plain(where)) for method, where, *_ in ROWS} == there
    assert SEAT.startswith(ROOT)
