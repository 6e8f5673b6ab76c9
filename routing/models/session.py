"""What routers count, and the moves of pipelines that live in people's sessions."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from routing.states import NAME_MAX

METHODS = ("GET", "POST")


class Visit(models.Model):
    """A task that was carried out for a request, not yet added to a Tally. Rows are added only: nobody waits for a row.

    `entry`: the request came for it, rather than being piped to it.
    """

    router = models.CharField(max_length=NAME_MAX)
    workflow = models.CharField(max_length=NAME_MAX)
    task = models.CharField(max_length=NAME_MAX)
    method = models.CharField(max_length=4)
    entry = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        indexes = [models.Index(name="visit_by_router", fields=["router"])]
        constraints = [models.CheckConstraint(name="visit_method_known", condition=Q(method__in=METHODS))]

    def __str__(self) -> str:
        return f"{self.method} {self.router}/{self.workflow}/{self.task}"


class Tally(models.Model):
    """How many visits there were: `count` in all, `entries` of them by requests of their own."""

    router = models.CharField(_("router"), max_length=NAME_MAX)
    workflow = models.CharField(_("workflow"), max_length=NAME_MAX)
    task = models.CharField(_("task"), max_length=NAME_MAX)
    method = models.CharField(_("method"), max_length=4)
    count = models.PositiveBigIntegerField(_("requests"), default=0)
    entries = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("visits to a task")
        verbose_name_plural = _("visits to tasks")
        constraints = [
            models.UniqueConstraint(name="tally_once", fields=["router", "workflow", "task", "method"]),
            models.CheckConstraint(name="tally_method_known", condition=Q(method__in=METHODS)),
            models.CheckConstraint(name="tally_entries_fit", condition=Q(entries__lte=models.F("count"))),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.router}/{self.workflow}/{self.task}: {self.count}"


class Allowance(models.Model):
    """How many requests a router that may not let in all has let in, since its statistics were cleared."""

    router = models.CharField(max_length=NAME_MAX, unique=True)
    admitted = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")

    def __str__(self) -> str:
        return f"{self.router}: {self.admitted}"


class Move(models.Model):
    """A move of a pipeline that lives in a session: that its number exists once lets one of two requests make it.

    `token` names the pipeline, one that was begun once.
    """

    token = models.CharField(max_length=32)
    number = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("move of a pipeline")
        verbose_name_plural = _("moves of pipelines")
        indexes = [models.Index(name="move_by_time", fields=["at"])]
        constraints = [models.UniqueConstraint(name="move_once", fields=["token", "number"])]

    def __str__(self) -> str:
        return f"{self.token}: {self.number}"
