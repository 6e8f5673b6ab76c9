"""A person walks workflows in a real browser: by our pages, and by a template of the host's."""

import re

import pytest
from django.urls import include, path
from playwright.sync_api import expect

from routing import AbstractCrowdRouter, AbstractTask, AbstractWorkFlow
from routing.models import Move

pytestmark = [
    pytest.mark.browser,
    pytest.mark.only("sqlite"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls(__name__),
]

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}

HOSTS_PAGE = """
{% extends "queues/base.html" %}
{% block content %}
<h1>{{ question }}</h1>
<form method="post" action="{{ crowd_action }}">
  {% csrf_token %}<input type="hidden" name="crowd_step" value="{{ crowd_step }}">
  <label>Your answer <input name="answer"></label>
  <button>Send</button>
</form>
{% endblock %}
"""


class Match(AbstractTask):
    def get(self):
        return {
            "status": "OK",
            "question": "Do these two pictures show the same cat?",
            "pictures": ["https://pictures.example.org/cats/" + "1" * 60 + ".jpeg", "https://pictures.example.org/2"],
            "seen_before": False,
            "about": {"place": "Kitchen\nGarden", "notes": {"deep": [1, {"deeper": "x" * 120}]}},
        }

    def post(self):
        return {"status": "OK", "told": "Two cats."}


class Confirm(AbstractTask):
    def get(self, data):
        return {"status": "OK", "told": data.get("told", "nothing")}

    def post(self):
        return {"status": "OK"}


class Matching(AbstractWorkFlow):
    tasks = [Match, Confirm]

    def post_pipeline(self, task, response, pipe_data):
        response.path = "/crowd/"


class Ask(AbstractTask):
    def get(self):
        return {"question": "What do you see?", "template": "shop/ask.html"}

    def post(self, form, pipe_data):
        pipe_data["answer"] = form["answer"]
        return {"status": "OK"}


class Repeat(Ask):
    def get(self, pipe_data):
        return {"question": f"Why {pipe_data['answer']}?", "template": "shop/ask.html"}


class Asking(Matching):
    tasks = [Ask, Repeat]


class CatRouter(AbstractCrowdRouter):
    workflows = [Matching, Asking]


urlpatterns = [path("crowd/", include(CatRouter.urls())), path("", include("crowdsite.urls"))]


@pytest.fixture
def page(browser, live_server):
    """A page of somebody new, at the router's index, which must not complain of anything."""
    with browser.new_context() as context:
        opened = context.new_page()
        complaints = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda said: said.type == "warning" and complaints.append(said.text))
        opened.goto(f"{live_server.url}/crowd/")
        yield opened
        assert complaints == []


def heading(page):
    return page.get_by_role("heading", level=1)


def test_one_walks_a_pipeline_by_our_pages(page):
    page.get_by_role("link", name="Matching").click()
    expect(heading(page)).to_have_text("Match")
    expect(page.get_by_text("Do these two pictures show the same cat?")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(heading(page)).to_have_text("Confirm")
    expect(page.get_by_text("Two cats.")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(heading(page)).to_have_text("What there is to do")
    assert Move.objects.count() == 2


def test_one_walks_a_pipeline_by_a_template_of_the_host(page, settings, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "ask.html").write_text(HOSTS_PAGE)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    page.get_by_role("link", name="Asking").click()
    expect(heading(page)).to_have_text("What do you see?")
    page.get_by_label("Your answer").fill("a cat")
    page.get_by_role("button", name="Send").click()
    expect(heading(page)).to_have_text("Why a cat?")
    page.get_by_label("Your answer").fill("whiskers")
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("What there is to do")


def test_a_form_that_is_sent_twice_moves_on_once_and_says_where_to_go(page):
    page.get_by_role("link", name="Matching").click()
    with page.context.expect_page() as opened:
        page.evaluate("window.open(location.href)")
    twin = opened.value
    expect(heading(twin)).to_have_text("Match")
    page.get_by_role("button", name="Go on").click()
    expect(heading(page)).to_have_text("Confirm")
    twin.get_by_role("button", name="Go on").click()
    expect(heading(twin)).to_have_text("This step is not the present one")
    expect(twin.get_by_text("answered before")).to_be_visible()
    twin.get_by_role("link", name="To the present step").click()
    expect(heading(twin)).to_have_text("Confirm")
    assert Move.objects.count() == 1


def test_a_page_that_came_as_an_answer_can_be_loaded_again(page):
    page.get_by_role("link", name="Matching").click()
    page.get_by_role("button", name="Go on").click()
    expect(heading(page)).to_have_text("Confirm")
    expect(page).to_have_url(re.compile(r"/crowd/Matching/$"))
    page.reload()
    expect(heading(page)).to_have_text("Confirm")
    assert Move.objects.count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_our_pages_fit(page, live_server, scheme, size):
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    for address, name in (("", "index"), ("Matching/", "task"), ("Matching/Confirm/", "refused")):
        page.goto(f"{live_server.url}/crowd/{address}")
        expect(heading(page)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name


def test_a_step_is_done_by_the_keyboard(page):
    page.get_by_role("link", name="Matching").focus()
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Go on")
    button.focus()
    assert button.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Confirm")
