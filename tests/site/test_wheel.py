"""The wheel: the four apps and nothing else, at home in a bare Django project with its own user model."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.site.serving import ROOT, variables

pytestmark = [pytest.mark.servers, pytest.mark.only("sqlite")]

PIP = [sys.executable, "-m", "pip", "--quiet"]

APPS = ["queues", "assignments", "pavilion", "routing"]

SETTINGS = """
SECRET_KEY = "a host's own"
INSTALLED_APPS = [
    "people",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "queues",
    "assignments",
    "pavilion",
    "routing",
]
AUTH_USER_MODEL = "people.Person"
CROWDSITE_USER_EMAIL_FIELD = "address"
CROWDSITE_URL = "https://crowd.example.org"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "host.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
USE_TZ = True
"""

URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("crowd/", include("queues.api.urls")),
    path("crowd/", include("assignments.api.urls")),
]
"""

PERSON = """
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    address = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    objects = BaseUserManager()
    USERNAME_FIELD = "address"
    EMAIL_FIELD = "address"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel's path. It is built from a copy, so that nothing is left in the tree."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", *APPS):
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", target, source]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def host(wheel, tmp_path_factory):
    """A bare Django project with the wheel installed; the value runs its Python in its folder."""
    home = tmp_path_factory.mktemp("host")
    venv.create(home / "venv", symlinks=True)
    python = home / "venv" / "bin" / "python"
    packages = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
    )
    # The dependencies are those of this environment; the apps come from the wheel.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True, text=True)
    (home / "people" / "migrations").mkdir(parents=True)
    for path, text in {
        "settings.py": SETTINGS,
        "urls.py": URLS,
        "people/__init__.py": "",
        "people/models.py": PERSON,
        "people/migrations/__init__.py": "",
    }.items():
        (home / path).write_text(text)
    clean = {name: value for name, value in variables().items() if not name.startswith("PYTHON")}

    def run(*arguments):
        done = subprocess.run(
            [python, *arguments],
            cwd=home,
            env=clean | {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": os.fspath(home)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_it_holds_the_four_apps_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(APPS)
    assert {"queues/templates/queues/base.html", "queues/static/queues/site.css"} <= set(names)


def test_it_migrates_in_a_bare_host(host):
    host("-m", "django", "makemigrations", "people")
    assert "crowd_queues" in host("-m", "django", "migrate", "--no-color")
    host("-m", "django", "check", "--database", "default")
    assert "No changes detected" in host("-m", "django", "makemigrations", "--check")


ADMIN = """
import django
django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
root = get_user_model().objects.create(address="root@example.org", is_staff=True, is_superuser=True)
client = Client()
client.force_login(root)
for path in ("", "crowd_queues/queue/", "crowd_queues/queue/add/", "crowd_queues/task/", "crowd_assignments/reviewer/"):
    print(client.get(f"/admin/{path}").status_code)
"""


def test_its_admin_opens(host):
    host("-m", "django", "makemigrations", "people")
    host("-m", "django", "migrate", "--no-color")
    assert host("-c", ADMIN).split() == ["200"] * 5


def test_it_does_not_bring_the_site(host):
    program = "import importlib.util as u, queues; print(u.find_spec('crowdsite'), queues.__file__)"
    found, where = host("-c", program).split()
    assert found == "None"
    assert str(ROOT) not in where
