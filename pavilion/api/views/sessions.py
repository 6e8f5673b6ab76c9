"""Sessions and payments, for operators and the managers of the pool's queue."""

from decimal import Decimal
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from pavilion import hiring, paying, pool, sessions
from pavilion.api.filters import PaymentFilter, SessionFilter
from pavilion.api.serializers import (
    BlockSerializer,
    CountSerializer,
    DismissSerializer,
    HiredSerializer,
    InvitationsSerializer,
    LimitsSerializer,
    NoFields,
    PaymentSerializer,
    SeatSerializer,
    SeatsSerializer,
    SessionSerializer,
    TotalsSerializer,
    WorkerSerializer,
)
from pavilion.models import Payment, Seat, Session, Worker
from pavilion.states import PaymentStatus
from queues.api.base import ApiViewSet, validated
from queues.exceptions import InvalidInput


class SessionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Sessions of pools that one sees, the latest first."""

    queryset = Session.objects.none()
    serializer_class = SessionSerializer
    filterset_class = SessionFilter
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> Any:
        return Session.objects.visible_to(self.request.user).with_counts()

    def _shown(self, pk: int) -> Response:
        return Response(SessionSerializer(get_object_or_404(Session.objects.with_counts(), pk=pk)).data)

    def _seen(self) -> int:
        """The id of the session. Raises Http404."""
        return get_object_or_404(Session.objects.visible_to(self.request.user), pk=self.kwargs["pk"]).pk

    @extend_schema(request=LimitsSerializer, responses=SessionSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change limits or the budget of a live session."""
        session_id = self._seen()
        changes = validated(LimitsSerializer(data=request.data, partial=True))
        sessions.change(session_id=session_id, changes=changes, actor=request.user)
        return self._shown(session_id)

    def _do(self, request: Request, do: Any) -> Response:
        session_id = self._seen()
        validated(NoFields(data=request.data))
        do(session_id=session_id, actor=request.user)
        return self._shown(session_id)

    @extend_schema(request=NoFields, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Begin with those who wait, however few."""
        return self._do(request, sessions.start)

    @extend_schema(request=NoFields, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Submit everybody, take nobody in any more."""
        return self._do(request, sessions.stop)

    @extend_schema(request=NoFields, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def expire(self, request: Request, pk: str) -> Response:
        """End the session: what is posted is withdrawn, who is there is submitted."""
        return self._do(request, sessions.expire)

    @extend_schema(request=CountSerializer, responses=SeatsSerializer)
    @action(detail=True, methods=["post"])
    def migrate(self, request: Request, pk: str) -> Response:
        """Promote so many of those who wait, even below the least that should wait."""
        session_id = self._seen()
        said = validated(CountSerializer(data=request.data))
        promoted = pool.migrate(session_id=session_id, count=said["count"], actor=request.user)
        return Response(SeatsSerializer({"seats": promoted}).data)

    @extend_schema(request=CountSerializer, responses=HiredSerializer)
    @action(detail=True, methods=["post"])
    def hire(self, request: Request, pk: str) -> Response:
        """Offer so many more places."""
        session_id = self._seen()
        said = validated(CountSerializer(data=request.data))
        hired = pool.hire(session_id=session_id, count=said["count"], actor=request.user)
        return Response(HiredSerializer({"hired": hired}).data)

    @extend_schema(request=DismissSerializer, responses=SeatSerializer)
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, pk: str) -> Response:
        """End a seat."""
        session_id = self._seen()
        said = validated(DismissSerializer(data=request.data))
        if not Seat.objects.filter(pk=said["seat"], session=session_id).exists():
            raise InvalidInput.at("/seat", "The session has no such seat.")
        seat = pool.dismiss(seat_id=said["seat"], reason=said["reason"], actor=request.user)
        return Response(SeatSerializer(seat).data)

    @extend_schema(request=BlockSerializer, responses=WorkerSerializer)
    @action(detail=True, methods=["post"])
    def block(self, request: Request, pk: str) -> Response:
        """Have a worker of the session take no seat any more, anywhere; a live one ends."""
        session_id = self._seen()
        said = validated(BlockSerializer(data=request.data))
        if not Worker.objects.filter(pk=said["worker"], seats__session=session_id).exists():
            raise InvalidInput.at("/worker", "The session has had no such worker.")
        worker = pool.block(worker_id=said["worker"], reason=said["reason"], actor=request.user)
        return Response(WorkerSerializer(worker).data)

    @extend_schema(responses=InvitationsSerializer, filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def invitations(self, request: Request, pk: str) -> Response:
        """The links by which workers come in."""
        return Response(InvitationsSerializer(hiring.invitations(session_id=self._seen())).data)

    @extend_schema(responses=SeatSerializer(many=True), filters=False)
    @action(detail=True, filter_backends=[])
    def seats(self, request: Request, pk: str) -> Response:
        """The seats of the session, the latest first."""
        rows = Seat.objects.filter(session=self._seen()).select_related("worker")
        return self.get_paginated_response(SeatSerializer(self.paginate_queryset(rows), many=True).data)

    @extend_schema(responses=TotalsSerializer, filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def totals(self, request: Request, pk: str) -> Response:
        """The sums of the session's payments, by their status."""
        sums = Payment.objects.filter(session=self._seen()).totals()
        return Response(
            TotalsSerializer({status: sums.get(status, Decimal(0)) for status in PaymentStatus.values}).data
        )


class PaymentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Payments of sessions that one sees."""

    queryset = Payment.objects.none()
    serializer_class = PaymentSerializer
    filterset_class = PaymentFilter
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> Any:
        return Payment.objects.visible_to(self.request.user).select_related("seat")

    @extend_schema(request=NoFields, responses=PaymentSerializer)
    @action(detail=True, methods=["post"])
    def send_again(self, request: Request, pk: str) -> Response:
        """Try a payment that failed again."""
        payment = self.get_object()
        validated(NoFields(data=request.data))
        return Response(PaymentSerializer(paying.send_again(payment_id=payment.pk)).data)
