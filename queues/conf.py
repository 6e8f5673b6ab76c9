"""The settings that this app reads from its host."""

from django.conf import settings
from django.contrib.auth import get_user_model


def user_email_field() -> str:
    """The name of the user model's e-mail field: CROWDSITE_USER_EMAIL_FIELD, or the model's own EMAIL_FIELD."""
    return getattr(settings, "CROWDSITE_USER_EMAIL_FIELD", "") or get_user_model().get_email_field_name()
