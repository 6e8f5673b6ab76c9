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
        while rollup.roll_up():
            self.stdout.write(f"Counted until {rollup.as_of():%Y-%m-%d %H:%M} UTC.")
        if day is not None:
            try:
                for reached in rollup.remake(since=datetime(day.year, day.month, day.day, tzinfo=UTC)):
                    self.stdout.write(f"Made anew until {reached:%Y-%m-%d %H:%M} UTC.")
            except InvalidInput as purged:
                raise CommandError(purged.errors[0]["detail"]) from None
        self.stdout.write(f"Counted until {rollup.as_of():%Y-%m-%d %H:%M:%S} UTC.")
