"""The people and things that tests are about: mia manages, rick requests; alice, bob, carol and others review."""

from typing import Any

from django.contrib.auth import get_user_model

from assignments import claims
from queues import administration, intake, members
from queues.drafts import TaskDraft
from queues.models import Membership, Queue, Task
from queues.states import Role


def person(name: str, **fields: Any) -> Any:
    """The user `name` with the e-mail name@example.org, made when first asked for."""
    users = get_user_model()._default_manager
    found = users.filter(username=name).first()
    return found or users.create_user(name, f"{name}@example.org", "secret", **fields)


def queue(name: str = "digits", **fields: Any) -> Queue:
    """A queue that mia manages."""
    return administration.create_queue(name=name, actor=person("mia"), fields=fields)


def join(queue: Queue, name: str, role: str = Role.REVIEWER, **fields: Any) -> Membership:
    """Make `name` a member of the queue."""
    return members.grant(queue=queue, user=person(name), role=role, actor=person("mia"), **fields)


def post(queue: Queue, count: int = 1, *, by: str = "rick", now: Any = None, **draft: Any) -> list[Task]:
    """Tasks posted by rick, all of one draft."""
    drafts = [TaskDraft(**{"input_data": {"n": n}, **draft}) for n in range(count)]
    return intake.create_tasks(queue=queue, requester=person(by), drafts=drafts, now=now)


def grab(membership: Membership, now: Any = None, **call: Any) -> claims.Grab:
    """A grab with the present settings of the membership's queue."""
    fresh = Membership.objects.select_related("queue", "user").get(pk=membership.pk)
    return claims.grab(membership=fresh, call=call, now=now)
