"""Who is to be told of what: making, changing and removing settings; secrets, and switching endpoints on and off."""

import hashlib
import json
import re
import secrets
from base64 import b64encode
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from queues import addresses, conf, events, vault
from queues.exceptions import (
    EndpointDisabled,
    EndpointEnabled,
    InvalidInput,
    NotificationExists,
    NotificationLimit,
    QueueArchived,
    TaskClosed,
)
from queues.models import Delivery, Endpoint, Notification, Queue, Task
from queues.sequencer import GIVE_UP_AFTER, message
from queues.states import CLOSED, Disabled, Level, Merging
from queues.strictjson import pointer_to
from queues.transactions import database_now, is_unique_violation, writer

HEADERS_MAX, HEADER_LENGTH = 20, 2000
ENDPOINTS_MAX = 10
"""How many different addresses one request may name: each is looked up."""
SETTINGS_MAX = {Level.SITE: 20, Level.QUEUE: 20, Level.TASK: 5}
"""How many settings the site, a queue, a task may have: all of them are read for each event."""
LOOKUP_SECONDS = 5
"""How long all addresses of a request may take together."""
OLD_SECRET_LIVES = timedelta(hours=24)
OLD_SECRETS_MAX = 2
"""How many secrets sign beside the newest: with two, a rotation whose answer was lost can be done again, and the secret
that the receiver still has goes on signing."""
SECRET_PREFIX = "whsec_"
TEST = "TEST"

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(rf"[\x21-\x7e]([\x20-\x7e\t]{{0,{HEADER_LENGTH - 2}}}[\x21-\x7e])?")
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


@dataclass(frozen=True, kw_only=True)
class NotificationDraft:
    """A setting before it exists."""

    endpoint: str
    events_to_notify: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict)
    strategy: str = Merging.UNION


@dataclass(frozen=True)
class Made:
    """A new setting, and the secret of its endpoint where that is new as well: it is shown this once."""

    notification: Notification
    secret: str | None


def faults(draft: NotificationDraft) -> Iterable[tuple[str, str]]:
    """What is wrong with a draft, as far as its text and the settings tell: (pointer, sentence) pairs."""
    if not conf.encryption_keys():
        yield "/endpoint", "There is no key to keep its secret with: CROWDSITE_ENCRYPTION_KEYS is not set here."
    try:
        addresses.check_url(draft.endpoint)
    except addresses.RefusedAddress as refused:
        yield "/endpoint", str(refused)
    yield from _event_faults(draft.events_to_notify)
    yield from _header_faults(draft.headers)
    yield from _strategy_faults(draft.strategy)


def _strategy_faults(strategy: str) -> Iterable[tuple[str, str]]:
    if strategy not in Merging.values:
        yield "/strategy", "Must be ONLY or UNION."


def _event_faults(types: Sequence[str]) -> Iterable[tuple[str, str]]:
    if not types:
        yield "/events_to_notify", "Name at least one type of event."
    for position, type_ in enumerate(types):
        if not events.is_registered(type_):
            yield f"/events_to_notify/{position}", f"There is no event type {type_[:60]}."
    if len(set(types)) < len(types):
        yield "/events_to_notify", "The same type stands here twice."


def _header_faults(headers: dict[str, str]) -> Iterable[tuple[str, str]]:
    if len(headers) > HEADERS_MAX:
        yield "/headers", f"At most {HEADERS_MAX} headers."
    if len({name.lower() for name in headers}) < len(headers):
        yield "/headers", "The same header stands here twice."
    for name, value in headers.items():
        pointer = pointer_to("headers", name)
        if not _HEADER_NAME.fullmatch(name):
            yield pointer, "This is not the name of a header."
        elif name.lower() in _OURS or name.lower().startswith("webhook-"):
            yield pointer, f"The header {name} is ours to set."
        elif not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            yield pointer, f"A header has 1 to {HEADER_LENGTH} printable ASCII characters, without spaces around."


# A name server may take its time, and nothing ends a look-up that is under way: they are few, and nobody waits for them
# longer than LOOKUP_SECONDS.
_lookups = ThreadPoolExecutor(16, thread_name_prefix="addresses")


def look_up(endpoints: Collection[str]) -> dict[str, str]:
    """Address → why nothing may be sent there, for those refused now. Asks the network: not in a transaction."""
    asked = {endpoint: _lookups.submit(addresses.check, endpoint) for endpoint in set(endpoints)}
    wait(asked.values(), timeout=LOOKUP_SECONDS)
    refused = {}
    for endpoint, answer in asked.items():
        if not answer.done():
            answer.cancel()
            refused[endpoint] = "The host could not be looked up in time; try again."
        elif isinstance(reason := answer.exception(), addresses.RefusedAddress):
            refused[endpoint] = str(reason)
        else:
            answer.result()
    return refused


def create(
    *,
    level: Level,
    draft: NotificationDraft,
    owner: Any,
    queue: Queue | None = None,
    task: Task | None = None,
    now: datetime | None = None,
) -> Made:
    """Make a setting; `queue` or `task` as the level asks for. What happens from then on is told.

    An endpoint that this owner uses already keeps its secret. Raises InvalidInput, QueueArchived, TaskClosed,
    NotificationExists, NotificationLimit.
    """
    if found := list(faults(draft)):
        raise InvalidInput([{"pointer": pointer, "detail": detail} for pointer, detail in found])
    if refused := look_up([draft.endpoint]):
        raise InvalidInput.at("/endpoint", refused[draft.endpoint])
    return _create(level=level, draft=draft, owner=owner, queue=queue, task=task, now=now)


@writer
def _create(
    *, level: Level, draft: NotificationDraft, owner: Any, queue: Queue | None, task: Task | None, now: datetime | None
) -> Made:
    _hold(queue, task)
    moment = database_now(now)
    endpoint, secret = endpoint_of(owner=owner, url=draft.endpoint, now=moment)
    there = Notification.objects.filter(level=level, queue=queue, task=task)
    if (found := there.filter(endpoint=endpoint).first()) is not None:
        raise _exists(found)
    # For the site nothing is locked, so operators who race may make one more, and find below that one was quicker.
    most = SETTINGS_MAX[level]
    if there.count() >= most:
        raise NotificationLimit(f"There are {most} notifications at this place already; that is as many as may be.")
    made = _setting(level, draft, endpoint, queue=queue, task=task, now=moment)
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:
        if not is_unique_violation(error, Notification):
            raise
        raise _exists(there.get(endpoint=endpoint)) from None
    return Made(made, secret)


def _exists(found: Notification) -> NotificationExists:
    return NotificationExists(
        f"The endpoint stands here already, in notification {found.pk}: change that one.", notification=found.pk
    )


def _hold(queue: Queue | None, task: Task | None) -> None:
    """Lock what a setting is for; what closes it waits, and is told. Raises QueueArchived, TaskClosed."""
    if queue is not None and Queue.objects.select_for_update(no_key=True).get(pk=queue.pk).archived_at is not None:
        raise QueueArchived(f"The queue {queue.name} was deleted.")
    if task is not None and Task.objects.locked().only("status").get(pk=task.pk).status in CLOSED:
        raise TaskClosed(f"Task {task.pk} is closed: nothing more happens to it.")


def for_tasks(pairs: Sequence[tuple[Task, NotificationDraft]], *, owner: Any, now: datetime) -> list[Made]:
    """Make settings of new tasks, in the transaction that creates these. The drafts were found good before."""
    # In one order: two requests that make the same endpoints wait for each other in turn.
    urls = sorted({draft.endpoint for _task, draft in pairs})
    endpoints = {url: endpoint_of(owner=owner, url=url, now=now) for url in urls}
    made = [
        Made(
            _setting(Level.TASK, draft, endpoints[draft.endpoint][0], task=task, now=now), endpoints[draft.endpoint][1]
        )
        for task, draft in pairs
    ]
    Notification.objects.bulk_create([one.notification for one in made], batch_size=500)
    return made


def _setting(
    level: Level,
    draft: NotificationDraft,
    endpoint: Endpoint,
    *,
    queue: Queue | None = None,
    task: Task | None = None,
    now: datetime,
) -> Notification:
    return Notification(
        level=level,
        queue=queue,
        task=task,
        endpoint=endpoint,
        headers=sealed_headers(draft.headers),
        events_to_notify=list(draft.events_to_notify),
        strategy=draft.strategy,
        created_at=now,
        updated_at=now,
    )


def sealed_headers(headers: dict[str, str]) -> str:
    """Headers as they are kept; "" for none."""
    return vault.seal(json.dumps(headers)) if headers else ""


def headers_of(sealed: str) -> dict[str, str]:
    """Headers as they are sent."""
    return json.loads(vault.unseal(sealed)) if sealed else {}


def endpoint_of(*, owner: Any, url: str, now: datetime) -> tuple[Endpoint, str | None]:
    """The owner's endpoint at an address, made with a secret where there is none yet; the secret only then."""
    secret = new_secret()
    endpoint, is_new = Endpoint.objects.get_or_create(
        owner=owner,
        url_digest=hashlib.sha256(url.encode()).hexdigest(),
        defaults={"url": url, "secret": vault.seal(secret), "created_at": now},
    )
    return endpoint, secret if is_new else None


def new_secret() -> str:
    """A secret as the Standard Webhooks specification has it: `whsec_` and 32 random bytes in base64."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(32)).decode()


@writer
def change(*, notification_id: int, changes: dict[str, Any], now: datetime | None = None) -> Notification:
    """Change `headers` (all of them), `events_to_notify`, `strategy`. What is written down already stays as it is.

    Raises Notification.DoesNotExist, InvalidInput.
    """
    found = Notification.objects.select_for_update(no_key=True, of=("self",)).select_related("endpoint")
    setting = found.get(pk=notification_id)
    wrong = [
        *(_event_faults(changes["events_to_notify"]) if "events_to_notify" in changes else ()),
        *(_header_faults(changes["headers"]) if "headers" in changes else ()),
        *(_strategy_faults(changes["strategy"]) if "strategy" in changes else ()),
    ]
    if wrong:
        raise InvalidInput([{"pointer": pointer, "detail": detail} for pointer, detail in wrong])
    if not changes:
        return setting
    if "headers" in changes:
        setting.headers = sealed_headers(changes["headers"])
    if "events_to_notify" in changes:
        setting.events_to_notify = list(changes["events_to_notify"])
    if "strategy" in changes:
        setting.strategy = changes["strategy"]
    setting.updated_at = database_now(now)
    setting.save(update_fields=["headers", "events_to_notify", "strategy", "updated_at"])
    return setting


@writer
def remove(*, notification_id: int, now: datetime | None = None) -> None:
    """Delete a setting; what is written down for it already is still delivered. Nothing where it is gone.

    Where it had silenced the levels above, their settings count as changed: they speak as they do from now on.
    """
    setting = Notification.objects.select_related("task").filter(pk=notification_id).first()
    if setting is None:
        return
    setting.delete()
    if setting.strategy == Merging.ONLY and setting.level != Level.SITE:
        above = Q(level=Level.SITE) if setting.task is None else Q(level=Level.SITE) | Q(queue=setting.task.queue_id)
        Notification.objects.filter(above).update(updated_at=database_now(now))


def _locked_endpoint(endpoint_id: int) -> Endpoint:
    return Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint_id)


@writer
def rotate(*, endpoint_id: int, now: datetime | None = None) -> str:
    """Give an endpoint a new secret and return it; the old one signs as well for 24 hours more.

    So does the one before that, where it still did; and neither where the key it was sealed with is lost. Raises
    Endpoint.DoesNotExist.
    """
    endpoint = _locked_endpoint(endpoint_id)
    moment, secret = database_now(now), new_secret()
    lives_on = endpoint.old_secret_until is not None and endpoint.old_secret_until > moment
    before = [endpoint.secret, *(endpoint.old_secret.split() if lives_on else [])]
    signing = [sealed for sealed in before if vault.is_readable(sealed)]
    endpoint.old_secret = " ".join(signing[:OLD_SECRETS_MAX])
    endpoint.old_secret_until = moment + OLD_SECRET_LIVES if signing else None
    endpoint.secret = vault.seal(secret)
    endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return secret


@writer
def disable(*, endpoint_id: int, now: datetime | None = None) -> Endpoint:
    """Send nothing there any more; no new deliveries are written. Raises Endpoint.DoesNotExist, EndpointDisabled."""
    endpoint = _locked_endpoint(endpoint_id)
    if endpoint.disabled_at is not None:
        raise EndpointDisabled(f"The endpoint {endpoint.url} is disabled already.")
    endpoint.disabled_at, endpoint.disabled_reason = database_now(now), Disabled.OPERATOR
    endpoint.told_at = endpoint.disabled_at
    endpoint.save(update_fields=["disabled_at", "disabled_reason", "told_at"])
    return endpoint


@writer
def enable(*, endpoint_id: int, now: datetime | None = None) -> Endpoint:
    """Send there again, what is left from before first. Raises Endpoint.DoesNotExist, EndpointEnabled."""
    endpoint = _locked_endpoint(endpoint_id)
    if endpoint.disabled_at is None:
        raise EndpointEnabled(f"The endpoint {endpoint.url} is not disabled.")
    moment = database_now(now)
    endpoint.disabled_at, endpoint.disabled_reason, endpoint.told_at = None, "", moment
    endpoint.failing_since, endpoint.rests_until, endpoint.due_at = None, None, moment
    changed = ["disabled_at", "disabled_reason", "told_at", "failing_since", "rests_until", "due_at"]
    endpoint.save(update_fields=changed)
    return endpoint


@writer
def send_test(*, notification_id: int, now: datetime | None = None) -> Delivery:
    """Write a delivery of type TEST for this setting's endpoint, whatever it asks for.

    Raises Notification.DoesNotExist, EndpointDisabled.
    """
    setting = Notification.objects.get(pk=notification_id)
    endpoint = _locked_endpoint(setting.endpoint_id)
    if endpoint.disabled_at is not None:
        raise EndpointDisabled(f"The endpoint {endpoint.url} is disabled; switch it on first.")
    moment = database_now(now)
    delivery = Delivery.objects.create(
        event_id=None,
        endpoint=endpoint,
        notification_id=setting.pk,
        type=TEST,
        queue_id=setting.queue_id,
        task_id=setting.task_id,
        headers=setting.headers,
        body=message(TEST, {"notification": setting.pk, "level": setting.level, "sequence": 0}, at=moment),
        next_try_at=moment,
        give_up_at=moment + GIVE_UP_AFTER,
        created_at=moment,
    )
    if endpoint.due_at is None or endpoint.due_at > moment:
        endpoint.due_at = moment
        endpoint.save(update_fields=["due_at"])
    return delivery
