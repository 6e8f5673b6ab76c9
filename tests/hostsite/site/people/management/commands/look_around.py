"""What an owner of the kennel would try after installing something new: does it fit, and does it work here?"""

import importlib
import json
import pkgutil
import sys
import warnings
from importlib.util import find_spec

import django
import walk
from celery import current_app
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import NoReverseMatch, reverse

from queues import tokens

PEOPLE = ("root", "rita", "ann", "ben")


class InProcess(walk.Walk):
    def __init__(self, given):
        super().__init__(given)
        self.client = Client(enforce_csrf_checks=True)

    def request(self, method, address, body, headers):
        headers = dict(headers)
        content = headers.pop("Content-Type", "text/plain")
        answer = self.client.generic(method, address, body or b"", content_type=content, headers=headers)
        return answer.status_code, dict(answer.headers), answer.content


class Command(BaseCommand):
    """Migrate, check, walk through what is new, and open its pages in the admin. Prints what it found, as JSON."""

    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument(
            "--walked", nargs="*", default=[], metavar="APP", help="that is new, and to be walked through"
        )
        parser.add_argument("--opened", nargs="+", metavar="APP", help="whose pages in the admin are opened")

    def handle(self, walked, opened, **options):
        warnings.simplefilter("error", DeprecationWarning)
        warnings.simplefilter("error", PendingDeprecationWarning)
        mounted = settings.CROWD_APPS
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        setup_test_environment()
        taken = self.tokens()
        steps = InProcess(taken)
        for name in walked:
            getattr(walk, f"of_{name}")(steps)
        pages = self.pages(opened)
        call_command("check", databases=["default"], fail_level="WARNING")
        jobs = self.jobs(mounted)
        self.files(mounted)
        call_command("check_invariants", stdout=self.stderr)
        self.import_all(mounted)
        found = {
            "tokens": taken,
            "pages": pages,
            "jobs": jobs,
            "crowdsite": find_spec("crowdsite") is not None,
            "apps": sorted({name.partition(".")[0] for name in sys.modules} & {*OURS}),
            "optional": [name for name in ("psycopg", "redis", "boto3", "csp") if find_spec(name)],
            "versions": {"python": sys.version.split()[0], "django": django.__version__},
        }
        self.stdout.write(json.dumps(found))

    def tokens(self):
        users = get_user_model().objects
        if not users.exists():
            users.create_superuser(walk.at("root"), "secret")
            for name in PEOPLE[1:]:
                users.create_user(walk.at(name), "secret")
        return {name: tokens.issue(user=users.get(address=walk.at(name)), name="walk")[1] for name in PEOPLE}

    def pages(self, opened):
        """Name → status, of each page of these apps in the kennel's own admin: lists, forms, and those of a row."""
        labels = {f"crowd_{name}" for name in opened}
        client = Client()
        client.force_login(get_user_model().objects.get(address=walk.at("root")))
        found = {"index": self.status(client, reverse("admin:index"))}
        for label in labels:
            found[label] = self.status(client, reverse("admin:app_list", args=[label]))
        for model, at in admin.site._registry.items():
            if model._meta.app_label not in labels:
                continue
            row = model._default_manager.order_by("-pk").first()
            for name in {pattern.name for pattern in at.get_urls() if pattern.name}:
                for arguments in ([], [row.pk] if row else []):
                    try:
                        address = reverse(f"admin:{name}", args=arguments)
                    except NoReverseMatch:
                        continue
                    found[name] = self.status(client, address)
        return found

    def status(self, client, address):
        answer = client.get(address)
        framed = answer.status_code == 200 and answer.get("Content-Type", "").startswith("text/html")
        assert not framed or b"<html" not in answer.content or b"kennel" in answer.content, address
        return answer.status_code

    def jobs(self, mounted):
        """The names of the jobs that these apps have for Celery, after each was run once."""
        for name in mounted:
            importlib.import_module(f"{name}.jobs")
        names = sorted(name for name in current_app.tasks if name.partition(".")[0] in mounted)
        for name in names:
            current_app.tasks[name].apply(throw=True)
        return names

    def files(self, mounted):
        """Tasks from a file, and answers into one."""
        file = settings.BASE_DIR / "tasks.jsonl"
        file.write_text(json.dumps({"input_data": {"dog": 9}, "target_reviewer": walk.at("ann")}) + "\n")
        call_command("import_tasks", "incoming", file, requester=walk.at("rita"), verbosity=0)
        if "assignments" in mounted:
            call_command("export_answers", "incoming", output=str(settings.BASE_DIR / "answers.csv"), verbosity=0)

    def import_all(self, mounted):
        """Every module of the apps that are here: none may want what is not."""
        for name in mounted:
            package = importlib.import_module(name)
            for found in pkgutil.walk_packages(package.__path__, f"{name}."):
                importlib.import_module(found.name)


OURS = ("queues", "assignments", "pavilion", "routing", "crowdsite")
