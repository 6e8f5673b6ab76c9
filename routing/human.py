"""HumanTask: a task that people of a queue answer, for a run; in a session, whoever is there does."""

from collections.abc import Mapping, Sequence
from typing import Any

from routing import calling
from routing.abstract_task import AbstractTask
from routing.exceptions import TaskError
from routing.requests import STEP_FIELD

OF_THE_PAGE = ("csrfmiddlewaretoken", STEP_FIELD)
"""What a form carries that is no answer."""


class HumanTask(AbstractTask):
    """A task of a queue, which `queue` names; the other attributes are those of its task (None: as the queue has).

    `exclude_reviewers_of`: earlier steps, as classes or names; whoever answered one of them does not get this task.
    The methods run in the transaction of what they are told of, so they had better be quick and ask no network. What
    they raise marks the step as failed, to be tried again; the answer stands.
    """

    is_base = True
    queue: str = ""
    topic: str = ""
    priority: int | None = None
    judgments_required: int | None = None
    seconds_to_expire: int | None = None
    exclude_reviewers_of: Sequence[Any] = ()

    def make_input(self, pipe_data: dict[str, Any]) -> Any:
        """What people are shown: the `input_data` of the task. As it stands: the pipe data."""
        return dict(pipe_data)

    def on_answer(self, output: Any, pipe_data: dict[str, Any]) -> Mapping[str, Any] | None:
        """Take the answer (the task's `output_data`) into the pipe data. A mapping that is given back is put into it.

        As it stands, the answer is kept under the task's name. It may also name `judgments`, the list of the answers of
        all who were asked, in the order in which they came.
        """
        pipe_data[self.get_name()] = output
        return None

    def on_expired(self, pipe_data: dict[str, Any]) -> Mapping[str, Any] | None:
        """The task expired. What is given back goes into the pipe data, and the run goes on.

        Raises TaskError as it stands: the step fails, and trying it again posts another task.
        """
        raise TaskError("Nobody answered in time: the task has expired.")

    def on_canceled(self, pipe_data: dict[str, Any]) -> Mapping[str, Any] | None:
        """The task was canceled, and the run was not. As on_expired."""
        raise TaskError("The task was canceled.")

    def get(self, pipe_data: dict[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """In a session: what there is to answer, under "input"."""
        return {"status": "OK", "input": self.make_input({**dict(data.items()), **pipe_data})}

    def post(self, pipe_data: dict[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
        """In a session: the form is the answer."""
        output = {name: _whole(form, name) for name in form if name not in OF_THE_PAGE}
        known = {"output": output, "pipe_data": pipe_data, "judgments": [output], "workflow": self.workflow}
        pipe_data.update(calling.call(type(self).on_answer, self, known) or {})
        return {"status": "OK", "output": output}


def _whole(form: Mapping[str, Any], name: str) -> Any:
    """A form's value; where it has several of one name, the list of them."""
    several = form.getlist(name) if hasattr(form, "getlist") else []
    return several if len(several) > 1 else form[name]
