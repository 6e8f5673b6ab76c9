"""A request finds its workflow and its task; both are written in the short way or in the long one."""

import pytest

import routing
from routing import (
    AbstractTask,
    AbstractWorkFlow,
    CrowdRequest,
    CrowdResponse,
    CrowdRouterError,
    ImproperResponseError,
    NoRequestFoundError,
    NoTaskFoundError,
    NoWorkFlowFoundError,
    crowdrouter,
    task,
    workflow,
)
from routing.router import AbstractCrowdRouter
from tests.routing.crowds import Ask, Echo, First, Person, Second, Third, flow, plain, router, stored

pytestmark = pytest.mark.django_db

NAMES = [
    "AbstractCrowdRouter",
    "AbstractWorkFlow",
    "AbstractTask",
    "AbstractCrowdChoice",
    "AbstractLoopCondition",
    "CrowdRequest",
    "CrowdResponse",
    "crowdrouter",
    "workflow",
    "task",
    "choice",
    "crowdrouter_auth_required",
    "workflow_auth_required",
    "task_auth_required",
    "CrowdRouterError",
    "AuthenticationError",
    "PipelineError",
    "CrowdChoiceError",
    "InvalidRequestStrategyError",
    "InvalidRequestError",
    "InvalidSessionError",
    "ImproperResponseError",
    "NoRequestFoundError",
    "NoSessionFoundError",
    "NoTaskFoundError",
    "NoWorkFlowFoundError",
    "TaskError",
    "SESSION_PIPELINE_KEY",
    "SESSION_DATA_KEY",
    "HumanTask",
    "AbstractFanOut",
    "register",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_hosts_need_is_imported_from_routing(name):
    assert getattr(routing, name).__class__ is not None
    assert name in routing.__all__


def test_what_is_not_there_is_not_imported():
    with pytest.raises(AttributeError, match="Nothing"):
        routing.Nothing  # noqa: B018


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("Error")])
def test_each_error_is_a_crowd_router_error_with_a_sentence(name):
    error = getattr(routing, name)
    assert issubclass(error, CrowdRouterError)
    assert error().value.endswith(".")
    assert error("Because.").value == str(error(value="Because.")) == "Because."


class MatchTask(AbstractTask):
    @task
    def get(self):
        return {"status": "OK", "msg": "TEST [GET]"}

    @task
    def post(self):
        return {"status": "OK", "msg": "TEST [POST]"}


class ConfirmMatchTask(MatchTask):
    pass


class MatchingWorkFlow(AbstractWorkFlow):
    def __init__(self):
        self.tasks = [MatchTask, ConfirmMatchTask]

    @workflow
    def run(self, task):
        return task.execute()


class MyCrowdRouter(AbstractCrowdRouter):
    def __init__(self):
        self.workflows = [MatchingWorkFlow]

    @crowdrouter
    def route(self, crowd_request, workflow):
        return workflow.run(crowd_request)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_short_forms_of_the_readme_run_as_written(method):
    response = MyCrowdRouter().route("MatchingWorkFlow", "ConfirmMatchTask", Ask(method), {})
    assert isinstance(response, CrowdResponse)
    assert (response.task.get_name(), response.method) == ("ConfirmMatchTask", method)
    assert response.response == {"status": "OK", "msg": f"TEST [{method}]"}


class LongTask(AbstractTask):
    @task
    def get(self, crowd_request, data, **kwargs):
        return {"data": data["n"], "pipe": kwargs["pipe_data"], "task": crowd_request.task is self}

    @task
    def post(self, crowd_request, data, form, **kwargs):
        return {"data": data["n"], "form": form["m"], "pipe": kwargs["pipe_data"]}


class LongWorkFlow(AbstractWorkFlow):
    tasks = [LongTask]

    def __init__(self, crowdrouter):
        self.crowdrouter = crowdrouter

    @workflow
    def run(self, task, crowd_request):
        return task.execute(crowd_request)


class LongRouter(AbstractCrowdRouter):
    workflows = [LongWorkFlow]

    def __init__(self):
        self.enable_crowd_statistics("test.db")

    @crowdrouter
    def route(self, workflow, crowd_request):
        return workflow.run(crowd_request)


def test_the_long_forms_run_as_written():
    given = LongRouter().route(LongWorkFlow, LongTask, Ask(data={"n": 1})).response
    assert given == {"data": 1, "pipe": {}, "task": True}
    given = LongRouter().route(LongWorkFlow, LongTask, Ask("POST", data={"n": 1}, form={"m": 2})).response
    assert given == {"data": 1, "form": 2, "pipe": {}}


def test_what_is_not_decorated_runs_as_well():
    class Task(AbstractTask):
        def get(self, workflow, data):
            return {"of": workflow.get_name(), **data}

        def post(self, **kwargs):
            return kwargs

    class Plain(AbstractWorkFlow):
        tasks = [Task]

        def run(self, task, crowd_request):
            return task.execute(crowd_request, more=2)

    class Router(AbstractCrowdRouter):
        workflows = [Plain]

        def route(self, crowd_request, workflow):
            return workflow.run(crowd_request)

    assert Router().route(Plain, Task, Ask(), n=1).response == {"of": "Plain", "n": 1}
    assert Router().route(Plain, Task, Ask("POST")).response == {"pipe_data": {}, "more": 2}


def test_what_a_mixin_brings_runs_as_well():
    class Shown:
        def get(self, data):
            return {"data": data["n"]}

    class Task(Shown, First):
        pass

    assert Person(plain(Task)).get(n=3).response == {"data": 3}


def test_a_method_may_name_the_form_and_the_pipe_data_by_position_alone():
    class Task(First):
        def post(self, form, /, *, pipe_data):
            return {"form": form, "pipe": pipe_data}

    assert Person(plain(Task)).post(form={"a": 1}).response == {"form": {"a": 1}, "pipe": {}}


def test_a_method_that_names_what_nobody_knows_is_told():
    class Task(First):
        def get(self, formular):
            return {}

    with pytest.raises(CrowdRouterError, match=r"Task.get asks for formular; it may name crowd_request, workflow"):
        Person(plain(Task)).get()


def test_super_gives_the_dict_of_the_class_above():
    class Task(LongTask):
        def get(self, crowd_request, data, **kwargs):
            return {**super().get(crowd_request, data, **kwargs), "more": True}

        def post(self, crowd_request, data, form, **kwargs):
            return {**super().post(crowd_request=crowd_request, data=data, form=form, **kwargs), "more": True}

    person = Person(plain(Task))
    assert person.get(n=1).response == {"data": 1, "pipe": {}, "task": True, "more": True}
    assert person.post(n=1, form={"m": 2}).response["more"] is True
    assert person.router.report_crowd_statistics()["task_counts"]["Plain"]["Task"] == {"GET": 1, "POST": 1}


def test_super_goes_through_workflows_and_routers():
    class Deeper(LongWorkFlow):
        def run(self, crowd_request):
            response = super().run(crowd_request)
            response.deeper = True
            return response

    class Router(LongRouter):
        workflows = [Deeper]

        def route(self, crowd_request, workflow):
            return super().route(workflow, crowd_request)

    assert Router().route(Deeper, None, Ask(), n=1).deeper is True


def test_classes_and_names_find_the_same():
    flow = plain(First, Second)
    crowd = router(flow)
    for which in (flow, "Plain"):
        for wanted in (Second, "Second"):
            assert type(crowd.route(which, wanted, Ask()).task) is Second


def test_no_task_means_the_first():
    crowd = router(plain(First, Second))
    assert type(crowd.route("Plain", None, Ask()).task) is First
    assert type(crowd.route("Plain", request=Ask()).task) is First
    assert type(crowd.pipeline("Plain", Ask()).task) is First


@pytest.mark.parametrize("asked", ["Nothing", "", Third])
def test_another_workflow_or_task_is_not_found(asked):
    crowd = router(plain(First))
    with pytest.raises(NoWorkFlowFoundError, match="Router has no workflow"):
        crowd.route(asked, None, Ask())
    with pytest.raises(NoTaskFoundError, match="Plain has no task"):
        crowd.route("Plain", asked, Ask())


def test_a_workflow_without_tasks_says_how_it_gets_some():
    class Forgetful(AbstractWorkFlow):
        def __init__(self):
            tasks = [First]  # noqa: F841

    with pytest.raises(NoTaskFoundError, match=r"Forgetful has no tasks: they are `tasks = \[…\]` in the class"):
        router(Forgetful).route(Forgetful, None, Ask())


def test_of_two_tasks_with_one_name_the_class_finds_its_own():
    other = type("First", (Echo,), {"get": lambda self: {"other": True}})
    crowd = router(plain(First, other))
    assert crowd.route("Plain", other, Ask()).response == {"other": True}


def test_workflows_and_tasks_may_be_swapped_while_the_router_lives():
    one, two = plain(First, name="One"), plain(Second, name="Two")
    crowd = router(one)
    assert type(crowd.route("One", None, Ask()).task) is First
    crowd.workflows = [two]
    with pytest.raises(NoWorkFlowFoundError):
        crowd.route("One", None, Ask())
    assert type(crowd.route("Two", None, Ask()).task) is Second
    two.tasks = [Third]
    with pytest.raises(NoTaskFoundError):
        crowd.route("Two", Second, Ask())
    assert type(crowd.route("Two", Third, Ask()).task) is Third


def test_kwargs_join_the_data_whatever_they_are_called():
    response = router(plain(First)).route("Plain", First, Ask(data={"a": 1, "b": 1}), b=2, data=3, self=4, function=5)
    assert response.crowd_request.get_data() == {"a": 1, "b": 2, "data": 3, "self": 4, "function": 5}


def test_a_crowd_request_tells_of_the_request():
    request, session = Ask("POST", path="/there/", data={"a": 1}, form={"b": 2}), {}
    crowd = router(plain(First))
    asked = crowd.route("Plain", First, request, session).crowd_request
    assert isinstance(asked, CrowdRequest)
    assert (asked.get_request(), asked.get_method(), asked.get_path()) == (request, "POST", "/there/")
    assert asked.get_session() is session
    assert (asked.get_form(), asked.get_data()) == ({"b": 2}, {"a": 1})
    assert (asked.workflow.get_name(), asked.task.get_name(), asked.previous_response) == ("Plain", "First", None)
    assert asked.workflow.crowdrouter is crowd
    assert asked.task.workflow is asked.workflow


def test_a_crowd_response_tells_of_the_answer():
    class Task(First):
        def get(self):
            return {"status": "fail", "path": "/home/"}

    response = Person(plain(Task)).get()
    assert (response.status, response.path, response.method) == ("fail", "/home/", "GET")
    assert response.response == {"status": "fail", "path": "/home/"}
    assert response.task is response.crowd_request.task
    bare = Person(plain(type("Bare", (First,), {"get": lambda self: {}}))).get()
    assert (bare.status, bare.path, hasattr(bare, "pipeline_last")) == (None, None, False)


@pytest.mark.parametrize("given", [None, "OK", [("status", "OK")], 7])
def test_a_task_that_gives_no_dict_is_improper(given):
    broken = type("Broken", (First,), {"get": lambda self: given})
    with pytest.raises(ImproperResponseError, match="Broken must give back a dict to GET"):
        Person(plain(broken)).get()


def test_a_workflow_or_a_router_that_gives_no_response_is_improper():
    with pytest.raises(ImproperResponseError, match=r"Flow.run must give back a CrowdResponse, not dict"):
        Person(flow(First, run=lambda self: {})).get()
    with pytest.raises(ImproperResponseError, match=r"Router.route must give back a CrowdResponse, not NoneType"):
        Person(plain(First), route=lambda self: None).get()


def test_names_are_those_of_the_classes():
    assert (First.get_name(), First().get_name()) == ("First", "First")
    assert MatchingWorkFlow.get_name() == MatchingWorkFlow().get_name() == "MatchingWorkFlow"


def test_a_task_may_be_executed_by_hand():
    asked = Person(plain(First)).get().crowd_request
    assert Second(asked.workflow).execute(asked).response["shown"] == "Second"
    with pytest.raises(NoRequestFoundError):
        Second().execute()
    with pytest.raises(NoRequestFoundError):
        plain(First)().run()


def test_kwargs_of_run_and_route_may_be_passed_on():
    class Passing(AbstractWorkFlow):
        tasks = [First, Second]

        def run(self, task, crowd_request, **kwargs):
            return self.pipeline(crowd_request, **kwargs)

    class Front(AbstractCrowdRouter):
        workflows = [Passing]

        def route(self, workflow, crowd_request, **kwargs):
            return workflow.run(crowd_request, **kwargs)

    assert Front().route("Passing", "First", Ask("GET")).task.get_name() == "First"


def test_a_run_may_name_the_pipe_data():
    seen = []

    class Naming(AbstractWorkFlow):
        tasks = [First, Second]

        def pre_pipeline(self, task, pipe_data):
            pipe_data["begun"] = True

        def run(self, crowd_request, pipe_data):
            seen.append(pipe_data)
            return self.pipeline(crowd_request)

    session = {}
    for _time in range(2):
        router(Naming).route(Naming, None, Ask("GET", session=session))
    assert seen == [{}, {"begun": True}]


def test_names_may_be_given_by_instances_as_crowdrouter_has_it():
    class Named(First):
        def get_name(self):
            return self.__class__.__name__ + "Again"

    response = router(plain(Named)).route("Plain", "NamedAgain", Ask("GET"))
    assert response.task.get_name() == Named.get_name() == "NamedAgain"


def test_a_method_that_was_put_there_later_runs_as_well():
    class Swapped(Echo):
        pass

    Swapped.get = lambda self, data: {"status": "swapped", "n": data["n"]}
    response = router(plain(Swapped)).route("Plain", None, Ask("GET", data={"n": 1}))
    assert response.response == {"status": "swapped", "n": 1}


def test_a_method_is_known_however_it_is_spelt():
    assert router(plain(First)).route("Plain", None, Ask("post")).method == "POST"


def test_what_a_post_wrote_deep_within_a_session_is_saved():
    class Deep(Echo):
        def post(self, crowd_request):
            crowd_request.get_session()["list"].append(1)
            return {"status": "OK"}

    session = stored()
    session["list"] = []
    session.save()
    again = stored(session.session_key)
    router(plain(Deep)).route("Plain", None, Ask("POST", session=again))
    assert again.modified


def test_statistics_may_be_set_as_crowdrouter_has_it():
    front = router(plain(First))
    front.crowd_stats = None
    assert (front.crowd_statistics, front.crowd_stats) == (False, None)
    front.enable_crowd_statistics(db_path="counts.db")
    assert front.crowd_stats.task_counts == {"Plain": {"First": {"GET": 0, "POST": 0}}}
