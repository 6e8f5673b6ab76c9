"""Nobody fills the disk with a form, whichever server takes it."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from crowdsite import uploads
from crowdsite.asgi import application

SMALL = 100_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that a test reaches soon."""
    monkeypatch.setattr(uploads, "UPLOAD_MAX", SMALL)


def form(client: Client, length: int) -> Any:
    boundary = "part"
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--{boundary}--\r\n'
    kind = f"multipart/form-data; boundary={boundary}"
    return client.generic("POST", "/login/", body, content_type=kind, CONTENT_LENGTH=str(length or len(body)))


@pytest.mark.django_db
def test_a_form_that_says_it_is_too_large_is_refused_before_it_is_read() -> None:
    asker = Client(enforce_csrf_checks=True)
    asker.get("/login/")
    assert form(asker, 0).status_code == 403
    assert form(asker, uploads.UPLOAD_MAX + 1).status_code == 400


def asked(chunks: int, chunk: int = SMALL // 10, **headers: str) -> tuple[list[Any], int]:
    """What the asynchronous site sends for a body of so many chunks, and how many of them it took."""
    sent: list[Any] = []
    taken = 0

    async def receive() -> Any:
        nonlocal taken
        if taken == chunks:
            await asyncio.Event().wait()
        taken += 1
        return {"type": "http.request", "body": b"x" * chunk, "more_body": taken < chunks}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": "localhost", **headers}
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    scope = {"type": "http", "method": "POST", "path": "/healthz", "query_string": b"", "headers": named}
    asyncio.run(application(scope, receive, send))
    return sent, taken


@pytest.mark.usefixtures("small")
def test_a_body_that_says_it_is_too_large_is_not_taken_at_all() -> None:
    sent, taken = asked(1, content_length=str(SMALL + 1))
    assert (sent[0]["status"], taken) == (413, 0)


@pytest.mark.usefixtures("small")
def test_a_body_that_goes_on_and_on_is_left() -> None:
    sent, taken = asked(1000)
    assert sent == []
    assert taken == 11


@pytest.mark.usefixtures("small")
def test_a_body_within_the_limit_is_taken() -> None:
    sent, taken = asked(10)
    # Read whole, and then a form without its token.
    assert (sent[0]["status"], taken) == (403, 10)
