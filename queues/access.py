"""Who may review, asked under a lock that makes the answer last."""

from collections.abc import Collection
from typing import Any

from django.db import connection

from queues.models import Membership


def hold_review_access(*, queue_id: int, users: Collection[Any]) -> set[Any]:
    """The ids among `users` that may review in this queue, and may until this transaction ends.

    On PostgreSQL a share lock on their memberships makes a revocation wait, without making two holders wait for each
    other; a SQLite transaction is alone anyway.
    """
    if not users:
        return set()
    found = Membership.objects.reviewers().filter(queue_id=queue_id, user_id__in=users, user__is_active=True)
    statement, parameters = found.order_by("pk").values_list("user_id").query.sql_with_params()
    if connection.vendor == "postgresql":
        statement += f" FOR KEY SHARE OF {Membership._meta.db_table}"
    # What the driver gives is not always the key that people have: a UUID is a text on SQLite.
    as_key = Membership._meta.get_field("user").to_python
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {as_key(user_id) for (user_id,) in cursor.fetchall()}
