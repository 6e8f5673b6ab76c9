"""A router with workflows that tests of the API start: people of the queues `digits` and `foreign` do the work."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from routing import AbstractCrowdRouter, AbstractFanOut, AbstractTask, AbstractWorkFlow, HumanTask, TaskError, registry


class Read(HumanTask):
    """Raises where its code is `broken`."""

    queue = "digits"
    broken = False

    def make_input(self, pipe_data: dict[str, Any]) -> Any:
        if self.broken:
            raise ValueError("There is nothing to read.")
        return pipe_data


class Check(HumanTask):
    queue = "digits"


class Reading(AbstractWorkFlow):
    """Read, then check."""

    tasks = [Read, Check]
    version = "2"


class EachLine(AbstractFanOut):
    tasks = [Read]

    def items(self, pipe_data: dict[str, Any]) -> Any:
        return pipe_data["item"]


class EachPage(AbstractFanOut):
    tasks = [EachLine]

    def items(self, pipe_data: dict[str, Any]) -> Any:
        return pipe_data["pages"]


class ReadingAll(AbstractWorkFlow):
    """Read each line of each page: `{"pages": [[line, …], …]}`."""

    tasks = [EachPage]


class Translate(HumanTask):
    queue = "foreign"


class Translating(AbstractWorkFlow):
    tasks = [Translate]


class ReadingAndTranslating(AbstractWorkFlow):
    tasks = [Read, Translate]


class Count(AbstractTask):
    """Counts the letters of `text`. Raises where its code is `broken`."""

    broken = False

    def get(self) -> Any:
        return {}

    def post(self, data: Any, pipe_data: Any) -> Any:
        if self.broken:
            raise ValueError("There is nothing to count.")
        pipe_data["letters"] = len(data["text"])
        return {}


class Counting(AbstractWorkFlow):
    """Asks nobody, and takes no input without `text`."""

    tasks = [Count]

    def pre_pipeline(self, task: Any, pipe_data: dict[str, Any]) -> None:
        if "text" not in pipe_data:
            raise TaskError("There is no text to count.")


class Desk(AbstractCrowdRouter):
    workflows: Sequence[Any] = [Reading, ReadingAll, Translating, ReadingAndTranslating, Counting]


@contextmanager
def registered() -> Iterator[None]:
    """The site has the router."""
    registry.register(Desk)
    try:
        yield
    finally:
        registry.unregister(Desk)
