"""What becomes of an offer that is open here, and that the marketplace has closed."""

from datetime import datetime

from pavilion.locking import Locked, under_lock
from pavilion.models import Hire
from pavilion.states import HireStatus


def replace(*, hire_id: int, now: datetime | None = None) -> bool:
    """Nobody can take this posted offer any more: withdraw it, and offer another, as far as the budget reaches.

    False: it was taken or withdrawn meanwhile. Raises Hire.DoesNotExist.
    """
    hire = Hire.objects.get(pk=hire_id)

    def act(locked: Locked) -> bool:
        posted = Hire.objects.filter(pk=hire_id, status=HireStatus.POSTED)
        if not posted.exists():
            return False
        locked.withdraw(posted)
        if locked.session.is_live:
            locked.hire(1)
        return True

    return under_lock(hire.session_id, act, now=now)
