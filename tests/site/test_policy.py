"""The Content-Security-Policy is what django-csp would send, though it is made once."""

from typing import Any

import pytest
from csp.constants import NONE, SELF
from csp.utils import build_policy
from django.test import Client


def directives(text: str) -> set[str]:
    return {directive.strip() for directive in text.split(";")}


@pytest.mark.django_db
def test_every_answer_has_the_sites_policy() -> None:
    for path in ("/healthz", "/api/v1/tasks/", "/login/"):
        assert directives(Client().get(path).headers["Content-Security-Policy"]) == directives(build_policy())


@pytest.mark.django_db
def test_a_policy_that_changes_is_sent(settings: Any) -> None:
    client = Client()
    client.get("/healthz")
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"default-src": [NONE], "img-src": [SELF]}}
    sent = client.get("/healthz").headers["Content-Security-Policy"]
    assert directives(sent) == {"default-src 'none'", "img-src 'self'"}
