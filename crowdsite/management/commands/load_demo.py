"""`manage.py load_demo`: fill an empty site with the demo."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from crowdsite.demo import loading


class Command(BaseCommand):
    help = (
        "Make the demo's users, queues, pool and a few runs of its workflows, unless the site has users already. Where"
        " it has the demo and the pool is not at work, put it to work again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The address that the site will be at."""
        parser.add_argument("--url", default=f"http://127.0.0.1:{settings.PORT}/", help="where the site is served")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load the demo and print how to sign in."""
        file = settings.DATA_DIR / "demo.json"
        demo = loading.load(url=options["url"], file=file)
        if demo is None:
            self.stdout.write("The site has users already, so the demo was not loaded.")
            if loading.post_again():
                self.stdout.write("The demo's pool is at work again.")
            return
        self.stdout.write(f"The demo is loaded. Sign in at {demo['url']} with one of these (also in {file}):")
        for name, keys in demo["users"].items():
            self.stdout.write(f"  {name:<10} password {keys['password']}  token {keys['token']}")
