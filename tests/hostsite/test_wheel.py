"""The wheel: the four apps and nothing else, and the README's walk in a fresh site with it."""

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.hostsite.environments import APPS, clean
from tests.site.serving import ROOT

pytestmark = [pytest.mark.servers, pytest.mark.only("sqlite")]


def test_it_holds_the_four_apps_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(APPS)
    assert {"queues/templates/queues/base.html", "queues/static/queues/site.css"} <= set(names)
    assert {"routing/templates/routing/task.html", "routing/static/routing/serving.css"} <= set(names)


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
        done = subprocess.run(command, cwd=tmp_path, env=clean(PATH=path), capture_output=True, text=True, **options)
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
