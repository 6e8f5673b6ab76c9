"""Filling an empty site with the demo, and keeping what is needed to sign in to it."""

import json
import os
import random
import secrets
import tempfile
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction

from crowdsite.demo import digits, pool, runs
from crowdsite.demo.digits import INPUT_SCHEMA, INSTRUCTIONS, OUTPUT_SCHEMA
from crowdsite.demo.making import make_queue
from queues import intake, tokens
from queues.drafts import TaskDraft
from queues.models import Queue

QUEUE = "digits"
REVIEWERS = ("alice", "bob", "carol")
SEED = 1998
"""Of the tasks' order. The file begins 0, 1, 2, …: in its order a task's place would tell the answer."""


def load(*, url: str, file: Path) -> dict[str, Any] | None:
    """Make the demo's users, queues, tasks, pool and runs, all or nothing; None where anybody uses the site already.

    The answer, `{"url", "users": {name: {"password", "token"}}}`, is also written to `file`, which its owner
    alone can read; passwords and tokens exist nowhere else.
    """
    with transaction.atomic():
        if get_user_model()._default_manager.exists():
            return None
        users = {
            "operator": _user("operator", is_staff=True, is_superuser=True),
            "requester": _user("requester"),
            **{name: _user(name) for name in REVIEWERS},
        }
        requester, reviewers = users["requester"], [users[name] for name in REVIEWERS]
        may = Permission.objects.get_by_natural_key("add_queue", Queue._meta.app_label, "queue")
        requester.user_permissions.add(may)
        queue = _fill_queue(requester, reviewers)
        pool.post(pool.make(queue=queue, owner=requester))
        runs.make_queues(owner=requester, reviewers=reviewers, operator=users["operator"])
        runs.start(by=requester)
        signing_in = {
            "url": url,
            "users": {name: _sign_in(user) for name, user in users.items()},
        }
        # Whatever hinders the writing undoes the rest; once it is committed, only a renaming is left.
        draft = _write_draft(signing_in, file)
    draft.replace(file)
    return signing_in


def post_again() -> bool:
    """Post the demo's pool where the site has it and it is not at work; whether it was posted."""
    found = pool.find()
    return found is not None and pool.post(found) is not None


def _user(name: str, **flags: Any) -> Any:
    return get_user_model()._default_manager.create_user(name, f"{name}@example.org", **flags)


def _sign_in(user: Any) -> dict[str, str]:
    password = secrets.token_hex(8)
    user.set_password(password)
    user.save(update_fields=["password"])
    _, token = tokens.issue(user=user, name="demo")
    return {"password": password, "token": token}


def _fill_queue(owner: Any, reviewers: list[Any]) -> Queue:
    fields = {
        "alias": "Handwritten digits",
        "description": "Which digit is it? 1,797 real ones, for trying things out.",
        "instructions": INSTRUCTIONS,
        "input_schema": INPUT_SCHEMA,
        "output_schema": OUTPUT_SCHEMA,
    }
    queue = make_queue(QUEUE, fields, owner=owner, reviewers=reviewers)
    intake.create_tasks(queue=queue, requester=owner, drafts=_drafts())
    return queue


def _drafts() -> list[TaskDraft]:
    """The digits in mixed order.

    They carry no key of their own: the data set is public, and its numbers would be the answers.
    """
    shuffled = list(digits.read())
    random.Random(SEED).shuffle(shuffled)
    return [TaskDraft(input_data=digits.task_input(digit)) for digit in shuffled]


def _write_draft(signing_in: dict[str, Any], file: Path) -> Path:
    """Write beside `file`. What `mkstemp` makes is its owner's alone from the first moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as draft:
        json.dump(signing_in, draft, indent=2)
        draft.write("\n")
    return Path(name)
