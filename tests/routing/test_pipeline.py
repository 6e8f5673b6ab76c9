"""Pipelines in somebody's session: one task after the other."""

import importlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.http import QueryDict

from queues.models import Queue
from queues.transactions import database_now
from routing import (
    SESSION_DATA_KEY,
    SESSION_PIPELINE_KEY,
    AbstractFanOut,
    HumanTask,
    NoTaskFoundError,
    PipelineError,
    TaskError,
)
from routing.models import Move
from routing.pipeline import PATIENCE, SESSION_MOVE_KEY, present_name, present_step
from tests import cast
from tests.routing.crowds import Ask, First, Person, Second, Third, django_request, flow, plain, router, stored

pytestmark = pytest.mark.django_db


def seen(response):
    return response.task.get_name(), response.method


@pytest.fixture
def three():
    return Person(flow(First, Second, Third))


def test_a_post_moves_on_to_the_get_of_the_next_task(three):
    assert seen(three.get()) == ("First", "GET")
    assert seen(three.post()) == ("Second", "GET")
    assert seen(three.post()) == ("Third", "GET")
    assert seen(three.post()) == ("Third", "POST")


def test_a_get_shows_the_present_task_again(three):
    three.post()
    for _time in range(3):
        assert seen(three.get()) == ("Second", "GET")
    assert seen(three.get("Second")) == seen(three.get(Second)) == ("Second", "GET")


def test_the_last_post_ends_the_pipeline(three):
    responses = [three.get(), three.post(), three.post()]
    last = three.post()
    assert (last.pipeline_last, last.path, last.response["taken"]) == (True, "/", "Third")
    assert not any(hasattr(response, "pipeline_last") for response in responses)
    assert three.session[SESSION_PIPELINE_KEY] is None
    assert three.session[SESSION_DATA_KEY] is None
    assert present_step(three.session) is None


def test_a_pipeline_may_be_done_again(three):
    for _time in range(2):
        assert [seen(three.get()), *(seen(three.post()) for _task in range(3))][-1] == ("Third", "POST")


def test_a_post_begins_a_pipeline_and_moves_on(three):
    assert seen(three.post()) == ("Second", "GET")


def test_the_next_get_has_what_the_post_gave_joined_to_its_data():
    class Asked(Second):
        def get(self, crowd_request, data):
            return {"data": data, "before": crowd_request.previous_response}

    person = Person(flow(First, Asked))
    response = person.post(form={"say": "hello"}, said="nothing yet", more=1)
    assert response.response["data"] == {"status": "OK", "taken": "First", "said": "hello", "more": 1}
    assert response.crowd_request.get_data()["said"] == "hello"
    assert seen(response.response["before"]) == ("First", "POST")
    assert response.crowd_request.previous_response is response.response["before"]
    assert person.get().crowd_request.previous_response is None


def test_a_first_request_that_names_a_later_task_is_an_error(three):
    for ask in (three.get, three.post):
        with pytest.raises(PipelineError, match="Second is not next: Flow begins with First"):
            ask(Second)
    assert three.session == {}


def test_another_task_than_the_present_one_is_an_error_and_changes_nothing(three):
    three.get()
    three.post(First)
    before = dict(three.session)
    for ask in (three.get, three.post):
        with pytest.raises(PipelineError, match="Third is not next: Flow is at Second"):
            ask(Third)
    assert three.session == before
    assert seen(three.post(Second)) == ("Third", "GET")


def test_to_look_at_the_first_task_again_restarts(three):
    three.get()
    position = three.session[SESSION_PIPELINE_KEY]
    three.post(First)
    three.post(Second)
    assert seen(three.get(First)) == ("First", "GET")
    assert three.session[SESSION_PIPELINE_KEY] == position == "Flow/0/First"
    assert seen(three.post(First)) == ("Second", "GET")


def test_to_answer_the_first_task_twice_is_told(three):
    three.get()
    three.post(First)
    before = dict(three.session)
    with pytest.raises(PipelineError, match=r"First was answered before: Flow is at Second. Open First to begin anew"):
        three.post(First)
    assert three.session == before


def test_identical_tasks_in_a_row_are_different_steps():
    person = Person(flow(First, First, First))
    assert seen(person.get(First)) == ("First", "GET")
    assert seen(person.post(First)) == ("First", "GET")
    assert person.session[SESSION_PIPELINE_KEY] == "Flow/1/First"
    assert seen(person.get(First)) == ("First", "GET")
    assert person.session[SESSION_PIPELINE_KEY] == "Flow/1/First"
    assert seen(person.post(First)) == ("First", "GET")
    assert seen(person.post(First)) == ("First", "POST")


def test_repeat_asks_for_the_task_so_many_times():
    person = Person(flow(First, Second, run=lambda self, crowd_request: self.repeat(crowd_request, 3)))
    assert [seen(person.post("Second")) for _time in range(3)] == [
        ("Second", "GET"),
        ("Second", "GET"),
        ("Second", "POST"),
    ]
    person.get(Second)
    assert [seen(person.post()) for _time in range(3)][-1] == ("Second", "POST")


def test_repeat_without_a_time_is_told():
    person = Person(flow(First, run=lambda self, crowd_request: self.repeat(crowd_request, 0)))
    with pytest.raises(NoTaskFoundError, match="Flow was given an order without any task"):
        person.get()


def test_an_order_may_leave_tasks_out():
    def run(self, task, crowd_request):
        if type(task) is Third:
            return task.execute(crowd_request)
        return self.pipeline(crowd_request, [Second, First])

    person = Person(flow(First, Second, Third, run=run))
    assert seen(person.get(Second)) == ("Second", "GET")
    assert seen(person.post(Second)) == ("First", "GET")
    assert seen(person.get(Third)) == ("Third", "GET")
    assert seen(person.get()) == ("First", "GET")
    assert seen(person.post(First)) == ("First", "POST")


class Hooked:
    """A mixin of hooks that write down what they were called with."""

    log: list[tuple[object, ...]]

    def pre_pipeline(self, task, pipe_data):
        pipe_data["begun"] = True
        self.log.append(("pre", task.get_name()))

    def step_pipeline(self, next_task, prev_task, response, pipe_data):
        pipe_data.setdefault("said", []).append(response.response["said"])
        self.log.append(("step", next_task, prev_task.get_name(), next_task.get_name(), response.method))

    def post_pipeline(self, task, response, pipe_data):
        response.path = "/done/"
        self.log.append(("post", task.get_name(), dict(pipe_data)))


def hooked(*tasks):
    return type("Flow", (Hooked, flow(*tasks)), {"log": []})


def test_hooks_are_called_before_between_and_after():
    kind = hooked(First, Second)
    person = Person(kind)
    person.get()
    person.get()
    person.post(form={"say": "a"})
    last = person.post(form={"say": "b"})
    assert kind.log == [
        ("pre", "First"),
        ("step", Second, "First", "Second", "POST"),
        ("post", "Second", {"begun": True, "said": ["a"]}),
    ]
    assert (last.path, hasattr(last, "pipeline_last")) == ("/done/", False)


def test_what_step_pipeline_makes_of_a_response_is_what_the_next_task_gets():
    def step_pipeline(self, next_task, prev_task, response, pipe_data):
        response.response["added"] = True

    person = Person(flow(First, Second, step_pipeline=step_pipeline))
    assert person.post().crowd_request.get_data()["added"] is True


def test_tasks_share_the_pipe_data_in_its_short_form_and_its_long_one():
    class Writes(First):
        def get(self, pipe_data):
            pipe_data["seen"] = pipe_data.get("seen", 0) + 1
            return {}

        def post(self, crowd_request, data, form, **kwargs):
            kwargs["pipe_data"]["written"] = form["say"]
            return {}

    class Reads(Second):
        def get(self, pipe_data):
            return dict(pipe_data)

    person = Person(flow(Writes, Reads, name="Flow"))
    person.get()
    person.get()
    assert person.post(form={"say": "x"}).response == {"seen": 2, "written": "x"}
    assert person.session[SESSION_DATA_KEY] == {"seen": 2, "written": "x"}


class Refuses(Second):
    """Writes, and then raises."""

    def post(self, form, pipe_data):
        pipe_data["deep"]["spoilt"] = True
        cast.queue("spoilt")
        if form.get("say") != "well":
            raise TaskError("This is not well said.")
        return {}


def test_what_a_failed_post_did_is_undone():
    person = Person(flow(First, Refuses, pre_pipeline=lambda self, task, pipe_data: pipe_data.update(deep={})))
    person.post()
    before = dict(person.session)
    with pytest.raises(TaskError, match="not well said"):
        person.post()
    assert person.session == before
    assert person.session[SESSION_DATA_KEY] == {"deep": {}}
    assert not Queue.objects.exists()
    assert not Move.objects.filter(number=1).exists()
    assert seen(person.post(form={"say": "well"})) == ("Refuses", "POST")
    assert Queue.objects.count() == 1


def test_a_hook_that_raises_undoes_the_post_and_its_count():
    def step_pipeline(self, next_task, prev_task, response, pipe_data):
        raise TaskError("Not yet.")

    person = Person(flow(First, Second, step_pipeline=step_pipeline))
    person.get()
    with pytest.raises(TaskError):
        person.post()
    assert seen(person.get()) == ("First", "GET")
    counts = person.router.report_crowd_statistics()["task_counts"]["Flow"]
    assert counts["First"] == {"GET": 2, "POST": 0}


def test_a_first_post_that_fails_begins_nothing():
    class Failing(First):
        def post(self):
            raise TaskError("No.")

    def pre_pipeline(self, task, pipe_data):
        cast.queue("begun")

    person = Person(flow(Failing, pre_pipeline=pre_pipeline))
    with pytest.raises(TaskError):
        person.post()
    assert person.session == {}
    assert not Queue.objects.exists()


def test_a_next_task_that_fails_to_show_itself_leaves_the_answer_before_it():
    class Broken(Second):
        def get(self, pipe_data):
            pipe_data["spoilt"] = True
            raise ZeroDivisionError

    person = Person(flow(First, Broken))
    with pytest.raises(ZeroDivisionError):
        person.post()
    assert (person.session[SESSION_PIPELINE_KEY], person.session[SESSION_DATA_KEY]) == ("Flow/1/Broken", {})
    assert person.router.report_crowd_statistics()["task_counts"]["Flow"]["First"]["POST"] == 1


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_kept_in_the_stored_session_though_the_next_task_fails():
    class Broken(Second):
        def get(self):
            raise ZeroDivisionError

    key = stored().session_key
    with pytest.raises(ZeroDivisionError):
        Person(flow(First, Broken), stored(key)).post()
    # Nobody saved it since: Django saves no session after an error.
    assert stored(key)[SESSION_PIPELINE_KEY] == "Flow/1/Broken"


def test_a_form_of_another_step_is_told(three):
    three.get()
    stale = present_step(three.session)
    assert seen(three.post(form={"crowd_step": stale})) == ("Second", "GET")
    before = dict(three.session)
    for name in (None, Second):
        with pytest.raises(PipelineError, match="answered before, perhaps in another window"):
            three.post(name, form={"crowd_step": stale})
    assert three.session == before
    assert seen(three.post(form={"crowd_step": present_step(three.session)})) == ("Third", "GET")


def test_a_form_that_comes_after_the_end_begins_nothing():
    person = Person(flow(First))
    person.get()
    form = {"crowd_step": present_step(person.session)}
    person.post(form=form)
    before = dict(person.session)
    with pytest.raises(PipelineError):
        person.post(form=form)
    assert person.session == before


def test_a_form_of_another_pipeline_is_told():
    one, two = flow(First, name="One"), flow(First, name="Two")
    crowd, session = router(one, two), {}
    crowd.pipeline(one, Ask("GET", session))
    with pytest.raises(PipelineError):
        crowd.pipeline(two, Ask("POST", session, form={"crowd_step": present_step(session)}))


def test_a_move_that_was_made_is_not_made_again(three):
    three.get()
    stale = dict(three.session)
    three.post()
    three.session = stale
    with pytest.raises(PipelineError, match="answered a moment ago"):
        three.post()
    assert three.session is stale


def test_a_session_that_was_never_saved_does_its_step_again_after_a_while(three):
    three.get()
    lost = dict(three.session)
    three.post()
    three.session = lost
    moves = Move.objects.filter(number=0)
    moves.update(at=database_now() - PATIENCE + timedelta(seconds=20))
    with pytest.raises(PipelineError):
        three.post()
    moves.update(at=database_now() - PATIENCE - timedelta(seconds=1))
    again = dict(lost)
    assert seen(three.post()) == ("Second", "GET")
    three.session = again
    with pytest.raises(PipelineError):
        three.post()


def test_an_order_that_changed_takes_no_answer_to_what_is_gone(three):
    three.post()
    three.flow.tasks = [First, Third]
    with pytest.raises(PipelineError, match="Flow has changed, and is at Second no more"):
        three.post()
    assert seen(three.get()) == ("First", "GET")
    assert seen(three.post()) == ("Third", "GET")


def test_another_workflow_begins_its_own_pipeline():
    one, two = flow(First, Second, name="One"), flow(First, Second, name="Two")
    crowd, session = router(one, two), {}
    crowd.pipeline(one, Ask("POST", session))
    assert seen(crowd.pipeline(two, Ask("GET", session))) == ("First", "GET")
    assert (present_name(one(), session), present_name(two(), session)) == (None, "First")


def test_a_name_may_have_a_slash():
    odd = type("Odd", (First,), {"get_name": classmethod(lambda cls: "a/b")})
    person = Person(flow(First, odd))
    assert seen(person.post()) == ("a/b", "GET")
    assert present_name(person.flow(), person.session) == "a/b"
    assert seen(person.post("a/b")) == ("a/b", "POST")


def test_a_fan_is_for_runs_alone():
    fan = type("Fan", (AbstractFanOut,), {"tasks": [Second], "items": lambda self, pipe_data: [1]})
    person = Person(flow(First, fan))
    for ask in (person.get, person.post):
        with pytest.raises(PipelineError, match="Fan fans out, which only a run can"):
            ask()
    assert person.session == {}
    with pytest.raises(PipelineError):
        Person(plain(fan)).get()


def engine(name):
    return importlib.import_module(f"django.contrib.sessions.backends.{name}").SessionStore


@pytest.mark.parametrize("name", ["db", "cache", "cached_db", "file", "signed_cookies"])
def test_a_session_that_is_saved_and_reloaded_goes_on(name, settings, tmp_path):
    settings.SESSION_FILE_PATH = str(tmp_path)
    store = engine(name)

    class Counts(First):
        def post(self, pipe_data, form):
            pipe_data.setdefault("said", []).append({"n": form["say"]})
            return {"n": form["say"]}

    key, person = None, Person(flow(Counts, Counts, Second))
    for n, say in enumerate("abc"):
        person.session = store(key)
        shown = person.get()
        if person.session.modified:
            person.session.save()
        key = person.session.session_key
        person.session = store(key)
        response = person.post(shown.task.get_name(), form={"say": say})
        person.session.save()
        key = person.session.session_key
        assert seen(response) == [("Counts", "GET"), ("Second", "GET"), ("Second", "POST")][n]
        if n < 2:
            assert store(key)[SESSION_DATA_KEY]["said"][-1] == {"n": say}
    assert store(key)[SESSION_PIPELINE_KEY] is None


def test_a_stored_session_is_written_only_when_something_changed():
    class Writes(First):
        def get(self, pipe_data, data):
            if data.get("n"):
                pipe_data["deep"]["n"] = data["n"]
            return {}

    person = Person(flow(Writes, pre_pipeline=lambda self, task, pipe_data: pipe_data.update(deep={})), stored())
    person.get()
    assert person.session.modified
    for n, changed in ((None, False), (1, True), (1, False), (2, True)):
        person.session.save()
        person.session = stored(person.session.session_key)
        person.get(n=n)
        assert person.session.modified is changed


def test_an_answer_that_the_session_cannot_keep_is_undone():
    class Odd(First):
        def post(self, pipe_data):
            pipe_data["odd"] = {1, 2}
            return {}

    person = Person(flow(Odd, Second), stored())
    person.get()
    with pytest.raises(TypeError, match="not JSON serializable"):
        person.post()
    assert person.session[SESSION_DATA_KEY] == {}
    assert not Move.objects.exists()


def test_a_cookie_that_never_arrived_leaves_nobody_stuck():
    person = Person(flow(First, Second), CookieStore(None))
    person.get()
    person.session.save()
    cookie = person.session.session_key
    person.post()
    Move.objects.update(at=database_now() - PATIENCE - timedelta(seconds=1))
    person.session = CookieStore(cookie)
    assert seen(person.post()) == ("Second", "GET")


def test_a_django_request_with_several_values_goes_through_a_pipeline():
    class Several(First):
        def post(self, form, data):
            return {"chosen": form.getlist("chosen"), "q": data.getlist("q")}

    kind = flow(Several, Second)
    request = django_request("POST", {}, data={"chosen": ["a", "b"]}, QUERY_STRING="q=1&q=2")
    data = router(kind).pipeline(kind, request).crowd_request.get_data()
    assert isinstance(data, QueryDict)
    assert (data["chosen"], data["q"]) == (["a", "b"], ["1", "2"])
    assert data.getlist("q") == [["1", "2"]]


class Label(HumanTask):
    queue = "digits"

    def make_input(self, pipe_data):
        return {"n": pipe_data.get("n")}

    def on_answer(self, output, pipe_data):
        return {"label": output}


def test_a_human_task_is_answered_by_whoever_is_there():
    person = Person(flow(Label, Second))
    person.get()
    assert person.get(n=4).response == {"status": "OK", "input": {"n": 4}}
    form = QueryDict("digit=4&seen=a&seen=b&csrfmiddlewaretoken=x&crowd_step=" + present_step(person.session))
    response = person.post(form=form)
    assert response.crowd_request.get_data()["output"] == {"digit": "4", "seen": ["a", "b"]}
    assert person.session[SESSION_DATA_KEY] == {"label": {"digit": "4", "seen": ["a", "b"]}}


def test_a_session_of_older_making_has_no_move_and_goes_on():
    session = {SESSION_PIPELINE_KEY: "Flow/1/Second", SESSION_DATA_KEY: None}
    person = Person(flow(First, Second, Third), session)
    assert seen(person.get()) == ("Second", "GET")
    assert seen(person.post()) == ("Third", "GET")
    assert session[SESSION_MOVE_KEY].endswith(":1")


def test_a_pipeline_that_ends_leaves_the_rest_of_the_session_alone():
    person = Person(flow(First), {"basket": [1]})
    person.get()
    person.post()
    assert person.session["basket"] == [1]
    assert SimpleNamespace(**person.session).cr_pipe is None
