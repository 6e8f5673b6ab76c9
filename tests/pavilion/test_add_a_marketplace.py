"""The recipe "Add a marketplace" of CONTRIBUTING.md: a noticeboard, which uses the interface alone."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.utils import timezone

from pavilion import hiring, marketplaces, paying, pool, sessions
from pavilion.exceptions import SeatOver
from pavilion.marketplaces import Later, Marketplace, Offered, Refused, Visitor
from pavilion.models import Hire, Payment, Seat
from pavilion.states import HireStatus, PaymentStatus, SeatStatus
from tests import pools

pytestmark = pytest.mark.django_db


@dataclass
class Wall:
    """What hangs there (token → address of the offer), who has left, and what was paid (token → worker and amount)."""

    notes: dict = field(default_factory=dict)
    left: set = field(default_factory=set)
    paid: dict = field(default_factory=dict)
    letters: list = field(default_factory=list)
    closed: str = ""


class Board(Marketplace):
    """Notes on a wall. Whoever takes one is named in the address that the note leads to."""

    slug = "board"
    title = "Noticeboard"
    pays_the_departed = True
    offers_again = True
    knows_departures = True

    @classmethod
    def faults(cls, options):
        if "wall" not in options:
            yield "The option wall is missing."

    @property
    def wall(self):
        return self.options["wall"]

    @property
    def frame_ancestors(self):
        return ["https://board.example"]

    @property
    def submit_urls(self):
        return ["https://board.example/done/"]

    def visitor(self, query):
        name = query.get("who", "")
        return Visitor(
            preview=not name, worker=name, assignment=f"note-{name}", submit_url=f"https://board.example/done/{name}"
        )

    def post(self, hire, url):
        if self.wall.closed:
            raise Later("The board is being painted.", 60) if self.wall.closed == "later" else Refused("No.")
        # A try whose answer was lost has hung it up already: the same place on the wall.
        self.wall.notes[hire.request_token] = url
        return f"board-{hire.pk}"

    def withdraw(self, hire):
        self.wall.notes.pop(hire.request_token, None)

    def extend(self, hire, until):
        if hire.request_token not in self.wall.notes:
            raise Refused("It hangs there no more.")

    def list(self, session):
        for seat in Seat.objects.live().filter(session=session).select_related("worker", "hire"):
            name = seat.worker.external_id
            yield Offered(seat.hire.external_id, "open" if name in self.wall.left else "held", name, seat.external_id)

    def approve(self, payment):
        return self._pay(payment)

    def bonus(self, payment, reason):
        return self._pay(payment)

    def _pay(self, payment):
        if self.wall.closed:
            raise Later("The board is being painted.", 60) if self.wall.closed == "later" else Refused("No.")
        self.wall.paid[payment.request_token] = (payment.seat.worker.external_id, payment.kind, payment.amount)
        return f"board-{payment.pk}"

    def notify(self, workers, *, subject, text):
        self.wall.letters += [(worker, subject, text) for worker in workers]

    def reconcile(self, session):
        gone = {offered.assignment for offered in self.list(session) if offered.status == "open"}
        changed = 0
        for seat in Seat.objects.live().filter(session=session, external_id__in=gone):
            try:
                pool.give_back(seat_id=seat.pk)
                changed += 1
            except SeatOver:
                continue
        return changed


TERMS = {"heartbeat_seconds": 600, "confirm_seconds": 600, "max_active": 1, "max_waiting": 2}


@pytest.fixture
def wall(settings):
    wall = Wall()
    settings.CROWDSITE_MARKETPLACES = {
        "local": "pavilion.marketplaces.local.Local",
        "board": f"{__name__}.Board",
    }
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"board": {"wall": wall}}
    return wall


def later(seconds):
    return timezone.now() + timedelta(seconds=seconds)


def post():
    session = pools.post(pools.make(marketplace="board", **TERMS))
    hiring.work()
    return session


def come(client, wall, worker, number=0):
    """Take a note, and the offer it leads to."""
    assert client.post(f"{list(wall.notes.values())[number]}?who={worker}").status_code == 303
    return Seat.objects.get(worker__external_id=worker, live=True)


def test_it_is_one_of_those_that_are_set_up(wall, settings):
    assert marketplaces.known()["board"] == "Noticeboard"
    assert [found for found in run_checks(tags=["pavilion"]) if found.id in ("pavilion.E001", "pavilion.E003")] == []
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"board": {}}
    assert "The option wall is missing." in [found.msg.split("board: ")[-1] for found in run_checks(tags=["pavilion"])]


def test_a_sessions_life(wall, client):
    session = post()
    assert len(wall.notes) == 3
    ann, ben = come(client, wall, "ann"), come(client, wall, "ben", 1)
    assert pools.fresh(ann).status == SeatStatus.ACTIVE
    assert (ben.external_id, ben.submit_url) == ("note-ben", "https://board.example/done/ben")
    pool.submit(seat_id=ben.pk, now=later(120))
    wall.left.add("ann")
    assert hiring.reconcile() == 1
    assert pools.fresh(ann).status == SeatStatus.RETURNED
    sessions.expire(session_id=session.pk)
    hiring.work(now=later(1))
    paying.work(now=later(130))
    assert set(Payment.objects.values_list("status", flat=True)) == {PaymentStatus.SENT}
    ours = sorted(Payment.objects.values_list("seat__worker__external_id", "kind", "amount"))
    assert ours == sorted(wall.paid.values())
    open_ = Hire.objects.filter(status=HireStatus.SPENT).values_list("request_token", flat=True)
    assert wall.notes.keys() == set(open_)


def test_a_preview_creates_nothing_and_is_framed_by_the_board_alone(wall, client):
    post()
    answer = client.post(next(iter(wall.notes.values())))
    assert answer.status_code == 200
    assert "frame-ancestors https://board.example" in answer.headers["Content-Security-Policy"]
    assert not Seat.objects.exists()


def test_later_is_tried_again_and_refused_is_not(wall, client):
    wall.closed = "later"
    post()
    assert set(Hire.objects.values_list("status", "error")) == {(HireStatus.PLANNED, "The board is being painted.")}
    wall.closed = ""
    hiring.work(now=later(61))
    assert len(wall.notes) == 3
    pool.submit(seat_id=come(client, wall, "ann").pk)
    wall.closed = "for good"
    paying.work(now=later(1))
    assert set(Payment.objects.values_list("status", "error")) == {(PaymentStatus.FAILED, "No.")}


def test_the_recipe_names_all_that_a_marketplace_must_bring():
    recipe = Path("CONTRIBUTING.md").read_text().split("**Add a marketplace.**")[1].split("\n\n")[0]
    assert [name for name in sorted(Marketplace.__abstractmethods__) if f"`{name}`" not in recipe] == []
