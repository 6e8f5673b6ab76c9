"""What the host sets for the pool, and how wrong values are refused."""

import pytest
from django.core.checks import run_checks

from pavilion.marketplaces.local import Local

LOCAL = {"local": "pavilion.marketplaces.local.Local"}


class Another(Local):
    """A marketplace of a host's own."""

    slug = "another"


@pytest.fixture(autouse=True)
def right(settings):
    """Settings that nothing is wrong with."""
    settings.DEBUG = False
    settings.CROWDSITE_URL = "https://pool.example.org"
    settings.CROWDSITE_MARKETPLACES = LOCAL
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {}


def found(deploy=False):
    return [(problem.id, problem.msg) for problem in run_checks(tags=["pavilion"], include_deployment_checks=deploy)]


def test_nothing_is_wrong_with_what_is_right(settings):
    settings.CROWDSITE_MARKETPLACES = LOCAL | {"another": f"{__name__}.Another"}
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"local": {"tell": ["crew@example.org"]}, "another": {}}
    assert found(deploy=True) == []


@pytest.mark.parametrize(
    ("marketplaces", "said"),
    [
        ({}, "at least one"),
        (["local"], "at least one"),
        ({"local": "pavilion.marketplaces.lokal.Local"}, "local: pavilion.marketplaces.lokal.Local cannot be imported"),
        ({"local": "Local"}, "cannot be imported"),
        ({"local": None}, "cannot be imported"),
        ({"local": "pavilion.marketplaces.Later"}, "is no subclass"),
        ({"local": "pavilion.marketplaces.known"}, "is no subclass"),
        ({"invitations": LOCAL["local"]}, "calls itself local"),
        ({"a" * 21: LOCAL["local"]}, "from 1 to 20 characters"),
    ],
)
def test_an_unknown_marketplace_is_refused(settings, marketplaces, said):
    settings.CROWDSITE_MARKETPLACES = marketplaces
    ((id_, text),) = found()
    assert id_ == "pavilion.E001"
    assert said in text


@pytest.mark.parametrize(
    "url",
    ["", "pool.example.org", "ftp://pool.example.org", "https://", "https://pool.example.org/crowd", "http://[::"],
)
def test_an_address_that_leads_nowhere_is_refused(settings, url):
    settings.CROWDSITE_URL = url
    assert [id_ for id_, _ in found()] == ["pavilion.E002"]
    settings.DEBUG = True
    assert found() == []


@pytest.mark.parametrize("url", ["https://pool.example.org", "http://pool.example.org:8000/", "http://[::1]:8000"])
def test_http_and_https_are_taken(settings, url):
    settings.CROWDSITE_URL = url
    assert found() == []


def test_production_is_warned_of_an_address_that_only_this_machine_reaches(settings):
    settings.CROWDSITE_URL = "http://127.0.0.1:8000"
    assert found() == []
    assert [id_ for id_, _ in found(deploy=True)] == ["pavilion.W004"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "an object of options"),
        ({"local": ["crew@example.org"]}, "an object of options"),
        ({"lokal": {}}, "lokal: There is no such marketplace"),
        ({"local": {"told": []}}, "There is no option told"),
        ({"local": {"tell": "crew@example.org"}}, "must be a list of e-mail addresses"),
        ({"local": {"tell": ["crew"]}}, "must be a list of e-mail addresses"),
        ({"local": {"tell": [7]}}, "must be a list of e-mail addresses"),
    ],
)
def test_options_of_a_wrong_kind_are_refused(settings, options, said):
    settings.CROWDSITE_MARKETPLACE_OPTIONS = options
    ((id_, text),) = found()
    assert id_ == "pavilion.E003"
    assert said in text
