"""The wheel: the four apps and nothing else, at home in a bare Django project with its own user model."""

import os
import re
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
    path("crowd/", include("routing.api.urls")),
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
def python(wheel, tmp_path_factory):
    """The Python of an environment in which the wheel is installed."""
    home = tmp_path_factory.mktemp("environment")
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
    return python


def bare_variables(**given):
    """The environment without what the site or this Python reads."""
    return {name: value for name, value in variables(**given).items() if not name.startswith("PYTHON")}


@pytest.fixture(scope="module")
def host(python, tmp_path_factory):
    """A bare Django project with the wheel installed; the value runs its Python in its folder."""
    home = tmp_path_factory.mktemp("host")
    (home / "people" / "migrations").mkdir(parents=True)
    for path, text in {
        "settings.py": SETTINGS,
        "urls.py": URLS,
        "people/__init__.py": "",
        "people/models.py": PERSON,
        "people/migrations/__init__.py": "",
    }.items():
        (home / path).write_text(text)

    def run(*arguments):
        done = subprocess.run(
            [python, *arguments],
            cwd=home,
            env=bare_variables(DJANGO_SETTINGS_MODULE="settings") | {"PYTHONPATH": os.fspath(home)},
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
    assert {"routing/templates/routing/task.html", "routing/static/routing/serving.css"} <= set(names)


@pytest.fixture(scope="module")
def migrated(host):
    """What migrating that project printed."""
    host("-m", "django", "makemigrations", "people")
    return host("-m", "django", "migrate", "--no-color")


def test_it_migrates_in_a_bare_host(host, migrated):
    assert {"crowd_queues", "crowd_routing"} <= {word.strip(",").split(".")[0] for word in migrated.split()}
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
for path in (
    "",
    "crowd_queues/queue/",
    "crowd_queues/queue/add/",
    "crowd_queues/task/",
    "crowd_assignments/reviewer/",
    "crowd_routing/run/",
    "crowd_routing/run/workflows/",
):
    print(client.get(f"/admin/{path}").status_code)
"""


@pytest.mark.usefixtures("migrated")
def test_its_admin_opens(host):
    assert host("-c", ADMIN).split() == ["200"] * 7


def test_it_does_not_bring_the_site(host):
    program = "import importlib.util as u, queues; print(u.find_spec('crowdsite'), queues.__file__)"
    found, where = host("-c", program).split()
    assert found == "None"
    assert str(ROOT) not in where


def readme() -> list[tuple[str, str]]:
    """What the README has one do in a fresh site, in its order: (language, code)."""
    text = (ROOT / "README.md").read_text().split("### Your own, in a fresh site")[1].split("\n## ")[0]
    found = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    return [(language, code) for language, code in found if language != "console"]


def write(home: Path, code: str) -> None:
    """Write a file of the README, whose name is in its first line, or add it to the file's end."""
    said = re.match(r"(?:# |\{# )(\S+?)(, at its end)?(?: #\})?\n", code)
    assert said is not None, code
    with (home / said[1]).open("a" if said[2] else "w") as file:
        file.write(("\n\n" if said[2] else "") + code)


PAGES = """
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import setup_test_environment

setup_test_environment()
client = Client(enforce_csrf_checks=True)
page = client.get("/crowd/")
assert "/crowd/MatchingWorkFlow/" in page.content.decode()
page = client.get("/crowd/MatchingWorkFlow/")
assert "A grey cat was lost." in page.content.decode()
proof = {"csrfmiddlewaretoken": str(page.context["csrf_token"])}
page = client.post(page.context["crowd_action"], {"match": "grey one", **proof})
for page in (page, client.get("/crowd/MatchingWorkFlow/")):
    assert "Somebody says that it is the grey one." in page.content.decode()
step = {"crowd_step": page.context["crowd_step"]}
page = client.post("/crowd/MatchingWorkFlow/ConfirmMatchTask/", {**proof, **step})
assert (page.status_code, page.url) == (303, "/crowd/"), page
page = client.post("/crowd/MatchingWorkFlow/ConfirmMatchTask/", {**proof, **step})
assert page.status_code == 409, page
root = User.objects.create_superuser("root")
client.force_login(root)
for path in ("", "workflows/", "1/change/"):
    page = client.get(f"/admin/crowd_routing/run/{path}", follow=True)
    assert page.status_code == 200, (path, page)
print("as the README says")
"""


def test_the_readmes_workflows_work_as_written_in_a_fresh_site(python, tmp_path):
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"

    def run(*command, **options):
        done = subprocess.run(
            command, cwd=tmp_path, env=bare_variables(PATH=path), capture_output=True, text=True, **options
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for language, code in readme():
        if language != "sh":
            write(tmp_path, code)
            continue
        printed = run("bash", "-euo", "pipefail", "-c", code)
        for line in code.splitlines():
            assert line.removeprefix("#→ ") in printed or not line.startswith("#→ "), printed
    assert "as the README says" in run("python", "manage.py", "shell", input=PAGES)
