"""`kill -9` of the server under load, over real HTTP: after the restart nothing acknowledged is missing or doubled."""

import json
import random
import sqlite3
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Condition, Event
from time import monotonic
from typing import Any

import psycopg
import pytest

from tests.site.serving import LONG, Served, gone, manage, until

pytestmark = pytest.mark.servers

SEED = 9
QUEUE = "queues/loop/"
PEOPLE = ("operator", "requester", "alice", "bob")
POSTERS = ("operator", "requester")
LEASE = {"seconds_to_expire": 10}

# What is killed, round by round. Embedded there is one process; else what stands for its group is killed alone, too.
ROUNDS = {
    "sqlite": ("everything",) * 3,
    "postgresql": ("everything", "gunicorn's worker", "supervisor", "gunicorn"),
}

# What may be answered: the problem's slug, or "" for success. The last column is for a request that is repeated because
# nobody knows what became of it.
ALLOWED = {
    "post": ({""}, {"", "idempotency-busy"}),
    "grab": ({""}, {""}),
    "finalize": ({"", "lease-expired"}, {"", "lease-expired"}),
    "skip": ({"", "lease-expired"}, {"", "lease-expired", "assignment-closed"}),
}


@dataclass
class Exchange:
    """One request as its client knows it; `status` is None where no whole answer came."""

    what: str
    path: str
    body: Any
    key: str | None = None
    repeated: bool = False
    began: float = field(default_factory=monotonic)
    ended: float = 0
    status: int | None = None
    answer: Any = None
    retry_after: str | None = None

    @property
    def acknowledged(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def known(self) -> bool:
        """Whether the client knows what became of it; of a 503 it does not."""
        return self.status is not None and self.status != 503

    @property
    def slug(self) -> str:
        return "" if self.acknowledged else self.answer["type"].rsplit(":", 1)[1]

    def send(self, url: str, token: str) -> None:
        """Send it and wait for the answer."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if self.key is not None:
            headers["Idempotency-Key"] = self.key
        request = urllib.request.Request(
            f"{url}api/v1/{self.path}", json.dumps(self.body).encode(), headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=LONG) as answer:
                self.answer, self.status = json.loads(answer.read()), answer.status
        except urllib.error.HTTPError as refusal:
            with refusal:
                self.retry_after = refusal.headers["Retry-After"]
                self.answer, self.status = json.loads(refusal.read()), refusal.code
        except (OSError, HTTPException, ValueError):
            self.answer = self.status = None
        self.ended = monotonic()


class Load:
    """What the clients and the test share: where the site is, what was killed when, how much was acknowledged."""

    def __init__(self, site: Served) -> None:
        self.site = site
        self.up, self.over = Event(), Event()
        self.outages: list[tuple[float, float]] = []
        self.acknowledged = 0
        self.progress = Condition()
        self.up.set()

    def count(self) -> None:
        with self.progress:
            self.acknowledged += 1
            self.progress.notify_all()

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests are acknowledged."""
        with self.progress:
            goal = self.acknowledged + more
            assert self.progress.wait_for(lambda: self.acknowledged >= goal, LONG), "the site answers no more"

    def outage(self, kill_and_restart: Callable[[Served], Served]) -> None:
        """Kill something and wait until the site works again."""
        began = monotonic()
        self.up.clear()
        self.site = kill_and_restart(self.site)
        self.outages.append((began, monotonic()))
        self.up.set()

    def excuses(self, exchange: Exchange) -> bool:
        """Whether the exchange was under way while the site was down."""
        return any(exchange.began <= ended and exchange.ended >= began for began, ended in self.outages)


class Client:
    """Somebody at work until the load is over, and all that they sent, in `log`."""

    def __init__(self, load: Load, name: str, token: str) -> None:
        self.load, self.name, self.token = load, name, token
        self.dice = random.Random(f"{SEED} {type(self).__name__} {name}")
        self.log: list[Exchange] = []
        self.busy: list[Exchange] = []
        self.said = 0

    def call(self, what: str, path: str, body: Any, key: str | None = None, *, repeated: bool = False) -> Exchange:
        """Send a request, again and again until it is known what became of it."""
        while True:
            exchange = Exchange(what, path, body, key, repeated)
            exchange.send(self.load.site.url, self.token)
            self.log.append(exchange)
            if exchange.known:
                break
            assert self.load.up.wait(LONG), "the site does not come back"
            repeated = True
        if exchange.acknowledged:
            self.load.count()
        elif exchange.slug == "idempotency-busy":
            self.busy.append(exchange)
        return exchange

    def settle(self) -> None:
        """Repeat what was answered with "still under way"."""
        for exchange in self.busy:
            self.call(exchange.what, exchange.path, exchange.body, exchange.key, repeated=True)

    def work(self) -> None:
        while not self.load.over.is_set():
            self.act()

    def act(self) -> None:
        raise NotImplementedError


class Requester(Client):
    """Posts tasks, one or three at a time, each request with a key, which its tasks carry as well."""

    def act(self) -> None:
        self.said += 1
        key = f"{self.name}-{self.said}"
        tasks = [
            {"input_data": {"n": n}, "global_keys": [f"{key}/{n}"], "judgments_required": self.dice.choice([1, 1, 2])}
            for n in range(self.dice.choice([1, 3]))
        ]
        self.call("post", f"{QUEUE}tasks/", tasks if len(tasks) > 1 else tasks[0], key)


class Reviewer(Client):
    """Grabs, answers, answers with the next, skips."""

    def act(self) -> None:
        held = self.call("grab", f"{QUEUE}grab/", LEASE).answer
        while held and held["assignments"] and not self.load.over.is_set():
            held = self.judge(held["assignments"][0]["id"])

    def judge(self, assignment: int) -> Any:
        """Deal with an assignment; the answer is what the reviewer got next with it."""
        self.said += 1
        throw, path = self.dice.random(), f"assignments/{assignment}/"
        if throw < 0.2:
            self.call("skip", f"{path}skip/", {"seconds_to_expire": None})
            return None
        body: dict[str, Any] = {"data": {"by": self.name, "said": self.said}}
        if throw < 0.6:
            body.update({"assign_new_task": True, "strategy": LEASE})
        done = self.call("finalize", f"{path}finalize/", body)
        return done.answer["next"] if done.acknowledged else None


def replaced(site: Served, victim: int) -> bool:
    """Whether gunicorn has another worker in the place of `victim`, and the site answers."""
    workers = [child.pid for child in site.part("gunicorn").children() if not gone(child)]
    return victim not in workers and len(workers) == 2 and site.status_of("readyz") == 200


def killing(what: str, dice: random.Random, serve: Callable[..., Served]) -> Callable[[Served], Served]:
    """How `what` is killed, and what brings the site back: gunicorn by itself, or a second `serve`."""

    def kill_and_restart(site: Served) -> Served:
        family = site.family()
        if what == "gunicorn's worker":
            victim = dice.choice(site.part("gunicorn").children())
            victim.kill()
            until(lambda: replaced(site, victim.pid))
            return site
        victims = {"everything": family, "supervisor": family[:1]}.get(what) or [site.part(what)]
        for process in victims:
            process.kill()
        until(lambda: all(gone(process) for process in family))
        again = serve()
        again.wait_until_ready()
        return again

    return kill_and_restart


def execute(site: Served, statement: str) -> list[tuple[Any, ...]]:
    """Carry out a statement on the site's database; the answer is its rows."""
    if "DATABASE_URL" in site.given:
        with psycopg.connect(str(site.given["DATABASE_URL"])) as server:
            cursor = server.execute(statement)
            return cursor.fetchall() if cursor.description else []
    path = Path(str(site.given["CROWDSITE_DATA_DIR"])) / "crowdsite.sqlite3"
    with closing(sqlite3.connect(path, timeout=LONG)) as file, file:
        return file.execute(statement).fetchall()


def ids_of(exchanges: Iterator[Exchange]) -> set[int]:
    """The ids of the assignments that these requests were about."""
    return {int(exchange.path.split("/")[1]) for exchange in exchanges}


@pytest.fixture
def load(serve: Callable[..., Served]) -> Load:
    """A served site with a queue `loop`, which the requester manages and everybody reviews in."""
    site = serve(DEMO=1)
    site.wait_until_ready()
    load = Load(site)
    requester = Client(load, "requester", tokens(site)["requester"])
    assert requester.call("setup", "queues/", {"name": "loop"}).acknowledged
    for name in PEOPLE:
        member = {"user": f"{name}@example.org", "role": "reviewer"}
        assert requester.call("setup", f"{QUEUE}members/", member).acknowledged
    return load


def tokens(site: Served) -> dict[str, str]:
    """User name → API token, of the demo's users."""
    demo = json.loads((Path(str(site.given["CROWDSITE_DATA_DIR"])) / "demo.json").read_text())
    return {name: user["token"] for name, user in demo["users"].items()}


def test_nothing_acknowledged_is_missing_after_a_kill_under_load(
    serve: Callable[..., Served], load: Load, backend: str
) -> None:
    token, dice = tokens(load.site), random.Random(SEED)
    clients: list[Client] = [
        *(Reviewer(load, name, token[name]) for name in PEOPLE),
        *(Requester(load, name, token[name]) for name in POSTERS),
    ]

    with ThreadPoolExecutor(len(clients)) as pool:
        working = [pool.submit(client.work) for client in clients]
        try:
            for what in ROUNDS[backend]:
                load.wait_for(dice.randint(15, 40))
                load.outage(killing(what, dice, serve))
            load.wait_for(30)
        finally:
            load.over.set()
        for work in working:
            work.result()
    # The lease of a request that died half-way is a minute, which no test waits for.
    execute(load.site, "UPDATE crowd_queues_idempotencyrecord SET leased_until = created_at WHERE status IS NULL")
    for client in clients:
        client.settle()

    check_the_answers(load, clients)
    check_the_database(load, clients)
    done = manage("check_invariants", **load.site.given)
    assert done.returncode == 0, done.stderr


def check_the_answers(load: Load, clients: list[Client]) -> None:
    """Nobody got an answer that a client cannot act on, and none was left without one but in an outage."""
    sent = [exchange for client in clients for exchange in client.log]
    for exchange in sent:
        if exchange.known:
            assert exchange.slug in ALLOWED[exchange.what][exchange.repeated], exchange
        else:
            assert load.excuses(exchange), exchange
            assert exchange.status is None or exchange.retry_after is not None, exchange
    assert sum(not exchange.known for exchange in sent) >= len(load.outages), "the kills met no request under way"
    done = Counter(exchange.what for exchange in sent if exchange.acknowledged)
    assert min(done[what] for what in ALLOWED) >= 3, done


def check_the_database(load: Load, clients: list[Client]) -> None:
    """What was acknowledged is there, once, and nothing else is."""
    sent = [exchange for client in clients for exchange in client.log]
    done = [exchange for exchange in sent if exchange.acknowledged]

    posted = {exchange.key: exchange for exchange in done if exchange.what == "post"}
    assert set(posted) == {exchange.key for exchange in sent if exchange.what == "post"}
    keys = [
        (task["id"], task["global_keys"][0])
        for exchange in posted.values()
        for task in (exchange.answer if isinstance(exchange.answer, list) else [exchange.answer])
    ]
    in_queue = "queue_id = (SELECT id FROM crowd_queues_queue WHERE name = 'loop')"
    kept = (
        f"SELECT task_id, key FROM crowd_queues_globalkey k JOIN crowd_queues_task t ON t.id = task_id AND {in_queue}"
    )
    assert sorted(execute(load.site, kept)) == sorted(keys)
    assert execute(load.site, f"SELECT count(*) FROM crowd_queues_task WHERE {in_queue}") == [(len(keys),)]
    records = execute(load.site, "SELECT key, status FROM crowd_queues_idempotencyrecord")
    assert sorted(records) == sorted((key, 201) for key in posted)

    rows = execute(load.site, "SELECT id, status, data FROM crowd_assignments_assignment")
    answers = {id_: data if isinstance(data, dict) else json.loads(data) for id_, status, data in rows if data}
    for exchange in sent:
        if exchange.what == "finalize" and exchange.acknowledged:
            (assignment,) = ids_of(iter([exchange]))
            assert answers[assignment] == exchange.body["data"], exchange
    # Each finalize of unknown outcome was repeated until it was known, so there are no other answers either.
    assert set(answers) == ids_of(exchange for exchange in done if exchange.what == "finalize")
    skipped = {id_ for id_, status, _data in rows if status == "SKIPPED"}
    assert ids_of(exchange for exchange in done if exchange.what == "skip") <= skipped
    assert skipped <= ids_of(exchange for exchange in sent if exchange.what == "skip")
    assert execute(load.site, "SELECT count(*) FROM crowd_assignments_exclusion") == [(len(skipped),)]
    grabs = [exchange.answer for exchange in done if exchange.what == "grab"]
    grabs += [exchange.answer["next"] for exchange in done if exchange.what == "finalize" and exchange.answer["next"]]
    handed = {assignment["id"] for grab in grabs for assignment in grab["assignments"]}
    assert handed <= {id_ for id_, _status, _data in rows}
    ended = execute(
        load.site, "SELECT object_id, count(*) FROM crowd_queues_event WHERE type = 'ASSIGNMENT_FINISHED' GROUP BY 1"
    )
    assert sorted(ended) == sorted((assignment, 1) for assignment in answers)
