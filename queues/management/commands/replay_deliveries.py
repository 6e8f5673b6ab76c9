"""`manage.py replay_deliveries`: send deliveries once more that were given up."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from queues import deliveries, moments
from queues.exceptions import CrowdError
from queues.models import Delivery, Endpoint
from queues.transactions import database_now


class Command(BaseCommand):
    """In batches, each of them a transaction: stopped at any moment, it may be started again."""

    help = "Send deliveries once more, with their ids and bodies: those named, or all that were given up since a time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("ids", nargs="*", type=int, metavar="id", help="deliveries, by id")
        parser.add_argument("--since", metavar="TIME", help="all given up since then, such as 2027-03-01T09:30:00Z")
        parser.add_argument("--endpoint", metavar="ADDRESS", help="with --since: only to this address")
        parser.add_argument("--dry-run", action="store_true", help="only say how many it would be")

    def handle(
        self, *args: Any, ids: list[int], since: str | None, endpoint: str | None, dry_run: bool, **options: Any
    ) -> None:
        """Replay, and say how many it was."""
        if bool(ids) == (since is not None):
            raise CommandError("Name deliveries by their ids, or a time by --since: one of the two.")
        if since is None:
            if endpoint is not None:
                raise CommandError("--endpoint goes with --since.")
            self.replay(ids, dry_run)
        else:
            self.replay_since(_moment(since), _to(endpoint), dry_run)

    def replay(self, ids: list[int], dry_run: bool) -> None:
        """Replay deliveries by id. Those that cannot be are told of, and the status is 1."""
        refused = 0
        for pk in ids:
            try:
                if not dry_run:
                    deliveries.replay(delivery_id=pk)
                elif not Delivery.objects.filter(pk=pk).exists():
                    raise Delivery.DoesNotExist
            except Delivery.DoesNotExist:
                self.stderr.write(f"There is no delivery {pk}.")
                refused += 1
            except CrowdError as refusal:
                self.stderr.write(f"Delivery {pk}: {refusal}")
                refused += 1
        self.say(len(ids) - refused, dry_run)
        if refused:
            raise CommandError(f"{refused} of {len(ids)} were not replayed.")

    def replay_since(self, since: datetime, among: QuerySet[Delivery], dry_run: bool) -> None:
        """Replay all that were given up since then, and are among these, a batch at a time."""
        if dry_run:
            count = deliveries.given_up_since(since=since, among=among).count()
        else:
            count = 0
            while batch := deliveries.replay_failed(since=since, among=among):
                count += batch
        self.say(count, dry_run)

    def say(self, count: int, dry_run: bool) -> None:
        """Say how many it was, or would be."""
        what = "1 delivery" if count == 1 else f"{count} deliveries"
        self.stdout.write(f"Would replay {what}." if dry_run else f"Replayed {what}.")


def _moment(text: str) -> datetime:
    try:
        moment = moments.parse(text)
    except ValueError as problem:
        raise CommandError(f"--since {text}: {problem}") from None
    if moment > database_now():
        raise CommandError(f"--since {text} is in the future: nothing can have failed since then.")
    return moment


def _to(address: str | None) -> QuerySet[Delivery]:
    """Deliveries to an address, whoever owns the endpoint; all for None. Raises CommandError where none is enabled."""
    if address is None:
        return Delivery.objects.all()
    endpoints = Endpoint.objects.filter(url=address)
    if not endpoints:
        raise CommandError(f"Nothing is sent to {address}.")
    if all(endpoint.disabled_at is not None for endpoint in endpoints):
        raise CommandError(f"The endpoint {address} is disabled; switch it on first.")
    return Delivery.objects.filter(endpoint__in=endpoints)
