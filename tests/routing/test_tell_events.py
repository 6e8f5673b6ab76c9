"""The runs' table of docs/events.md: what happens, and the events that it writes."""

from pathlib import Path

import pytest

from queues import lifecycle
from queues.models import Event, Membership, Task
from routing import runs
from routing.models import Run
from routing.states import EventType
from tests import cast
from tests.api import flows
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db


def table():
    """What happens → the events."""
    text = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    rows = text.partition("| what happens to a run | events |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {what: told.split(", ") for what, told in cells}


def start(workflow=flows.Reading, **input):
    return workflow.start(input, by=cast.person("rick"))


def run():
    return Run.objects.get().pk


def retry():
    runs.retry(run_id=run())


def answer():
    (held,) = cast.grab(Membership.objects.get(user=cast.person("alice"))).assignments
    Caller("alice").post(f"assignments/{held.pk}/finalize/", {"data": "seven"})


def waits(_patched):
    start()


def is_stuck(patched):
    """Its first step has failed; the code is mended."""
    with patched.context() as broken:
        starts_broken(broken)
        start()


def is_stuck_at_its_last(patched):
    """The same, of what asks nobody."""
    with patched.context() as broken:
        broken.setattr(flows.Count, "broken", True)
        start(flows.Counting, text="four")


def has_vanished(patched):
    """Its second step is not there."""
    start()
    patched.setattr(flows.Reading, "tasks", [flows.Read])
    patched.delattr(flows, "Check")


def has_failed(patched):
    """The same, when it should have gone on; and the step is back."""
    with patched.context() as missing:
        has_vanished(missing)
        answer()


def is_at_its_last(_patched):
    start()
    answer()


def starts_broken(patched):
    patched.setattr(flows.Read, "broken", True)


HAPPENINGS = {
    "a run is started, and waits for people": (None, start),
    "a run is started that need not wait for anybody": (None, lambda: start(flows.Counting, text="four")),
    "a run is started whose first step fails": (starts_broken, start),
    "a step fails, to be tried again": (waits, lambda: lifecycle.cancel_task(task_id=Task.objects.get().pk)),
    "all that failed was tried again, and went well": (is_stuck, retry),
    "it was tried again, and the run came to its end": (is_stuck_at_its_last, retry),
    "the last answer is given, and the run comes to its end": (is_at_its_last, answer),
    "what comes next is not there any more": (has_vanished, answer),
    "a run that failed is resumed": (has_failed, lambda: runs.resume(run_id=run())),
    "a run is canceled": (waits, lambda: runs.cancel(run_id=run())),
}


@pytest.mark.parametrize("what", HAPPENINGS)
def test_what_happens_writes_what_the_table_says(what, monkeypatch):
    queue = cast.queue("digits")
    cast.join(queue, "rick", "requester")
    cast.join(queue, "alice")
    before, happen = HAPPENINGS[what]
    if before is not None:
        before(monkeypatch)
    last = Event.objects.latest("pk").pk
    happen()
    told = Event.objects.filter(pk__gt=last, type__in=EventType).order_by("pk")
    assert list(told.values_list("type", flat=True)) == table()[what]
    assert {(event.object_type, event.queue_id, event.task_id) for event in told} == {("run", None, None)}


def test_the_table_is_whole():
    assert set(table()) == set(HAPPENINGS)
    assert {type_ for told in table().values() for type_ in told} == set(EventType)
