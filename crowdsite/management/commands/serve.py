"""`manage.py serve`: the whole site with one command. `make run` calls it."""

import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crowdsite import ending, runner
from crowdsite.announce import Say

logger = logging.getLogger("crowdsite")


class Command(BaseCommand):
    """Prepare the database and serve, in one process or in several, until SIGINT or SIGTERM."""

    help = (
        "Migrate, load the demo into an empty database (not with DEMO=0) and serve the site. Without"
        " REDIS_URL everything runs in this one process; with it gunicorn, uvicorn, a Celery worker and beat"
        " run beside each other."
    )
    # Wrong settings are refused, and the runner checks what serving needs; the others are about the code, and would
    # import all of it first.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal asks for the end; raises CommandError when the site cannot start or broke."""
        self.check(tags=["crowdsite", "pavilion"])
        say: Say = self.stdout.write
        if settings.CROWDSITE_LOG_FORMAT == "json":
            say = logger.info
            logging.captureWarnings(True)
        try:
            runner.serve(say=say)
        except ending.CannotServe as problem:
            raise CommandError(str(problem)) from problem
