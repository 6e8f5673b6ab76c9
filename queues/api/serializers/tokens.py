"""Tokens on the wire."""

from rest_framework import serializers

from queues.api.fields import (
    AwareDateTimeField,
    StrictCharField,
    StrictSerializer,
)


class TokenSerializer(StrictSerializer):
    id = serializers.IntegerField(read_only=True)
    name = StrictCharField(max_length=100)
    prefix = serializers.CharField(read_only=True)
    created_at = AwareDateTimeField(read_only=True)
    expires_at = AwareDateTimeField(required=False, allow_null=True)
    last_used_at = AwareDateTimeField(read_only=True, allow_null=True)


class NewTokenSerializer(TokenSerializer):
    """A token just made; its text is shown this once."""

    token = serializers.CharField(read_only=True)
