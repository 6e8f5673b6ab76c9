"""Signing in to the site and out of it."""

import pytest

from tests.cast import person

pytestmark = pytest.mark.django_db


def test_the_right_password_leads_to_the_desk(client):
    person("alice")
    answer = client.post("/login/", {"username": "alice", "password": "secret"})
    assert answer.headers["Location"] == "/desk/"


def test_a_wrong_password_is_said_in_a_sentence_and_what_was_typed_stays(client):
    person("alice")
    page = client.post("/login/", {"username": "alice", "password": "wrong", "next": "/desk/done/"})
    assert "That name and password do not fit together" in page.text
    assert 'value="alice"' in page.text
    assert '<input type="hidden" name="next" value="/desk/done/">' in page.text
    assert "wrong" not in page.text


def test_it_leads_to_no_other_site(client):
    person("alice")
    answer = client.post("/login/", {"username": "alice", "password": "secret", "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/desk/"


def test_one_who_is_signed_in_is_sent_on(client):
    client.force_login(person("alice"))
    assert client.get("/login/?next=/desk/metrics/").headers["Location"] == "/desk/metrics/"


def test_browsers_know_what_the_fields_are(client):
    page = client.get("/login/").text
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page


def test_signing_out_leads_home(client):
    client.force_login(person("alice"))
    answer = client.post("/logout/")
    assert answer.headers["Location"] == "/"
    assert "Sign in" in client.get("/").text
    assert client.get("/desk/").status_code == 302


def test_the_page_says_where_the_passwords_of_the_demo_are(client, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert "demo.json" not in client.get("/login/").text
    (tmp_path / "demo.json").write_text("{}")
    assert "demo.json" in client.get("/login/").text
