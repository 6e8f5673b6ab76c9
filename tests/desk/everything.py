"""A site with something in every state, for the pages to show: some days of alice's work on handwritten digits."""

import random
from datetime import timedelta
from typing import Any

from django.utils import timezone

from assignments import claims, lifecycle, rollup
from assignments.models import Assignment, Reviewer
from assignments.states import AssignmentStatus
from crowdsite.demo import digits, loading
from crowdsite.demo import runs as demo_runs
from crowdsite.demo.workflows import digits as of_digits
from crowdsite.demo.workflows import proofreading
from pavilion import hiring, links, pool
from pavilion.models import Hire
from queues import administration, batches, deliveries, intake, notifications, sequencer
from queues import lifecycle as task_lifecycle
from queues.deliveries import Outcome
from queues.drafts import TaskDraft
from queues.models import Delivery, FeedEntry, Membership, Queue, Task
from queues.notifications import NotificationDraft
from queues.states import Level, Role
from routing import runs
from routing.models import Lane, Run, Step
from tests import pools
from tests.cast import grab, join, person, post, queue

DAYS = 4
A_DAY = (2, 6)
"""The fewest and the most tasks that alice takes on a day."""


def fill() -> dict[str, Any]:
    """Make it; the answer names what addresses need: ids of rows."""
    random.seed(loading.SEED)
    now = timezone.now()
    work = _digits(now - timedelta(days=DAYS))
    alice = Membership.objects.select_related("queue", "user").get(queue=work, user=person("alice"))
    for day in range(DAYS, -1, -1):
        _a_day(alice, now - timedelta(days=day, minutes=20))
    while rollup.roll_up():
        pass
    _other_queues()
    grab(alice)
    person("nora")
    person("olga", is_staff=True, is_superuser=True)
    closed = Task.objects.filter(queue=work, status="FINISHED").values_list("pk", flat=True)[:3]
    batch = batches.plan(kind="cancel", items=list(closed), actor=person("olga"), parameters={"reason": "Sold out."})
    batches.work(batch_id=batch.pk)
    ended = Assignment.objects.filter(reviewer__user=alice.user).order_by("-id")
    return {
        **_webhooks(),
        **_pool(work),
        **_runs(),
        "queue": work.pk,
        "batch": batch.pk,
        "reviewer": Reviewer.objects.get(user=alice.user).pk,
        "task": Task.objects.filter(queue=work, status="FINISHED").order_by("id").values_list("pk", flat=True)[0],
        **{
            status.value.lower(): ended.filter(status=status).values_list("pk", flat=True)[0]
            for status in AssignmentStatus
            if status != AssignmentStatus.CREATED
        },
    }


def _digits(now: Any) -> Any:
    work = queue(
        "digits",
        alias="Handwritten digits",
        description="Which digit is it?",
        instructions=loading.INSTRUCTIONS,
        input_schema=loading.INPUT_SCHEMA,
        output_schema=loading.OUTPUT_SCHEMA,
    )
    join(work, "rick", Role.REQUESTER)
    join(work, "alice")
    join(work, "bob")
    drafts = [
        TaskDraft(input_data={"image_url": digit.image_url, "categories": list(digits.CATEGORIES)})
        for digit in digits.read()[:100]
    ]
    intake.create_tasks(queue=work, requester=person("rick"), drafts=drafts, now=now)
    return work


def _a_day(alice: Membership, now: Any) -> None:
    """One task is skipped, one is taken back, one lapses, the others are answered."""
    ends = ["skip", "release", "lapse"] + ["answer"] * random.randint(*A_DAY)
    for end in random.sample(ends, len(ends)):
        held = claims.grab(membership=alice, call={"seconds_to_expire": 60}, now=now).assignments[0].pk
        now += timedelta(seconds=random.randint(3, 50))
        if end == "skip":
            lifecycle.skip(assignment_id=held, seconds_to_expire=3600, actor=alice.user, now=now)
        elif end == "release":
            lifecycle.release(assignment_id=held, reason="Its picture was wrong.", actor=person("mia"), now=now)
        elif end == "lapse":
            now += timedelta(seconds=60)
            lifecycle.expire_assignments(now=now)
        else:
            label = {"label": random.choice(digits.CATEGORIES)}
            lifecycle.finalize(assignment_id=held, data=label, actor=alice.user, now=now)


def _other_queues() -> None:
    """One that is paused, one with a name that is hard to fit, and one with a frontend of its own and work in hand."""
    paused = queue("receipts", alias="Receipts", description="Type what the receipt says.")
    long = queue("a-name-without-a-space-that-is-longer-than-a-small-screen-is-wide")
    outside = queue("pets", alias="Pets", description="Cat or dog?", reviewer_frontend_url="https://pets.example/")
    for each in (paused, long, outside):
        join(each, "alice")
    administration.update_queue(queue_id=paused.pk, changes={"is_paused": True}, actor=person("mia"))
    post(outside, 6)
    grab(outside.memberships.select_related("user").get(user=person("alice")), multitask_index=2)


def _webhooks() -> dict[str, Any]:
    """Two endpoints, one of them switched off, and deliveries in each state about the queue of pets."""
    olga, pets = person("olga"), Queue.objects.get(name="pets")
    headers = {"Authorization": "Bearer not-to-be-seen"}
    draft = NotificationDraft(endpoint="http://127.0.0.1:9/pets", events_to_notify=("TASK_CREATED",), headers=headers)
    only = NotificationDraft(endpoint="http://127.0.0.1:9/gone", events_to_notify=("TASK_FINISHED",), strategy="ONLY")
    told = notifications.create(level=Level.QUEUE, draft=draft, owner=olga, queue=pets).notification
    gone = notifications.create(level=Level.SITE, draft=only, owner=olga).notification
    notifications.disable(endpoint_id=gone.endpoint_id)
    post(pets, 4)
    while sequencer.sequence().count:
        pass
    now = timezone.now()
    for status_code, excerpt, late in ((200, "ok", 0), (500, "<h1>No</h1>\n" * 40, 0), (503, "Busy.", 80)):
        after = now + timedelta(hours=late)
        taken = deliveries.claim(endpoint_ids=[told.endpoint_id], limit=1, lease=timedelta(seconds=9))
        outcomes = [Outcome(claimed, now, 1234, status_code, excerpt) for claimed in taken]
        deliveries.record(outcomes=outcomes, now=after)
        told.endpoint.refresh_from_db()
        told.endpoint.disabled_at, told.endpoint.disabled_reason, told.endpoint.rests_until = None, "", None
        told.endpoint.save()
    failed = Delivery.objects.get(status="FAILED")
    return {
        "notification": told.pk,
        "endpoint": told.endpoint_id,
        "disabled": gone.endpoint_id,
        "delivery": failed.pk,
        "entry": FeedEntry.objects.get(event=failed.event_id).pk,
        "pets": pets.pk,
    }


def _pool(work: Queue) -> dict[str, str]:
    """The links of workers in a pool: two who wait, one who is called, one who is at work, and one who has left."""
    words = {
        "title": "Read handwritten digits",
        "description": "You see the picture of a digit, and say which one it is.",
        "waiting_instructions": "Do what you like meanwhile, and leave the sound on.",
    }
    limits = {"min_waiting": 1, "min_active": 1, "max_waiting": 6, "max_active": 2}
    session = pools.post(queue=work, name="digits-pool", **words, **limits, confirm_seconds=600, heartbeat_seconds=600)
    hiring.work()
    taken = Hire.objects.order_by("pk")[0]
    seats = [pools.join(session, name) for name in ("Ann", "Ben", "Cyd", "Dee", "Eve")]
    left, at_work, called, waiting, _also = seats
    pool.confirm(seat_id=left.pk)
    pool.submit(seat_id=left.pk)
    pool.confirm(seat_id=at_work.pk)
    return {
        "session": str(session.pk),
        "pool": str(session.pool_id),
        "worker": str(left.worker_id),
        "offer": links.of_offer(session_id=session.pk),
        "taken": links.of_offer(session_id=session.pk, hire_id=taken.pk),
        **{
            name: links.of_seat(seat.pk)
            for name, seat in (("waiting", waiting), ("called", called), ("at_work", at_work), ("left", left))
        },
    }


def _runs() -> dict[str, int]:
    """Runs of the demo's workflows: one that fans out, and one that is stuck, failed, finished and canceled each."""
    rick, readers = person("rick"), [person(name) for name in ("kim", "lea", "max")]
    demo_runs.make_queues(owner=rick, reviewers=readers, operator=person("olga"))
    stuck, failed, finished, canceled, *_others = [
        of_digits.DigitsWorkFlow.start({"digit": number}, by=rick) for number in range(7)
    ]
    reading = _task_of(stuck)
    task_lifecycle.cancel_task(task_id=reading.pk, actor=rick)
    Lane.objects.filter(run=failed).update(plan=["FirstReading", "SecondReading", "FourthReading"])
    for run, labels in ((failed, "77"), (finished, "374")):
        for name, label in zip(("kim", "lea", "max"), labels, strict=False):
            _answer(run, name, {"label": label})
    _answer(finished, "olga", {"label": "3"})
    runs.cancel(run_id=canceled.pk, reason="The picture is of a letter.", actor=rick)
    fanned = proofreading.ProofreadingWorkFlow.start({"text": proofreading.PASSAGE}, by=rick)
    for name in ("kim", "lea", "max"):
        _answer(fanned, name, {"spans": ["1", "3", "4"]})
    _answer(fanned, "kim", {"after": "Something might be made out on this question."})
    return {
        "run": fanned.pk,
        "stuck_run": stuck.pk,
        "failed_run": failed.pk,
        "finished_run": finished.pk,
        "canceled_run": canceled.pk,
    }


def _task_of(run: Run) -> Task:
    """The first of a run's tasks that nobody has answered."""
    return Task.objects.filter(step__in=Step.objects.filter(run=run).live()).order_by("id")[0]


def _answer(run: Run, name: str, data: Any) -> None:
    """Answer it."""
    task = _task_of(run)
    membership = task.queue.memberships.select_related("queue", "user").get(user=person(name), role=Role.REVIEWER)
    held = claims.assign(membership=membership, task_id=task.pk).pk
    lifecycle.finalize(assignment_id=held, data=data, actor=membership.user)
