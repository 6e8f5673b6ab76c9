"""Reading a request's body: strict, and bounded."""

import json
from io import BytesIO

import pytest
from django.http import UnreadablePostError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from queues.api.parsers import (
    MAX_BODY,
    MAX_LIST_BODY,
    BodyTooLarge,
    LengthRequired,
    MalformedJSON,
    StrictJSONParser,
    require_length,
)


class Counting(BytesIO):
    """A body that knows how much of it was read, and never gives more than 64 KiB at once."""

    def read(self, size=-1):
        return super().read(min(size, 65_536))


def parse(raw):
    return StrictJSONParser().parse(Counting(raw), "application/json", {})


def text_of(size):
    return b'"' + b"x" * (size - 2) + b'"'


def test_a_body_is_its_value():
    assert parse(b' {"a": [1, true, null]} ') == {"a": [1, True, None]}


@pytest.mark.parametrize("raw", [b"", b" \r\n\t"])
def test_an_empty_body_is_an_empty_object(raw):
    assert parse(raw) == {}


def test_a_malformed_body_is_refused_with_its_place():
    with pytest.raises(MalformedJSON) as caught:
        parse(b'{"a": ["\\u0000"]}')
    assert caught.value.extra == {"pointer": "/a/0"}


def test_a_body_of_one_mebibyte_is_read_and_a_longer_one_refused():
    assert len(parse(text_of(MAX_BODY))) == MAX_BODY - 2
    with pytest.raises(BodyTooLarge) as caught:
        parse(text_of(MAX_BODY + 1))
    assert caught.value.extra == {"limit": MAX_BODY}


def test_a_list_may_have_eight():
    wrapped = b" [" + text_of(MAX_LIST_BODY - 3) + b"]"
    assert len(wrapped) == MAX_LIST_BODY
    assert len(parse(wrapped)) == 1
    with pytest.raises(BodyTooLarge) as caught:
        parse(wrapped + b" ")
    assert caught.value.extra == {"limit": MAX_LIST_BODY}


def test_a_list_behind_a_mebibyte_of_spaces_is_too_large():
    with pytest.raises(BodyTooLarge):
        parse(b" " * (MAX_BODY + 1) + b"[]")


def test_no_more_than_a_byte_beyond_the_limit_is_read():
    stream = Counting(text_of(MAX_LIST_BODY * 2))
    with pytest.raises(BodyTooLarge):
        StrictJSONParser().parse(stream)
    assert stream.tell() == MAX_BODY + 1


def test_a_client_that_goes_away_is_answered():
    class Broken(BytesIO):
        def read(self, size=-1):
            raise UnreadablePostError("gone")

    with pytest.raises(MalformedJSON):
        StrictJSONParser().parse(Broken())


def test_the_framework_hands_us_the_stream_itself():
    # For descendants of its own parsers REST framework reads the whole body first, whatever its length.
    assert not issubclass(StrictJSONParser, JSONParser)
    request = APIRequestFactory().generic("POST", "/", text_of(MAX_BODY + 1), "application/json")
    with pytest.raises(BodyTooLarge):
        _ = Request(request, parsers=[StrictJSONParser()]).data
    assert not hasattr(request, "_body")


def test_a_list_is_read_through_the_framework():
    request = APIRequestFactory().post("/", json.dumps([{"a": 1}]), content_type="application/json")
    assert Request(request, parsers=[StrictJSONParser()]).data == [{"a": 1}]


def test_a_body_in_chunks_is_refused():
    request = APIRequestFactory().generic("POST", "/", HTTP_TRANSFER_ENCODING="chunked")
    request.META.pop("CONTENT_LENGTH", None)
    with pytest.raises(LengthRequired):
        require_length(request)


def test_a_body_with_a_length_or_none_at_all_passes():
    factory = APIRequestFactory()
    require_length(factory.post("/", {"a": 1}, format="json"))
    require_length(factory.get("/"))
