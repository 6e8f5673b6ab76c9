"""What a task gave back."""

from typing import Any

from routing.exceptions import ImproperResponseError
from routing.requests import CrowdRequest


class CrowdResponse:
    """A task's answer to a request: `response` is the dict, `status` and `path` its members of these names, or None.

    `pipeline_last` is there after the last task of a pipeline. Raises ImproperResponseError where it is no dict.
    """

    pipeline_last: bool

    def __init__(self, response: Any, crowd_request: CrowdRequest, task: Any) -> None:
        if not isinstance(response, dict):
            found = type(response).__name__
            raise ImproperResponseError(
                f"{task.get_name()} must give back a dict to {crowd_request.get_method()}, not {found}."
            )
        self.response = response
        self.crowd_request = crowd_request
        self.task = task
        self.method = crowd_request.get_method()
        self.status = response.get("status")
        self.path = response.get("path")

    def __repr__(self) -> str:
        return f"<CrowdResponse: {self.task.get_name()} {self.method} {self.status}>"
