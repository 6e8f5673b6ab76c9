"""The API of a worker's window: how its seat stands, and the work that belongs to it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from assignments.api.serializers import (
    AssignmentSerializer,
    ExtendSerializer,
    FinalizedSerializer,
    FinalizeSerializer,
    GrabSerializer,
    OneAssignmentSerializer,
    SkipSerializer,
)
from assignments.models import Assignment
from pavilion import pool, standing, submitting, work
from pavilion.api.authentication import SeatAuthentication
from pavilion.api.serializers import LeftSerializer, NoFields, StandingSerializer
from pavilion.links import SeatToken
from pavilion.models import Seat
from queues.api.base import ApiView, validated
from queues.api.serializers.queues import CallStrategySerializer
from queues.throttles import Kind


class SeatView(ApiView):
    """A view of the seat whose token was sent."""

    queryset = Seat.objects.none()
    authentication_classes = [SeatAuthentication]
    serializer_class: Any = StandingSerializer
    filter_backends = []
    pagination_class = None

    @property
    def token(self) -> SeatToken:
        return self.request.auth  # type: ignore[return-value]

    def seat(self) -> Seat:
        """The live seat, used by this window. Raises SeatOver, SeatElsewhere."""
        return work.seat_of(seat_id=self.token.seat_id, connection=self.token.connection)

    def require_window(self) -> None:
        """Raises SeatElsewhere; how a seat has ended its last window may still ask."""
        standing.require_window(seat_id=self.token.seat_id, connection=self.token.connection)


class StandingView(SeatView):
    @extend_schema(responses=StandingSerializer, operation_id="seat_retrieve")
    def get(self, request: Request) -> Response:
        """How the seat stands. Asking counts as being there."""
        self.require_window()
        pool.heard(connections={self.token.seat_id: self.token.connection})
        return Response(StandingSerializer(standing.of(self.token.seat_id)).data)


class ConfirmView(SeatView):
    @extend_schema(request=NoFields, responses=StandingSerializer, operation_id="seat_confirm")
    def post(self, request: Request) -> Response:
        """I am here: what a promoted worker says in time."""
        validated(NoFields(data=request.data))
        pool.confirm(seat_id=self.token.seat_id, connection=self.token.connection)
        return Response(StandingSerializer(standing.of(self.token.seat_id)).data)


class SubmitView(SeatView):
    serializer_class = LeftSerializer

    @extend_schema(request=NoFields, responses=LeftSerializer, operation_id="seat_submit")
    def post(self, request: Request) -> Response:
        """End the work. `submit`: the form that the browser is to post to the marketplace, null where there is none."""
        validated(NoFields(data=request.data))
        seat = pool.submit(seat_id=self.token.seat_id, connection=self.token.connection)
        context = {"submit": submitting.form(seat)}
        return Response(LeftSerializer(standing.of(seat.pk), context=context).data)


class ReturnView(SeatView):
    @extend_schema(request=NoFields, responses=StandingSerializer, operation_id="seat_return")
    def post(self, request: Request) -> Response:
        """Give back what was accepted."""
        validated(NoFields(data=request.data))
        pool.give_back(seat_id=self.token.seat_id, connection=self.token.connection)
        return Response(StandingSerializer(standing.of(self.token.seat_id)).data)


class GrabView(SeatView):
    serializer_class = GrabSerializer
    throttled_as = Kind.GRAB

    @extend_schema(request=CallStrategySerializer, responses=GrabSerializer, operation_id="seat_grab")
    def post(self, request: Request) -> Response:
        """Get work: of the pool's queue while active, of the backlog while waiting."""
        call = validated(CallStrategySerializer(data=request.data))
        return Response(GrabSerializer(work.grab(seat=self.seat(), call=call)).data)


class HeldView(SeatView):
    """A view of an assignment that the seat's worker holds or held."""

    serializer_class: Any = OneAssignmentSerializer

    def held(self, pk: int) -> tuple[Seat, Assignment]:
        seat = self.seat()
        return seat, work.held(seat=seat, assignment_id=pk)


class AssignmentView(HeldView):
    serializer_class = AssignmentSerializer

    @extend_schema(responses=AssignmentSerializer, operation_id="seat_assignment")
    def get(self, request: Request, pk: int) -> Response:
        """What was handed to this worker."""
        return Response(AssignmentSerializer(self.held(pk)[1]).data)


class FinalizeView(HeldView):
    @extend_schema(request=FinalizeSerializer, responses=FinalizedSerializer, operation_id="seat_finalize")
    def post(self, request: Request, pk: int) -> Response:
        """Answer; with `assign_new_task` the next task comes along."""
        seat, assignment = self.held(pk)
        said = validated(FinalizeSerializer(data=request.data))
        done = work.finalize(
            seat=seat,
            assignment=assignment,
            data=said["data"],
            grab_next=said["assign_new_task"],
            call=said.get("strategy"),
        )
        return Response(FinalizedSerializer({"assignment": done.assignment, "next": done.next}).data)


class SkipView(HeldView):
    @extend_schema(request=SkipSerializer, responses=OneAssignmentSerializer, operation_id="seat_skip")
    def post(self, request: Request, pk: int) -> Response:
        """Hand the task back, not to get it again for a while or ever."""
        seat, assignment = self.held(pk)
        said: Any = validated(SkipSerializer(data=request.data))
        skipped = work.skip(seat=seat, assignment=assignment, **said)
        return Response(OneAssignmentSerializer({"assignment": skipped}).data)


class ExtendView(HeldView):
    @extend_schema(request=ExtendSerializer, responses=OneAssignmentSerializer, operation_id="seat_extend")
    def post(self, request: Request, pk: int) -> Response:
        """Move the end of the lease away from now."""
        seat, assignment = self.held(pk)
        said: Any = validated(ExtendSerializer(data=request.data))
        extended = work.extend(seat=seat, assignment=assignment, **said)
        return Response(OneAssignmentSerializer({"assignment": extended}).data)
