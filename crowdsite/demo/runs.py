"""The queues of the demo's workflows, and a few runs, so that there is something to look at and to do."""

from collections.abc import Sequence
from typing import Any

from crowdsite.demo.making import make_queue
from crowdsite.demo.workflows import digits, proofreading

STARTED = (5, 7, 37)
"""The digits of the runs that are there from the beginning."""


def make_queues(*, owner: Any, reviewers: Sequence[Any], operator: Any) -> None:
    """The queues that the workflows name. Those of disputes are the operator's."""
    for name, fields in (digits.QUEUES | proofreading.QUEUES).items():
        who = [operator] if name == digits.OPERATORS else reviewers
        make_queue(name, fields, owner=owner, reviewers=who)


def start(*, by: Any) -> None:
    """Three digits to be read and a passage to be made plainer."""
    for number in STARTED:
        digits.DigitsWorkFlow.start({"digit": number}, by=by)
    proofreading.ProofreadingWorkFlow.start({"text": proofreading.PASSAGE}, by=by)
