"""Every page of the admin opens, for those who may."""

import pytest

from queues import batches, bulk, tokens
from tests import cast
from tests.admin.conftest import allow, at, text

MODELS = ["queue", "membership", "task", "batch", "token", "assignment", "reviewer"]


@pytest.fixture
def rows(queue):
    """One row of each model: noun → its id."""
    alice = cast.join(queue, "alice")
    (task,) = cast.post(queue, 1)
    (held,) = cast.grab(alice).assignments
    token, _secret = tokens.issue(user=cast.person("rick"), name="script")
    batch = batches.plan(kind=bulk.CANCEL, items=[task.pk], actor=cast.person("mia"))
    return {
        "queue": queue.pk,
        "membership": alice.pk,
        "task": task.pk,
        "batch": batch.pk,
        "token": token.pk,
        "assignment": held.pk,
        "reviewer": held.reviewer_id,
    }


@pytest.mark.parametrize("model", MODELS)
def test_the_list_opens(desk, rows, model):
    assert desk.get(at(f"{model}_changelist")).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_the_page_of_one_opens(desk, rows, model):
    assert desk.get(at(f"{model}_change", rows[model])).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_its_history_opens(desk, rows, model):
    assert desk.get(at(f"{model}_history", rows[model])).status_code == 200


@pytest.mark.parametrize("model", ["queue", "membership", "task", "token"])
def test_the_form_of_a_new_one_opens(desk, rows, model):
    assert desk.get(at(f"{model}_add")).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_what_does_not_exist_leads_back(desk, rows, model):
    assert desk.get(at(f"{model}_change", 999_999)).status_code == 302


@pytest.mark.parametrize("model", MODELS)
def test_staff_without_a_permission_are_refused(client, rows, model):
    client.force_login(cast.person("sam", is_staff=True))
    assert client.get(at(f"{model}_changelist")).status_code == 403
    assert client.get(at(f"{model}_change", rows[model])).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_staff_may_look_with_the_permission_to_view(client, rows, model):
    app = "crowd_assignments" if model in {"assignment", "reviewer"} else "crowd_queues"
    client.force_login(allow(cast.person("sam", is_staff=True), f"{app}.view_{model}"))
    assert client.get(at(f"{model}_changelist")).status_code == 200
    assert client.get(at(f"{model}_change", rows[model])).status_code == 200


def test_an_operator_who_is_not_staff_is_sent_to_sign_in(client, rows):
    client.force_login(allow(cast.person("olaf"), "crowd_queues.operate"))
    assert client.get(at("queue_changelist")).status_code == 302


def test_an_operator_sees_the_apps_on_the_index(desk):
    shown = text(desk.get("/admin/"))
    assert "Assignments" in shown
    assert "/admin/crowd_queues/task/" in shown


def test_the_starved_tasks_open(desk, queue):
    (task,) = cast.post(queue, 1)
    shown = text(desk.get(at("queue_starved", queue.pk)))
    assert at("task_change", task.pk) in shown
    assert "Add a reviewer" in shown


def test_the_starved_tasks_are_not_for_everybody(client, queue):
    client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.view_queue"))
    assert client.get(at("queue_starved", queue.pk)).status_code == 403
    assert "starved" not in text(client.get(at("queue_change", queue.pk)))
