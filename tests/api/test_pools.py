"""Projects and pools by the API: setting them up, changing and cloning them, putting them to work."""

import pytest

from tests import cast, pools

pytestmark = pytest.mark.django_db

GOOD = {"queue": "digits", "name": "pool", "title": "Read digits"}


@pytest.fixture
def project(mia, digits):
    return mia.post("projects/", {"name": "Study"}, expect=201)["id"]


def pointers(answer):
    return {error["pointer"] for error in answer["errors"]}


def test_a_pool_has_what_it_was_given_and_defaults(mia, project):
    made = mia.post("pools/", {**GOOD, "project": project, "base_reward": "0.10", "budget": 25}, expect=201)
    assert (made["base_reward"], made["budget"], made["waiting_wage"]) == ("0.10", "25.00", "0.0500")
    assert (made["marketplace"], made["min_waiting"], made["max_active"]) == ("local", 1, 5)
    assert mia.get(f"pools/{made['id']}/") == made


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"base_reward": "0.123"}, "/base_reward"),
        ({"base_reward": -1}, "/base_reward"),
        ({"base_reward": True}, "/base_reward"),
        ({"waiting_wage": "0.00001"}, "/waiting_wage"),
        ({"min_active": 6, "max_waiting": 9}, "/min_active"),
        ({"max_waiting": 1}, "/max_waiting"),
        ({"confirm_seconds": 1}, "/confirm_seconds"),
        ({"marketplace": "nowhere"}, "/marketplace"),
        ({"countries": ["de"]}, "/countries"),
        ({"backlog_queue": "digits"}, "/backlog_queue"),
        ({"queue": "No Such"}, "/queue"),
        ({"queue": 5}, "/queue"),
        ({"name": ""}, "/name"),
        ({"project": 999_999}, "/project"),
        ({"unknown": 1}, "/unknown"),
        ({"miss_rate": 2}, "/miss_rate"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(mia, project, wrong, where):
    answer = mia.post("pools/", {**GOOD, "project": project, **wrong}, expect=400)
    assert where in pointers(answer)


def test_a_name_is_taken_once_in_a_project(mia, project):
    mia.post("pools/", {**GOOD, "project": project}, expect=201)
    assert mia.post("pools/", {**GOOD, "project": project}, expect=409)["type"].endswith("name-taken")


def test_a_change_is_checked_with_what_is_there(mia, project):
    pool = mia.post("pools/", {**GOOD, "project": project, "min_active": 2}, expect=201)["id"]
    assert pointers(mia.patch(f"pools/{pool}/", {"max_waiting": 2}, expect=400)) == {"/max_waiting"}
    assert mia.patch(f"pools/{pool}/", {"max_waiting": 3}, expect=200)["max_waiting"] == 3


def test_the_queue_of_a_pool_stays(mia, project):
    pool = mia.post("pools/", {**GOOD, "project": project}, expect=201)["id"]
    assert pointers(mia.patch(f"pools/{pool}/", {"queue": "digits"}, expect=400)) == {"/queue"}


def test_a_clone_differs_by_its_name(mia, project):
    pool = mia.post("pools/", {**GOOD, "project": project, "base_reward": "0.77"}, expect=201)
    clone = mia.post(f"pools/{pool['id']}/clone/", {"name": "other"}, expect=201)
    own = ("id", "name", "created_at", "updated_at")
    assert {**clone, **{key: pool[key] for key in own}} == pool


def test_a_pool_is_put_to_work_once_at_a_time(mia, project):
    pool = mia.post("pools/", {**GOOD, "project": project}, expect=201)["id"]
    session = mia.post(f"pools/{pool}/post/", {}, expect=201)
    assert (session["status"], session["offered"], session["waiting"]) == ("LIVE", 10, 0)
    again = mia.post(f"pools/{pool}/post/", {}, expect=409)
    assert (again["type"].rpartition(":")[2], again["session"]) == ("session-live", session["id"])


def test_a_budget_that_is_too_small_is_refused(mia, project):
    pool = mia.post("pools/", {**GOOD, "project": project, "budget": "0.50"}, expect=201)["id"]
    assert mia.post(f"pools/{pool}/post/", {}, expect=409)["type"].endswith("budget-used-up")
    assert mia.get("sessions/")["results"] == []


def test_a_pool_that_was_at_work_is_not_deleted(mia, project):
    pool = mia.post("pools/", {**GOOD, "project": project}, expect=201)["id"]
    other = mia.post(f"pools/{pool}/clone/", {"name": "other"}, expect=201)["id"]
    mia.post(f"pools/{pool}/post/", {}, expect=201)
    assert mia.delete(f"pools/{pool}/", expect=409).json()["type"].endswith("pool-in-use")
    mia.delete(f"pools/{other}/", expect=204)


def test_pools_are_for_queues_that_one_manages(mia, alice, project):
    alice.post("pools/", {**GOOD, "project": project}, expect=403)


def test_lists_can_be_narrowed(mia, project):
    pools.make("one")
    pools.make("two", queue=cast.queue("letters"))
    assert [pool["name"] for pool in mia.get("pools/?queue=letters")["results"]] == ["two"]
    assert mia.get("pools/?unknown=1", expect=400)
