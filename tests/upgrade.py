"""The previous version beside this one, on this one's schema: `python -m tests.upgrade REVISION`. A minute.

What docs/upgrade.md promises: migrate first, then replace one host after the other. A task is posted, taken and
answered at each combination of the two versions, the jobs of both run, and afterwards no rule is broken. For a commit
of the git history; it needs the requirements that this one has.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

from crowdsite.environment import encryption_key
from tests.servers import postgresql, valkey
from tests.site.callers import carry_one_task, people_of
from tests.site.serving import ROOT, manage, serving, until


@contextmanager
def sources(revision: str, folder: Path) -> Iterator[Path]:
    """The tree of sources of a commit, in `folder`."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
    folder.mkdir()
    subprocess.run(["tar", "--extract"], cwd=folder, input=archive, check=True)
    yield folder


def main(revision: str) -> None:
    with ExitStack() as stack:
        servers, folder = (Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-"))) for _ in "12")
        tree = stack.enter_context(sources(revision, folder / "sources"))
        for name in ("old", "new"):
            (folder / name).mkdir()
        shared = {
            "DATABASE_URL": stack.enter_context(postgresql(servers)),
            "REDIS_URL": stack.enter_context(valkey(servers)),
            "SECRET_KEY": "one for both of them " * 3,
            "CROWDSITE_ENCRYPTION_KEYS": encryption_key(),
            "WEB_WORKERS": 1,
        }
        new = stack.enter_context(serving(folder / "new", **shared))
        new.wait_until_ready()
        old = stack.enter_context(serving(folder / "old", tree, **shared))
        old.wait_until_ready()
        assert old.status_of("readyz") == 200, old.output
        mia, rick, alice = people_of(new)
        for sites in product((old, new), repeat=3):
            for _time in range(3):
                carry_one_task(rick, alice, *sites)
            print(*("old" if site is old else "new" for site in sites), "posts, takes, answers: well", flush=True)
        for site in (old, new):
            late = rick.call(site, "POST", "queues/digits/tasks/", {"input_data": 2, "seconds_to_expire": 1})
            until(lambda: rick.call(site, "GET", f"tasks/{late['id']}/")["status"] == "EXPIRED")  # noqa: B023
        old.process.terminate()
        old.wait()
        # As docs/upgrade.md says: once the last of the old version is gone.
        for command in ("recount", "check_invariants"):
            done = manage(command, **new.given)
            print(command, done.stdout, done.stderr, flush=True)
            assert done.returncode == 0
        assert mia.call(new, "GET", "queues/digits/stats/")["by_status"]["FINISHED"] == 24
        for site in (old, new):
            for line in site.output.splitlines():
                if "ERROR" in line or "Traceback" in line:
                    print("old:" if site is old else "new:", line)


if __name__ == "__main__":
    main(*sys.argv[1:])
