"""Settings come from the environment, and wrong ones are refused in a sentence with an id."""

import stat

import pytest
from django.core.checks import run_checks
from environs import EnvError

from crowdsite import environment
from tests.site.serving import manage


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"DATABASE_URL": "mysql://db.example/crowdsite"},
            "(crowdsite.E001) The environment variable DATABASE_URL",
        ),
        ({"DATABASE_URL": "nonsense"}, "(crowdsite.E001) The environment variable DATABASE_URL"),
        ({"REDIS_URL": "amqp://mq.example"}, "(crowdsite.E001) The environment variable REDIS_URL"),
        ({"WS_URL": "live.example.org"}, "(crowdsite.E001) The environment variable WS_URL"),
        (
            {"CROWDSITE_MARKETPLACE_OPTIONS": "{"},
            "(crowdsite.E001) The environment variable CROWDSITE_MARKETPLACE_OPTIONS",
        ),
        (
            {"CROWDSITE_MARKETPLACE_OPTIONS": '{"local": {"tell": "me"}}'},
            "(pavilion.E003) CROWDSITE_MARKETPLACE_OPTIONS",
        ),
        ({"CROWDSITE_MARKETPLACES": "local=nowhere.Local"}, "(pavilion.E001) CROWDSITE_MARKETPLACES"),
        ({"CROWDSITE_URL": "pool.example.org"}, "(pavilion.E002) CROWDSITE_URL must be where people reach the site"),
        (
            {"CROWDSITE_THROTTLE_GRAB": "often"},
            "(crowdsite.E001) The environment variable CROWDSITE_THROTTLE_GRAB cannot be used: 'often' is not a rate",
        ),
        ({"CROWDSITE_LOG_FORMAT": "xml"}, "(crowdsite.E001) The environment variable CROWDSITE_LOG_FORMAT"),
        ({"CROWDSITE_METRICS_TOKEN": "12345"}, "(crowdsite.E005) CROWDSITE_METRICS_TOKEN is shorter than"),
        ({"PORT": "eighty"}, "(crowdsite.E001) The environment variable PORT"),
        ({"PORT": "70000"}, "(crowdsite.E003) PORT is 70000"),
        ({"PORT": "8000", "WS_PORT": "8000"}, "(crowdsite.E003) PORT and WS_PORT must differ"),
    ],
)
def test_a_wrong_value_is_refused(tmp_path, given, said):
    done = manage("check", CROWDSITE_DATA_DIR=tmp_path, **given)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_site_whose_address_leads_nowhere_is_not_served(tmp_path):
    done = manage("serve", CROWDSITE_DATA_DIR=tmp_path, CROWDSITE_URL="pool.example.org", DEMO=0)
    assert done.returncode == 1
    assert "(pavilion.E002) CROWDSITE_URL must be where people reach the site" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("at", "sources"),
    [
        ("", []),
        (
            ":8001",
            ["ws://localhost:8001", "wss://localhost:8001", "ws://*.example.org:8001", "wss://*.example.org:8001"],
        ),
        ("wss://live.example.org", ["wss://live.example.org"]),
    ],
)
def test_pages_may_connect_to_where_the_sockets_are_and_nowhere_else(at, sources):
    assert environment.socket_sources(at, ["localhost", ".example.org", "[::1]"]) == sources


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("192.0.2.7", "http://192.0.2.7:8000"),
    ],
)
def test_people_at_this_machine_reach_the_site_at_where_it_listens(host, url):
    assert environment.local_url(host, 8000) == url


@pytest.mark.parametrize("url", ["mysql://db/x", "oracle://db/x", "no address", "", "http://example.org/"])
def test_other_databases_are_refused(url):
    with pytest.raises(EnvError):
        environment.database(url)


def test_production_wants_a_secret_key_of_its_own(settings):
    settings.SECRET_KEY_IS_SET = settings.CROWDSITE_WEBHOOKS_LOOPBACK = False
    settings.DATABASE_URL = "postgres://db.example/crowdsite"
    assert "crowdsite.E002" in {
        problem.id for problem in run_checks(tags=["crowdsite"], include_deployment_checks=True)
    }
    settings.SECRET_KEY_IS_SET = settings.ENCRYPTION_KEYS_ARE_SET = True
    assert run_checks(tags=["crowdsite"], include_deployment_checks=True) == []


def test_the_secret_key_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "secret_key"
    secret = environment.kept_secret(path)
    assert len(secret) >= 50
    assert environment.kept_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


def test_sqlite_writers_wait_and_answers_reach_the_disk():
    options = environment.database("sqlite:////srv/crowdsite.sqlite3")["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] == 20
    assert "synchronous=FULL" in options["init_command"]


def test_postgresql_has_a_pool_only_where_one_is_asked_for():
    url = "postgres://db.example/crowdsite"
    assert "pool" not in environment.database(url)["OPTIONS"]
    assert environment.database(url, pool_size=4)["OPTIONS"]["pool"]["max_size"] == 4
