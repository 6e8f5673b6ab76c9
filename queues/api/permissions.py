"""Who may do what to a queue. What a user may not see is missing (404); what they see may be forbidden (403)."""

from typing import Any

from queues.models import Membership, Queue
from queues.querysets import is_operator
from queues.states import Role

ADD_QUEUE = "crowd_queues.add_queue"


def may_create_queues(user: Any) -> bool:
    """Operators, and users with Django's permission to add a queue."""
    return is_operator(user) or user.has_perm(ADD_QUEUE)


def has_role(user: Any, queue: Queue, *roles: Role) -> bool:
    """Whether the user has one of these roles in the queue; operators count as having each but reviewer."""
    if set(roles) != {Role.REVIEWER} and is_operator(user):
        return True
    return Membership.objects.filter(user=user, queue=queue, role__in=roles).exists()
