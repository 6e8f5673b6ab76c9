"""`manage.py import_tasks`: the import of the admin for files of any size, and for scripts."""

import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from queues import batches, imports
from queues.exceptions import CrowdError
from queues.models import Batch, Queue
from queues.states import BatchStatus
from queues.taskfiles import FORMATS, FileRefused

PATIENCE = 0.2
"""Seconds between two looks at a batch that a worker is doing."""


class Command(BaseCommand):
    """Check a file of tasks and import it; status 1 where there are bad lines and nothing was done."""

    help = (
        "Import tasks from a file in JSON Lines or CSV. All of them or none, in one transaction, unless"
        " --good-lines-only: then in parts, and --resume goes on where an import was stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The queue, the file, and how."""
        parser.add_argument("queue", help="the queue's name")
        parser.add_argument("file", nargs="?", help="its path; - reads the standard input")
        parser.add_argument("--requester", metavar="USERNAME", help="who posts the tasks; default: the only superuser")
        parser.add_argument("--format", choices=FORMATS, help="default: found from the file")
        parser.add_argument("--good-lines-only", action="store_true", help="leave bad lines out")
        parser.add_argument("--check", action="store_true", help="only say what is wrong")
        parser.add_argument("--resume", metavar="BATCH", type=int, help="go on with an import that was stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, plan, work; raises CommandError."""
        self.silent = options["verbosity"] == 0
        queue = Queue.objects.alive().filter(name=options["queue"]).first()
        if queue is None:
            raise CommandError(f"There is no queue {options['queue']!r}.")
        if options["resume"] is not None:
            self.work(self.resumed(queue, options["resume"]))
            return
        if options["file"] is None:
            raise CommandError("Give a file, or - for the standard input, or --resume BATCH.")
        requester = None if options["check"] else self.requester(options["requester"])
        with self.checked(queue, options) as checked:
            self.say(f"{checked.lines:,} lines: {checked.good:,} good, {checked.bad:,} bad.")
            if checked.finished:
                self.say(f"{checked.finished:,} tasks bring their answer along and are finished at once.")
            if options["check"] or (checked.bad and not options["good_lines_only"]):
                if checked.bad:
                    raise CommandError("There are bad lines. Nothing was imported.")
                return
            if not checked.good:
                raise CommandError("There is no good line. Nothing was imported.")
            batch = imports.plan(
                queue=queue,
                checked=checked,
                actor=requester,
                file_name=Path(options["file"]).name,
                draft=False,
                whole=not options["good_lines_only"],
            )
        self.say(f"This is batch {batch.pk}.")
        self.work(batch)

    def say(self, line: str) -> None:
        if not self.silent:
            self.stdout.write(line)

    def requester(self, username: str | None) -> Any:
        """The user of this name, or the only superuser. Raises CommandError."""
        users = get_user_model()._default_manager
        if username is not None:
            try:
                return users.get_by_natural_key(username)
            except get_user_model().DoesNotExist:
                raise CommandError(f"There is no user {username!r}.") from None
        superusers = [user for user in users.filter(is_active=True) if user.is_superuser]
        if len(superusers) != 1:
            raise CommandError("Say who posts the tasks, with --requester USERNAME.")
        return superusers[0]

    def checked(self, queue: Queue, options: dict[str, Any]) -> imports.Checked:
        """The file, checked; each bad line is printed. Raises CommandError."""
        with ExitStack() as stack:
            file: IO[bytes]
            size = None
            if options["file"] == "-":
                file = sys.stdin.buffer
            else:
                path = Path(options["file"])
                try:
                    file = stack.enter_context(path.open("rb"))
                except OSError as error:
                    raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
                size = path.stat().st_size
            bar = stack.enter_context(self.bar(desc="Checking", total=size, unit="B", unit_scale=True))

            def bad_line(number: int, detail: str) -> None:
                with bar.external_write_mode(file=sys.stderr):
                    self.stderr.write(f"line {number}: {detail}")

            try:
                return imports.check(
                    queue=queue, file=file, format=options["format"], bad_line=bad_line, read=bar.update
                )
            except FileRefused as refused:
                raise CommandError(f"{options['file']}: {refused.detail}") from None

    def resumed(self, queue: Queue, number: int) -> Batch:
        """An import of this queue, running (again). Raises CommandError."""
        batch = Batch.objects.filter(pk=number, kind=imports.KIND, queue=queue).first()
        if batch is None:
            raise CommandError(f"Batch {number} is no import into {queue.name}.")
        if batch.status in (BatchStatus.STOPPED, BatchStatus.DRAFT):
            try:
                batch = batches.start(batch_id=batch.pk)
            except CrowdError as refused:
                raise CommandError(refused.detail) from None
        elif batch.status != BatchStatus.RUNNING:
            raise CommandError(f"Batch {number} is {batch.get_status_display()}.")
        return batch

    def work(self, batch: Batch) -> None:
        """Do the batch to its end, beside whatever worker has begun it. Raises CommandError unless it is done."""
        with self.bar(desc="Importing", total=batch.items, unit=" tasks") as bar:
            while batch.status == BatchStatus.RUNNING:
                if not batches.work(batch_id=batch.pk):
                    time.sleep(PATIENCE)
                bar.update(batches.progress(batch).done - bar.n)
                batch.refresh_from_db()
        found = batches.progress(batch)
        late = found.faults if batch.status == BatchStatus.FINISHED else batch.faults
        for fault in late:
            self.stderr.write(f"line {fault['item']}: {fault['detail']}" if fault["item"] else fault["detail"])
        if batch.status == BatchStatus.FAILED:
            raise CommandError("Nothing was imported." if batch.whole else "The import broke off.")
        if batch.status != BatchStatus.FINISHED:
            raise CommandError(
                f"Stopped after {found.changed:,} tasks; --resume {batch.pk} goes on."
                if batch.status == BatchStatus.STOPPED
                else f"Batch {batch.pk} is {batch.get_status_display()}; {found.changed:,} tasks were imported."
            )
        self.say(f"{found.changed:,} tasks were imported.")

    def bar(self, **how: Any) -> Any:
        """A progress bar on the standard error, where that is a terminal and somebody wants to hear."""
        return tqdm(file=sys.stderr, disable=True if self.silent else None, leave=False, **how)
