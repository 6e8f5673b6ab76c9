"""Who asks: a bearer token, or the session of a signed-in browser (which keeps Django's CSRF check)."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from queues import tokens
from queues.models import Token

__all__ = ["BearerAuthentication", "SessionAuthentication"]

REALM = "crowdsite"


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer cs_…` (RFC 6750). `request.auth` is the Token.

    It stands first among the authentications, so that the anonymous get its challenge with a 401.
    """

    def authenticate(self, request: Request) -> tuple[Any, Token] | None:
        """The token's user and the token; None without a bearer header. Raises AuthenticationFailed."""
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = tokens.authenticate(secret=secret.strip())
        if token is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked, or its user is not active.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return f'Bearer realm="{REALM}"'


class BearerScheme(OpenApiAuthenticationExtension):
    """How the API's schema describes bearer tokens."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The security scheme object."""
        return {"type": "http", "scheme": "bearer", "description": "A token, which begins with cs_."}
