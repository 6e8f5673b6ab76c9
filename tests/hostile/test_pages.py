"""What browsers may send to pages: queries, cookies, headers, forms. A page answers, and never with a 500."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests import cast, pools
from tests.hostile.fuzz import TIMES

pytestmark = pytest.mark.django_db

SOME = ["%00", "a%00b%FF", "9" * 25]
MORE = ["%ED%A0%80", "-1", "1e3", "[]", "%27", "..%2F..", "x" * 3000, "%E2%80%AE", ""] if TIMES else []

PAGES = ["/", "/login/", "/desk/", "/desk/done/", "/desk/metrics/", "/desk/queues/digits/", "/crowd/"]
ASKED = ["next", "queue", "period", "status", "first", "last", "before"]

HEADERS = ["Accept-Language", "Accept", "Referer", "User-Agent", "X-Forwarded-For", "Host", "If-Modified-Since"]
HEADERS += ["Authorization", "Range", "HX-Request", "Content-Type", "X-HTTP-Method-Override", "Content-Length"]


@pytest.fixture
def desk(db: None) -> Client:
    """The browser of one who may do everything, and has something to look at."""
    cast.person("olga", is_staff=True, is_superuser=True)
    queue = cast.queue("digits")
    cast.join(queue, "olga")
    cast.post(queue, 2)
    pools.join(pools.post(pools.make(queue=queue)), "ann")
    browser = Client(raise_request_exception=False)
    browser.force_login(cast.person("olga"))
    return browser


def lists() -> Iterator[tuple[str, set[str]]]:
    """The lists of the admin, each with names that it may be asked by."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label.startswith("crowd_"):
            filters = [one[0] if isinstance(one, tuple) else one for one in model_admin.list_filter]
            names = {one if isinstance(one, str) else str(one.parameter_name) for one in filters}
            exact = {f"{one}__exact" for one in filters if isinstance(one, str)}
            yield (
                reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"),
                names | exact | {"q", "p", "o", "queue"},
            )


def test_the_lists_of_the_admin_take_any_query(desk: Client) -> None:
    asked = [f"{address}?{name}={value}" for address, names in lists() for name in names for value in SOME + MORE]
    assert len(asked) > 100
    assert [address for address in asked if desk.get(address).status_code >= 500] == []


def test_pages_take_any_query(desk: Client) -> None:
    asked = [f"{address}?{name}={value}" for address in PAGES for name in ASKED for value in SOME + MORE]
    assert [address for address in asked if desk.get(address).status_code >= 500] == []


def test_what_no_row_can_have_is_a_bad_request(desk: Client) -> None:
    query = {"postgresql": "status=%00", "sqlite": "queue=" + "9" * 25}[connection.vendor]
    assert desk.get(f"/admin/crowd_queues/batch/?{query}").status_code == 400


@pytest.mark.parametrize("value", ['"\\000\\000\\000\\000\\000\\000\\000\\000"', "x" * 3000, '"' + "\\377" * 32 + '"'])
def test_a_cookie_that_nobody_was_given_counts_as_none(db: None, value: str) -> None:
    browser = Client(raise_request_exception=False)
    for name in ("sessionid", "csrftoken", "messages", "django_language"):
        for address, status in (("/", 200), ("/desk/", 302), ("/admin/", 302), ("/api/v1/tasks/", 401)):
            answer = browser.get(address, headers={"cookie": f"{name}={value}"})
            assert answer.status_code == status, (name, address)


@pytest.mark.parametrize(
    "value", ["\x00", "é" * 100, "x" * 5000, "Bearer \x00é", "Seat \x00é", "127.0.0.1:x", "-1", ","]
)
def test_headers_may_have_anything_in_them(desk: Client, value: str) -> None:
    for name in HEADERS:
        for address in ("/desk/", "/api/v1/tasks/", "/api/v1/seat/"):
            assert desk.get(address, headers={name: value}).status_code < 500, (name, address)


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_whoever_signs_in_may_call_themselves_anything(db: None, address: str) -> None:
    browser = Client(raise_request_exception=False)
    for value in ("\x00", "é" * 5000, "' OR 1=1 --", "\u202e", "//evil.example"):
        for name in ("username", "password", "next"):
            answer = browser.post(address, {"username": "olga", "password": "secret", name: value})
            assert answer.status_code < 500, (name, value)
