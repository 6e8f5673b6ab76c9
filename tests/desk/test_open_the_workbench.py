"""Who gets the workbench, and what the server puts into it."""

import pytest
from django.urls import reverse

from tests import cast

pytestmark = pytest.mark.django_db


def get(client, name, queue="digits"):
    client.force_login(cast.person(name))
    return client.get(reverse("crowd-workbench", args=[queue]))


def test_reviewers_get_it(client):
    queue = cast.queue(alias="Cats", instructions="Look *twice*.", reviewer_frontend_url="https://tool.example/")
    cast.join(queue, "alice")
    page = get(client, "alice").content.decode()
    assert "<h1>Cats</h1>" in page
    assert "<em>twice</em>" in page
    assert 'href="https://tool.example/"' in page
    assert reverse("crowd-queue-grab", args=["digits"]) in page


def test_the_anonymous_sign_in_first(client):
    cast.queue()
    answer = client.get(reverse("crowd-workbench", args=["digits"]))
    assert answer.status_code == 302
    assert answer.url.endswith("?next=/desk/queues/digits/")


def test_a_member_who_is_no_reviewer_is_told_so(client):
    cast.queue()
    answer = get(client, "mia")
    assert answer.status_code == 403
    assert "You do not review in this queue" in answer.content.decode()


@pytest.mark.parametrize("queue", ["digits", "nowhere"])
def test_what_is_not_seen_is_missing(client, queue):
    cast.queue()
    assert get(client, "alice", queue).status_code == 404


def test_a_name_with_dots_and_dashes_is_a_queue(client):
    cast.join(cast.queue("a-b_c.d"), "alice")
    assert get(client, "alice", "a-b_c.d").status_code == 200


def test_a_schema_cannot_end_the_script(client):
    cast.join(cast.queue(output_schema={"title": "</script><script>alert(1)</script>"}), "alice")
    assert "<script>alert" not in get(client, "alice").content.decode()


@pytest.mark.parametrize(
    ("at", "address"),
    [
        (None, ""),
        ("", "/ws/queues/digits/"),
        (":8001", "//testserver:8001/ws/queues/digits/"),
        ("wss://live.example", "wss://live.example/ws/queues/digits/"),
    ],
)
def test_the_page_knows_where_its_socket_is(client, settings, at, address):
    settings.CROWDSITE_SOCKETS = at
    cast.join(cast.queue(), "alice")
    assert f'"socket": "{address}"' in get(client, "alice").content.decode()
