"""The API of a worker's window: what its seat may do, and when it may not any more."""

import pytest
from rest_framework.test import APIClient

from assignments.models import Assignment
from pavilion import links, pool
from tests import cast, pools

pytestmark = pytest.mark.django_db


class Window:
    """A window of a seat, the latest of it."""

    def __init__(self, seat):
        self.seat = pool.enter(seat_id=seat.pk)
        self.client = APIClient()
        self.client.credentials(
            HTTP_AUTHORIZATION=f"Seat {links.token(seat_id=seat.pk, connection=self.seat.connection)}"
        )

    def get(self, path=""):
        return self.client.get(f"/api/v1/seat/{path}")

    def post(self, path, body=None, expect=200, **headers):
        answer = self.client.post(f"/api/v1/seat/{path}", body or {}, format="json", **headers)
        assert answer.status_code == expect, answer.content
        return answer.json()

    def slug(self, path, body=None, expect=409):
        return self.post(path, body, expect)["type"].rpartition(":")[2]


@pytest.fixture
def session(db):
    """One is active, then all wait; there are tasks."""
    session = pools.post(min_waiting=1, min_active=1, max_active=1, max_waiting=3, confirm_seconds=600)
    cast.post(session.pool.queue, 3)
    return session


@pytest.fixture
def ann(session):
    """The window of who goes active, when ben comes."""
    return Window(pools.join(session, "ann"))


@pytest.fixture
def ben(session, ann):
    return Window(pools.join(session, "ben"))


def test_a_seat_says_how_it_stands(ann):
    state = ann.get().json()
    assert (state["status"], state["place"], state["base_reward"], state["budget_left"]) == ("WAITING", 1, "0.05", True)


def test_asking_counts_as_being_there(ann):
    before = pools.fresh(ann.seat).heard_at
    ann.get()
    assert pools.fresh(ann.seat).heard_at > before


def test_who_waits_gets_no_work(ann):
    assert ann.slug("grab/") == "seat-not-active"


def test_work_begins_with_saying_that_one_is_there(ann, ben):
    assert ann.slug("grab/") == "seat-not-active"
    assert ann.post("confirm/")["confirmed_at"] is not None
    (held,) = ann.post("grab/")["assignments"]
    answered = ann.post(f"assignments/{held['id']}/finalize/", {"data": {"digit": 1}, "assign_new_task": True})
    assert answered["assignment"]["status"] == "FINISHED"
    assert len(answered["next"]["assignments"]) == 1
    assert ann.get().json()["answers"] == 1


def test_answering_twice_counts_once(ann, ben):
    ann.post("confirm/")
    (held,) = ann.post("grab/")["assignments"]
    for _again in range(2):
        ann.post(f"assignments/{held['id']}/finalize/", {"data": {"digit": 1}})
    assert ann.get().json()["answers"] == 1


def test_an_answer_after_the_end_is_refused_and_not_kept(ann, ben):
    ann.post("confirm/")
    (held,) = ann.post("grab/")["assignments"]
    pool.dismiss(seat_id=ann.seat.pk)
    assert ann.slug(f"assignments/{held['id']}/finalize/", {"data": {"digit": 1}}) == "seat-over"
    assert not Assignment.objects.filter(status="FINISHED").exists()


def test_tasks_are_skipped_and_leases_extended(ann, ben):
    ann.post("confirm/")
    (held,) = ann.post("grab/")["assignments"]
    ann.post(f"assignments/{held['id']}/extend/", {"seconds_to_expire": 3600})
    skipped = ann.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": None})
    assert skipped["assignment"]["status"] == "SKIPPED"


def test_the_work_of_another_is_not_there(ann, ben, session):
    ann.post("confirm/")
    (held,) = ann.post("grab/")["assignments"]
    assert ben.slug(f"assignments/{held['id']}/finalize/", {"data": 1}, expect=404) == "not-found"


def test_submitting_ends_the_seat(ann):
    state = ann.post("submit/")
    assert (state["status"], state["submit"], state["earned"]) == ("SUBMITTED", None, "0.05")
    assert ann.slug("submit/") == "seat-over"


def test_giving_back_pays_no_base_reward(ann):
    assert ann.post("return/")["earned"] == "0.00"


def test_an_older_window_can_do_nothing_any_more(ann, session):
    Window(ann.seat)
    for path in ("confirm/", "submit/", "return/", "grab/"):
        assert ann.slug(path) == "seat-elsewhere"
    assert ann.get().status_code == 409


@pytest.mark.parametrize("token", ["Seat nonsense", "Bearer nonsense", ""])
def test_without_a_good_token_nobody_is_known(session, token):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=token)
    answer = client.get("/api/v1/seat/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Seat")


def test_those_who_wait_work_on_the_backlog_and_promotion_takes_it_back(db):
    from pavilion import work

    backlog = cast.queue("backlog")
    session = pools.post(backlog_queue=backlog, min_waiting=1, min_active=1, max_active=1, max_waiting=3)
    cast.post(backlog, 2)
    ann = Window(pools.join(session, "ann"))
    (held,) = ann.post("grab/")["assignments"]
    done = ann.post(f"assignments/{held['id']}/finalize/", {"data": 1, "assign_new_task": True})
    (second,) = done["next"]["assignments"]
    assert ann.get().json()["backlog_answers"] == 1
    pools.join(session, "ben")
    work.release()
    assert Assignment.objects.get(pk=second["id"]).status == "CANCELED"
