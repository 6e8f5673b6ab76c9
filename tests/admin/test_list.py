"""The lists: quick at any size. What a page asks the database does not grow with the rows, nor with the pages."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queues import lifecycle
from queues.admin import lists
from queues.models import Task
from queues.states import TaskStatus
from tests import cast
from tests.admin.conftest import allow, at, text
from tests.plans import prefer_indexes


def ids(answer):
    """The ids of the rows that a list shows, in order."""
    return [row.pk for row in answer.context["cl"].result_list]


def asked(desk, address):
    """How many queries a page makes."""
    desk.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert desk.get(address).status_code == 200
    return len(seen)


@pytest.fixture
def mixed(queue):
    """Tasks of several states in the queue, and of another queue between them: their ids, newest first."""
    cats, tasks = cast.queue("cats"), []
    for _ in range(4):
        tasks += cast.post(queue, 2)
        cast.post(cats, 1)
    for task in tasks[::3]:
        lifecycle.cancel_task(task_id=task.pk)
    return [task.pk for task in reversed(tasks)]


def test_a_queue_is_listed_newest_first_across_its_states(desk, queue, mixed):
    assert ids(desk.get(f"{at('task_changelist')}?queue={queue.pk}")) == mixed


def test_its_pages_follow_one_another(desk, queue, mixed, monkeypatch):
    monkeypatch.setattr("queues.admin.task.TaskAdmin.list_per_page", 3)
    address = f"{at('task_changelist')}?queue={queue.pk}"
    pages = [ids(desk.get(f"{address}&p={page}")) for page in (1, 2, 3)]
    assert [pk for page in pages for pk in page] == mixed


def test_a_state_of_a_queue(desk, queue, mixed):
    address = f"{at('task_changelist')}?queue={queue.pk}&status=CANCELED"
    wanted = Task.objects.filter(queue=queue, status=TaskStatus.CANCELED).order_by("-id")
    assert ids(desk.get(address)) == list(wanted.values_list("pk", flat=True)) != []


def test_a_state_is_offered_within_a_queue_alone(desk, queue, mixed):
    assert "By state" not in text(desk.get(at("task_changelist")))
    assert "By state" in text(desk.get(f"{at('task_changelist')}?queue={queue.pk}"))
    assert len(ids(desk.get(f"{at('task_changelist')}?status=CANCELED"))) == Task.objects.count()


def test_no_other_column_can_be_looked_through(desk, queue):
    assert desk.get(f"{at('task_changelist')}?topic__contains=cat").status_code == 400
    assert desk.get(f"{at('task_changelist')}?input_data__icontains=cat").status_code == 400


@pytest.mark.parametrize("query", ["queue=nonsense", "queue=99999999999999999999999", "queue=1&status=ODD", "p=99999"])
def test_nonsense_in_the_address_is_no_error(desk, queue, query):
    assert desk.get(f"{at('task_changelist')}?{query}", follow=True).status_code == 200


def test_nonsense_as_a_selection_is_no_error(desk, queue):
    sent = {"action": "cancel", "_selected_action": "nonsense", "index": 0}
    assert "no ids" in text(desk.post(at("task_changelist"), sent, follow=True))


def test_counting_stops_and_says_so(desk, queue, monkeypatch):
    monkeypatch.setattr(lists, "COUNT_MAX", 3)
    cast.post(queue, 5)
    for address in (at("task_changelist"), f"{at('task_changelist')}?queue={queue.pk}"):
        page = text(desk.get(address))
        assert "3+ tasks" in page
        assert "Select all of them, listed or not" in page


@pytest.mark.parametrize("term", ["the-key", "id"])
def test_a_task_is_found_by_its_id_or_a_whole_key(desk, queue, term):
    (task,) = cast.post(queue, 1, global_keys=("the-key",))
    cast.post(queue, 3)
    wanted = str(task.pk) if term == "id" else term
    assert ids(desk.get(at("task_changelist"), {"q": wanted})) == [task.pk]
    assert ids(desk.get(at("task_changelist"), {"q": "the-ke"})) == []


def test_a_key_that_is_a_number_is_found_beside_the_id(desk, queue):
    first, second = cast.post(queue, 2)
    (keyed,) = cast.post(queue, 1, global_keys=(str(first.pk),))
    assert ids(desk.get(at("task_changelist"), {"q": str(first.pk)})) == [keyed.pk, first.pk]
    assert second.pk


def test_the_large_columns_stay_in_the_database(desk, queue):
    cast.post(queue, 1)
    with CaptureQueriesContext(connection) as seen:
        desk.get(at("task_changelist"))
    assert not any("input_data" in query["sql"] for query in seen)


@pytest.mark.parametrize("query", ["", "?queue={queue}", "?queue={queue}&status=AVAILABLE"])
def test_a_page_of_tasks_asks_as_much_for_many_as_for_few(desk, queue, query):
    address = at("task_changelist") + query.format(queue=queue.pk)
    cast.join(queue, "alice")
    cast.post(queue, 1)
    few = asked(desk, address)
    cast.post(queue, 20, target_reviewer="alice@example.org")
    assert asked(desk, address) == few


@pytest.mark.parametrize("model", ["assignment", "reviewer", "membership", "queue"])
def test_a_page_of_others_asks_as_much_for_many_as_for_few(desk, queue, model):
    def more(names):
        for name in names:
            cast.post(queue, 1)
            cast.grab(cast.join(queue, name))
        if model == "queue":
            cast.queue(f"of-{names[0]}")

    more(["alice"])
    few = asked(desk, at(f"{model}_changelist"))
    more(["bob", "carol", "dan"])
    assert asked(desk, at(f"{model}_changelist")) == few


def test_assignments_of_one_task_and_of_one_reviewer(desk, queue):
    cast.post(queue, 2)
    (one,) = cast.grab(cast.join(queue, "alice")).assignments
    (two,) = cast.grab(cast.join(queue, "bob")).assignments
    address = at("assignment_changelist")
    assert ids(desk.get(f"{address}?task__id__exact={one.task_id}")) == [one.pk]
    assert ids(desk.get(f"{address}?reviewer__id__exact={two.reviewer_id}")) == [two.pk]


def test_a_reviewer_is_found_by_how_the_e_mail_begins(desk, queue):
    cast.post(queue, 2)
    cast.grab(cast.join(queue, "alice"))
    (held,) = cast.grab(cast.join(queue, "bob")).assignments
    assert ids(desk.get(at("reviewer_changelist"), {"q": "bob@"})) == [held.reviewer_id]


@pytest.mark.parametrize("period", ["day", "week", "month", "nonsense"])
def test_a_reviewers_page_has_what_they_hold_and_their_numbers(desk, queue, period):
    cast.post(queue, 1)
    (held,) = cast.grab(cast.join(queue, "alice")).assignments
    page = text(desk.get(at("reviewer_change", held.reviewer_id), {"period": period}))
    assert at("assignment_change", held.pk) in page
    assert "Skip rate" in page


@pytest.mark.only("postgresql")
def test_a_rare_state_is_read_along_its_index(queue):
    cast.post(queue, 500)
    rows = Task.objects.filter(queue=queue, status="CANCELED").order_by("-id").values_list("id", flat=True)[:50]
    prefer_indexes(Task)
    assert "Index Only Scan Backward using task_by_queue" in rows.explain()


def test_who_may_only_look_has_no_actions(client, queue):
    cast.post(queue, 1)
    client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.view_task"))
    assert 'name="action"' not in text(client.get(at("task_changelist")))
