"""The registry: an app's crowd.py is discovered, and what stands in it twice is refused."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from routing import AbstractCrowdRouter, AbstractTask, AbstractWorkFlow, register, registry
from tests.routing.hosts import Host

CROWD = """
from django.contrib.auth.models import User
from routing import AbstractCrowdRouter, AbstractTask, AbstractWorkFlow, register


class Look(AbstractTask):
    def get(self):
        return {"status": "OK"}

    def post(self):
        return {"status": "OK"}


class Looking(AbstractWorkFlow):
    tasks = [Look]


@register
class ShopRouter(AbstractCrowdRouter):
    workflows = [Looking]
"""

LIST = "import django; django.setup(); from routing import registry; print(*registry.routers(), *registry.workflows())"


class Look(AbstractTask):
    def get(self):
        return {"status": "OK"}

    def post(self):
        return {"status": "OK"}


class Looking(AbstractWorkFlow):
    tasks = [Look]


def other_looking():
    """Another workflow of the same name."""

    class Looking(AbstractWorkFlow):
        tasks = [Look]

    return Looking


@pytest.fixture
def kept():
    """Routers that a test registers are taken out again after it."""
    before = set(registry.registered().values())
    yield
    for router in set(registry.registered().values()) - before:
        registry.unregister(router)


@pytest.mark.only("sqlite")
def test_the_crowd_module_of_an_app_is_discovered(tmp_path):
    done = Host(tmp_path, {"shop/crowd.py": CROWD}).run("-c", LIST)
    assert done.stdout.split() == ["ShopRouter", "Looking"], done.stderr


@pytest.mark.only("sqlite")
def test_what_a_crowd_module_raises_is_not_swallowed(tmp_path):
    done = Host(tmp_path, {"shop/crowd.py": "import no_such_module"}).check()
    assert done.returncode == 1
    assert "shop/crowd.py" in done.stderr
    assert "No module named 'no_such_module'" in done.stderr


@pytest.mark.usefixtures("kept")
def test_a_router_is_made_once_and_found_by_its_name():
    @register
    class FrontRouter(AbstractCrowdRouter):
        def __init__(self):
            self.workflows = [Looking]

    assert registry.routers()["FrontRouter"] is registry.made(FrontRouter)
    assert registry.workflows()["Looking"] is Looking


@pytest.mark.usefixtures("kept")
def test_another_router_under_a_registered_name_is_refused():
    @register
    class FrontRouter(AbstractCrowdRouter):
        workflows = [Looking]

    first = FrontRouter

    def again():
        @register
        class FrontRouter(AbstractCrowdRouter):
            workflows = []

    with pytest.raises(ImproperlyConfigured, match="FrontRouter is under this name"):
        again()
    assert registry.registered()["FrontRouter"] is first


@pytest.mark.usefixtures("kept")
def test_a_module_that_is_imported_anew_replaces_its_router():
    def load():
        class FrontRouter(AbstractCrowdRouter):
            workflows = [Looking]

        return register(FrontRouter)

    before = registry.made(load())
    later = load()
    assert registry.registered()["FrontRouter"] is later
    assert registry.made(later) is not before


def test_two_workflows_of_one_name_in_a_router_are_refused():
    with pytest.raises(ImproperlyConfigured, match="two workflows of the name Looking"):

        @register
        class FrontRouter(AbstractCrowdRouter):
            workflows = [Looking, other_looking()]

    assert "FrontRouter" not in registry.registered()


@pytest.mark.usefixtures("kept")
def test_a_workflow_that_stands_twice_in_a_router_is_one():
    @register
    class FrontRouter(AbstractCrowdRouter):
        workflows = [Looking, Looking]

    assert registry.registered()["FrontRouter"] is FrontRouter


@pytest.mark.parametrize("thing", [Looking, "FrontRouter", None])
def test_what_is_no_router_is_refused(thing):
    with pytest.raises(ImproperlyConfigured, match="is no subclass of AbstractCrowdRouter"):
        register(thing)
