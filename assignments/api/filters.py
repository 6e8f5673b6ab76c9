"""What lists of assignments and reviewers can be filtered by."""

import django_filters as filters
from django.db.models import QuerySet

from assignments.models import Assignment, Reviewer
from assignments.states import AssignmentStatus
from queues.api.parameters import NameFilter, WholeNumberFilter
from queues.conf import user_email_field


class AssignmentFilter(filters.FilterSet):
    queue = NameFilter(field_name="queue__name")
    reviewer = NameFilter(method="of_reviewer", help_text="E-mail.")
    task = WholeNumberFilter(field_name="task_id")
    status = filters.MultipleChoiceFilter(choices=AssignmentStatus.choices)

    class Meta:
        model = Assignment
        fields: list[str] = []

    def of_reviewer(self, assignments: QuerySet[Assignment], name: str, value: str) -> QuerySet[Assignment]:
        return assignments.filter(**{f"reviewer__user__{user_email_field()}__iexact": value})


class ReviewerFilter(filters.FilterSet):
    email = NameFilter(method="with_email")

    class Meta:
        model = Reviewer
        fields: list[str] = []

    def with_email(self, reviewers: QuerySet[Reviewer], name: str, value: str) -> QuerySet[Reviewer]:
        return reviewers.filter(**{f"user__{user_email_field()}__iexact": value})
