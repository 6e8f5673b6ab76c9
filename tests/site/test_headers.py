"""What every answer carries, and what every request must: headers, cookies, the site's own host, the CSRF token."""

from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.test.utils import override_settings

from tests.cast import person

pytestmark = pytest.mark.django_db

PATHS = ("/", "/login/", "/admin/login/", "/api/v1/tasks/", "/api/docs/", "/healthz", "/nowhere")


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_is_framed_guessed_or_told_of_elsewhere(path: str) -> None:
    headers = Client().get(path).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PATHS)
def test_no_page_elsewhere_may_read_an_answer(path: str) -> None:
    headers = Client().get(path, HTTP_ORIGIN="https://evil.example").headers
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_cookies_go_to_the_site_alone_and_the_sessions_to_no_script() -> None:
    person("alice")
    client = Client()
    client.get("/login/")
    client.post("/login/", {"username": "alice", "password": "secret"})
    session, csrf = client.cookies["sessionid"], client.cookies["csrftoken"]
    assert (session["samesite"], csrf["samesite"]) == ("Lax", "Lax")
    assert session["httponly"]
    with override_settings(SESSION_COOKIE_SECURE=True, CSRF_COOKIE_SECURE=True):
        secure = Client()
        secure.get("/login/")
        secure.post("/login/", {"username": "alice", "password": "secret"})
    assert secure.cookies["sessionid"]["secure"]
    assert secure.cookies["csrftoken"]["secure"]


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31_536_000, SECURE_HSTS_INCLUDE_SUBDOMAINS=True)
def test_with_https_all_goes_there_and_stays_there() -> None:
    answer = Client().get("/login/")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/login/")
    told = Client().get("/login/", secure=True).headers["Strict-Transport-Security"]
    assert told == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(("trusted", "secure"), [(False, False), (True, True)])
def test_a_proxy_says_what_is_https_where_it_is_trusted(settings: Any, trusted: bool, secure: bool) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if trusted else None
    settings.SECURE_SSL_REDIRECT = True
    answer = Client().get("/login/", HTTP_X_FORWARDED_PROTO="https")
    assert (answer.status_code == 200) is secure


@pytest.mark.parametrize("path", ["/login/", "/api/v1/tasks/"])
def test_a_host_that_is_not_ours_is_refused(settings: Any, path: str) -> None:
    settings.ALLOWED_HOSTS = ["crowdsite.example"]
    assert Client().get(path, HTTP_HOST="evil.example").status_code == 400
    assert Client().get(path, HTTP_HOST="crowdsite.example").status_code in (200, 401)


@pytest.mark.parametrize("path", ["/login/", "/admin/login/", "/logout/", "/admin/crowd_queues/queue/add/"])
def test_no_form_is_taken_without_its_token(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    assert client.post(path, {}).status_code == 403


@pytest.mark.parametrize("password", ["short", "password1", "1234567890", "alice@example.org"])
def test_a_poor_password_is_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, person("alice"))
    validate_password("a long walk in the rain", person("alice"))


def test_passwords_are_hashed_slowly_outside_of_tests() -> None:
    from crowdsite import settings

    assert not hasattr(settings, "PASSWORD_HASHERS")
