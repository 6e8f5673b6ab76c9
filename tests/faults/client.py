"""A client as a process of its own: `python -m tests.faults.client SETTINGS`, until SIGTERM; then it settles and ends.

SETTINGS is a file of JSON: `role` (requester or reviewer), `name`, `token`, `urls` (the site's hosts), `seed`,
`journal`, `queue`. Each request is written down before it is sent (`sent`), and what came of it before the next is
sent (`got`, with `status` null where no whole answer came). Whatever has an unknown outcome is sent again, to the
other host, until it is known.
"""

import json
import random
import signal
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.journal import Journal

LEASE = {"seconds_to_expire": 10}
"""The shortest that there is, so that leases lapse while a process is stopped."""

PATIENCE = 10
"""Seconds that a request may take."""

PAUSE = 0.3
"""Seconds until an unknown outcome is asked for again, where the answer does not say."""

SETTLING = 90
"""Seconds in which everything must be known after the end."""


class Gone(Exception):
    """It could not be found out what became of a request."""


class Client:
    """Somebody at work."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.token, self.urls, self.name = settings["token"], settings["urls"], settings["name"]
        self.queue = f"queues/{settings['queue']}/"
        self.dice = random.Random(settings["seed"])
        self.journal = Journal(Path(settings["journal"]))
        self.count, self.host = 0, self.dice.randrange(len(self.urls))
        self.over = 0.0

    def end(self, *_signal: Any) -> None:
        """Begin nothing new."""
        self.over = time.time()

    def call(self, what: str, path: str, body: Any, *, keyed: bool) -> Any:
        """The answer to a POST, sent until it is known: its body where it was acknowledged, else None."""
        self.count += 1
        number = self.count
        key = str(UUID(int=self.dice.getrandbits(128))) if keyed else None
        while True:
            self.journal.note(sent=number, what=what, path=path, body=body, key=key, at=time.time())
            status, answer, wait = self._post(path, body, key)
            self.journal.note(got=number, status=status, answer=answer, wait=wait, at=time.time(), host=self.host)
            busy = status == 409 and str(answer.get("type", "")).endswith("idempotency-busy")
            if status is not None and status not in (429, 503) and not busy:
                return answer if status < 300 else None
            if self.over and time.time() > self.over + SETTLING:
                raise Gone(f"{what} {path}: {status}")
            self.host = (self.host + 1) % len(self.urls)
            time.sleep(min(wait or PAUSE, 2.0))

    def _post(self, path: str, body: Any, key: str | None) -> tuple[int | None, Any, float | None]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        url = f"{self.urls[self.host]}api/v1/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read()), None
        except urllib.error.HTTPError as refusal:
            with refusal:
                wait = refusal.headers["Retry-After"]
                try:
                    return refusal.code, json.loads(refusal.read()), float(wait) if wait else None
                except (OSError, HTTPException, ValueError):
                    return refusal.code, {}, float(wait) if wait else None
        except (OSError, HTTPException, ValueError):
            return None, None, None

    def work(self) -> None:
        """Act until the end."""
        while not self.over:
            self.act()

    def act(self) -> None:
        """One thing, with all that follows from it."""
        raise NotImplementedError


class Requester(Client):
    """Posts tasks, one or three at once, which carry global keys of their own."""

    def act(self) -> None:
        tasks = [
            {
                "input_data": {"n": n},
                "global_keys": [f"{self.name}-{self.count + 1}/{n}"],
                "judgments_required": self.dice.choice([1, 1, 1, 2]),
            }
            for n in range(self.dice.choice([1, 3]))
        ]
        self.call("post", f"{self.queue}tasks/", tasks if len(tasks) > 1 else tasks[0], keyed=True)
        time.sleep(0.1)


class Reviewer(Client):
    """Grabs, answers, answers with the next, skips, extends; now and then sits on a task until its lease is over."""

    def act(self) -> None:
        # Half without a key: whoever grabs again gets what they hold, whoever repeats an answer the same.
        held = self.call("grab", f"{self.queue}grab/", LEASE, keyed=self.dice.random() < 0.5)
        if not held or not held["assignments"]:
            time.sleep(0.1)
            return
        while held and held["assignments"] and not self.over:
            held = self._judge(**{name: held["assignments"][0][name] for name in ("id", "expire_at")})

    def _sit(self, until: str) -> None:
        """Do nothing until a lease is just over."""
        over = datetime.fromisoformat(until).timestamp() + self.dice.uniform(0, 0.3)
        while time.time() < over and not self.over:
            time.sleep(0.05)

    def _judge(self, id: int, expire_at: str) -> Any:
        throw, path, keyed = self.dice.random(), f"assignments/{id}/", self.dice.random() < 0.5
        if throw < 0.1:
            self.call("skip", f"{path}skip/", {"seconds_to_expire": None}, keyed=True)
            return None
        if throw < 0.15:
            self.call("extend", f"{path}extend/", LEASE, keyed=True)
        elif throw > 0.97:
            self._sit(expire_at)
        body: dict[str, Any] = {"data": {"by": self.name, "said": self.count}}
        if throw < 0.6:
            body |= {"assign_new_task": True, "strategy": LEASE}
        done = self.call("finalize", f"{path}finalize/", body, keyed=keyed)
        return done["next"] if done else None


def main(path: str) -> None:
    """Work until SIGTERM, settle, and end."""
    settings = json.loads(Path(path).read_text())
    client = {"requester": Requester, "reviewer": Reviewer}[settings["role"]](settings)
    signal.signal(signal.SIGTERM, client.end)
    client.work()
    client.journal.note(ended=time.time())


if __name__ == "__main__":
    main(sys.argv[1])
