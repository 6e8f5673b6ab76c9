"""The code of docs/routing.md and docs/runs.md, run as written."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

import routing
from assignments import claims, lifecycle
from queues.models import Membership
from routing import AbstractTask
from tests.cast import join, person, queue

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]


def blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module for the code of a page, which runs find by its name."""
    made = ModuleType("code_of_a_page")
    sys.modules[made.__name__] = made
    made.__dict__.update({name: getattr(routing, name) for name in routing.__all__})
    yield made
    del sys.modules[made.__name__]


def ask(router: Any, method: str, session: dict[str, Any], **form: str) -> Any:
    request = SimpleNamespace(method=method, session=session, data={}, form=form)
    return router.route("MatchingWorkFlow", None, request)


class ThankYouTask(AbstractTask):
    def get(self) -> dict[str, str]:
        return {"status": "OK", "question": "Thank you."}

    def post(self) -> dict[str, str]:
        return {"status": "OK"}


def router_of(module: ModuleType) -> Any:
    class Router(routing.AbstractCrowdRouter):
        workflows = [module.MatchingWorkFlow]

    return Router()


def test_the_walk_begins_as_crowdrouters_readme_does(module: ModuleType) -> None:
    exec(blocks("docs/routing.md")[0], module.__dict__)
    router: Any = module.MyCrowdRouter()
    routing.registry.unregister(module.MyCrowdRouter)
    request = SimpleNamespace(method="GET", session={}, data={"match": "the tabby"}, form={})
    shown = router.route("MatchingWorkFlow", "ConfirmMatchTask", request)
    assert shown.response["question"] == "Somebody says: the tabby. Is it?"
    taken = ask(router, "POST", {}, match="grey")
    assert taken.path == "/crowd/MatchingWorkFlow/ConfirmMatchTask/?match=grey"


def test_the_walk_goes_on_with_a_pipeline(module: ModuleType) -> None:
    kept: list[str] = []
    model = SimpleNamespace(objects=SimpleNamespace(create=lambda name: kept.append(name)))
    module.__dict__.update(timezone=timezone, Match=model)
    exec(blocks("docs/routing.md")[1], module.__dict__)
    session: dict[str, Any] = {}
    router = router_of(module)
    assert ask(router, "GET", session).response["question"] == "Which of them is it?"
    assert ask(router, "POST", session, match="grey").response["question"] == "Noted. Is it really grey?"
    assert ask(router, "GET", session).response["question"] == " Is it really grey?"
    last = ask(router, "POST", session)
    assert (last.path, kept) == ("/thanks/", ["grey"])


def test_the_walk_forks_and_loops(module: ModuleType) -> None:
    module.__dict__.update(timezone=timezone, Match=None, ThankYouTask=ThankYouTask)
    for code in blocks("docs/routing.md")[1:3]:
        exec(code, module.__dict__)
    router = router_of(module)
    session: dict[str, Any] = {}
    ask(router, "GET", session)
    for _again in range(2):
        assert ask(router, "POST", session, match="none of them").task.get_name() == "MatchTask"
    assert ask(router, "POST", session, match="grey").task.get_name() == "ThankYouTask"
    session = {}
    ask(router, "GET", session)
    assert ask(router, "POST", session, match="unsure").task.get_name() == "ConfirmMatchTask"


def test_a_run_comes_to_what_the_page_says(module: ModuleType) -> None:
    for name in ("photos", "checks"):
        made = queue(name)
        join(made, "alice")
        join(made, "bob")
    module.__dict__["user"] = person("rick")
    code = blocks("docs/runs.md")[0]
    exec(code, module.__dict__)
    for name, of, answer in (("alice", "photos", {"label": "dog"}), ("bob", "checks", {"right": True})):
        seat = Membership.objects.select_related("queue", "user").get(
            queue__name=of, user=person(name), role="reviewer"
        )
        (held,) = claims.grab(membership=seat).assignments
        lifecycle.finalize(assignment_id=held.pk, data=answer, actor=person(name))
    run = module.run
    run.refresh_from_db()
    assert (run.status, run.data) == (
        "FINISHED",
        {"photo": "a.jpg", "label": "dog", "CheckTask": {"right": True}},
    )
