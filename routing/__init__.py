"""Routing: in what order work happens.

What hosts subclass and call is importable from here. It is looked up at its first use: some of it stands on models,
which do not exist yet when Django imports this package.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "routing.router": ("AbstractCrowdRouter",),
    "routing.abstract_workflow": ("AbstractWorkFlow",),
    "routing.abstract_task": ("AbstractTask",),
    "routing.human": ("HumanTask",),
    "routing.choices": ("AbstractCrowdChoice", "AbstractLoopCondition", "AbstractFanOut"),
    "routing.requests": ("CrowdRequest",),
    "routing.responses": ("CrowdResponse",),
    "routing.registry": ("register",),
    "routing.decorators": (
        "crowdrouter",
        "workflow",
        "task",
        "choice",
        "crowdrouter_auth_required",
        "workflow_auth_required",
        "task_auth_required",
    ),
    "routing.exceptions": (
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
        "RequestsUsedUp",
        "TaskError",
    ),
    "routing.pipeline": ("SESSION_PIPELINE_KEY", "SESSION_DATA_KEY"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'routing' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
