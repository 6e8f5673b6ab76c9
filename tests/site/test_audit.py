"""`make check` asks whether a known hole is in what is installed, and says so where nobody could be asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import audit
from tests.servers import free_port

PINNED = f"leaky==1.0 --hash=sha256:{'0' * 64}\nsound==2.0 --hash=sha256:{'1' * 64}\n"

HOLE = {
    "id": "PYSEC-2026-1",
    "summary": "It leaks.",
    "aliases": ["CVE-2026-1"],
    "affected": [
        {
            "package": {"name": "leaky", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


@contextmanager
def service(status: int, answer: Callable[[str], Any]) -> Iterator[str]:
    """A service of advisories that answers so about a package; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = answer(asked["package"]["name"])
            body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def ask(tmp_path: Path, capfd: Any) -> Callable[[str], tuple[int, str]]:
    """Audit two packages by the service at an address: the status, and what was printed."""
    pinned = tmp_path / "pinned.txt"
    pinned.write_text(PINNED)

    def asked(url: str) -> tuple[int, str]:
        status = audit.audit(["-s", "osv", "--osv-url", url], [pinned])
        return status, capfd.readouterr().out

    return asked


def test_a_known_hole_fails_and_is_named(ask: Any) -> None:
    with service(200, lambda name: {"vulns": [HOLE]} if name == "leaky" else {}) as url:
        status, said = ask(url)
    assert status == 1
    assert said.splitlines() == [
        "leaky 1.0: PYSEC-2026-1 CVE-2026-1, mended in 1.1",
        "Audited 2 packages: 1 known holes.",
    ]


def test_without_one_it_says_how_many_were_audited(ask: Any) -> None:
    with service(200, lambda name: {}) as url:
        assert ask(url) == (0, "Audited 2 packages: 0 known holes.\n")


@pytest.mark.parametrize(("status", "answer"), [(500, "{}"), (200, "<html>a portal</html>"), (403, "no")])
def test_a_service_that_answers_something_else_is_told_of_and_fails_nothing(ask: Any, status: int, answer: str) -> None:
    with service(status, lambda name: answer) as url:
        ended, said = ask(url)
    assert ended == 0
    assert said.startswith("NOT AUDITED: the service of advisories cannot be reached (")
    assert said.count("\n") == 1


def test_where_nobody_listens_that_is_told_in_a_line(ask: Any) -> None:
    ended, said = ask(f"http://127.0.0.1:{free_port()}/")
    assert ended == 0
    assert said.startswith("NOT AUDITED: ")


def test_packages_that_the_service_does_not_know_are_not_passed_over_in_silence(capsys: Any) -> None:
    unknown = [{"name": f"package{number}", "skip_reason": "not found"} for number in range(6)]
    assert audit._told([*unknown, {"name": "sound", "version": "2.0", "vulns": []}]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NOT AUDITED: the service of advisories does not know 6 of 7 packages: package0, package1, package2, package3,"
        " package4, …",
        "Audited 1 packages: 0 known holes.",
    ]


def test_a_file_that_cannot_be_read_fails(tmp_path: Path) -> None:
    assert audit.audit([], [tmp_path / "missing.txt"]) != 0


def test_all_requirements_are_audited_by_make_check() -> None:
    makefile = (audit.REQUIREMENTS.parent / "Makefile").read_text()
    assert "$(BIN)/python -m tests.audit" in makefile.split("\ncheck:")[1].split("\n\n")[0]
