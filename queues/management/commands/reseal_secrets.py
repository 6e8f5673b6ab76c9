"""`manage.py reseal_secrets`: put all that is kept encrypted under the newest key."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from queues import resealing


class Command(BaseCommand):
    """After a new key was put in front of CROWDSITE_ENCRYPTION_KEYS; once it has run, the others can go."""

    help = "Encrypt the secrets and headers of webhooks anew, with the first of CROWDSITE_ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        """Reseal, and say how many rows it was."""
        try:
            count = resealing.reseal_all()
        except ImproperlyConfigured as missing:
            raise CommandError(str(missing)) from missing
        self.stdout.write(f"{count} rows are encrypted with the newest key.")
