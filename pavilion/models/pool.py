"""Project and Pool: what an operator sets up, and the terms under which workers stand by."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from pavilion.querysets import PoolQuerySet, ProjectQuerySet
from queues.models import Queue

LIMIT_MAX = 10_000
MINUTE, DAY = 60, 24 * 3600
TIME_LIMIT = (MINUTE, 3 * DAY)
POSTING = (MINUTE, 14 * DAY)
APPROVAL_DELAY_MAX = 30 * DAY
CONFIRM = (5, 10 * MINUTE)
HEARTBEAT = (10, 10 * MINUTE)
MONEY_MAX = Decimal(1_000_000)


def money(label: Any, **options: Any) -> Any:
    """A field for an amount in the marketplace's currency, in whole cents."""
    return models.DecimalField(label, max_digits=12, decimal_places=2, **options)


def between(least: Any, most: Any) -> list[Any]:
    return [MinValueValidator(least), MaxValueValidator(most)]


def _in_order() -> Q:
    """Minima do not exceed maxima, and what starts a session fits among those who wait."""
    return Q(
        min_waiting__lte=F("max_waiting"),
        min_active__lte=F("max_active"),
        max_waiting__gte=F("min_active") + F("min_waiting"),
        max_waiting__range=(1, LIMIT_MAX),
        max_active__range=(1, LIMIT_MAX),
    )


def _money_fits() -> Q:
    """Nothing costs less than nothing."""
    return Q(base_reward__gte=0, answer_reward__gte=0, waiting_wage__gte=0) & (
        Q(budget__isnull=True) | Q(budget__gte=0)
    )


def _times_fit() -> Q:
    return Q(
        time_limit__range=TIME_LIMIT,
        posting_seconds__range=POSTING,
        approval_delay__lte=APPROVAL_DELAY_MAX,
        confirm_seconds__range=CONFIRM,
        heartbeat_seconds__range=HEARTBEAT,
    )


class Project(models.Model):
    """What pools belong to: a study, a product, a customer."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    description = models.TextField(_("description"), max_length=10_000, blank=True, default="")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("project")
        verbose_name_plural = _("projects")

    def __str__(self) -> str:
        return self.name


class Terms(models.Model):
    """What holds for the workers of a session: taken over from its pool when it is posted, so that none of it changes
    under those who have come. The limits and the budget alone may be changed meanwhile.
    """

    base_reward = money(_("base reward"), default=Decimal("0.05"), validators=between(0, MONEY_MAX))
    answer_reward = money(_("reward for an answer"), default=Decimal("0.02"), validators=between(0, MONEY_MAX))
    waiting_wage = models.DecimalField(
        _("wage for a minute of waiting"),
        max_digits=10,
        decimal_places=4,
        default=Decimal("0.05"),
        validators=between(0, MONEY_MAX),
        help_text=_("Paid by the second, and rounded to cents at the end."),
    )
    time_limit = models.PositiveIntegerField(
        _("time limit"),
        default=30 * MINUTE,
        validators=between(*TIME_LIMIT),
        help_text=_("Seconds from joining to the end: whoever has not submitted by then has abandoned."),
    )
    posting_seconds = models.PositiveIntegerField(
        _("posted for"),
        default=8 * 3600,
        validators=between(*POSTING),
        help_text=_("Seconds after which a session ends by itself."),
    )
    approval_delay = models.PositiveIntegerField(
        _("approved by itself after"),
        default=3 * DAY,
        validators=[MaxValueValidator(APPROVAL_DELAY_MAX)],
        help_text=_("Seconds after which a marketplace approves submitted work by itself."),
    )
    confirm_seconds = models.PositiveIntegerField(
        _("time to confirm"),
        default=30,
        validators=between(*CONFIRM),
        help_text=_("Seconds that a promoted worker has to say “I am here”."),
    )
    heartbeat_seconds = models.PositiveIntegerField(
        _("heartbeat"),
        default=60,
        validators=between(*HEARTBEAT),
        help_text=_("Whoever is not heard of for so many seconds has abandoned."),
    )
    min_waiting = models.PositiveIntegerField(_("least waiting"), default=1, validators=[MaxValueValidator(LIMIT_MAX)])
    min_active = models.PositiveIntegerField(_("least active"), default=1, validators=[MaxValueValidator(LIMIT_MAX)])
    max_waiting = models.PositiveIntegerField(_("most waiting"), default=5, validators=between(1, LIMIT_MAX))
    max_active = models.PositiveIntegerField(_("most active"), default=5, validators=between(1, LIMIT_MAX))
    budget = money(
        _("budget"),
        null=True,
        blank=True,
        validators=between(0, MONEY_MAX),
        help_text=_("What one session may cost at most, offers included. Empty: there is no limit."),
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(name="%(class)s_limits_in_order", condition=_in_order()),
            models.CheckConstraint(name="%(class)s_money_fits", condition=_money_fits()),
            models.CheckConstraint(name="%(class)s_times_fit", condition=_times_fit()),
        ]


class Pool(Terms):
    """Workers who stand by for a queue: what they are told, what they get, how many of them there are, and where they
    are hired. It is at work in a Session.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="pools", db_index=False)
    name = models.CharField(_("name"), max_length=100)
    queue = models.ForeignKey(
        Queue,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("queue"),
        help_text=_("Active workers answer its tasks."),
    )
    backlog_queue = models.ForeignKey(
        Queue,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("backlog"),
        help_text=_("Those who wait may answer its tasks meanwhile; waiting is what they are paid for."),
    )
    marketplace = models.CharField(_("marketplace"), max_length=20, default="local")
    title = models.CharField(_("title"), max_length=128, help_text=_("What workers see first."))
    description = models.TextField(_("description"), max_length=2000, blank=True, default="")
    keywords = models.CharField(_("keywords"), max_length=1000, blank=True, default="")
    waiting_instructions = models.TextField(
        _("instructions for waiting"), max_length=20_000, blank=True, default="", help_text=_("Markdown.")
    )
    work_instructions = models.TextField(
        _("instructions for the work"), max_length=20_000, blank=True, default="", help_text=_("Markdown.")
    )
    countries = models.JSONField(
        _("countries"), default=list, blank=True, help_text=_("Codes of two letters, such as DE. None: any country.")
    )
    approval_rate = models.PositiveSmallIntegerField(
        _("least approval rate"), null=True, blank=True, validators=[MaxValueValidator(100)], help_text=_("Percent.")
    )
    approved_hits = models.PositiveIntegerField(_("least number of approved HITs"), null=True, blank=True)
    follows_advice = models.BooleanField(
        _("follow the advice"),
        default=False,
        help_text=_("Set the most that wait by what has been measured, within the budget."),
    )
    miss_rate = models.FloatField(
        _("share of tasks that may find nobody waiting"), default=0.05, validators=between(0.0001, 0.9)
    )
    created_at = models.DateTimeField(_("created"), editable=False)
    updated_at = models.DateTimeField(_("updated"), editable=False)

    objects = PoolQuerySet.as_manager()

    class Meta(Terms.Meta):
        ordering = ["project", "name"]
        verbose_name = _("pool")
        verbose_name_plural = _("pools")
        constraints = [
            *Terms.Meta.constraints,
            models.UniqueConstraint(name="pool_name_once", fields=["project", "name"]),
            models.CheckConstraint(
                name="pool_backlog_is_another",
                condition=Q(backlog_queue__isnull=True) | ~Q(backlog_queue=F("queue")),
            ),
            models.CheckConstraint(name="pool_miss_rate_range", condition=Q(miss_rate__gt=0, miss_rate__lt=1)),
            models.CheckConstraint(
                name="pool_approval_rate_range", condition=Q(approval_rate__isnull=True) | Q(approval_rate__lte=100)
            ),
        ]

    def __str__(self) -> str:
        return self.name
