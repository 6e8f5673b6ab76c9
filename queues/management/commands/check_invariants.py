from typing import Any

from django.core.management.base import BaseCommand, CommandError

from queues import invariants


class Command(BaseCommand):
    help = "Ask for rows that break a rule which must always hold. Ends with status 1 where there are any."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = invariants.broken()
        for name, rows in broken.items():
            self.stderr.write(f"{name}: {invariants.registry[name].says}")
            for row in rows:
                self.stderr.write(f"  {row._meta.label} {row.pk}" if hasattr(row, "pk") else f"  {row}")
        if broken:
            raise CommandError(f"{len(broken)} of {len(invariants.registry)} invariants are broken.")
        self.stdout.write(f"{len(invariants.registry)} invariants hold.")
