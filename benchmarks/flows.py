"""The workflow whose answers `routing.py` counts."""

from typing import Any

from routing import AbstractWorkFlow, HumanTask


class Question(HumanTask):
    queue = "moving"
    priority = 5

    def on_answer(self, output: Any, pipe_data: dict[str, Any]) -> None:
        pipe_data["last"] = output


class Long(AbstractWorkFlow):
    """One question after the other, longer than anybody answers."""

    tasks = [Question]

    def run(self, crowd_request: Any) -> Any:
        return self.repeat(crowd_request, 1000)
