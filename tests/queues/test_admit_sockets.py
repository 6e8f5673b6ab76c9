"""Which pages may open sockets, how much may be sent, and what a host is told that cannot have them."""

import pytest
from django.core.checks import run_checks

from queues.consumers.limits import FRAMES_AT_ONCE, Bucket
from queues.consumers.origins import is_ours


def headers(**given):
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]


@pytest.mark.parametrize(
    ("asked", "origin", "ours"),
    [
        ("www.example.org", "https://www.example.org", True),
        ("www.example.org:8001", "https://www.example.org:8000", True),
        ("www.example.org", "https://trusted.example.com", True),
        ("www.example.org", "https://a.pages.example.com", True),
        ("www.example.org", None, True),
        ("www.example.org", "http://a.pages.example.com", False),
        ("www.example.org", "https://trusted.example.com:444", False),
        ("www.example.org", "https://api.example.org", False),
        ("www.example.org", "https://evil.example", False),
        ("www.example.org", "https://www.example.org.evil.example", False),
        ("www.example.org", "https://www.example.org@evil.example", False),
        ("www.example.org", "https://evil.example/www.example.org", False),
        ("www.example.org", "null", False),
        ("www.example.org", "", False),
        ("www.example.org", "file://www.example.org", False),
        ("www.example.org", "https://[", False),
        ("evil.example", "https://evil.example", False),
        ("evil.example", None, False),
        ("", None, False),
    ],
)
def test_a_page_is_ours_by_the_hosts_and_origins_of_the_settings(settings, asked, origin, ours):
    settings.ALLOWED_HOSTS = [".example.org"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example.com", "https://*.pages.example.com"]
    sent = {"host": asked} | ({} if origin is None else {"origin": origin})
    assert is_ours(headers(**sent)) is ours


def test_of_two_origins_none_counts():
    assert not is_ours(headers(host="localhost") + headers(origin="http://localhost") * 2)


def test_a_site_with_secure_cookies_has_no_pages_over_http(settings):
    sent = headers(host="localhost", origin="http://localhost")
    assert is_ours(sent)
    settings.SESSION_COOKIE_SECURE = True
    assert not is_ours(sent)


def test_the_forwarded_host_counts_where_the_site_says_so(settings):
    sent = headers(host="127.0.0.1", x_forwarded_host="localhost", origin="https://localhost")
    assert not is_ours(sent)
    settings.USE_X_FORWARDED_HOST = True
    assert is_ours(sent)


def test_a_bucket_fills_again():
    bucket = Bucket(now=0)
    assert all(bucket.take(0) for _ in range(FRAMES_AT_ONCE))
    assert not bucket.take(0.5)
    assert bucket.take(1.5)
    assert not bucket.take(1.5)


def complaints():
    return [problem.id for problem in run_checks(tags=["async_support"])]


def test_a_layer_in_memory_is_for_one_process(settings, monkeypatch):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.CROWDSITE_PROCESSES = 1
    assert complaints() == []
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    assert complaints() == ["queues.E006"]
    monkeypatch.delenv("WEB_CONCURRENCY")
    settings.CROWDSITE_PROCESSES = 3
    assert complaints() == ["queues.E006"]


def test_a_layer_in_a_broker_is_for_any_number(settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}}
    settings.CROWDSITE_PROCESSES = 3
    assert complaints() == []


def test_a_host_with_channels_and_no_layer_is_warned(settings):
    settings.CHANNEL_LAYERS = {}
    assert complaints() == ["queues.W006"]
    del settings.ASGI_APPLICATION
    assert complaints() == []
