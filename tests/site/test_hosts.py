"""Hosts on one PostgreSQL and one Valkey: each does all work, and when one dies the others go on.

Two of them; CROWDSITE_HOSTS=3 has three, as docs/hosts.md does.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from crowdsite.environment import encryption_key
from tests.receiver import receiving
from tests.site.callers import carry_one_task, people_of
from tests.site.serving import Served, gone, manage, until

pytestmark = [pytest.mark.servers, pytest.mark.only("postgresql")]

HOSTS = int(os.environ.get("CROWDSITE_HOSTS", "2"))


def test_when_one_of_the_hosts_dies_the_others_go_on(serve: Callable[..., Served], tmp_path: Any) -> None:
    shared = {
        "SECRET_KEY": "one for all of them " * 3,
        "CROWDSITE_ENCRYPTION_KEYS": encryption_key(),
        "CROWDSITE_WEBHOOKS_LOOPBACK": 1,
        "WEB_WORKERS": 1,
    }
    folders = [tmp_path / f"host{number}" for number in range(HOSTS)]
    sites = []
    for folder in folders:
        folder.mkdir()
        # All at once, as after a power cut: the first to come migrates, and the others wait for it.
        sites.append(serve(CROWDSITE_DATA_DIR=folder, **shared))
    for site in sites:
        site.wait_until_ready()
    assert sum("Migrating the database." in site.output for site in sites) == 1
    mia, rick, alice = people_of(sites[0])
    with receiving() as receiver:
        setting = {"level": "queue", "queue": "digits", "events_to_notify": ["TASK_FINISHED"], "endpoint": receiver.url}
        mia.call(sites[1], "POST", "notifications/", setting)

        def work(hosts: list[Served], count: int) -> list[int]:
            """So many tasks: posted at one host, taken at the next, answered at the one after."""
            places = [[hosts[(turn + step) % len(hosts)] for step in range(3)] for turn in range(count)]
            return [carry_one_task(rick, alice, *at_the) for at_the in places]

        answered = work(sites, 2 * HOSTS)
        family = sites[0].family()
        sites[0].process.kill()
        until(lambda: all(gone(process) for process in family))
        answered += work(sites[1:], 2 * HOSTS)
        # What is due by the clock happens as well, and is told: the jobs and the courier are on the others, too.
        soon = {"input_data": "soon", "seconds_to_expire": 1}
        late = rick.call(sites[1], "POST", "queues/digits/tasks/", soon)
        until(lambda: rick.call(sites[-1], "GET", f"tasks/{late['id']}/")["status"] == "EXPIRED")
        until(lambda: {json.loads(one.body)["data"]["id"] for one in receiver.received} >= set(answered))
    checked = manage("check_invariants", **sites[1].given)
    assert checked.returncode == 0, checked.stderr
