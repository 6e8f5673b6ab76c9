"""Forms for answers of any schema: what is entered arrives, and what is wrong is said where it stands."""

import pytest
from playwright.sync_api import expect

from assignments.models import Assignment
from tests import cast
from tests.desk.bench import PHONE, opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

REPORT = {
    "title": "What do you see?",
    "type": "object",
    "required": ["name", "count", "colours", "mood"],
    "properties": {
        "name": {
            "type": "string",
            "title": "Name",
            "minLength": 2,
            "maxLength": 20,
            "description": "Of the <b>animal</b>.",
        },
        "count": {"type": "integer", "title": "How many", "minimum": 1},
        "tame": {"type": "boolean", "title": "It is tame"},
        "colours": {
            "type": "array",
            "title": "Colours",
            "items": {"type": "string", "enum": ["red", "green", "blue"]},
            "uniqueItems": True,
            "minItems": 1,
            "maxItems": 3,
        },
        "mood": {"$ref": "#/$defs/mood"},
        "note": {"type": "string", "title": "Note", "minLength": 3, "maxLength": 500},
        "weight": {"type": "number", "title": "Weight", "exclusiveMinimum": 0},
    },
    "additionalProperties": False,
    "$defs": {"mood": {"title": "Mood", "enum": ["calm", "angry", 3, None]}},
}


def a_queue(schema: object, **draft: object) -> None:
    queue = cast.queue(output_schema=schema)
    cast.join(queue, "alice")
    cast.post(queue, 2, **draft)


def answer() -> object:
    return Assignment.objects.get(status="FINISHED").data


def fill_in(page) -> None:
    page.get_by_label("Name").fill("Otto")
    page.get_by_label("How many").fill("2")
    page.get_by_label("It is tame").check()
    page.get_by_label("red", exact=True).check()
    page.get_by_label("blue", exact=True).check()
    page.get_by_label("3", exact=True).check()


@pytest.mark.parametrize("context", [{}, {**PHONE, "color_scheme": "dark"}], ids=["desk", "phone"])
def test_what_is_entered_arrives(browser, live_server, context):
    a_queue(REPORT)
    with opened(browser, live_server.url, "alice", **context) as bench:
        bench.wait_for_task(1)
        fill_in(bench.page)
        assert bench.violations() == []
        assert bench.overflow() <= 0
        assert "Of the <b>animal</b>." in bench.reading()
        bench.page.get_by_label("How many").focus()
        bench.press("Control+Enter")
        bench.wait_for_task(2)
        assert bench.page.get_by_label("Name").input_value() == ""
    assert answer() == {"name": "Otto", "count": 2, "tame": True, "colours": ["red", "blue"], "mood": 3}


def test_what_is_wrong_is_said_at_its_field(browser, live_server):
    a_queue(REPORT)
    with opened(browser, live_server.url, "alice") as bench:
        page = bench.page
        bench.wait_for_task(1)
        page.get_by_label("Name").fill("O")
        page.get_by_label("Note").fill("ab")
        page.get_by_role("button", name="Submit").click()
        expect(page.locator("#answer-errors")).to_contain_text("5 things to mend")
        assert bench.violations() == []
        name = page.locator("[data-path='#/name']")
        expect(name).to_contain_text("Must be at least 2 characters long.")
        expect(page.get_by_label("Name")).to_be_focused()
        expect(page.locator("[data-path='#/count']")).to_contain_text("This is needed.")
        fill_in(page)
        page.get_by_label("Note").fill("")
        expect(page.locator("[data-path='#/name']").get_by_text("Must be")).to_have_count(0)
        page.get_by_role("button", name="Submit").click()
        bench.wait_for_task(2)
    assert "note" not in answer()


def test_what_the_server_refuses_is_said_at_its_field(browser, live_server):
    # The browser does not know this pattern's spelling, so only the server can tell.
    a_queue({"type": "object", "properties": {"code": {"type": "string", "title": "Code", "pattern": "^(?i)ab$"}}})
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        bench.page.get_by_label("Code").fill("xy")
        bench.press("Control+Enter")
        field = bench.page.locator("[data-path='#/code']")
        field.get_by_text("does not match").wait_for()
        assert bench.page.get_by_label("Code").input_value() == "xy"
        expect(bench.page.get_by_role("status").first).to_contain_text("One thing to mend")
        bench.page.get_by_label("Code").fill("AB")
        bench.press("Control+Enter")
        bench.wait_for_task(2)
    assert answer() == {"code": "AB"}


def test_a_draft_is_there_again(browser, live_server):
    a_queue(REPORT)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        fill_in(bench.page)
        bench.page.get_by_label("Note").press_sequentially("half a sent")
        bench.page.reload()
        bench.wait_for_task(1)
        assert bench.page.get_by_label("Note").input_value() == "half a sent"
        assert bench.page.get_by_label("blue", exact=True).is_checked()
        bench.page.get_by_role("button", name="Submit").click()
        bench.wait_for_task(2)
        assert bench.page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('crowd:draft'))") == []
    assert answer()["note"] == "half a sent"


def test_without_a_schema_plain_text_will_do(browser, live_server):
    a_queue(None)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        field = bench.page.get_by_role("textbox", name="Your answer")
        field.fill("a cat,\nasleep")
        bench.press("Enter", "Control+Enter")
        bench.wait_for_task(2)
        bench.page.get_by_label("JSON").check()
        field.fill('{"cat": ')
        assert bench.violations() == []
        bench.page.get_by_role("button", name="Submit").click()
        expect(bench.page.locator("#bench")).to_contain_text("This is not JSON yet.")
        field.fill('{"cat": true}')
        bench.page.get_by_role("button", name="Submit").click()
        bench.wait_for("empty")
    given = Assignment.objects.filter(status="FINISHED").order_by("id").values_list("data", flat=True)
    assert list(given) == ["a cat,\nasleep\n", {"cat": True}]


@pytest.mark.parametrize("missing", [True, False], ids=["no library", "no form for it"])
def test_what_no_form_is_made_for_is_typed_as_json(browser, live_server, missing):
    loop = {"type": "object", "properties": {"inside": {"$ref": "#"}}, "additionalProperties": False}
    a_queue(REPORT if missing else loop)
    with opened(browser, live_server.url, "alice") as bench:
        if missing:
            bench.page.route("**/vendor/jedison.js", lambda route: route.abort())
            bench.page.reload()
        bench.wait_for_task(1)
        whole = '{"name": "Otto", "count": 2, "colours": ["red"], "mood": "calm"}' if missing else '{"inside": {}}'
        bench.page.get_by_role("textbox").fill(whole)
        bench.press("Control+Enter")
        bench.wait_for_task(2)
    assert Assignment.objects.filter(status="FINISHED").count() == 1


@pytest.mark.parametrize(
    ("schema", "key", "given"),
    [
        ({"enum": ["cat", "dog", "neither"]}, "2", "dog"),
        ({"type": "boolean", "title": "Is it a cat?"}, "2", False),
        ({"enum": ["x", "y", "z"]}, "z", "z"),
        ({"enum": [5, 6, 7]}, "6", 6),
        ({"oneOf": [{"const": 10, "title": "Ten"}, {"const": 20, "title": "Twenty"}]}, "2", 20),
        ({"type": "object", "properties": {"is": {"const": "seen"}}, "required": ["is"]}, "1", {"is": "seen"}),
    ],
    ids=["words", "yes or no", "letters", "numbers", "titles", "acknowledgement"],
)
def test_a_lone_choice_has_its_keys(browser, live_server, schema, key, given):
    a_queue(schema)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        bench.press(key, "Enter")
        bench.wait_for_task(2)
    assert answer() == given


def test_an_input_is_shown_and_never_run(browser, live_server):
    shown = {
        "text": "<img src=x onerror=alert(1)>\nsecond line",
        "link": "https://example.org/page",
        "bad_link": "javascript:alert(1)",
        "picture": "/static/queues/mark.svg",
        "photo": "/nowhere.png",
        "inside": {"list": ["a", "b"], "deep": [{"n": 1.5, "yes": True, "nothing": None}]},
    }
    a_queue({"enum": ["fine", "bad"]}, input_data=shown)
    with opened(browser, live_server.url, "alice") as bench:
        bench.wait_for_task(1)
        page = bench.page
        page.get_by_text("This picture cannot be shown: /nowhere.png").wait_for()
        expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
        assert page.locator("#task-input a").count() == 1
        assert page.get_by_role("link", name="https://example.org/page").get_attribute("rel") == "noopener noreferrer"
        picture = page.get_by_role("img", name="Picture")
        before = picture.bounding_box()["width"]
        bench.press("+", "+", "+", "+", "+", "+", "+", "+")
        assert picture.bounding_box()["width"] > 2 * before
        assert bench.violations() == []
        bench.press("f")
        assert picture.bounding_box()["width"] == pytest.approx(before)
