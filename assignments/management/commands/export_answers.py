"""`manage.py export_answers`: the export of the admin, into a file or a pipe."""

import os
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from assignments.answers import FORMATS, PER, STATES, Export
from queues import moments
from queues.models import Queue


def moment(text: str) -> datetime:
    """A time with its offset, or a date, which begins at midnight UTC."""
    try:
        return moments.parse(text if len(text) > len("2027-03-01") else f"{text}T00:00:00Z")
    except ValueError as refused:
        raise ArgumentTypeError(str(refused)) from None


class Command(BaseCommand):
    """Write a queue's answers as CSV or JSON Lines. A file gets its name only when it is whole."""

    help = "Export a queue's tasks with their answers, or its judgments, as CSV or JSON Lines."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The queue, which rows, and where they go."""
        parser.add_argument("queue", help="the queue's name")
        parser.add_argument("--per", choices=PER, default="task", help="one row a task (default) or a judgment")
        parser.add_argument("--format", choices=FORMATS, default="csv")
        parser.add_argument("--state", choices=list(STATES), default="finished", help="which tasks")
        parser.add_argument("--since", type=moment, metavar="TIME", help="finished then or later: a date, or RFC 3339")
        parser.add_argument("--until", type=moment, metavar="TIME", help="finished before")
        parser.add_argument("--output", metavar="FILE", help="default: the standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the export; raises CommandError."""
        queue = Queue.objects.filter(name=options["queue"]).first()
        if queue is None:
            raise CommandError(f"There is no queue {options['queue']!r}.")
        chosen = {name: options[name] for name in ("per", "format", "state", "since", "until")}
        silent = True if options["verbosity"] == 0 else None
        with (
            tqdm(file=sys.stderr, desc="Reading", unit=" rows", disable=silent, leave=False) as bar,
            self.target(options["output"]) as target,
        ):
            for line in Export(queue=queue, **chosen).lines(bar.update):
                target.write(line.encode())

    @contextmanager
    def target(self, name: str | None) -> Iterator[IO[bytes]]:
        """Where the bytes go: the standard output, or a file beside `name` that takes the name when it is whole."""
        if name is None:
            yield getattr(self.stdout, "buffer", sys.stdout.buffer)
            return
        path = Path(name)
        try:
            handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
        try:
            with open(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that nobody else may read; a file one asks for has the usual permissions.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(unfinished, 0o666 & ~mask)
            os.replace(unfinished, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(unfinished)
            raise
