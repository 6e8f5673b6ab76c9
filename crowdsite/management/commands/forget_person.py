"""`manage.py forget_person USERNAME`: what docs/purge.md says of deleting a person's data."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from crowdsite import forgetting


class Command(BaseCommand):
    help = "Take away all that a user may, and everything that says who they are. What they did stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Forget, and say under which name the record goes on."""
        try:
            user = get_user_model()._default_manager.get_by_natural_key(options["username"])
        except get_user_model().DoesNotExist:
            raise CommandError(f"There is no user {options['username']!r}.") from None
        try:
            forgetting.forget(user=user)
        except forgetting.StillHere as here:
            raise CommandError(str(here)) from here
        self.stdout.write(f"Forgotten. What they did is that of {user.get_username()}.")
