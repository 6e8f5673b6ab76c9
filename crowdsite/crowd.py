"""The routers of the demo, found by routing as any app's module of this name is."""

from django.conf import settings

from crowdsite.demo.workflows.digits import DigitsWorkFlow
from crowdsite.demo.workflows.matching import MatchingWorkFlow
from crowdsite.demo.workflows.proofreading import ProofreadingWorkFlow
from routing import AbstractCrowdRouter, crowdrouter, register


class DemoRouter(AbstractCrowdRouter):
    """What is worked at once, in the browser's session, at /crowd/."""

    def __init__(self):
        self.workflows = [MatchingWorkFlow]

    @crowdrouter
    def route(self, crowd_request, workflow):
        return workflow.run(crowd_request)


class RunsRouter(AbstractCrowdRouter):
    """What goes on across people. It has no address: people meet its tasks in their queues."""

    workflows = [DigitsWorkFlow, ProofreadingWorkFlow]


if settings.LOAD_DEMO:
    register(DemoRouter)
    register(RunsRouter)
