from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date

from assignments import rollup
from queues.exceptions import InvalidInput


class Command(BaseCommand):
    help = "Bring what reviewers did up to the present. With --since, make all hours from that day (UTC) on anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", metavar="DATE", help="such as 2027-03-01")

    def handle(self, *args: Any, **options: Any) -> None:
        since = options["since"]
        try:
            day = parse_date(since) if since else None
        except ValueError:
            day = None
        if since and day is None:
            raise CommandError(f"{since} is not a date such as 2027-03-01.")
        try:
            self._bring_up_to_date(None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC))
        except InvalidInput as purged:
            raise CommandError(purged.errors[0]["detail"]) from None
        self.stdout.write(f"Counted until {rollup.as_of():%Y-%m-%d %H:%M:%S} UTC.")

    def _bring_up_to_date(self, since: datetime | None) -> None:
        if since is not None:
            # Before the long part, in which it could be too late to say so.
            rollup.require_whole(since)
        while rollup.roll_up():
            self.stdout.write(f"Counted until {rollup.as_of():%Y-%m-%d %H:%M} UTC.")
        if since is not None:
            for reached in rollup.remake(since=since):
                self.stdout.write(f"Made anew until {reached:%Y-%m-%d %H:%M} UTC.")
