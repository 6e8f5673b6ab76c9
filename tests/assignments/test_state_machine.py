"""Every transition, in any order and at any moment, against the plain model in model.py.

CROWDSITE_STATE_MACHINE_EXAMPLES sets the number of walks for a longer run, CROWDSITE_STATE_MACHINE_STEPS their length;
with CROWDSITE_STATE_MACHINE_SHRINK=0 a failing walk is shown as it was found, without minutes of shortening.
`--hypothesis-show-statistics` tells how often each outcome came up.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import Phase, currently_in_test_context, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from assignments import claims, lifecycle
from assignments.models import Assignment, Exclusion
from queues import administration, intake, invariants, members, priority
from queues import lifecycle as tasks
from queues.drafts import TaskDraft
from queues.exceptions import CrowdError
from queues.models import Membership, Task
from queues.states import Role
from tests import cast
from tests.assignments import model
from tests.assignments.model import Member, Refused, Wish

EXAMPLES = int(os.environ.get("CROWDSITE_STATE_MACHINE_EXAMPLES", "30"))
STEPS = int(os.environ.get("CROWDSITE_STATE_MACHINE_STEPS", "50"))

SHRINK = os.environ.get("CROWDSITE_STATE_MACHINE_SHRINK", "1") == "1"

START = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
REVIEWERS = ("alice", "bob", "carol", "dave")
REQUESTERS = ("rick", "alice")
TOPICS = ("", "birds", "boats")

# The third and the fourth are one and the same JSON.
ANSWERS = ({"label": "3"}, {"label": "7"}, {"label": 1, "sure": True}, {"sure": True, "label": 1.0})

people = st.sampled_from(REVIEWERS)
which = st.integers(0, 59)
"""Which of those that there are at that moment: its remainder by their number. Mostly open and live ones."""

multitask = st.none() | st.integers(1, 3)
wishes = st.builds(
    Wish,
    order=st.sampled_from([None, "fifo", "lifo"]),
    priority_order=st.sampled_from([None, "important_first", "important_last", "no"]),
    topic=st.sampled_from([None, None, *TOPICS[1:]]),
    multitask=multitask,
    lease=st.sampled_from([None, None, 10, 25, 60]),
)
stored = st.builds(
    Wish,
    order=st.sampled_from([None, "fifo", "lifo"]),
    priority_order=st.sampled_from([None, "important_first", "important_last", "no"]),
    multitask=multitask,
    lease=st.sampled_from([None, 20, 60]),
)


drafts = st.fixed_dictionaries(
    {
        "topic": st.sampled_from(TOPICS),
        "priority": st.sampled_from([500, 500, 5, 995]),
        "delay": st.sampled_from([None, None, None, 15]),
        "excluded": st.just(()) | st.lists(people, max_size=2, unique=True).map(tuple),
    }
).flatmap(
    lambda draft: st.tuples(
        st.fixed_dictionaries({"required": st.sampled_from([None, None, 1, 2, 3])})
        | st.fixed_dictionaries({"target": people}).filter(lambda aim: aim["target"] not in draft["excluded"]),
        st.fixed_dictionaries({"life": st.sampled_from([None, None, 30, 45])})
        | st.fixed_dictionaries({"life": st.none(), "seconds_to_expire": st.sampled_from([20, 50])}),
    ).map(lambda more: {**draft, **more[0], **more[1]})
)
"""Drafts that are mostly taken."""


def at(seconds: int | None) -> datetime | None:
    """A time of the model on the calendar."""
    return None if seconds is None else START + timedelta(seconds=seconds)


def strategy(wish: Wish) -> dict[str, Any]:
    """The wish as the writers take it."""
    said = {
        "order": wish.order,
        "priority_order": wish.priority_order,
        "topic": wish.topic,
        "multitask_index": wish.multitask,
        "seconds_to_expire": wish.lease,
        "expire_at": at(wish.until),
    }
    return {key: value for key, value in said.items() if value is not None}


ACTS: dict[str, tuple[int, st.SearchStrategy[dict[str, Any]]]] = {}
"""What may be done: how likely it is, and its arguments."""

NEEDS: dict[str, str] = {}
"""What an act is done to: it is left out while there are no "tasks" or "assignments"."""


def act(weight: int, *, to: str = "members", **arguments: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A method of Loop that may be any step of a walk.

    Not a rule: of those Hypothesis leaves out half in each walk, and few walks would come as far as an answer.
    """

    def keep(method: Any) -> Any:
        ACTS[method.__name__] = (weight, st.fixed_dictionaries(arguments))
        NEEDS[method.__name__] = to
        return method

    return keep


def acts() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """An act and its arguments. The likely ones come first: Hypothesis has a liking for the first of a list."""
    likely_first = sorted(ACTS, key=lambda name: -ACTS[name][0])
    names = [name for name in likely_first for _ in range(ACTS[name][0])]
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), ACTS[name][1]))


class Loop(RuleBasedStateMachine):
    """One queue, four who may review, two who post; each act does the same to the database and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.users = {name: cast.person(name) for name in {*REVIEWERS, *REQUESTERS, "mia"}}
        self.task_keys: list[int] = []
        self.assignment_keys: list[int] = []
        self.model = model.Queue()
        self.outcomes: set[str] = set()

    def teardown(self) -> None:
        try:
            assert invariants.broken() == {}
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    # Doing the same to both.

    def tell(self, outcome: str) -> None:
        self.outcomes.add(outcome)
        if currently_in_test_context():
            event(outcome)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.model.now)

    def both(self, name: str, expected: Callable[[], Any], done: Callable[[], Any]) -> tuple[Any, Any]:
        """Do it to the model and to the database: both do it, or both refuse it for the same reason (None, None)."""
        try:
            wanted, refusal = expected(), None
        except Refused as refused:
            wanted, refusal = None, str(refused)
        try:
            got, problem = done(), None
        except CrowdError as error:
            got, problem = None, error.slug
        assert problem == refusal, f"{name}: {problem or 'done'}, but expected {refusal or 'to be done'}"
        self.tell(f"{name}: {refusal or 'done'}")
        return wanted, got

    def task(self, number: int) -> tuple[model.Task, int]:
        """One of the tasks, with its key; mostly an open one."""
        some = [task for task in self.model.tasks if task.status in model.OPEN or number % 4 == 3]
        task = (some or self.model.tasks)[number // 4 % len(some or self.model.tasks)]
        return task, self.task_keys[task.id - 1]

    def assignment(self, number: int) -> tuple[model.Assignment, int]:
        """One of the assignments, with its key; mostly one that nobody has ended."""
        some = [one for one in self.model.assignments if one.status == "CREATED" or number % 4 == 3]
        assignment = (some or self.model.assignments)[number // 4 % len(some or self.model.assignments)]
        return assignment, self.assignment_keys[assignment.id - 1]

    def membership(self, name: str) -> Membership:
        """The reviewer's membership as it is now; one that was revoked while they were asking, where it was."""
        fresh = Membership.objects.select_related("queue", "user")
        found = fresh.filter(queue=self.queue, user=self.users[name], role=Role.REVIEWER).first()
        if found is None:
            found = Membership(queue=self.queue, user=self.users[name], role=Role.REVIEWER)
            found.queue.refresh_from_db()
        return found

    def learn(self, expected: list[model.Assignment], got: list[Assignment]) -> None:
        """What was handed out is exactly what the model hands out, in its order; its keys are new ones."""
        assert [self.task_keys[a.task.id - 1] for a in expected] == [a.task_id for a in got]
        for wanted, assignment in zip(expected, got, strict=True):
            if wanted.id > len(self.assignment_keys):
                assert assignment.pk not in self.assignment_keys
                self.assignment_keys.append(assignment.pk)
            assert assignment.pk == self.assignment_keys[wanted.id - 1]
            assert assignment.expire_at == at(wanted.expire_at)

    # The queue and its members.

    @initialize(
        judgments=st.sampled_from([1, 1, 2]),
        longest=st.sampled_from([60, 60, None]),
        most=st.sampled_from([10, 10, 2]),
        own=st.booleans(),
        wish=st.just(Wish()) | stored,
        known=st.lists(st.tuples(stored | st.just(Wish()), st.sampled_from([10, 10, 1, 2])), min_size=3, max_size=4),
    )
    def begin(
        self,
        judgments: int,
        longest: int | None,
        most: int,
        own: bool,
        wish: Wish,
        known: list[tuple[Wish, int]],
    ) -> None:
        self.model = model.Queue(
            judgments=judgments, longest_lease=longest, most_at_once=most, requester_may_review=own, wish=wish
        )
        self.queue = administration.create_queue(
            name="digits",
            actor=self.users["mia"],
            fields={
                "judgments_per_task": judgments,
                "max_lease_seconds": longest,
                "max_multitask": most,
                "requester_may_review": own,
                "default_assignment_strategy": strategy(wish),
            },
            now=self.now,
        )
        for name, (wish_, limit) in zip(REVIEWERS, known, strict=False):
            self.grant(name, wish_, limit)
        self.posted("rick", 2)
        self.posted("alice", 1)

    @act(2, to="tasks", name=people, wish=stored | st.just(Wish()), limit=st.sampled_from([10, 10, 1, 2]))
    def grant(self, name: str, wish: Wish, limit: int) -> None:
        self.both(
            "grant",
            lambda: self.model.grant(name, Member(wish, limit)),
            lambda: members.grant(
                queue=self.queue,
                user=self.users[name],
                role=Role.REVIEWER,
                strategy=strategy(wish) or None,
                max_live=limit,
                now=self.now,
            ),
        )

    @act(1, number=which)
    def revoke(self, number: int) -> None:
        name = sorted(self.model.members)[number % len(self.model.members)]
        membership = self.membership(name)
        self.both(
            "revoke",
            lambda: self.model.revoke(name),
            lambda: members.revoke(membership=membership, now=self.now),
        )

    @act(2, paused=st.sampled_from([True, False, False, False]))
    def pause(self, paused: bool) -> None:
        def expected() -> None:
            if self.model.archived:
                raise Refused("queue-archived")
            self.model.paused = paused

        self.both(
            "pause" if paused else "unpause",
            expected,
            lambda: administration.update_queue(queue_id=self.queue.pk, changes={"is_paused": paused}, now=self.now),
        )

    @act(1, certain=st.integers(0, 3))
    def archive(self, certain: int) -> None:
        if certain == 3:
            self.both(
                "archive",
                self.model.archive,
                lambda: administration.archive_queue(queue_id=self.queue.pk, now=self.now),
            )

    # Time.

    @act(2, seconds=st.sampled_from([1, 5, 10, 20, 60]))
    def wait(self, seconds: int) -> None:
        self.model.now += seconds

    @act(8, number=which, early=st.booleans())
    def wait_for_a_moment(self, number: int, early: bool) -> None:
        """Go to the very second at which something lapses or begins, or to the one before."""
        if moments := self.moments():
            self.model.now = max(self.model.now, moments[number % len(moments)] - early)

    def moments(self) -> list[int]:
        times = {a.expire_at for a in self.model.assignments if a.status == "CREATED"}
        for task in self.model.tasks:
            if task.status in model.OPEN:
                times |= {task.schedule_to, task.expire_at, *task.excluded.values()}
        return sorted(time for time in times if time is not None and time > self.model.now)

    @act(1)
    def sweep_schedule(self) -> None:
        self.sweep("release_scheduled", self.model.release_scheduled, tasks.release_scheduled)

    @act(1)
    def sweep_tasks(self) -> None:
        self.sweep("expire_tasks", self.model.expire_tasks, tasks.expire_tasks)

    @act(1)
    def sweep_leases(self) -> None:
        self.sweep("expire_assignments", self.model.expire_assignments, lifecycle.expire_assignments)

    @act(1)
    def sweep_archived(self) -> None:
        self.sweep("cancel_archived", self.model.cancel_archived, tasks.cancel_archived)

    def sweep(self, name: str, expected: Callable[[], int], done: Callable[..., int]) -> None:
        wanted, got = self.both(name, expected, lambda: done(now=self.now))
        assert got == wanted
        self.tell(f"{name}: {'something' if got else 'nothing'}")

    # Tasks.

    @act(8, requester=st.sampled_from(REQUESTERS), count=st.integers(1, 3), draft=drafts)
    def post(self, requester: str, count: int, draft: dict[str, Any]) -> None:
        now = self.model.now
        times = {"schedule_to": now + draft["delay"] if draft["delay"] else None}
        times["expire_at"] = now + draft["life"] if draft["life"] else None
        self.posted(requester, count, **times, **{k: v for k, v in draft.items() if k not in ("delay", "life")})

    @act(
        3,
        requester=st.sampled_from(REQUESTERS),
        required=st.sampled_from([None, None, 2]),
        aimed_at=st.none() | people,
        topic=st.sampled_from(TOPICS),
        excluded=st.just(()) | people.map(lambda name: (name,)),
        delay=st.none() | st.integers(-5, 40),
        life=st.sampled_from([None, None, 0, 15, 30, 80]),
        seconds=st.sampled_from([None, None, None, 10, 40]),
    )
    def post_anything(
        self,
        requester: str,
        aimed_at: str | None,
        delay: int | None,
        life: int | None,
        seconds: int | None,
        **draft: Any,
    ) -> None:
        now = self.model.now
        self.posted(
            requester,
            1,
            target=aimed_at,
            schedule_to=None if delay is None else now + delay,
            expire_at=None if life is None else now + life,
            seconds_to_expire=seconds,
            **draft,
        )

    @act(
        1,
        requester=st.sampled_from(REQUESTERS),
        output=st.sampled_from(ANSWERS),
        required=st.sampled_from([None, 2]),
    )
    def post_answered(self, requester: str, **draft: Any) -> None:
        self.posted(requester, 1, **draft)

    def posted(self, requester: str, count: int, **draft: Any) -> None:
        email = {name: user.email for name, user in self.users.items()}
        times = {key: at(draft[key]) for key in ("schedule_to", "expire_at") if key in draft}
        taken = TaskDraft(
            input_data={"picture": len(self.model.tasks)},
            output_data=draft.get("output"),
            topic=draft.get("topic", ""),
            priority=draft.get("priority", 500),
            target_reviewer=email[draft["target"]] if draft.get("target") else None,
            exclude_reviewers=tuple(email[name] for name in draft.get("excluded", ())),
            judgments_required=draft.get("required"),
            seconds_to_expire=draft.get("seconds_to_expire"),
            **times,
        )
        _wanted, got = self.both(
            "post",
            lambda: [self.model.post(requester, **draft) for _ in range(count)],
            lambda: intake.create_tasks(
                queue=self.queue, requester=self.users[requester], drafts=[taken] * count, now=self.now
            ),
        )
        self.task_keys += [task.pk for task in got or []]

    @act(1, to="tasks", number=which)
    def cancel(self, number: int) -> None:
        task, key = self.task(number)
        self.both(
            "cancel",
            lambda: self.model.cancel(task),
            lambda: tasks.cancel_task(task_id=key, reason="typo", now=self.now),
        )

    @act(
        2,
        to="tasks",
        number=which,
        wanted=st.sampled_from(sorted(model.PRIORITY_CHANGES)),
        topic=st.none() | st.sampled_from(TOPICS),
    )
    def reprioritize(self, number: int, wanted: str, topic: str | None) -> None:
        extra = {} if topic is None else {"topic": topic}
        self.update(number, {"priority": wanted, **extra}, {"priority": priority.parse(wanted), **extra})

    @act(2, to="tasks", number=which, aimed_at=st.none() | people)
    def retarget(self, number: int, aimed_at: str | None) -> None:
        user = self.users[aimed_at] if aimed_at else None
        self.update(number, {"target": aimed_at}, {"target_reviewer": user})

    @act(2, to="tasks", number=which, delay=st.none() | st.integers(-5, 40))
    def reschedule(self, number: int, delay: int | None) -> None:
        time = None if delay is None else self.model.now + delay
        self.update(number, {"schedule_to": time}, {"schedule_to": at(time)})

    @act(2, to="tasks", number=which, life=st.none() | st.integers(0, 60))
    def change_expiry(self, number: int, life: int | None) -> None:
        time = None if life is None else self.model.now + life
        self.update(number, {"expire_at": time}, {"expire_at": at(time)})

    def update(self, number: int, expected: dict[str, Any], changes: dict[str, Any]) -> None:
        task, key = self.task(number)
        self.both(
            "update " + " ".join(sorted(expected)),
            lambda: self.model.update(task, **expected),
            lambda: tasks.update_task(task_id=key, changes=changes, now=self.now),
        )

    # Assignments.

    @act(9, name=people, wish=wishes)
    def grab(self, name: str, wish: Wish) -> None:
        membership, chance = self.membership(name), None
        expected, got = self.both(
            "grab",
            lambda: self.model.grab(name, wish),
            lambda: claims.grab(membership=membership, call=strategy(wish), now=self.now),
        )
        if got is None:
            return
        self.learn(expected.held, got.assignments)
        assert (got.reason and str(got.reason)) == expected.reason
        self.tell(f"grab: {expected.reason or 'something'}")
        if expected.reason not in (None, "paused"):
            chance = self.model.next_chance(name, wish)
        if chance is not None:
            assert got.retry_at is not None
            assert got.retry_at <= START + timedelta(seconds=chance)

    @act(1, name=people, life=st.integers(5, 65))
    def grab_until(self, name: str, life: int) -> None:
        self.grab(name, Wish(until=self.model.now + life))

    @act(
        3,
        to="tasks",
        name=people,
        number=which,
        wish=st.builds(Wish, multitask=multitask, lease=st.sampled_from([None, 10, 60, 61])),
    )
    def assign(self, name: str, number: int, wish: Wish) -> None:
        (task, key), membership = self.task(number), self.membership(name)
        expected, got = self.both(
            "assign",
            lambda: self.model.assign(name, task, wish),
            lambda: claims.assign(membership=membership, task_id=key, call=strategy(wish), now=self.now),
        )
        if got is not None:
            self.learn([expected], [got])

    @act(6, to="assignments", number=which, data=st.sampled_from(ANSWERS))
    def finalize(self, number: int, data: Any) -> None:
        assignment, key = self.assignment(number)
        repeated, got = self.both(
            "finalize",
            lambda: self.model.finalize(assignment, data),
            lambda: lifecycle.finalize(assignment_id=key, data=data, now=self.now),
        )
        if got is not None:
            assert got.repeated == repeated
            # Answers given within one second would have no order.
            self.model.now += 1

    @act(3, to="assignments", number=which, seconds=st.none() | st.integers(1, 40))
    def skip(self, number: int, seconds: int | None) -> None:
        assignment, key = self.assignment(number)
        self.both(
            "skip",
            lambda: self.model.skip(assignment, seconds),
            lambda: lifecycle.skip(assignment_id=key, seconds_to_expire=seconds, now=self.now),
        )

    @act(
        2,
        to="assignments",
        number=which,
        seconds=st.sampled_from([9, 10, 25, 60, 61]),
        as_time=st.booleans(),
    )
    def extend(self, number: int, seconds: int, as_time: bool) -> None:
        assignment, key = self.assignment(number)
        until = self.model.now + seconds
        self.both(
            "extend",
            lambda: self.model.extend(assignment, **({"until": until} if as_time else {"seconds": seconds})),
            lambda: lifecycle.extend(
                assignment_id=key,
                **({"expire_at": at(until)} if as_time else {"seconds_to_expire": seconds}),
                now=self.now,
            ),
        )

    @act(2, to="assignments", number=which)
    def release(self, number: int) -> None:
        assignment, key = self.assignment(number)
        self.both(
            "release",
            lambda: self.model.release(assignment),
            lambda: lifecycle.release(assignment_id=key, reason="somebody else knows birds", now=self.now),
        )

    @rule(chosen=st.deferred(acts))
    def step(self, chosen: tuple[str, dict[str, Any]]) -> None:
        name, arguments = chosen
        if getattr(self.model, NEEDS[name]):
            getattr(self, name)(**arguments)

    # What is compared.

    @invariant()
    def tasks_are_alike(self) -> None:
        fields = (
            "status",
            "open_slots",
            "priority",
            "topic",
            "target_reviewer__username",
            "judgments_required",
        )
        fields += ("schedule_to", "expire_at", "seconds_to_expire", "output_data", "reviewer__username")
        rows = dict(zip_keys(Task.objects.order_by("id").values_list("id", *fields)))
        wanted = [
            (t.status, t.slots, t.priority, t.topic, t.target, t.required)
            + (at(t.schedule_to), at(t.expire_at), t.seconds_to_expire, t.output, t.reviewer)
            for t in self.model.tasks
        ]
        assert rows == dict(zip(self.task_keys, wanted, strict=True))

    @invariant()
    def assignments_are_alike(self) -> None:
        fields = (
            "task_id",
            "reviewer__user__username",
            "status",
            "created_at",
            "expire_at",
            "ended_at",
            "data",
        )
        rows = dict(zip_keys(Assignment.objects.order_by("id").values_list("id", *fields)))
        wanted = [
            (self.task_keys[a.task.id - 1], a.reviewer, a.status)
            + (at(a.created_at), at(a.expire_at), at(a.ended_at), a.data)
            for a in self.model.assignments
        ]
        assert rows == dict(zip(self.assignment_keys, wanted, strict=True))

    @invariant()
    def exclusions_are_alike(self) -> None:
        rows = Exclusion.objects.values_list("task_id", "reviewer__user__username", "until")
        assert {(task, name): until for task, name, until in rows} == {
            (self.task_keys[t.id - 1], name): at(until) for t in self.model.tasks for name, until in t.excluded.items()
        }


def zip_keys(rows: Any) -> Any:
    """Rows by their first column."""
    return ((row[0], tuple(row[1:])) for row in rows)


PHASES = (Phase.generate, *([Phase.shrink] if SHRINK else []))

Loop.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, phases=PHASES)
TestLoop = pytest.mark.django_db(Loop.TestCase)


OUTCOMES = {
    "grab": "done something leased excluded empty paused invalid-input review-access-lost queue-archived",
    "assign": "done capacity-reached task-not-available queue-paused review-access-lost queue-archived invalid-input",
    "finalize": "done assignment-closed lease-expired",
    "skip": "done assignment-closed lease-expired",
    "extend": "done assignment-closed lease-expired invalid-input",
    "release": "done assignment-closed lease-expired",
    "cancel": "done task-closed",
    "update priority": "done task-closed invalid-input",
    "update target": "done task-closed invalid-input",
    "update schedule_to": "done task-closed invalid-input task-in-hands",
    "update expire_at": "done task-closed invalid-input",
    "post": "done invalid-input queue-archived",
    "grant": "done membership-exists queue-archived",
    "revoke": "done",
    "pause": "done queue-archived",
    "unpause": "done queue-archived",
    "archive": "done queue-archived",
    "release_scheduled": "something nothing",
    "expire_tasks": "something nothing",
    "expire_assignments": "something nothing",
    "cancel_archived": "nothing",
}
"""What must be met at least once, whatever chance brings."""


@pytest.fixture
def loop(db: None) -> Iterator[Loop]:
    """A walk that is led by hand, in a queue of three tasks whose requesters may not review them."""
    loop = Loop()
    loop.begin(judgments=1, longest=60, most=10, own=False, wish=Wish(), known=[(Wish(), 10)] * 4)
    yield loop
    loop.teardown()


@pytest.fixture
def step(loop: Loop) -> Callable[..., None]:
    """Do an act of the walk by its name, and compare."""

    def step(act_name: str, /, **arguments: Any) -> None:
        loop.step((act_name, arguments))
        loop.tasks_are_alike()
        loop.assignments_are_alike()
        loop.exclusions_are_alike()

    return step


def nth(number: int) -> int:
    """The number under which the acts find the task or assignment that was made as this one."""
    return 4 * (number - 1) + 3


def test_one_walk_meets_every_outcome(loop, step):
    def each(names: str, number: int) -> None:
        """What can be done to an assignment."""
        more = {
            "finalize": {"data": ANSWERS[1]},
            "skip": {"seconds": None},
            "extend": {"seconds": 25, "as_time": False},
            "release": {},
        }
        for name in names.split():
            step(name, number=nth(number), **more[name])

    step("grant", name="dave", wish=Wish(), limit=10)
    step("grab", name="alice", wish=Wish(multitask=2))
    step("grab", name="bob", wish=Wish())
    step("grab", name="carol", wish=Wish())
    step("grab", name="carol", wish=Wish(topic="birds"))
    step("grab_until", name="carol", life=5)
    step("assign", name="alice", number=nth(1), wish=Wish(multitask=2))
    step("assign", name="bob", number=nth(1), wish=Wish())
    step("assign", name="carol", number=nth(1), wish=Wish())
    step("assign", name="carol", number=nth(1), wish=Wish(lease=61))
    step("reschedule", number=nth(1), delay=20)
    step("finalize", number=nth(1), data=ANSWERS[2])
    step("finalize", number=nth(1), data=ANSWERS[3])
    each("finalize skip extend release", 1)
    step("cancel", number=nth(2))
    each("release", 3)
    step("grab", name="carol", wish=Wish())
    each("skip", 4)
    step("grab", name="carol", wish=Wish())
    step("grab", name="bob", wish=Wish())
    step("extend", number=nth(5), seconds=9, as_time=False)
    each("extend", 5)
    step("wait", seconds=60)
    each("finalize skip extend release", 5)
    step("sweep_leases")
    step("sweep_leases")
    step("reschedule", number=nth(3), delay=20)
    step("sweep_schedule")
    step("wait", seconds=20)
    step("sweep_schedule")
    step("assign", name="bob", number=nth(3), wish=Wish())
    step("retarget", number=nth(3), aimed_at="dave")
    step("revoke", number=2)
    step("retarget", number=nth(3), aimed_at="carol")
    step("grab", name="carol", wish=Wish())
    step("assign", name="carol", number=nth(3), wish=Wish())
    step("change_expiry", number=nth(3), life=0)
    step("change_expiry", number=nth(3), life=30)
    step("reschedule", number=nth(3), delay=40)
    step("wait", seconds=60)
    step("grab", name="bob", wish=Wish())
    step("sweep_tasks")
    step("sweep_tasks")
    step("cancel", number=nth(3))
    step("change_expiry", number=nth(3), life=60)
    step("reprioritize", number=nth(3), wanted="5", topic=None)
    step("retarget", number=nth(3), aimed_at=None)
    step("reschedule", number=nth(3), delay=40)
    loop.posted("rick", 2, required=2, topic="birds", excluded=("dave",))
    loop.posted("rick", 1, priority=5)
    step("post_answered", requester="alice", output=ANSWERS[0], required=2)
    loop.posted("rick", 1, target="bob", required=2)
    step("reprioritize", number=nth(4), wanted="N//(N-500)", topic="boats")
    step("reprioritize", number=nth(4), wanted="N//(N-500)", topic=None)
    step("reprioritize", number=nth(4), wanted="+10", topic=None)
    for name, data in (("alice", ANSWERS[0]), ("bob", ANSWERS[2]), ("bob", ANSWERS[3])):
        step("grab", name=name, wish=Wish(topic="birds", order="lifo"))
        step("finalize", number=0, data=data)
    step("pause", paused=True)
    step("grab", name="alice", wish=Wish())
    step("assign", name="alice", number=nth(4), wish=Wish())
    step("pause", paused=False)
    step("archive", certain=3)
    step("archive", certain=3)
    step("sweep_archived")
    step("grab", name="alice", wish=Wish())
    step("assign", name="alice", number=nth(4), wish=Wish())
    step("grant", name="carol", wish=Wish(), limit=10)
    loop.posted("rick", 1)
    step("pause", paused=True)
    step("pause", paused=False)
    assert {f"{name}: {outcome}" for name, said in OUTCOMES.items() for outcome in said.split()} <= loop.outcomes


def test_one_walk_goes_along_the_edges(loop, step):
    # The third task is alice's own; a task ends before the lease would; its end moves nearer.
    step("cancel", number=nth(1))
    step("cancel", number=nth(2))
    step("grab", name="alice", wish=Wish())
    loop.posted("rick", 1, expire_at=30)
    step("grab", name="alice", wish=Wish())
    assert loop.model.assignments[-1].expire_at == 30
    step("change_expiry", number=nth(4), life=20)
    assert loop.model.assignments[-1].expire_at == 20
    step("change_expiry", number=nth(4), life=40)
    step("grab", name="bob", wish=Wish())
    step("wait", seconds=20)
    step("change_expiry", number=nth(4), life=40)
    step("finalize", number=nth(1), data=ANSWERS[0])
    # It is alice's again, and a skip keeps it from her to the very second.
    step("grab", name="alice", wish=Wish())
    step("skip", number=nth(3), seconds=5)
    step("wait_for_a_moment", number=0, early=True)
    step("grab", name="alice", wish=Wish())
    step("wait", seconds=1)
    step("grab", name="alice", wish=Wish())
    assert loop.model.assignments[-1].reviewer == "alice"
    step("finalize", number=nth(4), data=ANSWERS[0])
    # Two judgments come from two people, who both had others before them: one aimed at them, one more important.
    loop.posted("rick", 1, required=2, topic="birds")
    loop.posted("rick", 1, priority=5, topic="birds")
    loop.posted("rick", 1, priority=995, topic="birds", target="alice")
    for answer in ANSWERS[:3]:
        step("grab", name="alice", wish=Wish(topic="birds"))
        step("finalize", number=nth(len(loop.model.assignments)), data=answer)
    assert [a.task.id for a in loop.model.assignments[-3:]] == [7, 6, 5]
    step("grab", name="alice", wish=Wish(topic="birds"))
    step("revoke", number=1)
    step("grant", name="bob", wish=Wish(order="lifo", priority_order="no", lease=20), limit=1)
    step("grab", name="bob", wish=Wish(multitask=3, lease=60))
    # Its time comes and goes unseen: it never becomes available.
    loop.posted("rick", 1, schedule_to=loop.model.now + 5, expire_at=loop.model.now + 10)
    step("wait", seconds=10)
    step("sweep_schedule")
    step("grab", name="carol", wish=Wish(multitask=3))
    step("sweep_tasks")
