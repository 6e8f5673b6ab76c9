"""What lists of queues and tasks can be filtered by. A parameter that no filter knows is an error, not ignored."""

from typing import Any

import django_filters as filters
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from queues.api.parameters import (
    CommaSeparatedFilter,
    MomentFilter,
    NameFilter,
    TextFilter,
    TextsFilter,
    TruthFilter,
    WholeNumberFilter,
)
from queues.conf import user_email_field
from queues.models import Delivery, GlobalKey, Notification, Queue, Task
from queues.people import ANYONE
from queues.states import DeliveryStatus, Level, TaskStatus

NOT_FILTERS = frozenset({"cursor", "page_size", "format"})


class StrictFilterBackend(DjangoFilterBackend):
    """django-filter's backend, but a misspelt parameter or an empty one is an error instead of a list of everything.

    Lists have filters; a single object has none.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        is_list = getattr(view, "action", "list") == "list"
        filterset = self.get_filterset_class(view, queryset) if is_list else None
        known = filterset.base_filters if filterset else {}
        faults = {}
        for name in sorted(set(request.query_params) - NOT_FILTERS):
            if name not in known:
                faults[name] = ["There is no such filter."]
            elif "" in request.query_params.getlist(name) and not isinstance(known[name], TextFilter):
                faults[name] = ["Must not be empty."]
        if faults:
            raise ValidationError(faults)
        return super().filter_queryset(request, queryset, view) if is_list else queryset


class QueueFilter(filters.FilterSet):
    is_paused = TruthFilter()
    name__starts_with = NameFilter(field_name="name", lookup_expr="istartswith")

    class Meta:
        model = Queue
        fields: list[str] = []


class TaskFilter(filters.FilterSet):
    """`global_keys` is the exact set of keys; it and `global_keys__contains` may be repeated.

    A target is named by e-mail, whatever its case; `~ANYONE` is the absence of one, which every negation includes
    unless it is named.
    """

    queue = NameFilter(field_name="queue__name")
    status = filters.MultipleChoiceFilter(choices=TaskStatus.choices)
    topic = TextFilter()
    priority = WholeNumberFilter()
    priority__gte = WholeNumberFilter(field_name="priority", lookup_expr="gte")
    priority__lte = WholeNumberFilter(field_name="priority", lookup_expr="lte")
    requester = NameFilter(method="of_requester")
    created_at__gte = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_at__lte = MomentFilter(field_name="created_at", lookup_expr="lte")
    updated_at__gte = MomentFilter(field_name="updated_at", lookup_expr="gte")
    updated_at__lte = MomentFilter(field_name="updated_at", lookup_expr="lte")
    schedule_to__gte = MomentFilter(field_name="schedule_to", lookup_expr="gte")
    schedule_to__lte = MomentFilter(field_name="schedule_to", lookup_expr="lte")
    expire_at__gte = MomentFilter(field_name="expire_at", lookup_expr="gte")
    expire_at__lte = MomentFilter(field_name="expire_at", lookup_expr="lte")
    global_keys = TextsFilter(method="with_exactly_these_keys")
    global_keys__contains = TextsFilter(method="with_these_keys")
    global_keys__not__contains = TextsFilter(method="without_these_keys")
    global_keys__count = WholeNumberFilter(method="with_so_many_keys")
    global_keys__count__gte = WholeNumberFilter(method="with_so_many_keys")
    global_keys__count__lte = WholeNumberFilter(method="with_so_many_keys")
    target_reviewer = NameFilter(method="with_target")
    target_reviewer__starts_with = NameFilter(method="with_target")
    target_reviewer__contains = NameFilter(method="with_target")
    target_reviewer__in = CommaSeparatedFilter(method="with_target")
    target_reviewer__not = NameFilter(method="without_target")
    target_reviewer__not__starts_with = NameFilter(method="without_target")
    target_reviewer__not__contains = NameFilter(method="without_target")
    target_reviewer__not__in = CommaSeparatedFilter(method="without_target")

    class Meta:
        model = Task
        fields: list[str] = []

    def of_requester(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.filter(**{f"requester__{user_email_field()}__iexact": value})

    def with_these_keys(self, tasks: Any, name: str, values: list[str]) -> Any:
        return tasks.with_keys(values)

    def with_exactly_these_keys(self, tasks: Any, name: str, values: list[str]) -> Any:
        return self.with_so_many_keys(tasks.with_keys(values), "global_keys__count", len(set(values)))

    def without_these_keys(self, tasks: QuerySet[Task], name: str, values: list[str]) -> QuerySet[Task]:
        return tasks.filter(~Exists(GlobalKey.objects.filter(task=OuterRef("pk"), key__in=values)))

    def with_so_many_keys(self, tasks: QuerySet[Task], name: str, value: Any) -> QuerySet[Task]:
        lookup = name.removeprefix("global_keys__count").removeprefix("__") or "exact"
        return tasks.annotate(key_count=Count("keys")).filter(**{f"key_count__{lookup}": value})

    def with_target(self, tasks: QuerySet[Task], name: str, value: Any) -> QuerySet[Task]:
        return tasks.filter(self._target(name.removeprefix("target_reviewer"), value))

    def without_target(self, tasks: QuerySet[Task], name: str, value: Any) -> QuerySet[Task]:
        """Negations include the tasks without a target, unless `~ANYONE` itself is negated."""
        return tasks.exclude(self._target(name.removeprefix("target_reviewer__not"), value))

    def _target(self, how: str, value: Any) -> Q:
        email = f"target_reviewer__{user_email_field()}"
        if how in ("", "__in"):
            values = value if isinstance(value, list) else [value]
            found = Q(target_reviewer__isnull=True) if ANYONE in values else Q(pk__in=[])
            for one in values:
                if one != ANYONE:
                    found |= Q(**{f"{email}__iexact": one})
            return found
        if value == ANYONE:
            return Q(target_reviewer__isnull=True)
        return Q(**{f"{email}{'__istartswith' if how == '__starts_with' else '__icontains'}": value})


class NotificationFilter(filters.FilterSet):
    """Settings of tasks are listed task by task: there may be as many as there are tasks."""

    level = filters.MultipleChoiceFilter(choices=[(level, level.label) for level in (Level.SITE, Level.QUEUE)])
    queue = NameFilter(field_name="queue__name")
    task = WholeNumberFilter(field_name="task_id")

    class Meta:
        model = Notification
        fields: list[str] = []


class DeliveryFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=DeliveryStatus.choices)

    class Meta:
        model = Delivery
        fields: list[str] = []
