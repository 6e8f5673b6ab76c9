"""`manage.py after_restore`: once a backup was put back, and before the site is served from it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from queues import restoring


class Command(BaseCommand):
    """See docs/backup.md for what else is to be done."""

    help = (
        "Make a database that was restored from a backup go on with numbers that were never given out, and tell readers"
        " of the feed to begin anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        said = f"how far numbers leap: more than all that came since the backup (default {restoring.LEAP:,})"
        parser.add_argument("--leap", type=int, default=restoring.LEAP, help=said)

    def handle(self, *args: Any, **options: Any) -> None:
        """Leap, and say how far."""
        if options["leap"] < 1:
            raise CommandError("--leap must be 1 at least.")
        done = restoring.leap(by=options["leap"])
        self.stdout.write(
            f"{done.kinds} kinds of rows go on from numbers that are {options['leap']:,} higher; the feed goes on"
            f" behind position {done.position:,} ({done.places:,} places moved)."
        )
