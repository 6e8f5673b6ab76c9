"""What lists of runs and steps can be filtered by."""

import django_filters as filters
from django.db.models import QuerySet

from queues.api.parameters import MomentFilter, NameFilter
from queues.conf import user_email_field
from routing.models import Run, Step
from routing.states import RunStatus, StepStatus


class RunFilter(filters.FilterSet):
    """`name` is the workflow's; `started_by` an e-mail, whatever its case."""

    status = filters.MultipleChoiceFilter(choices=RunStatus.choices)
    name = NameFilter()
    started_by = NameFilter(method="of_starter")
    created_at__gte = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_at__lte = MomentFilter(field_name="created_at", lookup_expr="lte")

    class Meta:
        model = Run
        fields: list[str] = []

    def of_starter(self, runs: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        return runs.filter(**{f"started_by__{user_email_field()}__iexact": value})


class StepFilter(filters.FilterSet):
    status = filters.MultipleChoiceFilter(choices=StepStatus.choices)
    name = NameFilter()

    class Meta:
        model = Step
        fields: list[str] = []
