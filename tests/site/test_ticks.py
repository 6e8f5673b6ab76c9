"""Beat and the worker of a served site do the work that is due, without anybody asking for it."""

import pytest

from tests.site.serving import manage, until

pytestmark = pytest.mark.servers

POST = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from queues import administration, intake
from queues.drafts import TaskDraft

mia = get_user_model().objects.create_user("mia", "mia@example.org")
queue = administration.create_queue(name="soon", actor=mia)
draft = TaskDraft(input_data={}, schedule_to=timezone.now() + timedelta(seconds=1))
intake.create_tasks(queue=queue, drafts=[draft], requester=mia)
"""

LOOK = "from queues.models import Task; print(Task.objects.get().status)"


def test_a_scheduled_task_becomes_available(serve):
    site = serve()
    site.wait_until_ready()

    def shell(program):
        done = manage("shell", "--no-imports", "-c", program, **site.given)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    shell(POST)
    until(lambda: shell(LOOK) == "AVAILABLE")
    assert "ERROR" not in site.output
