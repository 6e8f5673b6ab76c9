"""What notifications say of sessions and seats: what the API shows (see queues.bodies)."""

from collections.abc import Collection
from typing import Any

from pavilion.api.serializers import SeatSerializer, SessionSerializer
from pavilion.models import Seat, Session
from queues.api.base import plain


def sessions(ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Sessions by id."""
    rows = Session.objects.filter(pk__in=ids).with_counts()
    return {session.pk: plain(SessionSerializer(session).data) for session in rows}


def seats(ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Seats by id, each with its worker."""
    rows = Seat.objects.filter(pk__in=ids).select_related("worker")
    return {seat.pk: plain(SeatSerializer(seat).data) for seat in rows}
