"""Queue and its members: fields and constraints."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from queues.querysets import MembershipQuerySet, QueueQuerySet
from queues.states import JUDGMENTS_MAX, LEASE_DEFAULT_SECONDS, LEASE_MIN_SECONDS, LIVE_MAX, SECONDS_MAX, Role

QUEUE_NAME = r"\A[a-z0-9_-][a-z0-9_.-]*\Z"
"""Lowercase letters, digits, `_ - .`; no dot in front, so that a name is never a relative path in a URL."""


class Queue(models.Model):
    """A kind of work: its tasks are alike, answered under one schema, with one set of lease rules."""

    name = models.CharField(
        _("name"),
        max_length=100,
        unique=True,
        validators=[
            RegexValidator(QUEUE_NAME, _("Use lowercase letters, digits, “_”, “-” and “.”, not beginning with a dot."))
        ],
        help_text=_("Part of every URL; cannot be changed."),
    )
    alias = models.CharField(_("alias"), max_length=200, blank=True, default="")
    description = models.TextField(_("description"), max_length=10_000, blank=True, default="")
    instructions = models.TextField(
        _("instructions"),
        max_length=100_000,
        blank=True,
        default="",
        help_text=_("Markdown, shown to reviewers."),
    )
    reviewer_frontend_url = models.URLField(_("reviewer frontend"), max_length=500, blank=True, default="")
    input_schema = models.JSONField(_("input schema"), null=True, blank=True)
    output_schema = models.JSONField(_("output schema"), null=True, blank=True)
    default_assignment_strategy = models.JSONField(_("default strategy"), default=dict, blank=True)
    judgments_per_task = models.PositiveSmallIntegerField(
        _("judgments per task"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(JUDGMENTS_MAX)],
    )
    max_lease_seconds = models.PositiveIntegerField(
        _("longest lease"),
        null=True,
        blank=True,
        default=LEASE_DEFAULT_SECONDS,
        validators=[MinValueValidator(LEASE_MIN_SECONDS), MaxValueValidator(SECONDS_MAX)],
        help_text=_("Seconds. Empty means that a lease may have no end: a task can then be held for ever."),
    )
    max_multitask = models.PositiveSmallIntegerField(
        _("most at once"),
        default=LIVE_MAX,
        validators=[MinValueValidator(1), MaxValueValidator(LIVE_MAX)],
        help_text=_("How many tasks of this queue one reviewer may hold."),
    )
    requester_may_review = models.BooleanField(_("requesters may review their own tasks"), default=True)
    is_paused = models.BooleanField(
        _("paused"), default=False, help_text=_("A paused queue hands nothing out; answers still come in.")
    )
    archived_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)
    updated_at = models.DateTimeField(_("updated"), editable=False)
    sequence = models.PositiveIntegerField(default=0, editable=False)

    objects = QueueQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        permissions = [("operate", _("Can operate every queue"))]
        constraints = [
            models.CheckConstraint(name="queue_name_form", condition=Q(name__regex=QUEUE_NAME)),
            models.CheckConstraint(
                name="queue_judgments_range", condition=Q(judgments_per_task__range=(1, JUDGMENTS_MAX))
            ),
            models.CheckConstraint(
                name="queue_lease_range",
                condition=Q(max_lease_seconds__isnull=True)
                | Q(max_lease_seconds__range=(LEASE_MIN_SECONDS, SECONDS_MAX)),
            ),
            models.CheckConstraint(name="queue_multitask_range", condition=Q(max_multitask__range=(1, LIVE_MAX))),
        ]

    def __str__(self) -> str:
        return self.alias or self.name


class Membership(models.Model):
    """One role of one user in one queue. A user may have several."""

    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="memberships", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    strategy = models.JSONField(
        _("strategy"),
        null=True,
        blank=True,
        help_text=_("For reviewers: fields that beat what the reviewer asks for."),
    )
    max_live = models.PositiveSmallIntegerField(
        _("most at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LIVE_MAX)],
    )
    created_at = models.DateTimeField(_("since"), editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(name="membership_once", fields=["queue", "user", "role"]),
            models.CheckConstraint(name="membership_role_known", condition=Q(role__in=Role.values)),
            models.CheckConstraint(
                name="membership_live_range",
                condition=Q(max_live__isnull=True) | Q(max_live__range=(1, LIVE_MAX)),
            ),
            models.CheckConstraint(
                name="membership_strategy_of_reviewers",
                condition=Q(role=Role.REVIEWER) | Q(strategy__isnull=True, max_live__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}, {self.queue})"
