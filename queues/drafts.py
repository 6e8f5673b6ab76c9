"""A task before it exists, and all that may be wrong with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from queues import lifecycle, notifications, schemas, strictjson
from queues.models import Queue
from queues.notifications import NotificationDraft
from queues.people import ANYONE
from queues.states import (
    EXCLUDED_MAX,
    GLOBAL_KEYS_MAX,
    JUDGMENTS_MAX,
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    PRIORITY_MIN,
    SECONDS_MAX,
    Level,
)

GLOBAL_KEY_LENGTH = 255
TOPIC_LENGTH = 100
NOTIFICATIONS_MAX = notifications.SETTINGS_MAX[Level.TASK]


@dataclass(frozen=True, kw_only=True)
class TaskDraft:
    """A task before it exists.

    `target_reviewer` and `exclude_reviewers` are e-mails; `judgments_required` None means the queue's number (or 1 with
    a target). `output_data` makes a task that is finished from the start. `notifications` are settings of its own.
    """

    input_data: Any
    output_data: Any = None
    topic: str = ""
    priority: int = PRIORITY_DEFAULT
    target_reviewer: str | None = None
    exclude_reviewers: tuple[str, ...] = ()
    global_keys: tuple[str, ...] = ()
    judgments_required: int | None = None
    schedule_to: datetime | None = None
    expire_at: datetime | None = None
    seconds_to_expire: int | None = None
    has_hook: bool = False
    notifications: tuple[NotificationDraft, ...] = ()

    @property
    def target(self) -> str | None:
        """The target's e-mail in lower case, or None for anyone."""
        if self.target_reviewer is None or self.target_reviewer == ANYONE:
            return None
        return self.target_reviewer.lower()

    @property
    def excluded(self) -> frozenset[str]:
        return frozenset(email.lower() for email in self.exclude_reviewers)


def shape_faults(draft: TaskDraft, queue: Queue) -> Iterable[tuple[str, str]]:
    """What is wrong with a draft whatever the time and whoever is who: (pointer, sentence) pairs."""
    for member, value, schema in (
        ("input_data", draft.input_data, queue.input_schema),
        ("output_data", draft.output_data, queue.output_schema),
    ):
        if value is None:
            continue
        try:
            strictjson.check(value)
        except strictjson.StrictJSONError as error:
            yield f"/{member}{error.pointer}", error.detail
            continue
        if schema is not None:
            for fault in schemas.check_answer(schema, value):
                yield f"/{member}{fault['pointer']}", fault["detail"]
    if draft.input_data is None:
        yield "/input_data", "A task needs its input."
    if not PRIORITY_MIN <= draft.priority <= PRIORITY_MAX:
        yield "/priority", f"Must be from {PRIORITY_MIN} (most important) to {PRIORITY_MAX}."
    yield from _text_faults(draft)
    if len(draft.topic) > TOPIC_LENGTH:
        yield "/topic", f"At most {TOPIC_LENGTH} characters."
    if draft.judgments_required is not None and not 1 <= draft.judgments_required <= JUDGMENTS_MAX:
        yield "/judgments_required", f"Must be from 1 to {JUDGMENTS_MAX}."
    if draft.target is not None and draft.judgments_required not in (None, 1):
        yield "/judgments_required", "A task with a target is judged once, by its target."
    if len(draft.global_keys) > GLOBAL_KEYS_MAX:
        yield "/global_keys", f"At most {GLOBAL_KEYS_MAX} keys."
    if len(set(draft.global_keys)) < len(draft.global_keys):
        yield "/global_keys", "The same key stands here twice."
    if any(not 1 <= len(key) <= GLOBAL_KEY_LENGTH for key in draft.global_keys):
        yield "/global_keys", f"A key has 1 to {GLOBAL_KEY_LENGTH} characters."
    if len(draft.excluded) > EXCLUDED_MAX:
        yield "/exclude_reviewers", f"At most {EXCLUDED_MAX} reviewers."
    if draft.target is not None and draft.target in draft.excluded:
        yield "/exclude_reviewers", "The target cannot be excluded."
    if draft.seconds_to_expire is not None and not 1 <= draft.seconds_to_expire <= SECONDS_MAX:
        yield "/seconds_to_expire", f"Must be from 1 to {SECONDS_MAX} seconds."
    if draft.expire_at is not None and draft.seconds_to_expire is not None:
        yield "/seconds_to_expire", "Give expire_at or seconds_to_expire, not both."
    if len(draft.notifications) > NOTIFICATIONS_MAX:
        yield "/notifications", f"At most {NOTIFICATIONS_MAX} for one task."
    yield from setting_faults(draft)


def _text_faults(draft: TaskDraft) -> Iterable[tuple[str, str]]:
    """Text that one database keeps and the other refuses."""
    for pointer, text in (("/topic", draft.topic), *(("/global_keys", key) for key in draft.global_keys)):
        if text.isascii() and "\0" not in text:
            continue
        try:
            strictjson.check(text)
        except strictjson.StrictJSONError as error:
            yield pointer, error.detail


def setting_faults(draft: TaskDraft) -> Iterable[tuple[str, str]]:
    """What is wrong with the settings that it brings, as far as their texts tell: (pointer, sentence) pairs."""
    endpoints = set()
    for position, setting in enumerate(draft.notifications):
        for pointer, detail in notifications.faults(setting):
            yield f"/notifications/{position}{pointer}", detail
        if setting.endpoint in endpoints:
            yield f"/notifications/{position}/endpoint", "The same endpoint stands here twice."
        endpoints.add(setting.endpoint)


def time_faults(draft: TaskDraft, now: datetime) -> Iterable[tuple[str, str]]:
    """What is wrong with its times at this one: (pointer, sentence) pairs."""
    if draft.expire_at is not None and draft.expire_at <= now:
        yield "/expire_at", "This time has passed."
    elif draft.expire_at is not None and draft.schedule_to is not None and draft.expire_at <= draft.schedule_to:
        yield "/expire_at", "The task would expire before it is available."


def endpoint_faults(drafts: Sequence[TaskDraft]) -> Iterable[tuple[int, tuple[str, str]]]:
    """Settings whose endpoints cannot be told, each address asked about once: (index, (pointer, sentence)) pairs."""
    wanted = [
        (index, f"/notifications/{position}/endpoint", setting.endpoint)
        for index, draft in enumerate(drafts)
        for position, setting in enumerate(draft.notifications)
    ]
    if len({endpoint for *_place, endpoint in wanted}) > notifications.ENDPOINTS_MAX:
        index, pointer, _endpoint = wanted[0]
        yield index, (pointer, f"One request may name {notifications.ENDPOINTS_MAX} different endpoints at most.")
        return
    refused = notifications.look_up({endpoint for *_place, endpoint in wanted})
    yield from ((index, (pointer, refused[endpoint])) for index, pointer, endpoint in wanted if endpoint in refused)


def people_faults(
    draft: TaskDraft, people: dict[str, list[Any]], with_access: set[Any], *, queue: Queue, requester: Any
) -> Iterable[tuple[str, str]]:
    """What is wrong with whom it names: (pointer, sentence) pairs.

    `people`: e-mail in lower case → users; `with_access`: the ids of those who may review in its queue; `requester`:
    who will post it, None where that is not known yet.
    """
    if draft.target is not None:
        found = [user for user in people[draft.target] if user.pk in with_access]
        if len(found) != 1:
            yield "/target_reviewer", f"{draft.target_reviewer} is not exactly one active reviewer of this queue."
        elif requester is not None and found[0].pk == requester.pk and not queue.requester_may_review:
            yield "/target_reviewer", lifecycle.OWN_TARGET
    for position, email in enumerate(draft.exclude_reviewers):
        if not people[email.lower()]:
            yield f"/exclude_reviewers/{position}", f"There is no active user {email}."
