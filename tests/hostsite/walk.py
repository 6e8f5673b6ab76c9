"""The walk of a stranger through the apps, by HTTP alone. It knows nothing of Django, and runs on either side of it.

What it did it asserts on the way. People are called by what is before the @ of their addresses.
"""

import json
from typing import Any

ROOT = "/service/v1/"
"""Where the kennel has the API: not where ours is."""


def at(name: str) -> str:
    """The address by which a person is known."""
    return f"{name}@kennel.example"


class Walk:
    """Calls as the people whose `tokens` it has. How a request gets to the site, a subclass knows."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self.tokens = tokens

    def request(
        self, method: str, address: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers and the body of what the site answers; redirects are not followed."""
        raise NotImplementedError

    def visit(self, method: str, address: str, *, expect: int = 200, form: str = "") -> tuple[dict[str, str], str]:
        """Open a page, or post a form (urlencoded) to it: the headers and the text."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        status, told, text = self.request(method, address, form.encode() or None, headers)
        assert status == expect, (method, address, status, text[:2000])
        return told, text.decode()

    def call(
        self,
        who: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        expect: int = 200,
        scheme: str = "Bearer",
        **more: str,
    ) -> Any:
        """Call the API as this person, or with this token of theirs; the JSON that is answered."""
        headers = {
            "Authorization": f"{scheme} {self.tokens.get(who, who)}",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        content = None if body is None else json.dumps(body).encode()
        status, _headers, text = self.request(method, ROOT + path, content, headers)
        assert status == expect, (who, method, path, status, text[:2000])
        return json.loads(text) if text else None

    def get(self, who: str, path: str, **more: Any) -> Any:
        return self.call(who, "GET", path, **more)

    def post(self, who: str, path: str, body: Any = None, *, expect: int = 200, **more: Any) -> Any:
        return self.call(who, "POST", path, {} if body is None else body, expect=expect, **more)


def set_up(walk: Walk, queue: str, **fields: Any) -> None:
    """A queue in which rita posts, and ann and ben review."""
    walk.post("root", "queues/", {"name": queue, **fields}, expect=201)
    for name, role in (("rita", "requester"), ("ann", "reviewer"), ("ben", "reviewer")):
        made = walk.post("root", f"queues/{queue}/members/", {"user": at(name).upper(), "role": role}, expect=201)
        assert made["user"] == at(name)
    for member in walk.get("root", f"queues/{queue}/members/")["results"]:
        if member["role"] == "reviewer":
            walk.call("root", "PATCH", f"queues/{queue}/members/{member['id']}/", {"max_live": 3})


def of_queues(walk: Walk, queue: str = "incoming") -> None:
    """Work comes in, is aimed, changed, taken back, and told of."""
    set_up(walk, queue)
    tasks = f"queues/{queue}/tasks/"
    drafts = [
        {"input_data": {"dog": 1}, "target_reviewer": at("ann")},
        {"input_data": {"dog": 2}, "global_keys": [f"{queue}:2"]},
        {"input_data": {"dog": 3}, "output_data": {"breed": "mutt"}},
        {"input_data": {"dog": 4}},
    ]
    made = walk.post("rita", tasks, drafts, expect=201, Idempotency_Key=f'"{queue}"')
    again = walk.post("rita", tasks, drafts, expect=201, Idempotency_Key=f'"{queue}"')
    assert [task["id"] for task in made] == [task["id"] for task in again]
    aimed, keyed, done, other = made
    assert (aimed["target_reviewer"], keyed["target_reviewer"], done["status"]) == (at("ann"), "~ANYONE", "FINISHED")
    many = walk.post(
        "rita", tasks, [{"input_data": {"n": n}, "target_reviewer": at("ben")} for n in range(12)], expect=201
    )
    assert {task["requester"] for task in many} == {at("rita")}
    for task in many:
        walk.post("rita", f"tasks/{task['id']}/cancel/", {"reason": "sold out"})
    walk.call("rita", "PATCH", f"tasks/{other['id']}/", {"target_reviewer": at("ben"), "priority": "+10"})
    walk.call("rita", "PATCH", f"tasks/{other['id']}/", {"target_reviewer": "~ANYONE"})
    walk.call("rita", "PATCH", f"tasks/{other['id']}/", {"target_reviewer": at("nobody")}, expect=400)
    found = walk.get(
        "root", f"tasks/?queue={queue}&requester={at('rita')}&target_reviewer={at('ann')}&status=AVAILABLE"
    )
    assert [task["id"] for task in found["results"]] == [aimed["id"]]
    feed = walk.get("rita", f"events/?queue={queue}&limit=200")["results"]
    actors = {event["actor"] for event in feed if event["task"] == aimed["id"]}
    # A UUID, as the kennel's people have them.
    assert {len(actor) for actor in actors} == {36}, actors
    token = walk.post("rita", "tokens/", {"name": "another"}, expect=201)
    assert walk.get(token["token"], f"tasks/{aimed['id']}/")["id"] == aimed["id"]
    walk.call("rita", "DELETE", f"tokens/{token['id']}/", expect=204)
    walk.get(token["token"], "tasks/", expect=401)


def of_assignments(walk: Walk, queue: str = "handed-out") -> None:
    """Work is handed out, lent for longer, handed back, answered."""
    set_up(walk, queue, judgments_per_task=2)
    drafts = [
        {"input_data": {"dog": 1}},
        {"input_data": {"dog": 2}, "exclude_reviewers": [at("ben")], "judgments_required": 1},
        {"input_data": {"dog": 3}, "target_reviewer": at("ann")},
    ]
    both, anns, aimed = walk.post("rita", f"queues/{queue}/tasks/", drafts, expect=201)

    def grab(who: str, **strategy: Any) -> list[Any]:
        return walk.post(who, f"queues/{queue}/grab/", strategy)["assignments"]

    (first,) = grab("ann")
    assert first["task"]["id"] == aimed["id"]
    walk.post("ann", f"assignments/{first['id']}/extend/", {"seconds_to_expire": 3500})
    walk.post("ben", f"assignments/{first['id']}/finalize/", {"data": {}}, expect=404)
    answered = walk.post(
        "ann", f"assignments/{first['id']}/finalize/", {"data": {"breed": "setter"}, "assign_new_task": True}
    )
    (second,) = answered["next"]["assignments"]
    assert second["task"]["id"] == both["id"]
    walk.post("ann", f"assignments/{second['id']}/skip/", {"seconds_to_expire": 3600})
    taken = walk.post("ann", f"tasks/{anns['id']}/assign/", {})["assignment"]
    walk.post("ann", f"assignments/{taken['id']}/finalize/", {"data": {"breed": "collie"}})
    (bens,) = grab("ben", multitask_index=2)
    assert bens["task"]["id"] == both["id"]
    walk.post("ben", f"assignments/{bens['id']}/finalize/", {"data": {"breed": "pug"}})
    assert grab("ben") == []
    (judgment,) = walk.get("rita", f"tasks/{both['id']}/judgments/")["results"]
    assert at("ben") in str(judgment)
    assert walk.get("rita", f"tasks/{anns['id']}/")["reviewer"] == at("ann")
    (ann,) = walk.get("ann", "reviewers/")["results"]
    walk.get("ann", f"reviewers/{ann['id']}/metrics/")
    walk.get("root", f"assignments/?queue={queue}")
    assert walk.get("root", f"queues/{queue}/stats/")


def of_routing(walk: Walk) -> None:
    """A run asks two people, one after the other."""
    if "dogs" not in {queue["name"] for queue in walk.get("root", "queues/?page_size=200")["results"]}:
        set_up(walk, "dogs")
    run = walk.post("rita", "runs/", {"workflow": "TwoOpinions", "input": {"lost": "a grey dog"}}, expect=201)
    for name in ("ann", "ben"):
        (held,) = walk.post(name, "queues/dogs/grab/")["assignments"]
        assert held["task"]["input_data"]["lost"] == "a grey dog"
        walk.post(name, f"assignments/{held['id']}/finalize/", {"data": {"by": name}})
        assert walk.post(name, "queues/dogs/grab/")["assignments"] == []
    ended = walk.get("rita", f"runs/{run['id']}/")
    assert (ended["status"], ended["started_by"]) == ("FINISHED", at("rita"))
    assert (ended["data"]["AskTask"], ended["data"]["AskAnotherTask"]) == ({"by": "ann"}, {"by": "ben"})
    assert "Is it" not in walk.visit("GET", "/crowd/MatchingWorkFlow/")[1]


def of_pavilion(walk: Walk, queue: str = "stood-by") -> None:
    """Two come to a pool, one works, all are let go and paid."""
    set_up(walk, queue)
    walk.post("rita", f"queues/{queue}/tasks/", {"input_data": {"dog": 1}}, expect=201)
    project = walk.post("root", "projects/", {"name": queue}, expect=201)
    limits = {"min_waiting": 1, "min_active": 1, "max_waiting": 3, "max_active": 1}
    named = {"project": project["id"], "queue": queue, "name": queue, "title": "Look at dogs"}
    pool = walk.post("root", "pools/", {**named, **limits, "budget": "20.00"}, expect=201)
    session = walk.post("root", f"pools/{pool['id']}/post/", expect=201)
    invitation = walk.get("root", f"sessions/{session['id']}/invitations/")["any"]
    seats = [_enter(walk, invitation, name) for name in ("Cat", "Dan")]

    def seat(token: str, path: str, body: Any = None, **more: Any) -> Any:
        return walk.post(token, f"seat/{path}", body, scheme="Seat", **more)

    seat(seats[0], "confirm/")
    (held,) = seat(seats[0], "grab/")["assignments"]
    seat(seats[0], f"assignments/{held['id']}/finalize/", {"data": {"breed": "pug"}})
    seat(seats[0], "submit/")
    assert walk.call(seats[1], "GET", "seat/", scheme="Seat")["status"] == "ACTIVE"
    walk.post("root", f"sessions/{session['id']}/stop/")
    rows = walk.get("root", f"sessions/{session['id']}/seats/")["results"]
    assert {row["status"] for row in rows} == {"SUBMITTED"}
    walk.get("root", f"sessions/{session['id']}/totals/")
    assert walk.get("root", f"payments/?session={session['id']}")["results"]


def _enter(walk: Walk, invitation: str, name: str) -> str:
    """Accept an invitation as somebody who is new; the token of the seat."""
    address = "/" + invitation.split("/", 3)[3]
    headers, page = walk.visit("GET", address)
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert 'method="post"' in page
    headers, _page = walk.visit("POST", address, form=f"name={name}", expect=303)
    room = headers["Location"]
    walk.visit("GET", room)
    content = {"Content-Type": "application/json"}
    status, _headers, text = walk.request("POST", f"{room}enter/", b'{"connection": null}', content)
    assert status == 200, text
    return str(json.loads(text)["token"])
