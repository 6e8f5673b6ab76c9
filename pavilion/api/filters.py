"""What lists of pools, sessions and payments can be filtered by."""

import django_filters as filters

from pavilion.models import Payment, Pool, Session
from pavilion.states import PaymentKind, PaymentStatus, SessionStatus
from queues.api.parameters import NameFilter, WholeNumberFilter


class PoolFilter(filters.FilterSet):
    project = WholeNumberFilter(field_name="project_id")
    queue = NameFilter(field_name="queue__name")

    class Meta:
        model = Pool
        fields: list[str] = []


class SessionFilter(filters.FilterSet):
    pool = WholeNumberFilter(field_name="pool_id")
    status = filters.MultipleChoiceFilter(choices=SessionStatus.choices)

    class Meta:
        model = Session
        fields: list[str] = []


class PaymentFilter(filters.FilterSet):
    session = WholeNumberFilter(field_name="session_id")
    worker = WholeNumberFilter(field_name="seat__worker_id")
    status = filters.MultipleChoiceFilter(choices=PaymentStatus.choices)
    kind = filters.ChoiceFilter(choices=PaymentKind.choices)

    class Meta:
        model = Payment
        fields: list[str] = []
