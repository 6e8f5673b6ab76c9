"""What runs ask does not take longer the more of them have ended."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from routing import definitions, runs
from routing.abstract_workflow import AbstractWorkFlow
from routing.models import Run, Step
from tests import cast, flows
from tests.plans import explain, prefer_indexes

pytestmark = pytest.mark.django_db


def asked(act) -> list[str]:
    """What is read of steps and runs meanwhile."""
    with CaptureQueriesContext(connection) as queries:
        act()
    reads = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    return [sql for sql in reads if 'FROM "crowd_routing_' in sql]


@pytest.fixture
def alice():
    return flows.crowd("alice")[0]


def end_many(alice) -> None:
    """Many steps that are done, in runs that have ended."""
    rick = cast.person("rick")
    for _time in range(40):
        flows.Repeated.start({}, by=rick)
    for _time in range(120):
        flows.answer(alice, "x")
    assert Run.objects.filter(status="FINISHED").count() == 40


@pytest.mark.only("postgresql")
def test_what_is_asked_goes_along_indexes(alice):
    end_many(alice)
    flows.Sequence.start({}, by=cast.person("rick"))
    prefer_indexes(Step)
    prefer_indexes(Run)
    sqls = asked(runs.catch_up) + asked(lambda: flows.answer(alice, "x"))
    assert len(sqls) > 1
    plans = [explain(sql.removesuffix("FOR NO KEY UPDATE")) for sql in sqls]
    assert any("step_waiting" in plan for plan in plans)
    for plan in plans:
        assert "crowd_routing_step_pkey" not in plan, plan
        assert "Seq Scan on crowd_routing_step" not in plan, plan


def test_the_order_of_a_workflow_is_asked_for_once():
    calls = []

    class Counted(AbstractWorkFlow):
        tasks = [flows.Find]

        def run(self, crowd_request):
            calls.append(1)
            return self.pipeline(crowd_request)

    for _time in range(3):
        assert definitions.order_of(Counted) == [flows.Find]
    assert len(calls) == 1
    Counted.tasks = [flows.Find, flows.Fix]
    assert definitions.order_of(Counted) == [flows.Find, flows.Fix]
