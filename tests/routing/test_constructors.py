"""Bases cannot be made; what hosts make of them may take its parent or not, and call super() or not."""

import pytest

from routing import (
    AbstractCrowdChoice,
    AbstractCrowdRouter,
    AbstractFanOut,
    AbstractLoopCondition,
    AbstractTask,
    AbstractWorkFlow,
    HumanTask,
)
from tests.routing.crowds import Ask, First, Second, router

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "base",
    [
        AbstractCrowdRouter,
        AbstractWorkFlow,
        AbstractTask,
        AbstractCrowdChoice,
        AbstractLoopCondition,
        AbstractFanOut,
        HumanTask,
    ],
)
def test_the_bases_are_abstract(base):
    with pytest.raises(TypeError, match=r"abstract"):
        base()


def test_a_task_without_post_is_abstract():
    class Half(AbstractTask):
        def get(self):
            return {}

    with pytest.raises(TypeError, match="post"):
        Half()


class Bare(AbstractWorkFlow):
    tasks = [First]


class WithParent(AbstractWorkFlow):
    def __init__(self, cr):
        self.tasks = [First]
        self.had = cr


class WithSuper(AbstractWorkFlow):
    def __init__(self, crowdrouter):
        super().__init__(crowdrouter)
        self.tasks = [First]
        self.had = self.crowdrouter


class WithoutParent(AbstractWorkFlow):
    def __init__(self):
        self.tasks = [First]
        self.had = self.crowdrouter


class WithoutParentWithSuper(AbstractWorkFlow):
    def __init__(self):
        super().__init__()
        self.tasks = [First]
        self.had = self.crowdrouter


class WithAnything(AbstractWorkFlow):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tasks = [First]
        self.had = args[0]


@pytest.mark.parametrize("kind", [WithParent, WithSuper, WithoutParent, WithoutParentWithSuper, WithAnything, Bare])
def test_a_workflow_has_its_router_whatever_its_constructor_takes(kind):
    crowd = router(kind)
    flow = crowd.route(kind, None, Ask()).task.workflow
    assert flow.crowdrouter is crowd
    assert getattr(flow, "had", crowd) is crowd


@pytest.mark.parametrize(
    "constructor",
    [
        lambda self: None,
        lambda self, workflow: None,
        lambda self, *args: None,
        lambda self, workflow=None: setattr(self, "workflow", workflow),
        lambda self, *, more=1: None,
    ],
)
def test_a_task_has_its_workflow_whatever_its_constructor_takes(constructor):
    kind = type("Kind", (First,), {"__init__": constructor})
    flow = type("Flow", (AbstractWorkFlow,), {"tasks": [kind]})
    crowd = router(flow)
    assert crowd.route(flow, None, Ask()).task.workflow.crowdrouter is crowd


def test_a_router_may_be_made_without_super():
    class Router(AbstractCrowdRouter):
        def __init__(self):
            self.workflows = [Bare]

    assert Router().route(Bare, None, Ask()).status == "OK"
    assert Router.whitelist == Router.blacklist == []


def test_lists_of_one_router_are_not_those_of_another():
    one, two = router(Bare, name="One"), router(Bare, name="Two")
    one.blacklist.append(7)
    assert two.blacklist == []


def test_an_order_of_its_own_is_read_from_self_at_each_call():
    class Turning(AbstractWorkFlow):
        turn = [First]

        def __init__(self):
            self.tasks = self.turn

    crowd = router(Turning)
    assert type(crowd.route(Turning, None, Ask()).task) is First
    Turning.turn = [Second]
    assert type(crowd.route(Turning, None, Ask()).task) is Second


def test_a_constructor_with_a_default_of_its_own_keeps_it():
    class Limited(AbstractWorkFlow):
        tasks = [First]

        def __init__(self, limit=10):
            self.limit = limit

    assert router(Limited).workflow_of(Limited).limit == 10
