"""People who call served sites over HTTP: mia manages the queue `digits`, rick posts to it, alice answers."""

import json
from typing import Any
from urllib.request import Request, urlopen

from tests.site.serving import LONG, Served, manage

PEOPLE = """
from queues import tokens
from tests import cast
queue = cast.queue("digits")
cast.join(queue, "alice"), cast.join(queue, "rick", "requester")
print(*(tokens.issue(user=cast.person(name), name="calls")[1] for name in ("mia", "rick", "alice")))
"""


class Caller:
    """Somebody with a token, who calls whichever site."""

    def __init__(self, token: str) -> None:
        self.token = token

    def call(self, site: Served, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; raises HTTPError for a refusal."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{site.url}api/v1/{path}", data, headers, method=method)
        with urlopen(request, timeout=LONG) as answer:
            return json.loads(answer.read() or b"null")


def people_of(site: Served) -> tuple[Caller, Caller, Caller]:
    """Mia, rick and alice, made in the site's database."""
    made = manage("shell", "--no-imports", "-c", PEOPLE, **site.given)
    assert made.returncode == 0, made.stderr
    mia, rick, alice = map(Caller, made.stdout.split())
    return mia, rick, alice


def carry_one_task(rick: Caller, alice: Caller, posts: Served, grabs: Served, answers: Served) -> int:
    """The id of a task that is posted at one site, taken at another and answered at a third."""
    task = rick.call(posts, "POST", "queues/digits/tasks/", {"input_data": 1})
    (held,) = alice.call(grabs, "POST", "queues/digits/grab/", {})["assignments"]
    assert held["task"]["id"] == task["id"], (held, task)
    done = alice.call(answers, "POST", f"assignments/{held['id']}/finalize/", {"data": 1})
    assert done["assignment"]["status"] == "FINISHED", done
    return int(task["id"])
