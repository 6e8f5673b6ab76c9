"""Pages of a list: by descending id, with strict sizes and cursors."""

import base64

import pytest
from django.contrib.auth import get_user_model
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from queues.api.pagination import InvalidCursor, Pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    users = get_user_model()._default_manager
    users.bulk_create(users.model(username=f"person{n}") for n in range(7))
    return users.order_by("id")


def page(queryset, url="/"):
    """The answer for `url` (with its query), its results as ids."""
    pages = Pages()
    found = pages.paginate_queryset(queryset, Request(APIRequestFactory().get(url)))
    return pages.get_paginated_response([person.pk for person in found]).data


def cursor(text):
    return "/?cursor=" + base64.b64encode(text.encode()).decode()


def test_a_page_is_newest_first_with_two_links(people):
    answer = page(people)
    assert list(answer) == ["results", "next", "previous"]
    assert answer["results"] == [person.pk for person in people.order_by("-id")]
    assert answer["next"] is answer["previous"] is None


def test_the_links_lead_through_everything_and_back(people):
    ids = [person.pk for person in people.order_by("-id")]
    first = page(people, "/?page_size=3")
    second = page(people, first["next"])
    third = page(people, second["next"])
    assert [first["results"], second["results"], third["results"]] == [ids[:3], ids[3:6], ids[6:]]
    assert third["next"] is None
    assert page(people, third["previous"])["results"] == ids[3:6]


def test_what_is_added_meanwhile_shifts_nothing(people):
    ids = [person.pk for person in people.order_by("-id")]
    first = page(people, "/?page_size=3")
    get_user_model()._default_manager.create(username="late")
    assert page(people, first["next"])["results"] == ids[3:6]


def test_a_page_has_fifty_unless_asked_otherwise(people):
    people.model._default_manager.bulk_create(people.model(username=f"more{n}") for n in range(200))
    assert len(page(people)["results"]) == 50
    assert len(page(people, "/?page_size=200")["results"]) == 200


@pytest.mark.parametrize("size", ["0", "201", "-1", "+5", "5.0", "1e2", "", "x", "٥", "5_0", "9" * 5000])
def test_another_size_is_refused(people, size):
    with pytest.raises(ValidationError) as caught:
        page(people, f"/?page_size={size}")
    assert "page_size" in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "/?cursor=x",
        "/?cursor=",
        "/?cursor=%00",
        "/?cursor=é",
        cursor("p=x"),
        cursor("p=-5"),
        cursor("p=1.5"),
        cursor("p=9223372036854775808"),
        cursor("p=%00"),
        cursor("o=x"),
        cursor("o=-1"),
        cursor("r=x"),
        cursor("p=" + "9" * 5000),
        cursor("r=" + "9" * 5000),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(people, url):
    with pytest.raises(InvalidCursor):
        page(people, url)
