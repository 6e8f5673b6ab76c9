"""Who is let in: lists of users, authentication on each floor, and how many requests."""

import uuid
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import models

from routing import (
    AuthenticationError,
    CrowdRouterError,
    RequestsUsedUp,
    crowdrouter_auth_required,
    task_auth_required,
    workflow_auth_required,
)
from routing.router import is_among
from tests import cast
from tests.routing.crowds import Ask, First, Fork, Person, Second, flow, plain, router

pytestmark = pytest.mark.django_db


def asks(crowd, user=None):
    return crowd.route("Plain", None, Ask(user=user))


@pytest.mark.parametrize("spell", [int, str])
def test_the_blacklist_keeps_users_out(spell):
    alice, bob = cast.person("alice"), cast.person("bob")
    crowd = router(plain(First), blacklist=[spell(alice.pk)])
    with pytest.raises(AuthenticationError, match="Router does not let you in"):
        asks(crowd, alice)
    assert asks(crowd, bob).status == asks(crowd).status == asks(crowd, AnonymousUser()).status == "OK"


@pytest.mark.parametrize("spell", [int, str])
def test_the_whitelist_lets_in_those_on_it_alone(spell):
    alice, bob = cast.person("alice"), cast.person("bob")
    crowd = router(plain(First), whitelist=[spell(alice.pk)])
    assert asks(crowd, alice).status == "OK"
    for stranger in (bob, AnonymousUser(), None):
        with pytest.raises(AuthenticationError, match="only those on its list"):
            asks(crowd, stranger)


def test_the_blacklist_beats_the_whitelist():
    alice = cast.person("alice")
    with pytest.raises(AuthenticationError):
        asks(router(plain(First), whitelist=[alice.pk], blacklist=[alice.pk]), alice)


def test_lists_are_read_at_each_call():
    alice = cast.person("alice")
    crowd = router(plain(First))
    assert asks(crowd, alice).status == "OK"
    crowd.blacklist.append(alice.pk)
    with pytest.raises(AuthenticationError):
        asks(crowd, alice)
    crowd.blacklist = None
    assert asks(crowd, alice).status == "OK"


def test_an_id_is_the_same_in_each_of_its_spellings():
    key = uuid.uuid4()
    meta = SimpleNamespace(pk=models.UUIDField())
    someone = SimpleNamespace(pk=key, _meta=meta)
    for spelling in (key, str(key), str(key).upper(), key.hex):
        assert is_among(someone, [7, "nobody", spelling])
    assert not is_among(someone, [uuid.uuid4(), None, "nobody"])
    assert is_among(SimpleNamespace(id=7), ("7",))
    assert not is_among(SimpleNamespace(pk=None), [None, "None"])
    assert not is_among(None, [None, "None"])


def test_a_user_who_need_not_be_known_is_not_looked_up(django_assert_num_queries):
    class Unasked:
        @property
        def user(self):
            raise AssertionError("nobody needs to know")

        method, session, path = "GET", {}, "/"

    crowd = router(plain(First), crowd_statistics=False)
    with django_assert_num_queries(0):
        crowd.route("Plain", None, Unasked())


def by_key(name):
    return lambda self, crowd_request: crowd_request.get_session().get(name) is True


def test_router_workflow_and_task_each_ask_who_it_is():
    task = task_auth_required(type("Task", (First,), {"is_authenticated": by_key("task")}))
    flow = workflow_auth_required(plain(task))
    flow.is_authenticated = by_key("workflow")
    crowd = router(flow, is_authenticated=by_key("router"))
    crowdrouter_auth_required(type(crowd))
    session = {}
    for floor, name in (("router", "Router"), ("workflow", "Plain"), ("task", "Task")):
        with pytest.raises(AuthenticationError, match=name):
            crowd.route("Plain", task, Ask(session=session))
        session[floor] = True
    response = crowd.route("Plain", task, Ask(session=session))
    asked = response.crowd_request
    assert response.task.is_authenticated(asked)
    assert response.task.workflow.is_authenticated(asked)
    assert crowd.is_authenticated(asked)


def test_authentication_asks_for_a_user_unless_it_is_written_otherwise():
    crowd = router(plain(First), auth_required=True)
    for stranger in (None, AnonymousUser()):
        with pytest.raises(AuthenticationError, match="Router is for those who are signed in"):
            asks(crowd, stranger)
    assert asks(crowd, cast.person("alice")).status == "OK"


def test_nobody_is_asked_where_it_is_not_required():
    assert asks(router(plain(First), is_authenticated=lambda self, crowd_request: False)).status == "OK"


def test_authentication_may_name_nothing():
    class Open(First):
        auth_required = True

        def is_authenticated(self):
            return True

    assert asks(router(plain(Open))).status == "OK"


def test_a_choice_asks_who_it_is():
    class Closed(Fork):
        auth_required = True

    for kind in (plain(Closed), flow(Closed, name="Plain")):
        with pytest.raises(AuthenticationError, match="Closed"):
            asks(router(kind))


def test_a_next_task_that_asks_for_a_user_keeps_the_answer_before_it():
    class Closed(Second):
        auth_required = True

    person = Person(flow(First, Closed))
    person.get()
    with pytest.raises(AuthenticationError):
        person.post()
    alice = cast.person("alice")
    assert person.router.route("Flow", None, Ask(session=person.session, user=alice)).task.get_name() == "Closed"


def test_so_many_requests_are_let_in_and_no_more():
    crowd = router(plain(First), num_allowable_requests=3)
    for _request in range(3):
        asks(crowd)
    with pytest.raises(RequestsUsedUp, match="Router lets in 3 requests, and has") as refused:
        asks(crowd)
    assert isinstance(refused.value, CrowdRouterError)
    assert crowd.report_crowd_statistics()["task_counts"]["Plain"]["First"]["GET"] == 3


def test_clearing_the_statistics_lets_in_as_many_again():
    crowd = router(plain(First), num_allowable_requests=1)
    asks(crowd)
    with pytest.raises(RequestsUsedUp):
        asks(crowd)
    crowd.clear_crowd_statistics()
    assert asks(crowd).status == "OK"
    with pytest.raises(RequestsUsedUp):
        asks(crowd)


def test_none_means_no_limit_and_nought_means_nobody():
    crowd = router(plain(First))
    assert asks(crowd).status == "OK"
    crowd.num_allowable_requests = 0
    with pytest.raises(RequestsUsedUp):
        asks(crowd)


def test_requests_before_there_was_a_limit_are_within_it():
    crowd = router(flow(First, Second, name="Plain"))
    session = {}
    crowd.route("Plain", None, Ask("GET", session))
    crowd.route("Plain", None, Ask("POST", session))
    crowd.num_allowable_requests = 3
    assert asks(crowd).status == "OK"
    with pytest.raises(RequestsUsedUp):
        asks(crowd)


def test_who_is_not_let_in_uses_none_of_the_requests():
    alice, bob = cast.person("alice"), cast.person("bob")
    crowd = router(plain(First), num_allowable_requests=1, blacklist=[bob.pk])
    with pytest.raises(AuthenticationError):
        asks(crowd, bob)
    assert asks(crowd, alice).status == "OK"


def test_routers_have_limits_of_their_own():
    one = router(plain(First), name="One", num_allowable_requests=1)
    two = router(plain(First), name="Two", num_allowable_requests=1)
    assert asks(one).status == asks(two).status == "OK"
