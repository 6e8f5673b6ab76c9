"""Who asks from a worker's window: the token of a seat, which says which window speaks."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from pavilion import links
from pavilion.links import SeatToken
from pavilion.models import Seat
from queues.api.authentication import REALM


class SeatAuthentication(BaseAuthentication):
    """`Authorization: Seat …`. `request.auth` is the SeatToken, `request.user` the worker's user.

    Whether the seat lives, and is used by this window, is for the views to ask: that is told in a problem of its own.
    """

    def authenticate(self, request: Request) -> tuple[Any, SeatToken] | None:
        """Raises AuthenticationFailed."""
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "seat":
            return None
        try:
            token = links.read_token(text.strip())
        except links.BadLink:
            raise AuthenticationFailed("The seat's token is not one of ours, or too old.") from None
        seat = Seat.objects.select_related("worker__reviewer__user").filter(pk=token.seat_id).first()
        if seat is None or not seat.worker.reviewer.user.is_active:
            raise AuthenticationFailed("There is no such seat any more.")
        return seat.worker.reviewer.user, token

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return f'Seat realm="{REALM}"'


class SeatScheme(OpenApiAuthenticationExtension):
    """How the API's schema describes the tokens of seats."""

    target_class = SeatAuthentication
    name = "seat"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The security scheme object."""
        return {"type": "http", "scheme": "seat", "description": "The token of a worker's window, for some minutes."}
