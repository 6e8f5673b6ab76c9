"""Calling the API as one of the people of tests.cast, and reading what it answers."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from rest_framework.test import APIClient

from queues import tokens
from queues.api.problems import CONTENT_TYPE, URN
from tests import cast

ROOT = "/api/v1/"

# The first request of a handler makes its middleware, which takes longer than the request; so all callers have one.
_handler = APIClient().handler


class Caller:
    """An API client with a token of its own. Paths are below /api/v1/; `expect` is the status that must come back.

    `token` is the token's id, or 0 for the anonymous.
    """

    def __init__(self, name: str | None) -> None:
        # An id that is made would differ from answer to answer.
        self.client, self.token = APIClient(HTTP_X_REQUEST_ID="tests"), 0
        self.client.handler = _handler
        if name is not None:
            token, secret = tokens.issue(user=cast.person(name), name="test")
            self.token = token.pk
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    def call(self, method: str, path: str, body: Any = None, expect: int | None = None, **headers: str) -> Any:
        """The response."""
        address = path if path.startswith(("/", "http")) else ROOT + path
        answer = self.client.generic(method, address, **sent(body), headers=named(headers))
        assert expect in (None, answer.status_code), f"{method} {path}: {answer.status_code} {answer.content!r}"
        return answer

    def get(self, path: str, expect: int = 200, **query: Any) -> Any:
        """The JSON of a GET; `query` becomes the query string, its lists repeated parameters."""
        answer = self.client.get(path if path.startswith(("/", "http")) else ROOT + path, query or None)
        assert answer.status_code == expect, f"GET {path} {query}: {answer.status_code} {answer.content!r}"
        return answer.json()

    def post(self, path: str, body: Any = None, expect: int = 200, **headers: str) -> Any:
        """The JSON of a POST."""
        return self.call("POST", path, body, expect, **headers).json()

    def patch(self, path: str, body: Any, expect: int = 200, **headers: str) -> Any:
        """The JSON of a PATCH."""
        return self.call("PATCH", path, body, expect, **headers).json()

    def delete(self, path: str, expect: int = 204, **headers: str) -> Any:
        """The response to a DELETE."""
        return self.call("DELETE", path, None, expect, **headers)

    def ids(self, path: str, **query: Any) -> list[int]:
        """The ids of a list's first page, smallest first."""
        return sorted(row["id"] for row in self.get(path, **query)["results"])


def sent(body: Any) -> dict[str, Any]:
    """The arguments of a generic request: bytes go as they are, None is no body at all, the rest becomes JSON."""
    if body is None:
        return {}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"data": raw, "content_type": "application/json"}


def named(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names from keyword arguments: `idempotency_key` is Idempotency-Key."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def problem(answer: HttpResponse, status: int, slug: str) -> Any:
    """The document of a refusal, which must be a whole problem of this type."""
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    document = answer.json()  # type: ignore[attr-defined]
    assert (answer.status_code, document["status"], document["type"]) == (status, status, URN + slug), document
    assert document["title"]
    return document


def pointers(document: Any) -> list[str]:
    """Where the errors of a problem document are."""
    return [error["pointer"] for error in document["errors"]]
