"""The marketplace that needs none: invitations are links, and payments are the ledger from which the operator pays."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

from pavilion import workers as people
from pavilion.marketplaces.base import Later, Marketplace, Offered, Refused

if TYPE_CHECKING:
    from pavilion.models import Hire, Payment, Session


class Local(Marketplace):
    """Signed links, which an operator hands to people. An offer that was returned or abandoned is open again.

    Its option `tell` is a list of addresses that are told of open places, besides whoever posted the session.
    """

    slug = "local"
    title = "Invitations"
    pays_the_departed = True
    offers_again = True
    tells_operators = True

    @classmethod
    def faults(cls, options: Mapping[str, Any]) -> Iterable[str]:
        for name in sorted(options.keys() - {"tell"}):
            yield f"There is no option {name}; the one that there is is tell."
        tell = options.get("tell", [])
        if not isinstance(tell, list | tuple) or not all(map(_is_address, tell)):
            yield "The option tell must be a list of e-mail addresses."

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
        """Workers have an address where the host makes their users with one (CROWDSITE_MAKE_WORKER_USER)."""
        ids = set(workers)
        addresses = people.addresses(marketplace=self.slug, external_ids=ids)
        if missing := len(ids) - len(addresses):
            raise Refused(f"{missing} of {len(ids)} workers came by an invitation and left no e-mail address.")
        # One letter each, so that nobody learns of the others.
        letters = [EmailMessage(subject, text, to=[address]) for address in addresses.values()]
        try:
            get_connection().send_messages(letters)
        except OSError as error:
            raise Later(f"The mail server does not take letters: {error}") from error

    def reconcile(self, session: "Session") -> int:
        return 0


def _is_address(text: Any) -> bool:
    try:
        validate_email(text)
    except (ValidationError, TypeError):
        return False
    return True
