"""Bare Django projects that are hosts of ours, run as processes of their own."""

import subprocess
import sys
from pathlib import Path

from tests.site.serving import ROOT, variables

SETTINGS = """
SECRET_KEY = "a host's own"
INSTALLED_APPS = [*{apps}, "django.contrib.auth", "django.contrib.contenttypes", "rest_framework"]
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "host.sqlite3",
        "OPTIONS": {{"transaction_mode": "IMMEDIATE"}},
    }}
}}
CROWDSITE_ENCRYPTION_KEYS = ["c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="]
USE_TZ = True
"""

APPS = ["queues", "assignments", "routing", "shop"]


class Host:
    """A project in a folder, which is the first on its path; our packages are found behind it."""

    def __init__(self, folder: Path, files: dict[str, str], apps: list[str] = APPS) -> None:
        self.folder = folder
        for name, text in {"settings.py": SETTINGS.format(apps=apps), "shop/__init__.py": "", **files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python to its end, in the project."""
        given = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": f"{self.folder}:{ROOT}"}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=variables(**given), capture_output=True, text=True, timeout=60
        )

    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`manage.py check`."""
        return self.run("-m", "django", "check", *arguments)
