"""The walk of docs/webhooks.md, run as written: with its receiver, its shell, and a served site."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.servers import free_port
from tests.site.serving import ROOT, Served, until, variables

pytestmark = pytest.mark.servers

DOCS = (ROOT / "docs" / "webhooks.md").read_text().split("## Try it")[1].split("\n## ")[0]
README = (ROOT / "README.md").read_text().split("## A first walk")[1]
NEXT = "=== next ==="


def blocks(language: str, text: str) -> list[str]:
    """The code of this language in a text."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def walk() -> tuple[str, list[str]]:
    """The shell of the docs, after the README's shorthands, printing NEXT after each step; what each must print."""
    lines = "\n".join([blocks("sh", README)[0], *blocks("sh", DOCS)]).splitlines()
    expected = [line.removeprefix("#→ ") for line in lines if line.startswith("#→ ")]
    # Whatever happens, the receiver ends with the script.
    return "trap 'kill $RECEIVER 2>/dev/null || true' EXIT\n" + "\n".join(
        f"echo '{NEXT}'" if line.startswith("#→ ") else line for line in lines
    ), expected


def get(site: Served, folder: Path, path: str) -> Any:
    """The JSON of a GET, as the demo's requester."""
    token = json.loads((folder / "var/demo.json").read_text())["users"]["requester"]["token"]
    request = Request(f"{site.url}api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_what_the_docs_say_comes_true(serve: Callable[..., Served], tmp_path: Path) -> None:
    (receiver,), (script, expected) = blocks("python", DOCS), walk()
    assert len([line for line in receiver.splitlines() if line]) == 10
    (tmp_path / "receiver.py").write_text(receiver)
    site = serve(DEMO=1, CROWDSITE_DATA_DIR=tmp_path / "var", CROWDSITE_WEBHOOKS_LOOPBACK=1)
    site.wait_until_ready()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=variables(PORT=site.port, HOOK_PORT=free_port(), PATH=path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split(NEXT)
    assert len(printed) == len(expected) + 1
    for text, output in zip(expected, printed, strict=False):
        assert text in output
    assert "Traceback" not in done.stderr

    received = [line.split() for line in (tmp_path / "received.txt").read_text().splitlines()]
    (setting,) = get(site, tmp_path, "notifications/")["results"]
    sent = f"notifications/{setting['id']}/deliveries/"
    until(lambda: all(one["status"] == "FINISHED" for one in get(site, tmp_path, sent)["results"]))
    deliveries = get(site, tmp_path, sent)["results"]
    told = {(f"msg_{one['id']}", one["type"], str(one["task"])) for one in deliveries}
    assert {tuple(one) for one in received} == told
    assert len(received) == len(told) == len({task for *_, task in told}) == 10
    assert [one["tries"] for one in deliveries[5:]] == [1] * 5
    # Some of the last five were tried while nobody was there; the others waited for their turn.
    assert max(one["tries"] for one in deliveries[:5]) > 1


def test_the_receiver_of_the_docs_believes_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "receiver.py").write_text(blocks("python", DOCS)[0])
    port = free_port()
    forged = Request(
        f"http://127.0.0.1:{port}/",
        data=b'{"type":"TASK_FINISHED","data":{"id":1}}',
        headers={"webhook-id": "msg_1", "webhook-timestamp": "1767625200", "webhook-signature": "v1,AAAA"},
    )
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "receiver.py", str(port), "whsec_" + "A" * 44], cwd=tmp_path, stdout=output, stderr=output
        )
        try:
            until(lambda: unanswered(forged))
        finally:
            process.kill()
            process.wait()
    assert "WebhookVerificationError" in log.read_text()
    assert "msg_1" not in log.read_text()


def unanswered(request: Request) -> bool:
    """Whether somebody was there and gave no answer."""
    try:
        urlopen(request, timeout=30).close()
    except RemoteDisconnected:
        return True
    except URLError:
        return False
    raise AssertionError("the receiver believed it")
