"""`manage.py simulate_crowd`: synthetic workers join a pool of a running site, wait, work and leave."""

import asyncio
import json
import random
import resource
import signal
import sys
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urljoin

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.urls import reverse
from tqdm import tqdm

from pavilion import conf, links
from pavilion.models import Session
from pavilion.simulation import crowd, site
from pavilion.simulation.crowd import Crowd
from pavilion.simulation.site import Site
from pavilion.simulation.tally import Tally
from pavilion.simulation.worker import Answer, choose
from pavilion.states import SessionStatus

WORKERS_MAX = 10_000


class Command(BaseCommand):
    """It speaks to the site by HTTP and WebSockets alone. The invitation it gets by an operator's token, is given, or
    makes itself, which takes the site's own database and secret key.
    """

    help = "Have synthetic workers join a pool of a running site by its invitation: wait, work, submit, return, vanish."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--url", default=conf.site_url(), help="where the site is (%(default)s)")
        parser.add_argument("--workers", type=int, default=30, metavar="N", help="so many at a time (%(default)s)")
        parser.add_argument("--seconds", type=float, default=60, metavar="T", help="for so long (%(default)s)")
        parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same people each time (%(default)s)")
        parser.add_argument("--pool", default="digits-pool", metavar="P", help="the pool's name or id (%(default)s)")
        parser.add_argument("--token", metavar="TOKEN", help="of an operator: the invitation comes by the API")
        parser.add_argument("--invitation", metavar="URL", help="the pool's many-use invitation")
        parser.add_argument(
            "--answer", metavar="JSON", help="what everybody answers; one of the task's categories unless given"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, and say what happened. Raises CommandError where there were errors."""
        wanted = Crowd(
            url=options["url"],
            invitation=self._invitation(options),
            workers=_between(options["workers"], 1, WORKERS_MAX, "--workers"),
            seconds=_between(options["seconds"], 1, 86_400, "--seconds"),
            seed=options["seed"],
            answer=_answer(options["answer"]),
        )
        _allow_sockets()
        tally = asyncio.run(self._run(wanted))
        for line in tally.summary():
            self.stdout.write(line)
        if tally.failures:
            raise CommandError(f"There were {tally.failures} errors.")

    async def _run(self, wanted: Crowd) -> Tally:
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        # `None` leaves the bar out where nobody looks at it.
        with tqdm(total=wanted.seconds, unit="s", file=sys.stderr, disable=None, bar_format=BAR) as bar:

            def report(seconds: float, tally: Tally) -> None:
                bar.update(seconds - bar.n)
                bar.set_postfix(tally.progress())

            return await crowd.run(wanted, report=report, over=over)

    def _invitation(self, options: dict[str, Any]) -> str:
        if options["invitation"]:
            return options["invitation"]
        if options["token"]:
            return asyncio.run(_asked_for(options["url"], options["token"], options["pool"]))
        return _made(options["url"], options["pool"])


BAR = "{percentage:3.0f} %|{bar}| {n:.0f}/{total:.0f} s{postfix}"


async def _asked_for(url: str, token: str, pool: str) -> str:
    """The invitation to the pool's live session, by the API. Raises CommandError."""
    try:
        async with Site(url) as there:
            return await there.invitation(token, pool)
    except (site.Refused, *site.PASSING) as no:
        raise CommandError(f"The site at {url} gave no invitation: {no}") from None


def _made(url: str, pool: str) -> str:
    """The invitation to the pool's live session, made here. Raises CommandError."""
    named = Q(pool__name=pool) | Q(pool=int(pool)) if pool.isdecimal() else Q(pool__name=pool)
    session = Session.objects.filter(named, status=SessionStatus.LIVE).order_by("pk").last()
    if session is None:
        raise CommandError(
            f"No pool {pool} is at work in this database. Post it, or say with --invitation or --token where to go."
        )
    return urljoin(url, reverse("crowd-pool-offer", args=[links.of_offer(session_id=session.pk)]))


def _between(value: Any, least: float, most: float, option: str) -> Any:
    if not least <= value <= most:
        raise CommandError(f"{option} must be from {least} to {most}.")
    return value


def _answer(text: str | None) -> Answer:
    if text is None:
        return choose
    try:
        given = json.loads(text)
    except ValueError as problem:
        raise CommandError(f"--answer is no JSON: {problem}") from None

    def same(input_data: Any, chance: random.Random) -> Any:
        return given

    return same


def _allow_sockets() -> None:
    """Each worker has a socket, and shells mostly allow fewer files than may be open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
