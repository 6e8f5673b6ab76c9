"""Each app stands in the kennel on the floors below it alone, and all of them together.

What the kennel's own command asserts on the way (see look_around.py) is that a stage comes to be at all: migrations
apply and none is missing, checks have nothing to say, people are served by the API, static files are collected.
"""

import re

import pytest
from django.db import connection

from tests.hostsite.environments import APPS
from tests.site.serving import ROOT

pytestmark = pytest.mark.servers

STAGES = ("queues_alone", "with_assignments", "with_pavilion", "with_routing", "all_together")

REFUSED = {302, 403, 404, 405}
"""What pages answer that are for posting to, or for others, or that this row does not have."""


@pytest.fixture(params=STAGES)
def stage(request):
    return request.getfixturevalue(request.param)


def test_it_needs_no_floor_above_and_nothing_of_our_site(stage):
    assert stage.found["apps"] == sorted(stage.kennel.apps)
    assert not stage.found["crowdsite"]


def test_its_pages_open_in_the_kennels_own_admin(stage):
    statuses = stage.found["pages"]
    assert set(statuses.values()) <= {200, *REFUSED}, statuses
    lists = {name: status for name, status in statuses.items() if name.endswith("_changelist")}
    assert {name.split("_")[1] for name in lists} == set(stage.opened)
    assert set(lists.values()) == {200}


def test_its_jobs_run_by_the_names_that_the_documentation_has(stage):
    said = re.findall(r"`((\w+)\.jobs\.\w+)`", (ROOT / "docs" / "extend.md").read_text())
    assert {app for _name, app in said} == {*APPS}
    assert set(stage.found["jobs"]) == {name for name, app in said if app in stage.kennel.apps}


def test_it_wants_no_driver_or_service_that_the_kennel_has_not(stage):
    brought = {"psycopg", "redis"} if connection.vendor == "postgresql" else set()
    assert set(stage.found["optional"]) == brought
