"""Projects, pools, sessions, seats and payments on the wire. Amounts are texts, such as "0.05"."""

import re
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pavilion.states import HIRES_MAX, Left, PaymentKind, PaymentStatus, SeatStatus, SessionStatus
from queues.api.fields import (
    AwareDateTimeField,
    StrictBooleanField,
    StrictCharField,
    StrictFields,
    StrictIntegerField,
    StrictSerializer,
)
from queues.api.serializers.queues import NAME_PATTERN
from queues.models import QUEUE_NAME, Queue

REASON_LENGTH = 200

_AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


class AmountField(serializers.DecimalField):
    """An amount, read as text or as a number and shown as text."""

    def __init__(self, **kwargs: Any) -> None:
        digits, places = kwargs.setdefault("max_digits", 12), kwargs.setdefault("decimal_places", 2)
        super().__init__(min_value=0, **kwargs)
        text = {"type": "string", "pattern": rf"^[0-9]{{1,{digits - places}}}(\.[0-9]{{1,{places}}})?$"}
        number = {"type": "number", "minimum": 0, "maximum": 10 ** (digits - places) - 1}
        set_override(self, "field", text if kwargs.get("read_only") else {"oneOf": [text, number]})

    def to_internal_value(self, data: Any) -> Any:
        # Python takes "1e9", "1_000" and any script's digits as well.
        if isinstance(data, bool) or (isinstance(data, str) and not _AMOUNT.fullmatch(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class ShareField(serializers.FloatField):
    """A share, as a number: a text such as "nan" would get past comparisons."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": NAME_PATTERN, "maxLength": 100})
class QueueNamed(serializers.Field[Queue, Any, str, Any]):
    """A queue by its name. What the user cannot see is not there."""

    def to_internal_value(self, data: Any) -> Queue:
        found = None
        # PostgreSQL cannot look up whatever text.
        if isinstance(data, str) and re.match(QUEUE_NAME, data):
            found = Queue.objects.visible_to(self.context["request"].user).filter(name=data).first()
        if found is None:
            raise serializers.ValidationError("There is no such queue, or none that you may see.")
        return found

    def to_representation(self, value: Queue) -> str:
        return value.name


class ProjectSerializer(StrictSerializer):
    id = serializers.IntegerField(read_only=True)
    name = StrictCharField(max_length=100)
    description = StrictCharField(required=False, allow_blank=True, max_length=10_000)
    created_at = AwareDateTimeField(read_only=True)


class LimitsSerializer(StrictSerializer):
    """What may be changed of a live session."""

    min_waiting = StrictIntegerField(required=False, min_value=0)
    min_active = StrictIntegerField(required=False, min_value=0)
    max_waiting = StrictIntegerField(required=False, min_value=1)
    max_active = StrictIntegerField(required=False, min_value=1)
    budget = AmountField(required=False, allow_null=True, help_text="null: there is no limit.")


class TermsSerializer(LimitsSerializer):
    """What holds for the workers of a session. Times in seconds."""

    base_reward = AmountField(required=False)
    answer_reward = AmountField(required=False)
    waiting_wage = AmountField(required=False, max_digits=10, decimal_places=4, help_text="For a minute.")
    time_limit = StrictIntegerField(required=False)
    posting_seconds = StrictIntegerField(required=False)
    approval_delay = StrictIntegerField(required=False)
    confirm_seconds = StrictIntegerField(required=False)
    heartbeat_seconds = StrictIntegerField(required=False)


class PoolSerializer(TermsSerializer):
    id = serializers.IntegerField(read_only=True)
    project = StrictIntegerField(source="project_id", min_value=1)
    name = StrictCharField(max_length=100)
    queue = QueueNamed(help_text="The name of the queue whose tasks active workers answer.")
    backlog_queue = QueueNamed(required=False, allow_null=True, help_text="Of one for those who wait; null: none.")
    marketplace = StrictCharField(required=False, max_length=20)
    title = StrictCharField(max_length=128)
    description = StrictCharField(required=False, allow_blank=True, max_length=2000)
    keywords = StrictCharField(required=False, allow_blank=True, max_length=1000)
    waiting_instructions = StrictCharField(required=False, allow_blank=True, max_length=20_000)
    work_instructions = StrictCharField(required=False, allow_blank=True, max_length=20_000)
    countries = serializers.ListField(child=StrictCharField(max_length=2), required=False, max_length=250)
    approval_rate = StrictIntegerField(required=False, allow_null=True, min_value=0, max_value=100)
    approved_hits = StrictIntegerField(required=False, allow_null=True, min_value=0, max_value=2**31 - 1)
    follows_advice = StrictBooleanField(required=False)
    miss_rate = ShareField(required=False, min_value=0.0001, max_value=0.9)
    created_at = AwareDateTimeField(read_only=True)
    updated_at = AwareDateTimeField(read_only=True)


class PoolPatchSerializer(PoolSerializer):
    """A pool stays in its project, and with its queue."""

    project = StrictIntegerField(source="project_id", read_only=True)
    queue = QueueNamed(read_only=True)


class CloneSerializer(StrictSerializer):
    name = StrictCharField(max_length=100)


class SessionSerializer(TermsSerializer):
    """A session. `waiting`, `active`, `offered`: how many there are now."""

    id = serializers.IntegerField(read_only=True)
    pool = serializers.IntegerField(source="pool_id", read_only=True)
    status = serializers.ChoiceField(choices=SessionStatus.choices, read_only=True)
    posted_at = AwareDateTimeField(read_only=True)
    expires_at = AwareDateTimeField(read_only=True)
    started_at = AwareDateTimeField(read_only=True, allow_null=True)
    stopped_at = AwareDateTimeField(read_only=True, allow_null=True)
    ended_at = AwareDateTimeField(read_only=True, allow_null=True)
    owed = AmountField(read_only=True, help_text="What seats that ended have earned.")
    committed = AmountField(read_only=True, help_text="That, and what live seats and offers may still cost.")
    waiting = serializers.IntegerField(read_only=True)
    active = serializers.IntegerField(read_only=True)
    offered = serializers.IntegerField(read_only=True)


class CountSerializer(StrictSerializer):
    count = StrictIntegerField(required=False, default=1, min_value=1, max_value=HIRES_MAX)


class HiredSerializer(serializers.Serializer[Any]):
    hired = serializers.IntegerField(help_text="How many places the budget had room for.")


class DismissSerializer(StrictSerializer):
    seat = StrictIntegerField(min_value=1)
    reason = StrictCharField(required=False, default="", allow_blank=True, max_length=REASON_LENGTH)


class BlockSerializer(StrictSerializer):
    worker = StrictIntegerField(min_value=1)
    reason = StrictCharField(required=False, default="", allow_blank=True, max_length=REASON_LENGTH)


class WorkerSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    marketplace = serializers.CharField()
    external_id = serializers.CharField()
    name = serializers.CharField()
    blocked_at = AwareDateTimeField(allow_null=True)
    blocked_reason = serializers.CharField()


class SeatSerializer(serializers.Serializer[Any]):
    """A seat as operators see it."""

    id = serializers.IntegerField()
    session = serializers.IntegerField(source="session_id")
    worker = WorkerSerializer()
    status = serializers.ChoiceField(choices=SeatStatus.choices)
    joined_at = AwareDateTimeField()
    active_at = AwareDateTimeField(allow_null=True)
    confirm_by = AwareDateTimeField(allow_null=True)
    confirmed_at = AwareDateTimeField(allow_null=True)
    heard_at = AwareDateTimeField()
    ends_at = AwareDateTimeField()
    ended_at = AwareDateTimeField(allow_null=True)
    left = serializers.ChoiceField(choices=[*Left.choices, ("", "")])
    reason = serializers.CharField()
    answers = serializers.IntegerField()
    backlog_answers = serializers.IntegerField()


class SeatsSerializer(serializers.Serializer[Any]):
    seats = SeatSerializer(many=True)


class InvitationsSerializer(serializers.Serializer[Any]):
    """Where workers come in: `any` leads to whichever place is open, each of `single` to one."""

    any = serializers.CharField()
    single = serializers.ListField(child=serializers.CharField())
    more = serializers.BooleanField(help_text="Whether there are more open places than are listed.")


class PaymentSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    session = serializers.IntegerField(source="session_id")
    seat = serializers.IntegerField(source="seat_id")
    worker = serializers.IntegerField(source="seat.worker_id")
    kind = serializers.ChoiceField(choices=PaymentKind.choices)
    amount = AmountField()
    status = serializers.ChoiceField(choices=PaymentStatus.choices)
    reference = serializers.CharField()
    error = serializers.CharField()
    created_at = AwareDateTimeField()
    sent_at = AwareDateTimeField(allow_null=True)


class TotalsSerializer(serializers.Serializer[Any]):
    """What is owed, being sent, sent and failed of a session."""

    OWED = AmountField()
    SENDING = AmountField()
    SENT = AmountField()
    FAILED = AmountField()


class StandingSerializer(serializers.Serializer[Any]):
    """How a seat stands, for the window that speaks for it."""

    status = serializers.ChoiceField(choices=SeatStatus.choices)
    session_status = serializers.ChoiceField(choices=SessionStatus.choices)
    as_of = AwareDateTimeField()
    joined_at = AwareDateTimeField()
    active_at = AwareDateTimeField(allow_null=True)
    confirm_by = AwareDateTimeField(allow_null=True)
    confirmed_at = AwareDateTimeField(allow_null=True)
    ends_at = AwareDateTimeField()
    ended_at = AwareDateTimeField(allow_null=True)
    left = serializers.ChoiceField(choices=[*Left.choices, ("", "")])
    reason = serializers.CharField()
    waiting = serializers.IntegerField()
    active = serializers.IntegerField()
    place = serializers.IntegerField(allow_null=True)
    wage = AmountField(decimal_places=4)
    base_reward = AmountField()
    answer_reward = AmountField()
    answers = serializers.IntegerField()
    backlog_answers = serializers.IntegerField()
    earned = AmountField()
    has_backlog = serializers.BooleanField()
    budget_left = serializers.BooleanField()


class LeftSerializer(StandingSerializer):
    """How a seat ended, and, where its marketplace wants to be told by the browser, what is to be posted there."""

    submit = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "nullable": True, "properties": {"url": {"type": "string"}}})
    def get_submit(self, standing: Any) -> Any:
        return self.context.get("submit")


class NoFields(StrictFields, serializers.Serializer[Any]):
    """A body without members."""
