"""A digit is read by two people; by a third where they differ; and by an operator where all three do.

A run is started with `{"digit": 7}`, a place in digits.jsonl, and comes to `{"label": "3", …}`.
"""

from collections import Counter
from typing import Any

from crowdsite.demo import digits
from routing import AbstractCrowdChoice, AbstractTask, AbstractWorkFlow, HumanTask, TaskError

READERS = "digits-readings"
OPERATORS = "digits-disputed"

DISPUTED = """\
Three people have read this digit, and each has read another. **What you say stands.**

Under *readings* is what they said.
"""

QUEUES: dict[str, dict[str, Any]] = {
    READERS: {
        "alias": "Digits, read twice",
        "description": "Each digit is read by two people, and by a third where they differ.",
        "instructions": digits.INSTRUCTIONS,
        "input_schema": digits.INPUT_SCHEMA,
        "output_schema": digits.OUTPUT_SCHEMA,
    },
    OPERATORS: {
        "alias": "Digits in dispute",
        "description": "Digits that three people have read in three ways.",
        "instructions": DISPUTED,
        "input_schema": {
            **digits.INPUT_SCHEMA,
            "required": [*digits.INPUT_SCHEMA["required"], "readings"],
            "properties": {
                **digits.INPUT_SCHEMA["properties"],
                "readings": {"type": "array", "items": {"type": "string"}, "title": "Readings"},
            },
        },
        "output_schema": digits.OUTPUT_SCHEMA,
    },
}


class Reading(HumanTask):
    """Which digit is it? The answer stays in the pipe data under the name of the step."""

    queue = READERS

    def make_input(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        return digits.task_input(digits.read()[pipe_data["digit"]])


class FirstReading(Reading):
    """By anybody."""


class SecondReading(Reading):
    """By somebody else. What was begun comes before what was not."""

    priority = 400
    exclude_reviewers_of = [FirstReading]


class ThirdReading(Reading):
    """By a third person."""

    priority = 300
    exclude_reviewers_of = [FirstReading, SecondReading]


READINGS = (FirstReading, SecondReading, ThirdReading)


def readings(pipe_data: dict[str, Any]) -> list[str]:
    """What was read so far, in the order of the readings."""
    return [pipe_data[kind.get_name()]["label"] for kind in READINGS if kind.get_name() in pipe_data]


def agreed(pipe_data: dict[str, Any]) -> str | None:
    """What two people have read."""
    label, times = Counter(readings(pipe_data)).most_common(1)[0]
    return label if times > 1 else None


class Settle(AbstractTask):
    """Two people have read the same: nobody needs to be asked."""

    def get(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"status": "OK", "label": agreed(pipe_data)}

    def post(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        pipe_data["label"] = agreed(pipe_data)
        return {"status": "OK"}


class OperatorReading(HumanTask):
    """Which digit is it, say those who decide."""

    queue = OPERATORS
    priority = 100

    def make_input(self, pipe_data: dict[str, Any]) -> dict[str, Any]:
        picture = digits.task_input(digits.read()[pipe_data["digit"]])
        return {**picture, "readings": readings(pipe_data)}

    def on_answer(self, output: dict[str, Any], pipe_data: dict[str, Any]) -> dict[str, Any]:
        return {"label": output["label"]}


class ThirdIfTheyDiffer(AbstractCrowdChoice):
    t1 = Settle
    t2 = ThirdReading

    def choice(self, pipe_data: dict[str, Any]) -> Any:
        return self.t1 if agreed(pipe_data) else self.t2


class OperatorIfAllDiffer(AbstractCrowdChoice):
    t1 = Settle
    t2 = OperatorReading

    def choice(self, pipe_data: dict[str, Any]) -> Any:
        return self.t1 if agreed(pipe_data) else self.t2


class DigitsWorkFlow(AbstractWorkFlow):
    """Two people, a third, an operator: as few as are needed."""

    tasks = [FirstReading, SecondReading, ThirdIfTheyDiffer, OperatorIfAllDiffer]

    def pre_pipeline(self, task: Any, pipe_data: dict[str, Any]) -> None:
        """Raises TaskError for a digit that there is not."""
        last = len(digits.read()) - 1
        number = pipe_data.get("digit")
        if type(number) is not int or not 0 <= number <= last:
            raise TaskError(f'A run of this workflow needs the number of a digit, 0 to {last}: {{"digit": 7}}.')
