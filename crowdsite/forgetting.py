"""Forgetting who somebody is. What they did stays, as that of somebody: answers are part of the record."""

from contextlib import suppress
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from assignments.models import Reviewer
from pavilion.models import Seat, Worker
from queues import members, notifications
from queues.conf import user_email_field
from queues.models import Endpoint, IdempotencyRecord, Membership, Token
from queues.transactions import writer

DOMAIN = "forgotten.invalid"
"""No letter reaches it: the domain is reserved for that (RFC 2606)."""


class StillHere(Exception):
    """Somebody who has a seat in a pool is not forgotten: they are to be paid first."""


def forget(*, user: Any) -> None:
    """Take away all that the user may, and everything that says who they are. To be repeated where it was broken off.

    Their leases are released, and their targeted tasks opened to anyone. Raises StillHere.
    """
    if Seat.objects.live().filter(worker__reviewer__user=user).exists():
        raise StillHere(f"{user} has a seat in a pool. Dismiss them, or wait until they have gone.")
    for membership in Membership.objects.filter(user=user):
        with suppress(Membership.DoesNotExist):
            members.revoke(membership=membership)
    for endpoint_id in Endpoint.objects.filter(owner=user, disabled_at__isnull=True).values_list("pk", flat=True):
        notifications.disable(endpoint_id=endpoint_id)
    _blank(user=user)


@writer
def _blank(*, user: Any) -> None:
    Token.objects.filter(user=user).delete()
    IdempotencyRecord.objects.filter(user=user).delete()
    # The admin's history has the names of what was changed.
    for row in (user, *Reviewer.objects.filter(user=user)):
        entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk))
        entries.update(object_repr="forgotten", change_message="")
    for worker in Worker.objects.filter(reviewer__user=user):
        Worker.objects.filter(pk=worker.pk).update(
            name="", external_id=f"forgotten-{worker.pk}", blocked_reason="forgotten" if worker.blocked_at else ""
        )
    name = f"forgotten-{user.pk}"
    for field in ("first_name", "last_name"):
        if hasattr(user, field):
            setattr(user, field, "")
    setattr(user, user.USERNAME_FIELD, name)
    setattr(user, user_email_field(), f"{name}@{DOMAIN}")
    user.is_active = user.is_staff = user.is_superuser = False
    user.set_unusable_password()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
