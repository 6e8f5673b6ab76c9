"""Finding users by the e-mail that names them. Case is ignored; only active users count."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models.functions import Lower

from queues.conf import user_email_field

ANYONE = "~ANYONE"
"""How the absence of a target is shown, read and filtered."""


def email_of(user: Any) -> str:
    """The e-mail by which this user is shown and named."""
    return getattr(user, user_email_field()) or ""


def shown(user: Any) -> str:
    """How a user is shown to people: by e-mail, else as the user model has it."""
    return email_of(user) or str(user)


def users_by_email(emails: Iterable[str]) -> dict[str, list[Any]]:
    """Lowercased e-mail → the active users who have it (a list: hosts may allow doubles)."""
    wanted = {email.lower() for email in emails}
    found: dict[str, list[Any]] = defaultdict(list)
    if wanted:
        users = get_user_model()._default_manager.filter(is_active=True)
        for user in users.annotate(crowd_email=Lower(user_email_field())).filter(crowd_email__in=wanted):
            found[email_of(user).lower()].append(user)
    return found
