"""A router at addresses of its own: its pages, its redirects, its JSON, and what it refuses."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import include, path, set_script_prefix

from routing import AbstractCrowdRouter, AbstractTask, AbstractWorkFlow, registry
from routing.decorators import crowdrouter_auth_required, task_auth_required
from routing.exceptions import CrowdRouterError, TaskError
from routing.models import Move
from tests import cast

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

JSON = {"accept": "application/json"}


class Match(AbstractTask):
    def get(self):
        return {"status": "OK", "pair": ["a tabby", "a tiger"], "note": {"by": "mia", "old": None}}

    def post(self, form):
        if form.get("same") == "perhaps":
            raise TaskError("Say yes or no.")
        return {"status": "OK", "same": form.get("same")}


class Confirm(AbstractTask):
    tells_programs = True

    def get(self, crowd_request, data):
        return {"status": "OK", "said": data.get("same"), "template": "routing/task.html"}

    def post(self, form):
        return {"status": "OK"}


class Matching(AbstractWorkFlow):
    """The pipeline of two steps."""

    tasks = [Match, Confirm]


class Thanks(AbstractTask):
    def get(self, data):
        return {
            "place": data.get("place"),
            "path": data.get("path"),
            **{name: data[name] for name in ("template",) if name in data},
        }

    def post(self, form):
        return dict(form.items())


class Outside(AbstractTask):
    def get(self):
        return {"path": "https://elsewhere.example/"}

    def post(self):
        return {"path": "https://partner.example/thanks"}


class Broken(AbstractTask):
    def get(self):
        raise RuntimeError("a secret of ours")

    def post(self):
        return "no dict"


@task_auth_required
class Members(AbstractTask):
    def get(self):
        return {"status": "OK"}

    def post(self):
        return {"status": "OK", "path": "/thanks/"}


class Refusal(CrowdRouterError):
    slug = "refusal-of-a-host"
    sentence = "Not on Sundays."


class Sunday(Members):
    auth_required = False

    def get(self):
        raise Refusal

    post = get


class Hidden(AbstractTask):
    def get(self):
        return {"template": "routing/task.html", "solution": 9, "user": "nobody"}

    def post(self, form):
        return {"path": form["next"].strip()}


class Paged(AbstractTask):
    """Its page, of which there is no template, fails after the answer."""

    def get(self, pipe_data):
        page = {"template": "no/such.html"} if pipe_data else {}
        return {"status": "OK", "said": pipe_data.get("said"), **page}

    def post(self, form, pipe_data):
        pipe_data["said"] = form["same"]
        return {"status": "OK"}


class Pages(AbstractWorkFlow):
    tasks = [Paged, Paged]


class Single(AbstractWorkFlow):
    """Tasks that are done by themselves."""

    tasks = [Thanks, Outside, Broken, Members, Sunday, Hidden]

    def run(self, task, crowd_request):
        return task.execute(crowd_request)


class FrontRouter(AbstractCrowdRouter):
    workflows = [Matching, Single, Pages]


class Few(AbstractCrowdRouter):
    workflows = [Single]
    num_allowable_requests = 1


@crowdrouter_auth_required
class Closed(AbstractCrowdRouter):
    workflows = [Single]


urlpatterns = [
    path("crowd/", include(FrontRouter.urls())),
    path("of/<slug:place>/crowd/", include(FrontRouter.urls(), namespace="placed")),
    path("to/<path:path>/crowd/", include(FrontRouter.urls(), namespace="led")),
    path("few/", include(Few.urls())),
    path("closed/", include(Closed.urls())),
    path("", include("crowdsite.urls")),
]


@pytest.fixture
def mia(client):
    """A client that is signed in as mia."""
    client.force_login(cast.person("mia"))
    return client


def step_of(answer):
    return answer.context["crowd_step"]


# Where things are.


def test_the_index_leads_to_each_workflow(client):
    answer = client.get("/crowd/")
    assert answer.status_code == 200
    assert 'href="/crowd/Matching/"' in answer.text
    assert 'href="/crowd/Single/"' in answer.text
    assert client.get("/crowd/", headers=JSON).json() == {
        "router": "FrontRouter",
        "workflows": [{"name": name, "path": f"/crowd/{name}/"} for name in ("Matching", "Single", "Pages")],
    }


def test_the_index_shows_workflows_that_were_swapped_in(client):
    router = registry.made(FrontRouter)
    router.workflows = [Single]
    try:
        assert "Matching" not in client.get("/crowd/").text
        assert client.get("/crowd/Matching/").status_code == 404
    finally:
        del router.workflows


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_the_index_is_read_alone(client, method):
    assert getattr(client, method)("/crowd/").status_code == 405


@pytest.mark.parametrize(
    ("address", "task"),
    [
        ("/crowd/Matching/", "Match"),
        ("/crowd/Matching/Match/", "Match"),
        ("/crowd/Single/", "Thanks"),
        ("/crowd/Single/Members/", "Members"),
    ],
)
def test_each_workflow_and_each_task_has_an_address(mia, address, task):
    answer = mia.get(address)
    assert answer.status_code == 200
    assert f"<h1>{task}</h1>" in answer.text


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_a_task_knows_get_and_post_alone(client, method):
    assert getattr(client, method)("/crowd/Matching/").status_code == 405


def test_a_head_is_answered_as_a_get(client):
    answer = client.head("/crowd/Matching/")
    assert answer.status_code == 200
    assert answer.content == b""


def test_nothing_is_kept_by_browsers_and_proxies(client):
    for answer in (
        client.get("/crowd/"),
        client.get("/crowd/Matching/"),
        client.get("/crowd/Nothing/"),
        client.post("/crowd/Matching/", headers=JSON),
    ):
        assert "no-store" in answer.headers["Cache-Control"]


def test_what_stands_above_in_the_address_joins_the_data_and_stays_in_addresses(client):
    answer = client.get("/of/hall/crowd/Single/Thanks/", headers=JSON).json()
    assert answer["response"] == {"place": "hall", "path": None}
    assert answer["action"] == "/of/hall/crowd/Single/Thanks/"


# What is shown.


def test_a_response_without_a_template_is_shown_with_a_form_that_goes_on(client):
    answer = client.get("/crowd/Matching/")
    assert answer.context["crowd_action"] == "/crowd/Matching/Match/"
    assert 'action="/crowd/Matching/Match/"' in answer.text
    assert f'name="crowd_step" value="{step_of(answer)}"' in answer.text
    assert "csrfmiddlewaretoken" in answer.text
    assert "<li>a tabby</li><li>a tiger</li>" in answer.text
    shown = " ".join(answer.text.split())
    assert "<dt>By</dt> <dd>mia</dd>" in shown
    assert "<dt>Old</dt> <dd>none</dd>" in shown
    assert "<dt>Status</dt>" not in shown


def test_what_a_task_gives_is_escaped(client):
    answer = client.get("/crowd/Single/?place=<script>alert(1)</script>")
    assert "<script>alert(1)" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_a_template_of_the_host_has_the_response_and_where_to_post(client, settings, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "ask.html").write_text(
        "{{ workflow.get_name }} {{ task.get_name }} {{ response.said }}={{ said }} {{ crowd_response.status }} "
        "{{ crowd_action }} {{ crowd_step|length }}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    class Ask(Confirm):
        def get(self, data):
            return {"status": "OK", "said": data["said"], "template": "shop/ask.html", "workflow": "no", "task": "no"}

    class Asking(AbstractWorkFlow):
        tasks = [Ask]

    router = registry.made(FrontRouter)
    router.workflows = [Asking]
    try:
        answer = client.get("/crowd/Asking/?said=yes")
    finally:
        del router.workflows
    assert answer.text == "Asking Ask yes=yes OK /crowd/Asking/Ask/ 34"


def test_a_program_gets_json(client):
    answer = client.get("/crowd/Matching/", headers=JSON)
    found = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert len(found.pop("step")) == 34
    assert found == {
        "workflow": "Matching",
        "task": "Match",
        "method": "GET",
        "status": "OK",
        "path": None,
        "response": {"status": "OK", "pair": ["a tabby", "a tiger"], "note": {"by": "mia", "old": None}},
        "action": "/crowd/Matching/Match/",
    }


@pytest.mark.parametrize("accept", ["*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "image/png", None])
def test_whoever_takes_anything_gets_a_page(client, accept):
    answer = client.get("/crowd/Matching/", headers={"accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_outside_of_a_pipeline_there_is_no_step(client):
    client.get("/crowd/Matching/")
    assert client.get("/crowd/Single/", headers=JSON).json()["step"] is None


# Going on.


def test_a_post_in_a_pipeline_shows_the_next_task_and_the_last_leads_away(client):
    first = client.get("/crowd/Matching/")
    second = client.post("/crowd/Matching/Match/", {"same": "yes", "crowd_step": step_of(first)})
    assert second.status_code == 200
    assert second.context["response"]["said"] == "yes"
    assert second.context["crowd_action"] == "/crowd/Matching/Confirm/"
    last = client.post("/crowd/Matching/Confirm/", {"crowd_step": step_of(second)})
    assert last.status_code == 303
    assert last.headers["Location"] == "/"


def test_a_program_walks_a_pipeline(client):
    first = client.get("/crowd/Matching/", headers=JSON).json()
    body = {"same": "yes", "crowd_step": first["step"]}
    second = client.post(first["action"], body, content_type="application/json", headers=JSON).json()
    assert (second["task"], second["method"], second["response"]["said"]) == ("Confirm", "GET", "yes")
    last = client.post(second["action"], {"crowd_step": second["step"]}, headers=JSON)
    assert last.status_code == 200
    assert (last.json()["method"], last.json()["path"]) == ("POST", "/")


def test_a_post_to_the_workflow_is_one_to_its_present_task(client):
    client.get("/crowd/Matching/")
    assert client.post("/crowd/Matching/", headers=JSON).json()["task"] == "Confirm"
    assert client.get("/crowd/Matching/", headers=JSON).json()["task"] == "Confirm"


def test_a_post_without_a_path_shows_what_became_of_it(client):
    answer = client.post("/crowd/Single/Thanks/", {"same": "yes"})
    assert answer.status_code == 200
    assert "yes" in answer.text
    assert 'method="post"' not in answer.text.split("<main")[1]
    assert 'href="/crowd/Single/"' in answer.text


def test_a_post_goes_where_its_response_leads(mia):
    answer = mia.post("/crowd/Single/Members/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/thanks/")
    assert mia.post("/crowd/Single/Outside/").headers["Location"] == "https://partner.example/thanks"
    assert mia.get("/crowd/Single/Outside/").status_code == 200


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_led_to_where_the_request_says(client, path):
    answer = client.post("/crowd/Single/Thanks/", {"path": path})
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert client.post("/crowd/Single/Thanks/", {"path": path}, headers=JSON).json()["path"] is None


def test_nobody_is_led_to_where_the_address_says(client):
    assert client.get("/to/https://evil.example/crowd/Single/Thanks/", headers=JSON).json()["path"] is None


def test_within_the_site_one_may_say_where_to_go(client):
    assert client.post("/crowd/Single/Thanks/", {"path": "/desk/"}).headers["Location"] == "/desk/"


def test_no_template_is_rendered_that_the_request_names(client):
    answer = client.get("/crowd/Single/Thanks/?template=registration/logged_out.html")
    assert answer.status_code == 200
    assert "<h1>Thanks</h1>" in answer.text


# What is refused.


def refused(answer, status, said, way_out=None):
    assert answer.status_code == status
    assert said in answer.text
    assert f'<p class="error-code">{status}</p>' in answer.text
    assert way_out is None or f'href="{way_out}"' in answer.text.split("<main")[1]


def problem(answer, status, slug):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:crowdsite:problem:{slug}"
    return answer.json()


def test_an_unknown_workflow_is_a_404(client):
    refused(client.get("/crowd/Nothing/"), 404, "FrontRouter has no workflow Nothing.", "/crowd/")
    refused(client.post("/crowd/Nothing/Match/"), 404, "has no workflow Nothing.", "/crowd/")
    assert problem(client.get("/crowd/Nothing/", headers=JSON), 404, "no-such-workflow")["way_out"] == "/crowd/"


def test_an_unknown_task_is_a_404(client):
    refused(client.get("/crowd/Matching/Nothing/"), 404, "Matching has no task Nothing.", "/crowd/Matching/")
    refused(client.get("/crowd/Matching/Thanks/"), 404, "Matching has no task Thanks.", "/crowd/Matching/")
    problem(client.get("/crowd/Matching/Nothing/", headers=JSON), 404, "no-such-task")


def test_a_refusal_of_a_router_that_stands_nowhere_tells_nothing_by_markup(client):
    assert "<b>" not in client.get("/crowd/%3Cb%3E/").text


def test_a_step_that_is_not_the_present_one_is_a_409_with_the_way_there(client):
    first = client.get("/crowd/Matching/")
    client.post("/crowd/Matching/Match/", {"crowd_step": step_of(first)})
    again = client.post("/crowd/Matching/Match/", {"crowd_step": step_of(first)})
    refused(again, 409, "answered before", "/crowd/Matching/")
    assert client.get("/crowd/Matching/").context["task"].get_name() == "Confirm"
    assert Move.objects.count() == 1
    found = problem(client.post("/crowd/Matching/Match/", headers=JSON), 409, "pipeline-elsewhere")
    assert found["way_out"] == "/crowd/Matching/"


def test_a_later_step_at_first_is_a_409(client):
    refused(client.get("/crowd/Matching/Confirm/"), 409, "Confirm is not next", "/crowd/Matching/")


def test_what_a_task_refuses_is_a_400_and_may_be_tried_again(client):
    first = client.get("/crowd/Matching/")
    answer = client.post("/crowd/Matching/Match/", {"same": "perhaps", "crowd_step": step_of(first)})
    refused(answer, 400, "Say yes or no.", "/crowd/Matching/Match/")
    assert client.get("/crowd/Matching/").context["crowd_step"] == step_of(first)
    bad = client.post("/crowd/Matching/Match/", {"same": "perhaps"}, headers=JSON)
    assert problem(bad, 400, "task-error")["detail"] == "Say yes or no."


def test_a_refusal_of_the_hosts_own_is_of_the_type_of_ours(client):
    refused(client.get("/crowd/Single/Sunday/"), 400, "Not on Sundays.")
    problem(client.get("/crowd/Single/Sunday/", headers=JSON), 400, "crowdrouter-error")


@pytest.mark.parametrize("body", ["{", "[1]", '{"a": 1, "a": 2}', '"text"'])
def test_a_body_that_is_not_the_json_we_take_is_a_400(client, body):
    answer = client.post("/crowd/Single/Thanks/", body, content_type="application/json", headers=JSON)
    problem(answer, 400, "request-not-understood")


def test_used_up_requests_are_a_429(client):
    assert client.get("/few/Single/").status_code == 200
    refused(client.get("/few/Single/"), 429, "Few lets in 1 requests, and has.", "/few/")
    assert problem(client.get("/few/Single/", headers=JSON), 429, "requests-used-up")["limit"] == 1


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_back(client):
    for address in ("/crowd/Single/Members/", "/closed/Single/Thanks/"):
        answer = client.get(f"{address}?a=1")
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"/login/?next={address}%3Fa%3D1"
    found = problem(client.get("/crowd/Single/Members/", headers=JSON), 403, "not-let-in")
    assert found["sign_in"] == "/login/"


def test_whoever_is_signed_in_and_may_not_reads_why(mia):
    router = registry.made(FrontRouter)
    router.blacklist = [get_user_model().objects.get(username="mia").pk]
    try:
        refused(mia.get("/crowd/Matching/"), 403, "FrontRouter does not let you in.", "/crowd/")
        assert "sign_in" not in problem(mia.get("/crowd/Matching/", headers=JSON), 403, "not-let-in")
    finally:
        del router.blacklist


@pytest.mark.parametrize("url", ["/accounts/login/", "no-such-name"])
def test_where_there_is_no_sign_in_page_the_refusal_is_a_page(client, settings, url):
    settings.LOGIN_URL = url
    refused(client.get("/crowd/Single/Members/"), 403, "you are not let in")


def test_the_sign_in_page_of_a_site_below_a_prefix_is_found(client):
    set_script_prefix("/app/")
    try:
        assert client.get("/crowd/Single/Members/").headers["Location"].startswith("/app/login/?next=")
    finally:
        set_script_prefix("/")


def test_a_sign_in_page_elsewhere_is_led_to(client, settings):
    settings.LOGIN_URL = "https://sso.example/in"
    assert client.get("/crowd/Single/Members/").headers["Location"].startswith("https://sso.example/in?next=")


@pytest.mark.parametrize("headers", [{}, JSON], ids=["page", "json"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_fault_of_the_host_is_a_500_that_tells_nothing(headers, method):
    client = Client(raise_request_exception=False)
    answer = getattr(client, method)("/crowd/Single/Broken/", headers=headers)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Broken" not in answer.text


# Forms of other sites.


@pytest.mark.parametrize("with_middleware", [True, False], ids=["with", "without"])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json"])
def test_a_post_needs_its_token_even_where_the_host_has_no_middleware_for_it(settings, with_middleware, content_type):
    if not with_middleware:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]
    client = Client(enforce_csrf_checks=True)
    client.get("/crowd/Matching/", headers=JSON)
    refusal = client.post("/crowd/Matching/Match/", "{}", content_type=content_type, headers=JSON)
    assert refusal.status_code == 403
    assert Move.objects.count() == 0
    token = {"x-csrftoken": client.cookies["csrftoken"].value}
    answer = client.post("/crowd/Matching/Match/", "{}", content_type=content_type, headers={**JSON, **token})
    assert answer.status_code == 200
    assert Move.objects.count() == 1


def test_pages_have_no_script_or_style_within(client):
    for address in ("/crowd/", "/crowd/Matching/", "/crowd/Nothing/"):
        text = client.get(address).text
        assert "style=" not in text
        assert "<script>" not in text
        assert "onclick" not in text


@pytest.mark.django_db(transaction=True)
def test_what_was_answered_is_kept_though_its_page_fails(client):
    client.raise_request_exception = False
    client.get("/crowd/Pages/")
    step = client.session["cr_move"]
    assert client.post("/crowd/Pages/", {"same": "yes"}).status_code == 500
    assert client.session["cr_data"] == {"said": "yes"}
    again = client.post("/crowd/Pages/", {"same": "no", "crowd_step": step})
    assert again.status_code == 409
    assert client.session["cr_data"] == {"said": "yes"}


def test_programs_are_not_told_what_was_meant_for_a_template(client):
    answer = client.get("/crowd/Single/Hidden/", headers=JSON).json()
    assert (answer["task"], answer["response"]) == ("Hidden", None)


def test_a_path_outside_that_a_request_brought_with_spaces_around_it_is_not_followed(client):
    answer = client.post("/crowd/Single/Hidden/", {"next": " https://evil.example/x "})
    assert answer.status_code == 200
    answer = client.post("/crowd/Single/Hidden/", {"next": " /thanks/ "})
    assert (answer.status_code, answer["Location"]) == (303, "/thanks/")


def test_a_response_does_not_name_the_user_of_the_page(mia):
    assert mia.get("/crowd/Single/Hidden/").context["user"].username == "mia"


def test_a_router_that_is_closed_shows_no_workflows(client, mia):
    assert Client().get("/closed/").status_code == 302
    assert Client().get("/closed/", headers=JSON).status_code == 403
    assert mia.get("/closed/").status_code == 200
