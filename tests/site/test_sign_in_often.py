"""Passwords cannot be tried one after the other, here or in the admin."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client, RequestFactory

from crowdsite.signing_in import MANY, address_of
from queues import throttles
from tests.cast import person

pytestmark = pytest.mark.django_db

PAGES = ("/login/", "/admin/login/")


@pytest.fixture(autouse=True)
def three(settings: Any) -> Iterator[None]:
    """Three tries an hour."""
    prefix = {"KEY_PREFIX": uuid4().hex}
    settings.CACHES = {alias: {**options, **prefix} for alias, options in settings.CACHES.items()}
    settings.CROWDSITE_THROTTLES = {"sign_in": "3/h"}
    throttles.forget()
    yield
    throttles.forget()


def tried(page: str, name: str = "alice", password: str = "wrong", **headers: Any) -> Any:
    return Client().post(page, {"username": name, "password": password}, **headers)


@pytest.mark.parametrize("page", PAGES)
def test_the_fourth_try_is_refused_in_a_page_even_with_the_right_password(page: str) -> None:
    person("alice", is_staff=True)
    for _time in range(3):
        assert tried(page).status_code == 200
    answer = tried(page, password="secret")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert "Too many tries" in answer.text
    assert not answer.wsgi_request.user.is_authenticated


def test_both_pages_count_together_and_names_as_they_are_meant() -> None:
    for page, name in zip((*PAGES, "/login/"), ("alice", " Alice", "ALICE"), strict=True):
        assert tried(page, name).status_code == 200
    assert tried("/admin/login/").status_code == 429


def test_others_from_there_and_the_same_from_elsewhere_are_not_in_the_way() -> None:
    for _time in range(4):
        answer = tried("/login/")
    assert answer.status_code == 429
    assert tried("/login/", "bob").status_code == 200
    assert tried("/login/", REMOTE_ADDR="192.0.2.1").status_code == 200


def test_a_name_can_be_tried_so_often_from_everywhere() -> None:
    for number in range(3 * MANY):
        assert tried("/login/", REMOTE_ADDR=f"192.0.2.{number}").status_code == 200
    assert tried("/login/", REMOTE_ADDR="198.51.100.1").status_code == 429


def test_an_address_can_try_so_many_names() -> None:
    for number in range(3 * MANY):
        assert tried("/login/", f"name {number}").status_code == 200
    assert tried("/login/", "another").status_code == 429


def test_looking_at_the_page_is_no_try() -> None:
    for _time in range(5):
        assert Client().get("/login/").status_code == 200


def test_without_a_rate_nobody_is_refused(settings: Any) -> None:
    settings.CROWDSITE_THROTTLES = {"sign_in": "0"}
    for _time in range(5):
        assert tried("/login/").status_code == 200


def test_the_name_that_was_typed_is_not_written_down(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(throttles.Throttle, "_add", staticmethod(lambda key, number, seconds: asked.append(key) or 1))
    tried("/login/", "my password by mistake")
    assert len(asked) == 3
    assert not any("password" in key for key in asked)


@pytest.mark.parametrize(
    ("trusted", "said", "address"),
    [
        (False, "203.0.113.9", "192.0.2.1"),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (True, "", "192.0.2.1"),
    ],
)
def test_where_one_comes_from_says_the_proxy_that_is_trusted(
    settings: Any, trusted: bool, said: str, address: str
) -> None:
    settings.TRUST_PROXY = trusted
    headers = {"HTTP_X_FORWARDED_FOR": said} if said else {}
    assert address_of(RequestFactory().post("/login/", REMOTE_ADDR="192.0.2.1", **headers)) == address
