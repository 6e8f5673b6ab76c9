"""The pages of workers as HTTP has them: no cookies, no traces, and frames for their marketplace alone."""

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from pavilion import links, pool, sessions, submitting
from pavilion.models import Seat, Worker
from tests import cast, pools
from tests.pavilion import fair

pytestmark = pytest.mark.django_db

ORIGIN = "https://fair.example"
ANN = {"assignmentId": "A1", "workerId": "ann", "turkSubmitTo": f"{ORIGIN}/submit"}


@pytest.fixture
def at_the_fair(settings):
    """A session whose workers come from a marketplace that has our pages in a frame."""
    settings.CROWDSITE_MARKETPLACES = fair.SETTINGS
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"fair": {"origin": ORIGIN}}
    return pools.post(marketplace="fair")


def offer(session, **query):
    address = reverse("crowd-pool-offer", args=[links.of_offer(session_id=session.pk)])
    return f"{address}?{'&'.join(f'{name}={value}' for name, value in query.items())}"


def room(seat):
    return reverse("crowd-pool-room", args=[links.of_seat(seat.pk)])


def enter(client, seat, body):
    address = reverse("crowd-pool-enter", args=[links.of_seat(seat.pk)])
    return client.post(address, body, content_type="application/json")


def policy(response):
    parts = (part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    return {part[0]: part[1] for part in parts}


def rows():
    return {model: list(model.objects.order_by("pk").values()) for model in apps.get_models() if model._meta.managed}


def pages(client):
    session = pools.post()
    seat = pools.join(session, "ann")
    yield client.get(offer(session))
    yield client.post(offer(session), {"name": "Ben"})
    yield client.get(room(seat))
    yield enter(client, seat, {"connection": None})


def test_no_page_asks_for_cookies_or_sets_any(client):
    client.force_login(cast.person("olga"))
    for response in pages(client):
        assert not response.cookies
        assert "Cookie" not in response.get("Vary", "")
        assert not response.wsgi_request.session.accessed


def test_the_address_of_a_page_is_told_to_nobody(client):
    for response in pages(client):
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["Cache-Control"] == "no-store"


def test_a_form_from_anywhere_is_taken_since_the_link_is_the_key():
    strict = Client(enforce_csrf_checks=True)
    session = pools.post()
    assert strict.post(offer(session), {"name": "Ann"}).status_code == 303
    assert enter(strict, Seat.objects.get(), {"connection": None}).status_code == 200


def test_a_room_of_local_is_nobodys_frame(client):
    response = client.get(room(pools.join(pools.post(), "ann")))
    assert policy(response)["frame-ancestors"] == "'none'"
    assert policy(response)["form-action"] == "'self'"
    assert response["X-Frame-Options"] == "DENY"


def test_a_room_is_a_frame_of_its_marketplace_alone(client, at_the_fair):
    for address in (offer(at_the_fair), room(pools.join(at_the_fair, "ann"))):
        response = client.get(address)
        assert policy(response)["frame-ancestors"] == ORIGIN
        assert policy(response)["form-action"] == f"'self' {ORIGIN}"
        assert "X-Frame-Options" not in response
    assert policy(client.get("/"))["frame-ancestors"] == "'none'"


def test_a_host_without_a_policy_has_that_of_the_frame(client, at_the_fair, settings):
    del settings.CONTENT_SECURITY_POLICY
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Policy" not in name]
    response = client.get(offer(at_the_fair))
    assert policy(response) == {"frame-ancestors": ORIGIN, "form-action": f"'self' {ORIGIN}"}
    assert "X-Frame-Options" not in response


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_a_preview_creates_nothing(client, at_the_fair, method):
    before = rows()
    response = getattr(client, method)(offer(at_the_fair, assignmentId="NONE"))
    assert response.status_code == 200
    assert b"<form" not in response.content
    assert rows() == before


def test_to_look_at_an_offer_creates_nothing(client, at_the_fair):
    before = rows()
    assert client.get(offer(at_the_fair, **ANN)).status_code == 200
    assert rows() == before


def test_who_accepts_is_known_by_the_marketplace(client, at_the_fair):
    response = client.post(offer(at_the_fair, **ANN))
    seat = Seat.objects.get()
    assert (response.status_code, response["Location"]) == (303, room(seat))
    assert (seat.worker.external_id, seat.external_id, seat.submit_url) == ("ann", "A1", f"{ORIGIN}/submit")


@pytest.mark.parametrize("url", ["https://evil.example/submit", "javascript:alert(1)", f"{ORIGIN}.evil.example/submit"])
def test_an_address_that_is_not_of_the_marketplace_is_not_kept(client, at_the_fair, url):
    client.post(offer(at_the_fair, **{**ANN, "turkSubmitTo": url}))
    assert Seat.objects.get().submit_url == ""


def test_who_has_accepted_comes_back_to_their_room(client, at_the_fair):
    client.post(offer(at_the_fair, **ANN))
    assert client.get(offer(at_the_fair, **ANN))["Location"] == room(Seat.objects.get())


def test_nobody_comes_to_the_room_of_another(client, at_the_fair):
    client.post(offer(at_the_fair, **ANN))
    assert client.get(offer(at_the_fair, **{**ANN, "workerId": "ben"})).status_code == 200


def test_to_accept_twice_is_to_accept_once(client):
    session = pools.post()
    guest = client.get(offer(session)).context["guest"]
    rooms = {client.post(offer(session), {"name": "Ann", "guest": guest})["Location"] for _ in range(2)}
    assert rooms == {room(Seat.objects.get())}
    assert Worker.objects.count() == 1


def test_the_form_that_ends_it_at_the_marketplace_is_given_after_submitting(client, at_the_fair):
    client.post(offer(at_the_fair, **ANN))
    seat = Seat.objects.get()
    assert enter(client, seat, {"connection": None}).json()["submit"] is None
    sessions.stop(session_id=at_the_fair.pk)
    answer = enter(client, seat, {"connection": None}).json()
    assert answer["token"] is None
    assert answer["submit"] == {"url": f"{ORIGIN}/submit", "fields": {"assignmentId": "A1", "seat": str(seat.pk)}}


def test_no_form_is_given_to_who_has_not_submitted(client, at_the_fair):
    client.post(offer(at_the_fair, **ANN))
    seat = Seat.objects.get()
    pool.give_back(seat_id=seat.pk)
    assert enter(client, seat, {"connection": None}).json()["submit"] is None


def test_a_window_that_another_has_followed_gets_no_token(client):
    seat = pools.join(pools.post(), "ann")
    first = enter(client, seat, {"connection": None}).json()["connection"]
    enter(client, seat, {"connection": None})
    refused = enter(client, seat, {"connection": first})
    assert (refused.status_code, refused.json()["type"].split(":")[-1]) == (409, "seat-elsewhere")


@pytest.mark.parametrize(
    "body", ["", "[]", '"x"', '{"connection": "1"}', '{"connection": true}', "\x00", "{", "[" * 1000]
)
def test_nonsense_is_refused_in_a_sentence(client, body):
    seat = pools.join(pools.post(), "ann")
    refused = enter(client, seat, body)
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("name", ["crowd-pool-offer", "crowd-pool-room"])
def test_a_link_that_was_not_made_here_leads_nowhere(client, name):
    response = client.get(reverse(name, args=["nonsense"]))
    assert response.status_code == 404
    assert response["Referrer-Policy"] == "no-referrer"


def test_a_blocked_worker_is_told(client, at_the_fair):
    worker = pools.worker("ann", at_the_fair)
    pool.block(worker_id=worker.pk)
    response = client.post(offer(at_the_fair, **ANN))
    assert response.status_code == 409
    assert b"You cannot take part in this pool any more." in response.content


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://www.mturk.example/mturk/externalSubmit", True),
        ("https://www.mturk.example.evil.example/mturk/externalSubmit", False),
        ("http://www.mturk.example/mturk/externalSubmit", False),
        ("https://www.mturk.example@evil.example/", False),
        ("https://[www", False),
    ],
)
def test_a_form_goes_to_an_origin_of_the_list_alone(url, allowed):
    class Market(fair.Fair):
        submit_urls = ["https://www.mturk.example"]

    assert submitting.is_allowed(Market({}), url) is allowed
