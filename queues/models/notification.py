"""Who wants to be told of events, where, and how that went: endpoints, settings, deliveries and their tries."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from queues.models.queue import Queue
from queues.models.task import Task
from queues.querysets import DeliveryQuerySet, NotificationQuerySet
from queues.states import UNDELIVERED, DeliveryStatus, Disabled, Level, Merging

URL_LENGTH = 2000
EXCERPT_LENGTH = 1024
ERROR_LENGTH = 300


class Endpoint(models.Model):
    """An address that somebody has events sent to, and its secret, which all of its owner's settings for it share.

    `secret` is encrypted (queues.vault), and so are those in `old_secret`, with spaces between them, the newest first:
    they sign as well until `old_secret_until`.
    `proven`: its last try succeeded, and quickly. `failing_since`: the first of the failures since it last succeeded.
    `due_at`: none of its undelivered deliveries is due earlier; null where it has none. `taken_at`: when some were last
    taken to be tried. `rests_until`: nothing is taken before, for it keeps failing, or has asked for it.
    `told_at`: when its owner was told that it was switched off; while it is on, when it was switched on again.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    url = models.CharField(_("address"), max_length=URL_LENGTH)
    url_digest = models.CharField(max_length=64, editable=False)
    secret = models.TextField(editable=False)
    old_secret = models.TextField(blank=True, default="", editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)
    proven = models.BooleanField(default=False, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    disabled_at = models.DateTimeField(_("disabled"), null=True, editable=False)
    disabled_reason = models.CharField(
        _("reason"), max_length=10, blank=True, default="", choices=Disabled.choices, editable=False
    )
    told_at = models.DateTimeField(null=True, editable=False)
    due_at = models.DateTimeField(null=True, editable=False)
    taken_at = models.DateTimeField(null=True, editable=False)
    rests_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        constraints = [
            models.UniqueConstraint(name="endpoint_once", fields=["owner", "url_digest"]),
            models.CheckConstraint(
                name="endpoint_disabled_has_reason",
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | Q(disabled_at__isnull=False, disabled_reason__in=Disabled.values),
            ),
            models.CheckConstraint(
                name="endpoint_old_secret_has_end",
                condition=Q(old_secret="", old_secret_until__isnull=True)
                | (~Q(old_secret="") & Q(old_secret_until__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                name="endpoint_due",
                fields=["proven", "due_at"],
                condition=Q(disabled_at__isnull=True, due_at__isnull=False),
            ),
            models.Index(
                name="endpoint_untold", fields=["id"], condition=Q(disabled_at__isnull=False, told_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.url


class Notification(models.Model):
    """Which events go to an endpoint: of everything, of a queue, or of one task.

    `headers` are sent along and kept encrypted; `events_to_notify` are event types.
    """

    level = models.CharField(_("level"), max_length=5, choices=Level.choices)
    queue = models.ForeignKey(
        Queue, on_delete=models.PROTECT, related_name="notifications", null=True, blank=True, db_index=False
    )
    task = models.ForeignKey(
        Task, on_delete=models.PROTECT, related_name="notifications", null=True, blank=True, db_index=False
    )
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="notifications")
    headers = models.TextField(blank=True, default="", editable=False)
    events_to_notify: Any = models.JSONField(_("events"))
    strategy = models.CharField(_("strategy"), max_length=5, choices=Merging.choices, default=Merging.UNION)
    created_at = models.DateTimeField(_("created"), editable=False)
    updated_at = models.DateTimeField(_("updated"), editable=False)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        constraints = [
            models.CheckConstraint(
                name="notification_level_fits",
                condition=Q(level=Level.SITE, queue__isnull=True, task__isnull=True)
                | Q(level=Level.QUEUE, queue__isnull=False, task__isnull=True)
                | Q(level=Level.TASK, queue__isnull=True, task__isnull=False),
            ),
            models.CheckConstraint(name="notification_strategy_known", condition=Q(strategy__in=Merging.values)),
            # An endpoint stands once in each place; what is asked of it there is one setting. These are also the
            # indexes by which the settings of a queue and of a task are found.
            models.UniqueConstraint(
                name="notification_once_for_site", fields=["endpoint"], condition=Q(level=Level.SITE)
            ),
            models.UniqueConstraint(
                name="notification_once_for_queue", fields=["queue", "endpoint"], condition=Q(queue__isnull=False)
            ),
            models.UniqueConstraint(
                name="notification_once_for_task", fields=["task", "endpoint"], condition=Q(task__isnull=False)
            ),
        ]
        indexes = [
            # Those of the site and of queues, in the order in which they are listed: few beside those of tasks.
            models.Index(name="notification_listed", fields=["id"], condition=Q(task__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class Delivery(models.Model):
    """One message to one endpoint. Its id and its `body` never change, however often it is sent.

    `event_id` is null in a test. `next_try_at`: when it is due, or, while a try is under way, when its lease ends;
    `tries` counts them and is the fence of a lease. `tries_before`: how many there had been when it was replayed.
    After `give_up_at` it is tried no more. `headers` are the notification's, encrypted.
    """

    event_id = models.BigIntegerField(null=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    notification_id = models.BigIntegerField(null=True)
    type = models.CharField(_("type"), max_length=40)
    queue_id = models.BigIntegerField(null=True)
    task_id = models.BigIntegerField(null=True)
    headers = models.TextField(blank=True, default="")
    body = models.TextField(_("body"))
    status = models.CharField(
        _("status"), max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.WAITING
    )
    tries = models.PositiveIntegerField(_("tries"), default=0)
    tries_before = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True)
    give_up_at = models.DateTimeField()
    created_at = models.DateTimeField(_("created"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(name="delivery_once", fields=["event_id", "endpoint"]),
            models.CheckConstraint(name="delivery_status_known", condition=Q(status__in=DeliveryStatus.values)),
            models.CheckConstraint(
                name="delivery_is_due_or_ended",
                condition=Q(status__in=UNDELIVERED, next_try_at__isnull=False, ended_at__isnull=True)
                | (~Q(status__in=UNDELIVERED) & Q(next_try_at__isnull=True, ended_at__isnull=False)),
            ),
            models.CheckConstraint(name="delivery_tries_in_order", condition=Q(tries__gte=F("tries_before"))),
        ]
        indexes = [
            # What an endpoint waits for, in the order in which it is due.
            models.Index(
                name="delivery_due", fields=["endpoint", "next_try_at", "id"], condition=Q(status__in=UNDELIVERED)
            ),
            models.Index(name="delivery_by_endpoint", fields=["endpoint", "status", "id"]),
            models.Index(name="delivery_newest", fields=["endpoint", "id"]),
            models.Index(name="delivery_by_task", fields=["task_id", "id"], condition=Q(task_id__isnull=False)),
            models.Index(name="delivery_overdue", fields=["give_up_at"], condition=Q(status__in=UNDELIVERED)),
            models.Index(name="delivery_ended", fields=["ended_at"], condition=Q(ended_at__isnull=False)),
            # What failed, to look at and to replay: kept apart, so that what is delivered pays nothing for it.
            models.Index(name="delivery_failed", fields=["id"], condition=Q(status=DeliveryStatus.FAILED)),
            models.Index(
                name="delivery_to_replay", fields=["endpoint", "ended_at"], condition=Q(status=DeliveryStatus.FAILED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"


class DeliveryTry(models.Model):
    """How one try went: the answer's `status_code` and the beginning of its body, or the `error` where none came."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField(_("try"))
    started_at = models.DateTimeField(_("started"))
    milliseconds = models.PositiveIntegerField(_("took"), help_text=_("Milliseconds."))
    status_code = models.PositiveSmallIntegerField(_("answer"), null=True)
    excerpt = models.CharField(_("its beginning"), max_length=EXCERPT_LENGTH, blank=True, default="")
    error = models.CharField(_("error"), max_length=ERROR_LENGTH, blank=True, default="")

    class Meta:
        ordering = ["delivery", "number"]
        verbose_name = _("try")
        verbose_name_plural = _("tries")
        constraints = [models.UniqueConstraint(name="deliverytry_once", fields=["delivery", "number"])]

    def __str__(self) -> str:
        return f"{self.delivery_id}.{self.number}"
