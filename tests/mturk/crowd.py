"""A pool that hires at the marketplace of the tests, and what its workers do in both places."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from django.utils import timezone

from pavilion import hiring, paying, submitting
from pavilion.models import Hire, Payment, Seat, Session
from pavilion.states import PaymentKind, PaymentStatus
from tests import pools
from tests.mturk.server import MTurk

MARKETPLACES = {
    "local": "pavilion.marketplaces.local.Local",
    "mturk": "pavilion.marketplaces.mturk.MTurk",
}


def set_up(settings: Any, mturk: MTurk, **options: Any) -> None:
    """Have the site hire there."""
    settings.CROWDSITE_URL = "https://crowd.example"
    settings.CROWDSITE_MARKETPLACES = MARKETPLACES
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {
        "mturk": {
            "endpoint_url": mturk.url,
            "access_key_id": "x",
            "secret_access_key": "x",
            "submit_urls": [f"{mturk.url}/mturk/externalSubmit"],
            **options,
        }
    }


def later(seconds: float) -> Any:
    """So many seconds from now."""
    return timezone.now() + timedelta(seconds=seconds)


def post(**fields: Any) -> Session:
    """A live session whose every place is a HIT. Nobody falls silent within ten minutes, nor has to confirm."""
    terms = {"max_waiting": 2, "max_active": 1, "heartbeat_seconds": 600, "confirm_seconds": 600, **fields}
    session = pools.post(pools.make(marketplace="mturk", **terms))
    hiring.work()
    return session


def hit(session: Session, number: int = 0) -> str:
    """The id of one of its HITs, the oldest first."""
    return Hire.objects.filter(session=session).exclude(external_id="").order_by("pk")[number].external_id


def come(client: Any, mturk: MTurk, session: Session, worker: str, number: int = 0) -> Seat:
    """Accept a HIT there, and its offer here, as the frame's page does."""
    parts = urlsplit(mturk.market.accept(hit(session, number), worker).url)
    answer = client.post(f"{parts.path}?{parts.query}")
    assert answer.status_code == 303, answer.content
    return Seat.objects.get(session=session, worker__external_id=worker, live=True)


def submit_there(seat: Seat) -> None:
    """What the worker's browser posts at the end."""
    form = submitting.form(seat)
    assert form is not None
    with urlopen(form["url"], urlencode(form["fields"]).encode()) as answer:
        assert answer.status == 200


def pay_all(seconds: float = 0) -> dict[str, int]:
    """Pay whatever becomes due within an hour; how many payments are in which state then."""
    for wait in range(1, 7):
        if Payment.objects.filter(due_at__isnull=False).exists():
            paying.work(now=later(seconds + 601 * wait))
    states = Payment.objects.values_list("status", flat=True)
    return {status: list(states).count(status) for status in PaymentStatus if status in states}


def our_ledger() -> list[tuple[str, str, Decimal]]:
    """What we say was sent: kind there, worker, amount."""
    sent = Payment.objects.filter(status=PaymentStatus.SENT).select_related("seat__worker")
    kinds = {PaymentKind.BASE: "reward"}
    return sorted((kinds.get(PaymentKind(one.kind), "bonus"), one.seat.worker.external_id, one.amount) for one in sent)


def its_ledger(mturk: MTurk) -> list[tuple[str, str, Decimal]]:
    """What the marketplace has paid."""
    return sorted((one.kind, one.worker, one.amount) for one in mturk.market.ledger)


def asked(mturk: MTurk, operation: str) -> list[dict[str, Any]]:
    """What each call of an operation asked."""
    return [given for name, given in mturk.calls if name == operation]
