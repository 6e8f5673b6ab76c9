"""What a marketplace keeps with a session, so that it need not ask for it again."""

from typing import Any

from pavilion.models import Session
from queues.transactions import writer


@writer
def keep(*, session_id: int, **things: Any) -> dict[str, Any]:
    """Keep these, as JSON has them, beside or instead of what was kept; all that is kept now.

    Raises Session.DoesNotExist.
    """
    session = Session.objects.select_for_update(no_key=True).get(pk=session_id)
    session.kept = {**session.kept, **things}
    session.save(update_fields=["kept"])
    return dict(session.kept)


def kept(*, session_id: int) -> dict[str, Any]:
    """All that is kept now. Raises Session.DoesNotExist."""
    return dict(Session.objects.values_list("kept", flat=True).get(pk=session_id))
