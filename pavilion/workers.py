"""Who workers are: a user who cannot sign in, a reviewer, and a member of the queues they work in."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from assignments.models import Reviewer
from pavilion import conf
from pavilion.models import Worker
from queues import members
from queues.conf import user_email_field
from queues.exceptions import MembershipExists
from queues.models import Membership, Queue
from queues.people import email_of
from queues.states import Role
from queues.transactions import database_now, is_unique_violation, writer

DOMAIN = "workers.invalid"
"""No letter reaches it: the domain is reserved for that (RFC 2606)."""


def admit(
    *, marketplace: str, external_id: str, name: str = "", queues: Iterable[Queue], now: datetime | None = None
) -> Worker:
    """The worker with this identity, made where there is none, who may review in these queues.

    Raises QueueArchived.
    """
    worker = Worker.objects.filter(marketplace=marketplace, external_id=external_id).first()
    if worker is None:
        worker = _make(marketplace=marketplace, external_id=external_id, name=name, now=now)
    user = worker.reviewer.user
    for queue in queues:
        if Membership.objects.reviewers().filter(queue=queue, user=user).exists():
            continue
        try:
            members.grant(queue=queue, user=user, role=Role.REVIEWER, now=now)
        except MembershipExists:
            # Another window of the same worker was faster.
            continue
    return worker


def addresses(*, marketplace: str, external_ids: Iterable[str]) -> dict[str, str]:
    """External id → e-mail of those of these workers to whom a letter can be written."""
    rows = Worker.objects.filter(marketplace=marketplace, external_id__in=external_ids)
    found = {row.external_id: email_of(row.reviewer.user) for row in rows.select_related("reviewer__user")}
    return {pk: email for pk, email in found.items() if email and not email.endswith(f"@{DOMAIN}")}


def _make(*, marketplace: str, external_id: str, name: str, now: datetime | None) -> Worker:
    try:
        return _insert(marketplace=marketplace, external_id=external_id, name=name, now=now)
    except IntegrityError as error:
        if not (is_unique_violation(error, Worker) or is_unique_violation(error, get_user_model())):
            raise
        return Worker.objects.select_related("reviewer__user").get(marketplace=marketplace, external_id=external_id)


@writer
def _insert(*, marketplace: str, external_id: str, name: str, now: datetime | None) -> Worker:
    moment = database_now(now)
    # Identities elsewhere have characters and lengths that a user's name has not.
    digest = hashlib.sha256(f"{marketplace} {external_id}".encode()).hexdigest()[:24]
    username = f"{marketplace}-{digest}"
    make = import_string(path) if (path := conf.make_worker_user()) else _user
    user = make(username=username, email=f"{username}@{DOMAIN}", name=name)
    reviewer = Reviewer.objects.of_users([user], now=moment)[user.pk]
    with transaction.atomic():
        return Worker.objects.create(
            marketplace=marketplace, external_id=external_id, name=name, reviewer=reviewer, created_at=moment
        )


def _user(*, username: str, email: str, name: str) -> Any:
    """A user of the host's model who cannot sign in."""
    model = get_user_model()
    user = model()
    setattr(user, user_email_field(), email)
    if user_email_field() != model.USERNAME_FIELD:
        setattr(user, model.USERNAME_FIELD, username)
    user.set_unusable_password()
    user.save(force_insert=True)
    return user
