"""Every page in a browser, light and dark: accessible, no wider than a phone, nothing refused or complained of.

A new page is one line in PAGES. `make sweep` runs it; `make screenshots` writes the pictures of the documentation by
the same walk. It is not among the tests of `make test`: about every third time Chromium stops answering in it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.cast import person
from tests.desk.everything import fill
from tests.live import Sockets

pytestmark = [pytest.mark.browser, pytest.mark.only("sqlite"), pytest.mark.django_db(transaction=True)]

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 360, "height": 740}
SCREEN = {"width": 1200, "height": 800}
LARGEST_PICTURE = 150_000
DARK_ON_A_PHONE = {"desk", "workbench", "pool-called"}
"""Pages of which there is a second picture."""


@dataclass(frozen=True)
class Page:
    """Who sees what at an address; `{names}` in it are of `everything.fill`.

    `ready`: what is there once the page's scripts have done their work. `act`: what is done then. `picture`: the docs
    show it.
    """

    name: str
    who: str | None
    address: str
    ready: str = "main"
    status: int = 200
    act: Callable[[Any], None] | None = None
    picture: bool = False


def fail_to_sign_in(page: Any) -> None:
    """Give a wrong password."""
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()


def upload(page: Any) -> None:
    """Have a file checked of which one line is bad."""
    good = '{"input_data": {"image_url": "https://pictures.example/1.png", "categories": ["0", "1"]}}'
    file = {"name": "digits.jsonl", "mimeType": "application/jsonl", "buffer": f"{good}\n{{}}\n{good}\n".encode()}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Start the import").wait_for()


def rotate(page: Any) -> None:
    """Have a new secret made and copied."""
    page.get_by_role("button", name="New secret").click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("status").filter(has_text="cop").wait_for()


def count_failed(page: Any) -> None:
    """Have counted what failed."""
    page.get_by_role("button", name="Count them").click()
    page.get_by_role("button", name="Replay them").wait_for()


QUEUES, ASSIGNMENTS, POOLS = "/admin/crowd_queues", "/admin/crowd_assignments", "/admin/crowd_pavilion"
ROUTING, WORKFLOWS = "/admin/crowd_routing", "/admin/crowd_routing/run/workflows"
BENCH = "#bench:not([data-state=loading]):has(#live-state[data-status=live])"
BOARD = "[data-state=live]"
ROOM = "#room-live[data-status=live]"

PAGES = [
    Page("home", None, "/"),
    Page("home signed in", "alice", "/"),
    Page("sign-in", None, "/login/?next=/desk/"),
    Page("sign-in refused", None, "/login/", act=fail_to_sign_in),
    Page("missing", None, "/no-such-page", status=404),
    Page("desk", "alice", "/desk/", picture=True),
    Page("desk empty", "nora", "/desk/"),
    Page("done", "alice", "/desk/done/", picture=True),
    Page("done filtered", "alice", "/desk/done/?status=SKIPPED&queue=digits"),
    Page("done nothing fits", "alice", "/desk/done/?last=2001-01-01"),
    Page("done unreadable", "alice", "/desk/done/?first=yesterday&before=x", status=400),
    Page("done empty", "nora", "/desk/done/"),
    Page("answered", "alice", "/desk/done/{finished}/", ready=".picture img"),
    Page("skipped", "alice", "/desk/done/{skipped}/", ready=".picture img"),
    Page("taken back", "alice", "/desk/done/{canceled}/", ready=".picture img"),
    Page("lapsed", "alice", "/desk/done/{expired}/", ready=".picture img"),
    Page("metrics", "alice", "/desk/metrics/", ready=".u-wrap", picture=True),
    Page("metrics by month", "alice", "/desk/metrics/?period=month&queue=digits", ready=".u-wrap"),
    Page("metrics empty", "nora", "/desk/metrics/"),
    Page("workbench", "alice", "/desk/queues/digits/", ready=BENCH, picture=True),
    Page("workbench paused", "alice", "/desk/queues/receipts/", ready=BENCH),
    Page("workbench closed", "mia", "/desk/queues/digits/", status=403),
    Page("pool-offer", None, "/pool/offer/{offer}/", picture=True),
    Page("pool offer taken", None, "/pool/offer/{taken}/"),
    Page("pool offer broken", None, "/pool/offer/nonsense/", status=404),
    Page("pool-waiting", None, "/pool/room/{waiting}/", ready=f"#room[data-state=waiting] {ROOM}", picture=True),
    Page("pool-called", None, "/pool/room/{called}/", ready=f"#room[data-state=promoted] {ROOM}", picture=True),
    Page("pool-at-work", None, "/pool/room/{at_work}/", ready="#room:has([data-status=live]) #answer", picture=True),
    Page("pool ended", None, "/pool/room/{left}/", ready="#room[data-state=ended]"),
    Page("crowd", "alice", "/crowd/"),
    Page("crowd task", "alice", "/crowd/MatchingWorkFlow/MatchTask/"),
    Page("crowd confirm", "alice", "/crowd/MatchingWorkFlow/ConfirmMatchTask/?wanted=1&match=2"),
    Page("crowd refused", "alice", "/crowd/MatchingWorkFlow/ConfirmMatchTask/?wanted=x", status=400),
    Page("crowd missing", "alice", "/crowd/NoSuchWorkFlow/", status=404),
    Page("admin queues", "olga", f"{QUEUES}/queue/"),
    Page("admin queue", "olga", f"{QUEUES}/queue/{{queue}}/change/"),
    Page("admin new queue", "olga", f"{QUEUES}/queue/add/"),
    Page("admin queue's end", "olga", f"{QUEUES}/queue/{{queue}}/delete/"),
    Page("admin starved", "olga", f"{QUEUES}/queue/{{queue}}/starved/"),
    Page("admin export", "olga", f"{QUEUES}/queue/{{queue}}/export/"),
    Page("admin members", "olga", f"{QUEUES}/membership/"),
    Page("admin tokens", "olga", f"{QUEUES}/token/"),
    Page("admin batches", "olga", f"{QUEUES}/batch/"),
    Page("admin batch", "olga", f"{QUEUES}/batch/{{batch}}/change/"),
    Page("admin tasks", "olga", f"{QUEUES}/task/"),
    Page("admin task", "olga", f"{QUEUES}/task/{{task}}/change/"),
    Page("admin task's history", "olga", f"{QUEUES}/task/{{task}}/history/"),
    Page("admin assignments", "olga", f"{ASSIGNMENTS}/assignment/"),
    Page("admin reviewer", "olga", f"{ASSIGNMENTS}/reviewer/{{reviewer}}/change/"),
    Page("admin import", "olga", f"{QUEUES}/queue/{{queue}}/import/"),
    Page("import", "olga", f"{QUEUES}/queue/{{queue}}/import/", act=upload, picture=True),
    Page("admin notifications", "olga", f"{QUEUES}/notification/"),
    Page("admin new notification", "olga", f"{QUEUES}/notification/add/?level=queue&queue={{pets}}"),
    Page("admin notification", "olga", f"{QUEUES}/notification/{{notification}}/change/"),
    Page("admin notification's end", "olga", f"{QUEUES}/notification/{{notification}}/delete/"),
    Page("admin queue's notifications", "olga", f"{QUEUES}/queue/{{pets}}/notifications/"),
    Page("admin task's notifications", "olga", f"{QUEUES}/notification/of-task/{{task}}/"),
    Page("admin endpoints", "olga", f"{QUEUES}/endpoint/"),
    Page("admin endpoint", "olga", f"{QUEUES}/endpoint/{{endpoint}}/change/"),
    Page("admin endpoint disabled", "olga", f"{QUEUES}/endpoint/{{disabled}}/change/"),
    Page("admin new secret", "olga", f"{QUEUES}/endpoint/{{endpoint}}/rotate/", act=rotate),
    Page("admin replay", "olga", f"{QUEUES}/endpoint/{{endpoint}}/replay/", act=count_failed),
    Page("admin deliveries", "olga", f"{QUEUES}/delivery/"),
    Page("admin deliveries unreadable", "olga", f"{QUEUES}/delivery/?status=ODD&task=0"),
    Page("admin delivery", "olga", f"{QUEUES}/delivery/{{delivery}}/change/"),
    Page("admin feed", "olga", f"{QUEUES}/feedentry/"),
    Page("admin event", "olga", f"{QUEUES}/feedentry/{{entry}}/change/"),
    Page("admin projects", "olga", f"{POOLS}/project/"),
    Page("admin pools", "olga", f"{POOLS}/pool/"),
    Page("admin pool", "olga", f"{POOLS}/pool/{{pool}}/change/"),
    Page("admin new pool", "olga", f"{POOLS}/pool/add/"),
    Page("admin pool's clone", "olga", f"{POOLS}/pool/{{pool}}/clone/"),
    Page("admin sessions", "olga", f"{POOLS}/session/"),
    Page("console", "olga", f"{POOLS}/session/{{session}}/change/", ready=BOARD, picture=True),
    Page("admin session's limits", "olga", f"{POOLS}/session/{{session}}/limits/"),
    Page("admin session's stop", "olga", f"{POOLS}/session/{{session}}/stop/"),
    Page("admin workers", "olga", f"{POOLS}/worker/"),
    Page("admin worker", "olga", f"{POOLS}/worker/{{worker}}/change/"),
    Page("admin worker's block", "olga", f"{POOLS}/worker/{{worker}}/block/"),
    Page("admin payments", "olga", f"{POOLS}/payment/?session={{session}}"),
    Page("admin runs", "olga", f"{ROUTING}/run/"),
    Page("admin runs of a workflow", "olga", f"{ROUTING}/run/?workflow=DigitsWorkFlow&since=2001-01-01T00:00"),
    Page("run", "olga", f"{ROUTING}/run/{{run}}/change/", picture=True),
    Page("admin run that is stuck", "olga", f"{ROUTING}/run/{{stuck_run}}/change/"),
    Page("admin run that failed", "olga", f"{ROUTING}/run/{{failed_run}}/change/"),
    Page("admin run that is finished", "olga", f"{ROUTING}/run/{{finished_run}}/change/"),
    Page("admin run that is canceled", "olga", f"{ROUTING}/run/{{canceled_run}}/change/"),
    Page("admin run's end", "olga", f"{ROUTING}/run/{{run}}/cancel/"),
    Page("admin workflows", "olga", f"{WORKFLOWS}/"),
    Page("workflow", "olga", f"{WORKFLOWS}/RunsRouter/DigitsWorkFlow/", ready=BOARD, picture=True),
    Page("admin workflow that fans out", "olga", f"{WORKFLOWS}/RunsRouter/ProofreadingWorkFlow/", ready=BOARD),
    Page("admin routers", "olga", f"{ROUTING}/tally/"),
    Page("admin router", "olga", f"{ROUTING}/tally/DemoRouter/"),
    Page("admin router's clearing", "olga", f"{ROUTING}/tally/DemoRouter/clear/"),
    Page("dashboard", "olga", f"{ASSIGNMENTS}/queueatwork/", ready=BOARD, picture=True),
    Page("dashboard of a queue", "olga", f"{ASSIGNMENTS}/queueatwork/{{queue}}/change/", ready=BOARD),
]


@pytest.fixture
def walk(browser: Any, live_server: Any, settings: Any) -> Iterator[Callable[..., Iterator[tuple[Page, Any]]]]:
    """Return `walk(**options)`: goes to every page in contexts with these options, and gives it with the browser's.

    What a page complains of is in `complaints` of the browser's page.
    """
    rows = fill()
    # Without a courier, which would send the webhooks that wait there to be seen.
    sockets = Sockets()
    sockets.lead_pages_here(settings)
    sockets.start(courier=False)

    @contextmanager
    def opened(who: str | None, options: dict[str, Any]) -> Iterator[Any]:
        context = browser.new_context(**options)
        if who is not None:
            client = Client()
            client.force_login(person(who))
            name = settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda said: said.type in {"error", "warning"} and page.complaints.append(said.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        try:
            yield page
        finally:
            context.close()

    def go(pages: list[Page] = PAGES, **options: Any) -> Iterator[tuple[Page, Any]]:
        for who in dict.fromkeys(page.who for page in pages):
            with opened(who, options) as page:
                for wanted in (page for page in pages if page.who == who):
                    page.complaints.clear()
                    answer = page.goto(live_server.url + wanted.address.format(**rows))
                    assert answer.status == wanted.status, wanted.name
                    page.locator(wanted.ready).first.wait_for()
                    if wanted.act:
                        wanted.act(page)
                    yield wanted, page

    yield go
    sockets.stop()


LOOK = """
async () => {
  const late = new Promise((_, refuse) => setTimeout(() => refuse(new Error("axe has not come to an end")), 30000));
  const found = await Promise.race([axe.run(document, { resultTypes: ["violations"] }), late]);
  return found.violations;
}
"""


def violations(page: Any) -> list[Any]:
    """What axe finds wrong with the page: the rule, and the elements that break it."""
    page.add_script_tag(path=AXE)
    found = page.evaluate(LOOK)
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]


def test_every_page(walk, tmp_path):
    """All in one test: filling the site takes longer than looking at it."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; make libraries brings it")
    pictures = Path(os.environ.get("CROWDSITE_SCREENSHOTS") or tmp_path)
    faults: dict[str, Any] = {}

    def take(wanted: Page, page: Any, name: str) -> None:
        at = pictures / f"{name}.png"
        page.screenshot(path=at, animations="disabled")
        if at.stat().st_size > LARGEST_PICTURE:
            faults[f"{wanted.name}: picture of"] = at.stat().st_size

    for scheme in ("light", "dark"):
        for wanted, page in walk(viewport=SCREEN, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True):
            if wanted.picture and scheme == "light":
                take(wanted, page, wanted.name)
            if found := violations(page):
                faults[f"{wanted.name}: axe, {scheme}"] = found
    for wanted, page in walk(viewport=PHONE, color_scheme="dark", reduced_motion="reduce", has_touch=True):
        if (width := page.evaluate("document.documentElement.scrollWidth")) > PHONE["width"]:
            faults[f"{wanted.name}: width"] = width
        # The browser says of a page that is missing or refused that it is.
        expected = f"the server responded with a status of {wanted.status} "
        if said := [text for text in page.complaints if wanted.status == 200 or expected not in text]:
            faults[f"{wanted.name}: complaints"] = said
        if wanted.name in DARK_ON_A_PHONE:
            take(wanted, page, f"{wanted.name}-phone-dark")
    assert faults == {}
