"""Loops: a task is done, and done again for as long as the condition says so."""

import pytest

from routing import AbstractCrowdChoice, AbstractLoopCondition, AuthenticationError
from tests.routing.crowds import First, Person, Second, Third, flow, plain

pytestmark = pytest.mark.django_db


def seen(response):
    return response.task.get_name(), response.method


class UntilWell(AbstractLoopCondition):
    task = First

    def again(self, crowd_request):
        return crowd_request.get_data()["said"] != "well"


def test_a_loop_repeats_its_task_while_it_says_so():
    person = Person(flow(UntilWell, Second))
    assert seen(person.get()) == ("First", "GET")
    for _time in range(3):
        assert seen(person.post(form={"say": "no"})) == ("First", "GET")
        assert person.session["cr_pipe"] == "Flow/0/UntilWell"
    assert seen(person.post("First", form={"say": "well"})) == ("Second", "GET")


def test_a_loop_may_be_the_last():
    person = Person(flow(Second, UntilWell))
    person.post()
    person.post(UntilWell, form={"say": "no"})
    last = person.post(First, form={"say": "well"})
    assert (seen(last), last.pipeline_last) == (("First", "POST"), True)


def test_each_time_is_a_step_of_its_own():
    calls = []

    def step_pipeline(self, next_task, prev_task, response, pipe_data):
        calls.append((next_task.get_name(), prev_task.get_name()))

    person = Person(flow(UntilWell, Second, step_pipeline=step_pipeline))
    person.post(form={"say": "no"})
    stale = person.session["cr_move"]
    person.post(form={"say": "no", "crowd_step": stale})
    assert person.session["cr_move"] != stale
    person.post(form={"say": "well"})
    assert calls == [("UntilWell", "First"), ("UntilWell", "First"), ("Second", "First")]


def test_a_condition_may_name_the_pipe_data():
    class Counts(First):
        def post(self, pipe_data):
            pipe_data["n"] = pipe_data.get("n", 0) + 1
            return {}

    class Thrice(AbstractLoopCondition):
        task = Counts

        def again(self, pipe_data):
            return pipe_data["n"] < 3

    person = Person(flow(Thrice))
    assert [seen(person.post())[1] for _time in range(3)] == ["GET", "GET", "POST"]


def test_the_inner_of_two_loops_is_asked_first():
    class Outer(AbstractLoopCondition):
        task = UntilWell

        def again(self, data):
            return data.get("more")

    person = Person(flow(Outer, Second))
    assert seen(person.post(form={"say": "no"})) == ("First", "GET")
    assert seen(person.post(form={"say": "well"}, more=True)) == ("First", "GET")
    assert seen(person.post(form={"say": "well"})) == ("Second", "GET")


def test_a_loop_may_repeat_a_choice():
    class Either(AbstractCrowdChoice):
        t1, t2 = First, Second

        def choice(self, data):
            return self.t2 if data.get("to") == "second" else self.t1

    class Loop(AbstractLoopCondition):
        task = Either

        def again(self, data):
            return data["said"] != "well"

    person = Person(flow(Loop, Third))
    assert seen(person.post(form={"say": "no"})) == ("First", "GET")
    assert seen(person.post(Second, form={"say": "no"}, to="second")) == ("Second", "GET")
    assert seen(person.post(form={"say": "well"})) == ("Third", "GET")


def test_outside_of_a_pipeline_the_task_is_done_once():
    assert seen(Person(plain(UntilWell)).post()) == ("First", "POST")


def test_a_loop_may_ask_who_it_is():
    class Closed(UntilWell):
        auth_required = True

    for build in (plain, flow):
        with pytest.raises(AuthenticationError):
            Person(build(Closed)).get()
