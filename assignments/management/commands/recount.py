"""`manage.py recount`: count the tasks of all queues, and what was handed out, by their rows."""

from typing import Any

from django.core.management.base import BaseCommand

from assignments import census


class Command(BaseCommand):
    """For after an upgrade that says so, and where check_invariants finds that the census is wrong."""

    help = "Count all tasks and assignments anew: the numbers of queues, which events keep from then on."

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, while the site works."""
        census.count_anew()
        self.stdout.write("Everything is counted anew.")
