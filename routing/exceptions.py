"""Why a router, a pipeline or a run refused. The names are crowdrouter's (1.5.5), for those who come from there."""

from typing import Any

from queues.exceptions import CrowdError


class CrowdRouterError(CrowdError):
    """A request that a router does not carry out. `value` is the sentence, as is `detail`."""

    slug = "crowdrouter-error"
    sentence = "The router could not carry this request out."

    def __init__(self, value: str | None = None, **extra: Any) -> None:
        super().__init__(str(value) if value else self.sentence, **extra)

    @property
    def value(self) -> str:
        return self.detail


class AuthenticationError(CrowdRouterError):
    """Whoever asks may not: not on the whitelist, on the blacklist, or not signed in where that is required."""

    slug = "not-let-in"
    sentence = "You may not do this work."


class RequestsUsedUp(CrowdRouterError):
    """The router has let in as many requests as it may."""

    slug = "requests-used-up"
    sentence = "No more requests are let in."


class PipelineError(CrowdRouterError):
    """The request does not fit the place where its pipeline is. What was done so far is kept."""

    slug = "pipeline-elsewhere"
    sentence = "The pipeline is at another step."


class CrowdChoiceError(CrowdRouterError):
    """A choice answered with what is none of its branches."""

    slug = "no-such-branch"
    sentence = "The choice is none of its branches."


class InvalidRequestStrategyError(CrowdRouterError):
    """A CrowdRequest was made of something that reads no request."""

    slug = "request-not-read"
    sentence = "A CrowdRequest is made of what was read from a request."


class InvalidRequestError(CrowdRouterError):
    """The request has no method that can be routed, or its data is no mapping."""

    slug = "request-not-understood"
    sentence = "The request cannot be routed."


class InvalidSessionError(CrowdRouterError):
    """The session cannot be read and written by key."""

    slug = "session-not-understood"
    sentence = "The session is no mapping."


class ImproperResponseError(CrowdRouterError):
    """A task or a workflow gave back something else than it must."""

    slug = "improper-response"
    sentence = "A task gives back a dict."


class NoRequestFoundError(CrowdRouterError):
    """There is no request."""

    slug = "no-request"
    sentence = "There is no request to route."


class NoSessionFoundError(CrowdRouterError):
    """The request has no session, and none was given."""

    slug = "no-session"
    sentence = "The request has no session."


class NoTaskFoundError(CrowdRouterError):
    """The workflow has no such task."""

    slug = "no-such-task"
    sentence = "The workflow has no such task."


class NoWorkFlowFoundError(CrowdRouterError):
    """The router has no such workflow."""

    slug = "no-such-workflow"
    sentence = "The router has no such workflow."


class TaskError(CrowdRouterError):
    """A task cannot be carried out with what it was given. Tasks raise it; the message is shown."""

    slug = "task-error"
    sentence = "The task could not be carried out."


class RunOver(CrowdError):
    """The run has ended, in a way that this cannot change."""

    slug = "run-over"


class NothingToRetry(CrowdError):
    """No step of the run waits to be tried again."""

    slug = "nothing-to-retry"


class NotFailed(CrowdError):
    """The run did not fail, so there is nothing to resume."""

    slug = "run-not-failed"
