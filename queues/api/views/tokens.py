"""One's own API tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from queues import tokens
from queues.api.base import ApiViewSet, validated
from queues.api.serializers.tokens import NewTokenSerializer, TokenSerializer
from queues.models import Token
from queues.throttles import Kind


class TokenViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """One's own API tokens. A token's text is shown once, when it is made; deleting a token ends it at once."""

    queryset = Token.objects.none()
    serializer_class = TokenSerializer
    filterset_fields: list[str] = []
    lookup_value_regex = r"[0-9]{1,18}"
    keeps_answers = False
    throttled_as = Kind.TOKENS

    def get_queryset(self) -> Any:
        return Token.objects.filter(user=self.request.user.pk, revoked_at__isnull=True)

    @extend_schema(request=TokenSerializer, responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        fields = validated(TokenSerializer(data=request.data))
        token, secret = tokens.issue(user=request.user, **fields)
        return Response({**TokenSerializer(token).data, "token": secret}, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: str) -> Response:
        tokens.revoke(token=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
