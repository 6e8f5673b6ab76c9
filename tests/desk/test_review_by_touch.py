"""Reviewing on a phone: by touch, on a screen 360 pixels wide."""

import pytest

from assignments.models import Assignment
from tests.desk.bench import PHONE, digits_queue, opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SMALL_TARGETS = """
() => [...document.querySelectorAll("#bench :is(button, a, .choice, summary, .switch)")]
  .filter((element) => element.checkVisibility() && !element.closest(".markdown"))
  .filter((element) => element.getBoundingClientRect().height < 44 && !element.matches(".bench-facts a"))
  .map((element) => element.outerHTML)
"""


def test_alice_reviews_ten_digits(browser, live_server):
    digits_queue(11)
    given = {}
    with opened(browser, live_server.url, "alice", **PHONE) as bench:
        page = bench.page

        def answer(number: int, label: str) -> None:
            bench.wait_for_task(number)
            given[bench.task_id()] = label
            page.locator(".choice").filter(has_text=label).tap()
            page.get_by_role("button", name="Submit").tap()

        for number in range(1, 4):
            answer(number, str(number))
        bench.wait_for_task(4)
        assert bench.overflow() <= 0
        assert page.evaluate(SMALL_TARGETS) == []

        skipped = bench.task_id()
        page.get_by_role("button", name="Skip").tap()
        assert page.evaluate(SMALL_TARGETS) == []
        page.get_by_role("button", name="Never").tap()
        page.locator("#task-facts").get_by_text(f"No. {skipped + 1}", exact=True).wait_for()

        page.context.set_offline(True)
        answer(4, "4")
        page.get_by_text("You are offline").wait_for()
        with page.expect_event("requestfailed"):
            page.get_by_role("button", name="Try now").tap()
        page.context.set_offline(False)

        for number in range(5, 11):
            answer(number, str(number % 10))
        bench.wait_for("empty")
        assert bench.overflow() <= 0

    finished = Assignment.objects.filter(status="FINISHED").values_list("task_id", "data")
    assert {task: data["label"] for task, data in finished} == given
    assert len(given) == 10


def test_the_answer_is_within_the_screen(browser, live_server):
    digits_queue(1)
    with opened(browser, live_server.url, "alice", **PHONE) as bench:
        bench.wait_for_task(1)
        picture, last, submit = (
            bench.page.locator(part).bounding_box() for part in (".picture", ".choice >> nth=-1", "[type=submit]")
        )
        assert picture["y"] >= 0
        assert last["y"] + last["height"] <= submit["y"]
        assert submit["y"] + submit["height"] <= 740
