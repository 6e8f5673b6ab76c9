"""`manage.py check --deploy` is content with production's settings, and with none that is not production's."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import WARNING, run_checks
from django.test import override_settings

from tests.site.serving import ROOT, manage


def production() -> dict[str, str]:
    """What `make check` sets, with secrets in place of the commands that make them."""
    said = Path(ROOT, "Makefile").read_text().split("\nPRODUCTION := ")[1].split("\n\n")[0]
    given = dict(re.findall(r"([A-Z_]+)=([^\s$]+)(?=\s|$)", said))
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    return given | {"SECRET_KEY": "0123456789abcdefghij" * 4, "CROWDSITE_ENCRYPTION_KEYS": key}


def test_the_settings_of_make_check_are_refused_nothing(tmp_path: Path) -> None:
    given = production()
    assert {"DATABASE_URL", "REDIS_URL", "HTTPS", "ALLOWED_HOSTS", "CROWDSITE_URL"} <= given.keys()
    done = manage("check", "--deploy", "--fail-level", "WARNING", CROWDSITE_DATA_DIR=tmp_path, **given)
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr


GOOD: dict[str, Any] = {
    "DEBUG": False,
    "SECRET_KEY": "0123456789abcdefghij" * 4,
    "SECRET_KEY_IS_SET": True,
    "ENCRYPTION_KEYS_ARE_SET": True,
    "DATABASE_URL": "postgres://db.example/crowdsite",
    "ALLOWED_HOSTS": ["crowdsite.example"],
    "CROWDSITE_URL": "https://crowdsite.example",
    "CROWDSITE_WEBHOOKS_LOOPBACK": False,
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
}


def complaints(**given: Any) -> set[str]:
    with override_settings(**{**GOOD, **given}):
        found = run_checks(include_deployment_checks=True)
    return {problem.id for problem in found if problem.level >= WARNING}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, set()),
        ({"DEBUG": True}, {"security.W018"}),
        ({"SECRET_KEY": "short"}, {"security.W009"}),
        ({"SECRET_KEY_FALLBACKS": ["short"]}, {"security.W025"}),
        ({"SECRET_KEY_IS_SET": False}, {"crowdsite.E002"}),
        ({"ENCRYPTION_KEYS_ARE_SET": False}, {"crowdsite.E004"}),
        ({"CROWDSITE_ENCRYPTION_KEYS": ["no key"]}, {"queues.E004"}),
        ({"CROWDSITE_WEBHOOKS_LOOPBACK": True}, {"crowdsite.E007"}),
        ({"ALLOWED_HOSTS": ["*"]}, {"crowdsite.E006"}),
        ({"ALLOWED_HOSTS": []}, {"security.W020"}),
        ({"CROWDSITE_URL": "http://127.0.0.1:8000"}, {"pavilion.W004"}),
        # Without HTTPS, each of what it sets is missed.
        ({"SECURE_SSL_REDIRECT": False}, {"security.W008"}),
        ({"SECURE_HSTS_SECONDS": 0}, {"security.W004"}),
        ({"SESSION_COOKIE_SECURE": False}, {"security.W012"}),
        ({"CSRF_COOKIE_SECURE": False}, {"security.W016"}),
        ({"CROWDSITE_THROTTLES": {"grab": "often"}}, {"queues.E009"}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_refused_by_name(given: dict[str, Any], said: set[str]) -> None:
    assert complaints(**given) == said
