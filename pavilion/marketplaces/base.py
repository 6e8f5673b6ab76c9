"""What a marketplace is to the pool: where workers are hired, and through which they are paid.

One small class each. Its methods speak to the outside and are called with no transaction open (see pavilion.hiring,
pavilion.paying); each may be called again after it was called and its answer was lost. What it learns of workers it
tells through `pavilion.pool` and `pavilion.workers`, as everybody does.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pavilion.models import Hire, Payment, Session


class Later(Exception):
    """Not now: throttled, unreachable, or a worker has still to do their part. It is tried again after `seconds`."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Refused(Exception):
    """Never: the marketplace said no, for this reason."""


@dataclass(frozen=True)
class Offered:
    """What a marketplace says of one of our hires, and of who has it there.

    `status`: "open" to anyone, "held" by a worker, "submitted" by one, "closed" (nobody can take it any more).
    `worker`, `assignment`: their ids at the marketplace, "" where nobody has it.
    """

    external_id: str
    status: str
    worker: str = ""
    assignment: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Visitor:
    """Who comes to an offer, as the marketplace says in its address: a worker with an assignment, or one who only looks
    (`preview`).
    """

    preview: bool
    worker: str = ""
    assignment: str = ""
    submit_url: str = ""


class Marketplace(ABC):
    """One marketplace. `options`: what the host has set for it (pavilion.conf.of_marketplace)."""

    slug: ClassVar[str]

    title: ClassVar[str]
    """Its name for people."""

    pays_the_departed: ClassVar[bool]
    """Whether it can pay those who returned or abandoned an offer."""

    offers_again: ClassVar[bool]
    """Whether an offer that was returned or abandoned is open to others again without a new one."""

    knows_departures: ClassVar[bool] = False
    """Whether it tells of returns and abandons by itself, by `poll` or `reconcile`."""

    tells_operators: ClassVar[bool] = False
    """Whether operators hire by hand, so that they are told of places that open (see pavilion.telling)."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    @classmethod
    def faults(cls, options: Mapping[str, Any]) -> Iterable[str]:
        """What is wrong with these options, each fault a sentence; asked by the system checks."""
        return []

    @property
    def frame_ancestors(self) -> list[str]:
        """The origins whose pages may show our rooms in a frame; none: they are no frames."""
        return []

    def visitor(self, query: Mapping[str, str]) -> Visitor | None:
        """Who comes, by the query of the offer's address; None: the marketplace does not say, so we ask."""
        return None

    @property
    def submit_urls(self) -> list[str]:
        """The addresses, each a prefix, to which a worker's browser may submit at the end."""
        return []

    @abstractmethod
    def post(self, hire: "Hire", url: str) -> str:
        """Offer it to workers, who are sent to `url`; its id at the marketplace. `hire.request_token` is the same at
        each try: what a try before has made is found by it and not made twice. Raises Later, Refused.
        """

    @abstractmethod
    def withdraw(self, hire: "Hire") -> None:
        """Nobody can take it any more. One that is unknown there, or closed already, is no fault. Raises Later."""

    @abstractmethod
    def extend(self, hire: "Hire", until: datetime) -> None:
        """Offer it until then. Raises Later, Refused."""

    @abstractmethod
    def list(self, session: "Session") -> Iterable[Offered]:
        """What the marketplace knows of a session's hires: the truth, whatever events say. Raises Later."""

    @abstractmethod
    def approve(self, payment: "Payment") -> str:
        """Accept a seat's work and so pay its base reward; a reference. Where it was approved before, by a try whose
        answer was lost, that is success. Raises Later, Refused.
        """

    @abstractmethod
    def bonus(self, payment: "Payment", reason: str) -> str:
        """Pay `payment.amount` to the worker of a seat; a reference. `payment.request_token` is the same at each try:
        what a try before has paid is not paid twice. Raises Later, Refused.
        """

    @abstractmethod
    def notify(self, workers: "Iterable[str]", *, subject: str, text: str) -> None:
        """Write to workers by their ids at the marketplace. Raises Later, Refused."""

    @abstractmethod
    def reconcile(self, session: "Session") -> int:
        """Bring our rows in line with what `list` says; how many were changed. Raises Later."""

    def poll(self) -> int:
        """Take in events that wait somewhere, as hints what to reconcile; how many. Raises Later."""
        return 0


def cents(amount: Decimal) -> str:
    """An amount as marketplaces write it: "0.05"."""
    return f"{amount:.2f}"
