"""Making, changing and cloning projects and pools."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from pavilion import conf
from pavilion.exceptions import NameTaken, PoolInUse
from pavilion.models import Pool, Project
from pavilion.sessions import TERMS, check_terms
from pavilion.states import SessionStatus
from queues.exceptions import InvalidInput
from queues.models import Queue
from queues.transactions import database_now, is_unique_violation, writer

PROJECT_FIELDS = frozenset({"name", "description"})

POOL_FIELDS = TERMS | {
    "name",
    "backlog_queue",
    "marketplace",
    "title",
    "description",
    "keywords",
    "waiting_instructions",
    "work_instructions",
    "countries",
    "approval_rate",
    "approved_hits",
    "follows_advice",
    "miss_rate",
}
"""What may be set of a pool, besides the project and the queue it is made for."""


@writer
def create_project(*, name: str, description: str = "", actor: Any, now: datetime | None = None) -> Project:
    """Raises InvalidInput, NameTaken."""
    project = Project(name=name, description=description, owner=actor, created_at=database_now(now))
    _check(project, PROJECT_FIELDS)
    _save(project, f"There is a project {name} already.", force_insert=True)
    return project


@writer
def update_project(*, project_id: int, changes: Mapping[str, Any]) -> Project:
    """Raises Project.DoesNotExist, InvalidInput, NameTaken."""
    project = Project.objects.select_for_update(no_key=True).get(pk=project_id)
    fields = changes.keys() & PROJECT_FIELDS
    for name in fields:
        setattr(project, name, changes[name])
    _check(project, fields)
    _save(project, f"There is a project {project.name} already.", update_fields=list(fields))
    return project


@writer
def delete_project(*, project_id: int) -> None:
    """Raises Project.DoesNotExist, PoolInUse where it has pools."""
    try:
        Project.objects.get(pk=project_id).delete()
    except ProtectedError:
        raise PoolInUse("The project has pools. Those that were at work stay; delete the others first.") from None


@writer
def create_pool(*, project: Project, queue: Queue, fields: Mapping[str, Any], now: datetime | None = None) -> Pool:
    """A pool with these fields, any of POOL_FIELDS. Raises InvalidInput, NameTaken."""
    moment = database_now(now)
    given = {name: fields[name] for name in fields.keys() & POOL_FIELDS}
    pool = Pool(project=project, queue=queue, created_at=moment, updated_at=moment, **given)
    _check_pool(pool, POOL_FIELDS)
    _save(pool, f"The project has a pool {pool.name} already.", force_insert=True)
    return pool


@writer
def update_pool(*, pool_id: int, changes: Mapping[str, Any], now: datetime | None = None) -> Pool:
    """Set fields of a pool. A session that is live keeps the terms under which it was posted.

    Its marketplace is where its sessions are posted, withdrawn and paid, so a pool that was at work keeps it; and its
    backlog stays while somebody may work on it.

    Raises Pool.DoesNotExist, InvalidInput, NameTaken.
    """
    pool = Pool.objects.select_for_update(no_key=True).get(pk=pool_id)
    fields = changes.keys() & POOL_FIELDS
    before = pool.marketplace, pool.backlog_queue_id
    for name in fields:
        setattr(pool, name, changes[name])
    if pool.marketplace != before[0] and pool.sessions.exists():
        raise InvalidInput.at("/marketplace", "The pool was at work there. Clone it for another marketplace.")
    if pool.backlog_queue_id != before[1] and pool.sessions.filter(status=SessionStatus.LIVE).exists():
        raise InvalidInput.at("/backlog_queue", "The pool is at work. Stop its session first.")
    pool.updated_at = database_now(now)
    _check_pool(pool, fields)
    _save(pool, f"The project has a pool {pool.name} already.", update_fields=[*fields, "updated_at"])
    return pool


@writer
def clone_pool(*, pool_id: int, name: str, now: datetime | None = None) -> Pool:
    """Another pool like this one. Raises Pool.DoesNotExist, InvalidInput, NameTaken."""
    pool = Pool.objects.select_related("project", "queue", "backlog_queue").get(pk=pool_id)
    fields = {field: getattr(pool, field) for field in POOL_FIELDS}
    return create_pool(project=pool.project, queue=pool.queue, fields=fields | {"name": name}, now=now)


@writer
def delete_pool(*, pool_id: int) -> None:
    """Raises Pool.DoesNotExist, PoolInUse where it was ever at work: its sessions are kept."""
    try:
        Pool.objects.get(pk=pool_id).delete()
    except ProtectedError:
        raise PoolInUse("The pool was at work: its sessions and payments are kept.") from None


def _save(row: Project | Pool, taken: str, **how: Any) -> None:
    """Raises NameTaken."""
    try:
        with transaction.atomic():
            row.save(**how)
    except IntegrityError as error:
        if not is_unique_violation(error, type(row)):
            raise
        raise NameTaken(taken) from None


def _check(row: Project | Pool, fields: Any) -> None:
    """Raise InvalidInput with every fault of these fields."""
    try:
        row.clean_fields(exclude={field.name for field in row._meta.fields} - set(fields))
    except ValidationError as error:
        raise InvalidInput(
            [{"pointer": f"/{name}", "detail": " ".join(texts)} for name, texts in error.message_dict.items()]
        ) from None


def _check_pool(pool: Pool, fields: Any) -> None:
    """Raise InvalidInput with every fault of these fields, and of how they fit together."""
    check_terms(pool, fields)
    errors = []
    if pool.backlog_queue_id is not None and pool.backlog_queue_id == pool.queue_id:
        errors.append({"pointer": "/backlog_queue", "detail": "Must be another queue than the pool's own."})
    if pool.marketplace not in conf.marketplaces():
        known = ", ".join(sorted(conf.marketplaces()))
        errors.append({"pointer": "/marketplace", "detail": f"Must be one of {known}."})
    if not isinstance(pool.countries, list) or not all(_is_country(code) for code in pool.countries):
        errors.append({"pointer": "/countries", "detail": "Must be a list of codes of two capital letters."})
    if errors:
        raise InvalidInput(errors)


def _is_country(code: Any) -> bool:
    return isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
