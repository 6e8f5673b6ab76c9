"""System checks: what is wrong with the routers, workflows and tasks of a host is said before anybody asks for them."""

import pytest
from django.core.checks import Error, Warning, run_checks
from django.core.management import call_command
from django.db import DatabaseError, connection

from queues import administration
from routing import (
    AbstractCrowdChoice,
    AbstractCrowdRouter,
    AbstractFanOut,
    AbstractLoopCondition,
    AbstractTask,
    AbstractWorkFlow,
    HumanTask,
    register,
    registry,
)
from tests import cast
from tests.routing.hosts import Host


class Look(AbstractTask):
    def get(self):
        return {"status": "OK"}

    def post(self, crowd_request, data, form, **kwargs):
        return {"status": "OK"}


class Describe(Look):
    pass


class Label(HumanTask):
    queue = "labels"


@pytest.fixture
def found():
    """Return `found(*tasks)`: what the checks say of a workflow of these; `of=` gives workflows, or a router."""

    def check(*tasks, of=None, tags=("routing",), **call):
        router = of
        if not isinstance(of, type):

            class Front(AbstractCrowdRouter):
                workflows = [type("Flow", (AbstractWorkFlow,), {"tasks": list(tasks)})] if of is None else of

            router = Front
        register(router)
        try:
            problems = run_checks(tags=list(tags), **call)
        finally:
            registry.unregister(router)
        return [problem for problem in problems if router.get_name() in problem.msg]

    return check


def said(problems):
    return [(problem.id, problem.msg) for problem in problems]


def workflow(name="Flow", **members):
    return type(name, (AbstractWorkFlow,), members)


def test_nothing_is_wrong_with_what_is_right(found):
    class Either(AbstractCrowdChoice):
        t1, t2 = Look, Describe

        def choice(self, crowd_request):
            return self.t1

    class Until(AbstractLoopCondition):
        task = Look

        def again(self, data):
            return False

    class Each(AbstractFanOut):
        tasks = [Label]

        def items(self, pipe_data):
            return []

    class Check(HumanTask):
        queue = "labels"
        exclude_reviewers_of = [Label]

    class Again(Check):
        exclude_reviewers_of = ("Label", Check)

    assert found(Look, Either, Until, Each, Check, Again) == []


def test_what_is_set_in_constructors_is_looked_at(found):
    class Flow(AbstractWorkFlow):
        def __init__(self):
            self.tasks = [Look]

    class Front(AbstractCrowdRouter):
        def __init__(self):
            self.workflows = [Flow, workflow("Empty")]

    assert said(found(of=Front)) == [("routing.E003", "Front: Empty has no tasks.")]


def test_a_workflow_without_tasks_is_named(found):
    # As crowdrouter's README has it: the tasks are a name of the constructor alone.
    class Matching(AbstractWorkFlow):
        def __init__(self):
            tasks = [Look]  # noqa: F841

    (problem,) = found(of=[Matching])
    assert (problem.id, problem.msg) == ("routing.E003", "Front: Matching has no tasks.")
    assert "self.tasks" in problem.hint


@pytest.mark.parametrize(
    ("base", "method", "why"),
    [
        (AbstractCrowdChoice, "choice", "is a choice without branches."),
        (AbstractLoopCondition, "again", "is a loop without a task."),
        (AbstractFanOut, "items", "is a fan without tasks."),
    ],
)
def test_a_choice_without_branches_is_named_and_a_loop_and_a_fan_without_tasks(found, base, method, why):
    empty = type("Odd", (base,), {method: lambda self: None})
    assert said(found(Look, empty)) == [("routing.E004", f"Front: Flow: Odd {why}")]


def test_an_empty_choice_below_another_element_is_named(found):
    class Inner(AbstractCrowdChoice):
        def choice(self):
            return None

    class Outer(AbstractCrowdChoice):
        branches = [Look, Inner]

        def choice(self):
            return Look

    assert said(found(Outer)) == [("routing.E004", "Front: Flow: Inner is a choice without branches.")]


@pytest.mark.parametrize(
    ("base", "members", "lacking"),
    [
        (AbstractTask, {}, "get and post"),
        (AbstractTask, {"get": lambda self: {}}, "post"),
        (AbstractCrowdChoice, {"t1": Look}, "choice"),
        (AbstractLoopCondition, {"task": Look}, "again"),
        (AbstractFanOut, {"tasks": [Look]}, "items"),
    ],
)
def test_a_class_without_its_methods_is_named(found, base, members, lacking):
    half = type("Half", (base,), members)
    assert said(found(half)) == [("routing.E005", f"Front: Flow: Half lacks {lacking}.")]


def test_a_method_that_names_what_nobody_knows_is_named(found):
    class Odd(Look):
        def get(self, dta, form, level=3):
            return {}

    (problem,) = found(Odd)
    assert (problem.id, problem.msg) == ("routing.E006", "Front: Flow: Odd: get asks for dta, which nobody gives it.")
    assert "pipe_data" in problem.hint


@pytest.mark.parametrize(
    ("base", "members", "method"),
    [
        (AbstractCrowdChoice, {"t1": Look}, "choice"),
        (AbstractLoopCondition, {"task": Look}, "again"),
    ],
)
def test_a_choice_or_a_loop_that_names_what_nobody_knows_is_named(found, base, members, method):
    odd = type("Odd", (base,), {**members, method: lambda self, level: None})
    assert said(found(odd)) == [("routing.E006", f"Front: Flow: Odd: {method} asks for level, which nobody gives it.")]


def test_a_router_whose_route_names_what_nobody_knows_is_named(found):
    class Front(AbstractCrowdRouter):
        workflows = [workflow(tasks=[Look])]

        def route(self, workflow, request):
            return workflow.run(request)

    assert said(found(of=Front)) == [("routing.E006", "Front: route asks for request, which nobody gives it.")]


def test_what_a_hosts_own_run_may_give_its_task_is_a_warning(found):
    class Levels(Look):
        def get(self, level):
            return {"level": level}

    class Flow(AbstractWorkFlow):
        tasks = [Levels]

        def run(self, task, crowd_request):
            return task.execute(crowd_request, level=3)

    (problem,) = found(of=[Flow])
    assert problem.id == "routing.W006"
    assert isinstance(problem, Warning)


@pytest.mark.parametrize("name", ["L" * 101, "Look/Closer", ""])
def test_a_name_that_does_not_fit_is_named(found, name):
    class Odd(Look):
        @classmethod
        def get_name(cls):
            return name

    class Front(AbstractCrowdRouter):
        workflows = [workflow(tasks=[Odd])]

    register(Front)
    try:
        ids = [problem.id for problem in run_checks(tags=["routing"]) if f"The name {name!r} must" in problem.msg]
    finally:
        registry.unregister(Front)
    assert ids == ["routing.E007"]


def test_the_longest_name_fits(found):
    assert found(type("L" * 100, (Look,), {})) == []


def test_two_classes_of_one_name_in_a_workflow_are_named(found):
    other = type("Look", (Describe,), {})

    class Either(AbstractCrowdChoice):
        t1, t2 = Describe, other

        def choice(self):
            return self.t1

    assert said(found(Look, Either, Look)) == [
        ("routing.E008", "Front: Flow has two classes of the name Look, which nobody could tell apart.")
    ]


def test_two_workflows_of_one_name_that_a_constructor_lists_are_named(found):
    class Front(AbstractCrowdRouter):
        def __init__(self):
            self.workflows = [workflow(tasks=[Look]), workflow(tasks=[Describe])]

    assert [problem.id for problem in found(of=Front)] == ["routing.E002"]


def test_a_human_task_without_a_queue_is_named(found):
    assert said(found(type("Ask", (HumanTask,), {}))) == [("routing.E009", "Front: Flow: Ask has no queue.")]


@pytest.mark.parametrize(
    ("excluded", "why"),
    [
        (["Lable"], "names Lable, which is no HumanTask of this workflow."),
        ([Describe], "names Describe, which is no HumanTask of this workflow."),
        ([Look], "names Look, which is no HumanTask of this workflow."),
        ("Label", "must be a list of steps, and is the text 'Label'."),
    ],
)
def test_reviewers_of_what_is_no_step_cannot_be_excluded(found, excluded, why):
    odd = type("Check", (HumanTask,), {"queue": "labels", "exclude_reviewers_of": excluded})
    assert said(found(Look, Label, odd)) == [("routing.E010", f"Front: Flow: Check.exclude_reviewers_of {why}")]


def test_a_router_that_cannot_be_made_is_named(found):
    class Front(AbstractCrowdRouter):
        def __init__(self):
            raise RuntimeError("no key")

    assert said(found(of=Front)) == [("routing.E001", "Front cannot be set up: RuntimeError: no key")]


def test_a_workflow_or_a_task_that_cannot_be_made_is_named(found):
    def __init__(self, workflow):
        raise KeyError("key")

    broken = type("Broken", (Look,), {"__init__": __init__})
    flow = workflow("Odd", __init__=__init__)
    assert said(found(of=[flow, workflow(tasks=[broken])])) == [
        ("routing.E001", "Front: Odd cannot be set up: KeyError: 'key'"),
        ("routing.E001", "Front: Flow: Broken cannot be set up: KeyError: 'key'"),
    ]


def test_what_is_no_class_of_ours_is_named(found):
    assert said(found(of=[Look, workflow(tasks=[Look, "Describe"])])) == [
        ("routing.E001", f"Front has {Look!r} among its workflows, which is no class of workflows."),
        ("routing.E001", "Front: Flow has 'Describe' among its tasks, which is no class of tasks."),
    ]


def test_a_router_that_asks_a_database_without_tables_is_let_be(found):
    class Front(AbstractCrowdRouter):
        def __init__(self):
            raise DatabaseError("no such table: shop_setting")

    assert found(of=Front) == []


@pytest.fixture
def of_queues(found):
    """What the check of queues says, of the databases that it is given."""
    return lambda *tasks, databases=("default",): found(*tasks, tags=("database",), databases=databases)


@pytest.mark.django_db
def test_a_queue_that_is_not_there_is_a_warning(of_queues):
    (problem,) = of_queues(Label)
    assert isinstance(problem, Warning)
    assert not isinstance(problem, Error)
    assert (problem.id, problem.msg) == (
        "routing.W011",
        "Front: Flow: Label asks the queue labels, which there is not.",
    )
    cast.queue("labels")
    assert of_queues(Label) == []


@pytest.mark.django_db
def test_a_queue_that_was_deleted_is_a_warning(of_queues):
    administration.archive_queue(queue_id=cast.queue("labels").pk, actor=cast.person("mia"))
    assert said(of_queues(Label)) == [
        ("routing.W011", "Front: Flow: Label asks the queue labels, which was deleted."),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("databases", [None, [], ["other"]])
def test_no_database_is_asked_that_the_check_was_not_given(found, settings, django_assert_num_queries, databases):
    from routing.checks import queues_are_there

    class Front(AbstractCrowdRouter):
        workflows = [workflow(tasks=[Label])]

    register(Front)
    try:
        with django_assert_num_queries(0):
            assert queues_are_there(None, databases=databases) == []
    finally:
        registry.unregister(Front)


@pytest.mark.django_db
def test_where_there_are_no_tables_yet_nothing_is_said_of_queues(of_queues):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crowd_queues_queue RENAME TO elsewhere")
    try:
        assert of_queues(Label) == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO crowd_queues_queue")


@pytest.mark.only("sqlite")
def test_a_site_with_a_fault_in_its_crowd_module_does_not_pass_its_check(tmp_path):
    crowd = "from routing import *\n@register\nclass Front(AbstractCrowdRouter):\n    workflows = [AbstractWorkFlow]\n"
    done = Host(tmp_path, {"shop/crowd.py": crowd}).check()
    assert done.returncode == 1
    assert "routing.E001) Front: AbstractWorkFlow cannot be set up" in done.stderr


@pytest.mark.only("sqlite")
def test_a_module_or_a_package_of_the_host_that_hides_ours_is_named(tmp_path):
    files = {"routing.py": "websocket_urlpatterns = []\n", "pavilion/__init__.py": ""}
    done = Host(tmp_path, files, apps=["queues", "routing"]).check()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("(queues.W008)") == 2
    assert f"(queues.W008) {tmp_path / 'routing.py'} hides the package 'routing' of Crowdsite" in done.stderr
    assert f"{tmp_path / 'pavilion/__init__.py'} hides the package 'pavilion' of Crowdsite" in done.stderr
    assert "Give it another name" in done.stderr


@pytest.mark.only("sqlite")
def test_a_module_of_that_name_inside_a_package_of_the_host_hides_nothing(tmp_path):
    done = Host(tmp_path, {"shop/routing.py": "", "shop/queues/__init__.py": ""}).check("--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
def test_this_site_has_nothing_to_say_of_its_own_routers():
    call_command("check", "--tag", "routing")
