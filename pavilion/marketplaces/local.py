"""The marketplace that needs none: invitations are links, and payments are the ledger from which the operator pays."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from pavilion.marketplaces.base import Marketplace, Offered

if TYPE_CHECKING:
    from pavilion.models import Hire, Payment, Session


class Local(Marketplace):
    """Signed links, which an operator hands to people. An offer that was returned or abandoned is open again."""

    slug = "local"
    title = "Invitations"
    pays_the_departed = True
    offers_again = True

    def post(self, hire: "Hire", url: str) -> str:
        return f"local-{hire.pk}"

    def withdraw(self, hire: "Hire") -> None:
        return None

    def extend(self, hire: "Hire", until: datetime) -> None:
        return None

    def list(self, session: "Session") -> Iterable[Offered]:
        return []

    def approve(self, payment: "Payment") -> str:
        return f"ledger-{payment.pk}"

    def bonus(self, payment: "Payment", reason: str) -> str:
        return f"ledger-{payment.pk}"

    def notify(self, workers: Iterable[str], *, subject: str, text: str) -> None:
        return None

    def reconcile(self, session: "Session") -> int:
        return 0
