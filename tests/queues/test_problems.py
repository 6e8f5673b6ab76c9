"""Problem documents: every refusal of the API has a registered type, and tells where and why."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.urls import get_resolver
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from queues.api import problems
from queues.api.fields import StrictCharField, StrictIntegerField, StrictSerializer
from queues.api.problems import problem_response, register, registered
from queues.exceptions import CrowdError, InvalidInput, QueueArchived


class Item(StrictSerializer):
    priority = StrictIntegerField(max_value=995)
    keys = serializers.ListField(child=StrictCharField(), required=False)

    def validate(self, attrs):
        if attrs["priority"] == 13:
            raise serializers.ValidationError("Not 13.")
        return attrs


def ask(raises=None, *, method="post", body=None, classes=(), **extra):
    """The answer of a view that raises, or validates the body."""

    class View(APIView):
        authentication_classes = classes
        permission_classes = ()

        def post(self, request):
            if raises is not None:
                raise raises
            serializer = Item(data=request.data, many=isinstance(request.data, list))
            serializer.is_valid(raise_exception=True)
            return Response(serializer.validated_data)

    request = getattr(APIRequestFactory(), method)("/", body, **{"format": "json", **extra})
    response = View.as_view()(request)
    response.document = json.loads(response.rendered_content if hasattr(response, "render") else response.content)
    return response


def subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_refusal_of_ours_has_a_registered_type():
    # The addresses bring in every app's API, where its types are registered.
    assert get_resolver().url_patterns
    ours = (kind for kind in subclasses(CrowdError) if not kind.__module__.startswith("tests."))
    unknown = {kind.__qualname__ for kind in ours if kind.slug not in registered()}
    assert unknown == set()


def test_a_document_has_the_members_of_the_standard():
    response = ask(QueueArchived("The queue digits was deleted.", queue="digits"))
    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response.document == {
        "type": "urn:crowdsite:problem:queue-archived",
        "title": "The queue was deleted",
        "status": 409,
        "detail": "The queue digits was deleted.",
        "queue": "digits",
    }


def test_members_never_replace_the_documents_own():
    response = ask(QueueArchived("Gone.", status="digits", title="x"))
    assert response.document["status"] == 409
    assert response.document["title"] == "The queue was deleted"


@pytest.mark.parametrize(
    ("raised", "status", "slug"),
    [
        (exceptions.ParseError("x"), 400, "malformed-json"),
        (InvalidInput.at("/a", "x"), 400, "invalid-input"),
        (exceptions.PermissionDenied(), 403, "permission-denied"),
        (PermissionDenied(), 403, "permission-denied"),
        (exceptions.NotFound(), 404, "not-found"),
        (Http404("No Queue matches the given query."), 404, "not-found"),
        (exceptions.NotAcceptable(), 406, "not-acceptable"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported-media-type"),
        (exceptions.Throttled(wait=1.2), 429, "throttled"),
        (OperationalError("server closed the connection"), 503, "database-unavailable"),
        (InterfaceError("connection already closed"), 503, "database-unavailable"),
    ],
)
def test_each_exception_has_its_type(raised, status, slug):
    response = ask(raised)
    assert (response.status_code, response.document["status"]) == (status, status)
    assert response.document["type"] == f"urn:crowdsite:problem:{slug}"
    assert response["Content-Type"] == "application/problem+json"


def test_a_missing_object_does_not_tell_what_was_looked_for():
    assert "Queue" not in ask(Http404("No Queue matches the given query.")).document["detail"]


def test_a_database_that_is_away_does_not_tell_its_address():
    response = ask(OperationalError("connection to 10.0.0.7 failed"))
    assert "10.0.0.7" not in response.content.decode()
    assert response["Retry-After"] == "1"


def test_a_fault_of_ours_is_not_made_a_problem():
    with pytest.raises(IntegrityError):
        ask(IntegrityError("duplicate key"))


def test_a_wait_is_told_in_whole_seconds():
    assert ask(exceptions.Throttled(wait=1.2))["Retry-After"] == "2"


def test_a_method_that_is_not_there_is_405():
    response = ask(method="put")
    assert response.document["type"] == "urn:crowdsite:problem:method-not-allowed"
    assert response["Allow"] == "POST, OPTIONS"


def test_another_content_type_is_415():
    response = ask(body="a=1", content_type="application/x-www-form-urlencoded", format=None)
    assert (response.status_code, response["Content-Type"]) == (415, "application/problem+json")


def test_an_answer_that_we_cannot_give_is_406_in_json():
    response = ask(body={"priority": 5}, HTTP_ACCEPT="image/png")
    assert (response.status_code, response["Content-Type"]) == (406, "application/problem+json")


def test_the_anonymous_get_a_challenge():
    class Challenging(BaseAuthentication):
        def authenticate(self, request):
            return None

        def authenticate_header(self, request):
            return "Secret"

    response = ask(exceptions.NotAuthenticated(), classes=(Challenging,))
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Secret")


def test_without_a_challenge_there_is_no_401():
    assert ask(exceptions.NotAuthenticated()).document["status"] == 403


def test_an_error_points_to_its_place():
    response = ask(body={"priority": 1000, "keys": ["a", 5], "a/b": 1})
    assert response.status_code == 400
    assert {error["pointer"] for error in response.document["errors"]} == {"/priority", "/keys/1", "/a~1b"}
    assert all(error["detail"] and "index" not in error for error in response.document["errors"])


def test_an_error_of_the_whole_body_points_to_it():
    assert ask(body={"priority": 13}).document["errors"] == [{"pointer": "", "detail": "Not 13."}]


def test_errors_in_a_list_have_an_index(settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "LIST_SERIALIZER_ERRORS_AS_DICT": True}
    response = ask(body=[{"priority": 5}, {"priority": "5"}, {"priority": 13}])
    assert [(error["pointer"], error["index"]) for error in response.document["errors"]] == [
        ("/1/priority", 1),
        ("/2", 2),
    ]


def test_nested_lists_of_the_frameworks_older_form_are_understood():
    raised = exceptions.ValidationError([{}, {"keys": [{}, {"a": ["x", "y"]}]}])
    assert [(error["pointer"], error["detail"]) for error in ask(raised).document["errors"]] == [
        ("/1/keys/1/a", "x"),
        ("/1/keys/1/a", "y"),
    ]


def test_a_thousand_errors_are_not_all_listed():
    raised = InvalidInput([{"pointer": f"/{n}", "detail": "x", "index": n} for n in range(1000)])
    document = ask(raised).document
    assert (len(document["errors"]), document["errors_in_all"]) == (problems.MAX_ERRORS, 1000)


def test_a_malformed_body_tells_its_place():
    response = ask(body='{"priority": NaN}', content_type="application/json", format=None)
    assert response.document["type"] == "urn:crowdsite:problem:malformed-json"
    assert response.document["pointer"] == "/priority"


def test_a_type_is_registered_once():
    register("not-found", 404, "Not found")
    with pytest.raises(ValueError, match="not-found"):
        register("not-found", 410, "Gone")


def test_a_problem_can_be_answered_without_an_exception():
    response = problem_response("throttled", "Slow down.", headers={"Retry-After": "7"}, limit=3)
    assert (response.status_code, response["Retry-After"]) == (429, "7")
    assert json.loads(response.content)["limit"] == 3


def test_an_unregistered_type_is_a_fault():
    with pytest.raises(KeyError):
        problem_response("no-such-problem")
