"""What is read of a request: of Django's, of REST framework's, of any object with a method, a session and data."""

import json
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.http import QueryDict
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request

from routing import (
    CrowdRequest,
    InvalidRequestError,
    InvalidRequestStrategyError,
    InvalidSessionError,
    NoRequestFoundError,
    NoSessionFoundError,
)
from tests.routing.crowds import Ask, First, Person, django_request, plain, router, stored

pytestmark = pytest.mark.django_db


def read(request, session=None, **data):
    return router(plain(First)).route("Plain", First, request, session, **data).crowd_request


def test_no_request_is_refused():
    with pytest.raises(NoRequestFoundError):
        router(plain(First)).route("Plain", First)


def test_a_request_without_a_session_is_refused():
    for request in (SimpleNamespace(method="GET"), SimpleNamespace(method="GET", session=None)):
        with pytest.raises(NoSessionFoundError):
            read(request)


def test_a_session_that_is_given_stands_for_that_of_the_request():
    assert read(SimpleNamespace(method="GET"), {"a": 1}).get_session() == {"a": 1}
    assert read(Ask(session={"b": 1}), {"a": 1}).get_session() == {"a": 1}


def test_an_empty_session_is_one():
    session = {}
    assert read(Ask(session=session)).get_session() is session


def test_a_session_without_keys_is_refused():
    with pytest.raises(InvalidSessionError):
        read(SimpleNamespace(method="GET", session="abc"))


@pytest.mark.parametrize("method", [None, "", "PUT", "DELETE", "OPTIONS", 7])
def test_another_method_than_get_and_post_is_refused(method):
    with pytest.raises(InvalidRequestError, match="GET or POST"):
        read(Ask(method))


def test_head_is_read_as_get():
    assert read(Ask("HEAD")).get_method() == "GET"


def test_data_and_form_of_any_object_are_copies():
    data, form = {"a": 1}, {"b": 2}
    asked = read(Ask("POST", data=data, form=form))
    asked.get_data()["more"] = asked.get_form()["more"] = 1
    assert (data, form) == ({"a": 1}, {"b": 2})


@pytest.mark.parametrize("name", ["data", "form"])
@pytest.mark.parametrize("value", [["a"], "a=1", 7])
def test_data_that_is_no_mapping_is_refused(name, value):
    with pytest.raises(InvalidRequestError, match=f"{name} must be a mapping"):
        read(Ask("POST", **{name: value}))


@pytest.mark.parametrize("value", [None, {}, "", b"", []])
def test_an_empty_body_is_an_empty_form(value):
    assert read(Ask("POST", form=value)).get_form() == {}


def test_a_request_of_django_keeps_several_values_of_a_name():
    request = django_request("POST", {}, data={"b": ["3", "4"]}, QUERY_STRING="a=1&a=2&c=5")
    asked = read(request, c=6, made={"deep": []})
    assert asked.get_data().getlist("a") == ["1", "2"]
    assert (asked.get_data()["c"], asked.get_data()["made"]) == (6, {"deep": []})
    assert asked.get_form().getlist("b") == ["3", "4"]
    assert QueryDict("a=1&a=2&c=5") == request.GET


def test_files_of_a_django_request_join_its_form():
    file = SimpleUploadedFile("cat.txt", b"miaow")
    asked = read(django_request("POST", {}, data={"name": "Tom", "picture": file}))
    assert asked.get_form()["name"] == "Tom"
    assert asked.get_form()["picture"].read() == b"miaow"
    assert asked.get_request().POST.keys() == {"name"}


def test_a_json_body_of_a_django_request_is_its_form():
    body = {"label": "cat", "boxes": [1, {"x": 2}]}
    asked = read(django_request("POST", {}, data=json.dumps(body), content_type="application/json; charset=utf-8"))
    assert asked.get_form() == body


@pytest.mark.parametrize("body", ["{", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\u0000"}', b"\xff"])
def test_a_malformed_json_body_is_refused(body):
    with pytest.raises(InvalidRequestError, match="The body is not the JSON that is taken"):
        read(django_request("POST", {}, data=body, content_type="application/json"))


@pytest.mark.parametrize("body", ["[1]", '"a"', "null"])
def test_a_json_body_that_is_no_object_is_refused(body):
    with pytest.raises(InvalidRequestError, match="must be a JSON object"):
        read(django_request("POST", {}, data=body, content_type="application/json"))


def test_a_json_body_that_was_read_before_is_refused():
    request = django_request("POST", {}, data="{}", content_type="application/json")
    request.read()
    with pytest.raises(InvalidRequestError, match="was read before"):
        read(request)


def test_a_request_of_rest_framework_has_its_parsed_body_as_form():
    made = django_request(
        "POST", {"s": 1}, data='{"a": [1, 2]}', content_type="application/json", QUERY_STRING="q=1&q=2"
    )
    asked = read(Request(made, parsers=[JSONParser()]))
    assert asked.get_form() == {"a": [1, 2]}
    assert asked.get_data().getlist("q") == ["1", "2"]
    assert asked.get_session() == {"s": 1}


def test_a_list_to_rest_framework_is_refused():
    made = django_request("POST", {}, data="[1]", content_type="application/json")
    with pytest.raises(InvalidRequestError, match="data must be a mapping, not list"):
        read(Request(made, parsers=[JSONParser()]))


def test_files_to_rest_framework_are_handed_on_and_not_copied(settings):
    settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
    made = django_request("POST", {}, data={"name": "Tom", "picture": SimpleUploadedFile("cat.txt", b"miaow")})
    asked = read(Request(made, parsers=[MultiPartParser()]))
    assert isinstance(asked.get_form()["picture"], TemporaryUploadedFile)
    assert asked.get_form()["picture"].read() == b"miaow"
    made.close()


def test_who_asks_is_the_user_who_is_signed_in():
    assert read(Ask()).get_user() is None
    assert read(Ask(user=AnonymousUser())).get_user() is None
    someone = SimpleNamespace(pk=1, is_authenticated=True)
    assert read(Ask(user=someone)).get_user() is someone


def test_a_crowd_request_is_made_of_what_was_read():
    with pytest.raises(InvalidRequestStrategyError):
        CrowdRequest(None, None, Ask())


def test_a_stored_session_is_left_alone_where_nothing_is_piped():
    session = stored()
    Person(plain(First), session).get()
    assert not session.modified
