"""The courier: from a commit to the receiver and to who hears pushes, whatever is wrong with the one or the other."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from queues import notifications, pushes
from queues.courier import Courier
from queues.models import Delivery, EventPending
from queues.notifications import NotificationDraft
from queues.pushes import Push
from queues.states import DeliveryStatus, Level
from tests import cast
from tests.loops import on_a_loop
from tests.receiver import Receiver, receiving
from tests.site.serving import until

pytestmark = pytest.mark.threads

Tell = Callable[[Sequence[Push]], Awaitable[None]]


async def to_nobody(told: Sequence[Push]) -> None:
    """A host without sockets."""


@contextmanager
def couriers(*tellers: Tell) -> Iterator[None]:
    """A courier for each of these, all on one thread and loop, stopped at the end."""

    async def work(stop: asyncio.Event) -> None:
        await asyncio.gather(*(Courier(tell).run(stop) for tell in tellers))

    with on_a_loop(work):
        yield


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True
    with receiving() as running:
        yield running


def subscribe(queue: Any, receiver: Receiver) -> str:
    """Have mia told of new tasks of her queue; the secret."""
    draft = NotificationDraft(endpoint=receiver.url, events_to_notify=("TASK_CREATED",))
    made = notifications.create(level=Level.QUEUE, queue=queue, draft=draft, owner=cast.person("mia"))
    assert made.secret is not None
    return made.secret


def test_a_task_that_is_posted_reaches_the_receiver_as_the_api_shows_it(receiver: Receiver) -> None:
    queue = cast.queue()
    secret = subscribe(queue, receiver)
    with couriers(to_nobody):
        (task,) = cast.post(queue, input_data={"said": "naïve “yes”"})
        (got,) = receiver.wait_for(1)
    said = got.verified(secret)
    assert (said["type"], said["data"]["id"], said["data"]["queue"]) == ("TASK_CREATED", task.pk, "digits")
    assert said["data"]["input_data"] == {"said": "naïve “yes”"}


def test_two_couriers_send_each_event_once(receiver: Receiver) -> None:
    queue = cast.queue()
    subscribe(queue, receiver)
    with couriers(to_nobody, to_nobody):
        tasks = [task for _time in range(10) for task in cast.post(queue, 5)]
        until(lambda: Delivery.objects.filter(status=DeliveryStatus.FINISHED).count() == len(tasks))
    assert len({one.id for one in receiver.received}) == len(receiver.received) == 50


@pytest.fixture
def heard(monkeypatch: Any) -> None:
    """Every event is pushed to a group of its own type."""
    monkeypatch.setattr(pushes, "_listeners", [])
    pushes.register(lambda events: [Push(event.type, {"type": "look"}) for event in events])


@pytest.mark.usefixtures("heard")
def test_what_happens_is_pushed_and_what_happened_before_is_not() -> None:
    queue, told = cast.queue(), list[str]()

    async def tell(these: Sequence[Push]) -> None:
        told.extend(push.group for push in these)

    with couriers(to_nobody):
        cast.post(queue)
        until(lambda: not EventPending.objects.exists())
    with couriers(tell):
        until(lambda: cast.post(queue) and told)
    assert "QUEUE_CREATED" not in told
    assert {"TASK_CREATED", "TASK_AVAILABLE"} >= set(told)


@pytest.mark.usefixtures("heard")
def test_sockets_that_cannot_be_told_hold_up_no_delivery(receiver: Receiver, caplog: Any) -> None:
    queue = cast.queue()
    subscribe(queue, receiver)

    async def hang(told: Sequence[Push]) -> None:
        await asyncio.Event().wait()

    async def fail(told: Sequence[Push]) -> None:
        raise ConnectionError("the broker is away")

    with couriers(hang, fail):
        for _time in range(3):
            cast.post(queue)
        receiver.wait_for(3)
        until(lambda: "Open sockets could not be told" in caplog.text)


def test_a_fault_in_what_is_to_be_pushed_holds_up_no_delivery(
    receiver: Receiver, caplog: Any, monkeypatch: Any
) -> None:
    queue = cast.queue()
    subscribe(queue, receiver)
    monkeypatch.setattr(pushes, "_listeners", [])
    pushes.register(lambda events: [events[0].missing])  # type: ignore[attr-defined]
    with couriers(to_nobody):
        cast.post(queue)
        receiver.wait_for(1)
        until(lambda: "could not be found out" in caplog.text)
