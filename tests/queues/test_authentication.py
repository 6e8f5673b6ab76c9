"""Who asks: bearer tokens and sessions."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from queues import tokens
from queues.api.authentication import BearerAuthentication, SessionAuthentication

pytestmark = pytest.mark.django_db


class Me(APIView):
    authentication_classes = (BearerAuthentication, SessionAuthentication)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"user": request.user.username, "token": getattr(request.auth, "pk", None)})

    post = get


@pytest.fixture
def alice():
    return get_user_model()._default_manager.create_user("alice", "alice@example.org", "secret")


def ask(header=None, method="get", **extra):
    if header is not None:
        extra["HTTP_AUTHORIZATION"] = header
    request = getattr(APIRequestFactory(enforce_csrf_checks=True), method)("/")
    request.META.update(extra)
    return request


def answer(request):
    return Me.as_view()(request)


def test_a_token_says_who_asks(alice):
    token, secret = tokens.issue(user=alice, name="laptop")
    assert answer(ask(f"Bearer {secret}")).data == {"user": "alice", "token": token.pk}


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_schemes_case_does_not_matter(alice, scheme):
    _, secret = tokens.issue(user=alice, name="laptop")
    assert answer(ask(f"{scheme} {secret}")).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "Bearer cs_", "Bearer cs_unknown", "Bearer \xe9"])
def test_a_wrong_token_is_401_with_the_challenge(header):
    response = answer(ask(header))
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="crowdsite"'
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("header", [None, "Basic YTpi"])
def test_the_anonymous_get_the_challenge(header):
    response = answer(ask(header))
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="crowdsite"')


def test_a_revoked_token_is_refused(alice):
    token, secret = tokens.issue(user=alice, name="laptop")
    tokens.revoke(token=token)
    assert answer(ask(f"Bearer {secret}")).status_code == 401


def test_an_expired_token_is_refused(alice):
    _, secret = tokens.issue(user=alice, name="laptop", expires_at=timezone.now() - timedelta(seconds=1))
    assert answer(ask(f"Bearer {secret}")).status_code == 401


def test_the_token_of_a_user_who_left_is_refused(alice):
    _, secret = tokens.issue(user=alice, name="laptop")
    alice.is_active = False
    alice.save()
    assert answer(ask(f"Bearer {secret}")).status_code == 401


def test_a_session_says_who_asks(alice):
    request = ask()
    request.user = alice
    assert answer(request).data == {"user": "alice", "token": None}


def test_a_session_needs_the_csrf_token_to_change_anything(alice):
    request = ask(method="post")
    request.user = alice
    assert answer(request).status_code == 403


def test_a_token_needs_none(alice):
    _, secret = tokens.issue(user=alice, name="laptop")
    assert answer(ask(f"Bearer {secret}", method="post")).status_code == 200


def test_the_api_schema_knows_the_scheme():
    extension = OpenApiAuthenticationExtension.get_match(BearerAuthentication)
    assert extension.get_security_definition(None)["scheme"] == "bearer"
