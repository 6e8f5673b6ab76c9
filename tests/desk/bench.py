"""The workbench as its reviewers see it: opening it in a browser, and saying what they do there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

from crowdsite.demo import digits, loading
from queues import intake
from queues.drafts import TaskDraft
from queues.models import Queue, Task
from tests import cast
from tests.browser import PATIENCE

ROOT = Path(__file__).parents[2]
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

FAILED = ("Failed to load resource", "WebSocket connection to")
AXE = "async () => (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`)"


def digits_queue(count: int, **fields: Any) -> tuple[Queue, list[Task]]:
    """The demo's queue with its first `count` digits, reviewed by alice and bob."""
    schemas = {"input_schema": loading.INPUT_SCHEMA, "output_schema": loading.OUTPUT_SCHEMA}
    words = {"alias": "Handwritten digits", "instructions": loading.INSTRUCTIONS}
    queue = cast.queue(**{**schemas, **words, **fields})
    for name in ("alice", "bob"):
        cast.join(queue, name)
    return queue, post_digits(queue, count)


def post_digits(queue: Queue, count: int) -> list[Task]:
    drafts = [
        TaskDraft(input_data={"image_url": digit.image_url, "categories": list(digits.CATEGORIES)})
        for digit in digits.read()[:count]
    ]
    return intake.create_tasks(queue=queue, requester=cast.person("rick"), drafts=drafts)


def session_of(name: str) -> str:
    """The key of a fresh session of this person."""
    client = Client()
    client.force_login(cast.person(name))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


class Bench:
    """One page of the workbench. `complaints`: what the browser held against it."""

    def __init__(self, page: Page, queue: str) -> None:
        self.page = page
        self.queue = queue
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        # A refused or failed request is no fault of the page, which says in words what became of it.
        if message.type in {"error", "warning"} and not message.text.startswith(FAILED):
            self.complaints.append(message.text)

    def wait_for(self, state: str) -> None:
        self.page.locator(f"#bench[data-state={state}]").wait_for()

    def wait_for_task(self, number: int) -> None:
        self.page.get_by_role("heading", name=f"Task {number}", exact=True).wait_for()

    def task_id(self) -> int:
        """The id of the task on the page."""
        return int(self.page.locator("#task-facts").inner_text().split("·")[0].removeprefix("No. "))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def reading(self) -> str:
        return self.page.locator("#bench").inner_text()

    def violations(self) -> list[str]:
        """What axe-core finds on the page as it is."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text())
        return self.page.evaluate(AXE)

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")


@contextmanager
def opened(browser: Any, url: str, name: str, queue: str = "digits", **context: Any) -> Iterator[Bench]:
    """The workbench of a queue in a new browser, signed in as `name`; `url` is the site's."""
    with browser.new_context(**{**DESK, **context}) as new:
        new.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_of(name), "url": url}])
        bench = Bench(new.new_page(), queue)
        bench.page.goto(f"{url}/desk/queues/{queue}/")
        yield bench
    assert bench.complaints == []
