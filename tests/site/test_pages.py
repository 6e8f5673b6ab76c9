"""The site's own pages: home, the API's documentation; and what every answer carries."""

import re

import pytest

PAGES = ("/", "/api/docs/", "/admin/login/", "/no-such-page")


def test_the_home_page_leads_everywhere(client):
    answer = client.get("/")
    assert answer.status_code == 200
    for address in ("/api/docs/", "/api/schema/", "/admin/", "/readyz"):
        assert f'href="{address}"' in answer.text


@pytest.mark.django_db
def test_the_schema_describes_the_api(client):
    answer = client.get("/api/schema/", headers={"accept": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.")
    assert all(path.startswith("/api/v1/") for path in answer.json()["paths"])


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_pages_are_safe_in_a_browser(client, path):
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", answer.text)
