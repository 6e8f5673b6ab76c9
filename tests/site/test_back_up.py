"""A backup as docs/backup.md has it made, and going on from one that is older than what was lost."""

import json
import os
import subprocess

import pytest
from django.db import connection

from assignments import lifecycle
from queues import feed
from queues.models import Task
from queues.sequencer import sequence
from tests import cast
from tests.servers import postgresql_programs
from tests.site.serving import manage, own_database

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

LOOK = """
import json
from assignments import claims
from queues import feed, intake
from queues.exceptions import FeedPurged
from queues.models import Membership, Queue, Task
from tests import cast

olga = cast.person("olga")
try:
    told = [entry.pk for entry in feed.look(olga, after=int("{seen}")).entries]
except FeedPurged:
    told = "purged"
queue = Queue.objects.get(name="digits")
kept = sorted(Task.objects.values_list("pk", flat=True))
(task,) = intake.create_tasks(queue=queue, requester=olga, drafts=[intake.TaskDraft(input_data=1)])
member = Membership.objects.select_related("queue", "user").get(user__username="alice")
(held,) = claims.grab(membership=member, call={{"priority_order": "no", "order": "lifo"}}).assignments
print(json.dumps({{"told": told, "kept": kept, "task": task.pk, "held": held.pk}}))
"""


@pytest.fixture
def alice():
    cast.person("olga", is_superuser=True)
    member = cast.join(cast.queue("digits"), "alice")
    cast.post(member.queue, 5)
    return member


def sequence_all():
    while sequence().count:
        pass


def restored_and_looked_at(seen, **given):
    """What a site on the restored database says, once it was told that it is one; no rule is broken in it."""
    for command in (["after_restore"], ["check_invariants"]):
        done = manage(*command, **given)
        assert done.returncode == 0, done.stderr
    done = manage("shell", "--no-imports", "-c", LOOK.format(seen=seen), **given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lose_what_comes_now(alice):
    """Work that no backup has; the highest ids of a task and of an assignment, and the place in the feed."""
    (task,) = cast.post(alice.queue)
    (held,) = cast.grab(alice).assignments
    lifecycle.finalize(assignment_id=held.pk, data=1)
    sequence_all()
    return task.pk, held.pk, feed.mark().position


def check(found, kept, lost):
    task, held, _position = lost
    assert found["kept"] == kept
    assert found["told"] == "purged"
    assert found["task"] > task + 1000
    assert found["held"] > held + 1000


@pytest.mark.only("postgresql")
def test_postgresql_dumped_while_it_is_worked_on_goes_on_from_the_dump(alice, tmp_path):
    programs, url, name = postgresql_programs(), os.environ["DATABASE_URL"], connection.settings_dict["NAME"]
    sequence_all()
    kept, dump = sorted(Task.objects.values_list("pk", flat=True)), tmp_path / "crowdsite.dump"
    source = url.rsplit("/", 1)[0] + f"/{name}"
    subprocess.run([programs / "pg_dump", "--format=custom", f"--file={dump}", source], check=True, timeout=60)
    lost = lose_what_comes_now(alice)
    with own_database(url) as target:
        restore = [programs / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={target}", dump]
        subprocess.run(restore, check=True, timeout=60)
        check(restored_and_looked_at(lost[2], DATABASE_URL=target, CROWDSITE_DATA_DIR=tmp_path), kept, lost)


@pytest.mark.only("sqlite")
def test_the_file_of_an_embedded_site_is_copied_while_it_is_worked_on(alice, tmp_path):
    sequence_all()
    kept, copy = sorted(Task.objects.values_list("pk", flat=True)), tmp_path / "crowdsite.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(copy)])
    lost = lose_what_comes_now(alice)
    check(restored_and_looked_at(lost[2], CROWDSITE_DATA_DIR=tmp_path), kept, lost)
