"""Changes of many: asked for on a list, planned as a batch, done part by part, exactly once."""

import pytest

from assignments import bulk as assignments_bulk
from assignments.models import Assignment
from queues import batches, bulk, lifecycle, priority
from queues.models import Batch, Event, Task
from queues.states import BatchStatus, TaskStatus
from tests import cast
from tests.admin.conftest import allow, at, text


def choose(desk, action, tasks, address=None, **sent):
    """Send an action over chosen rows, as the list does."""
    data = {"action": action, "_selected_action": [task.pk for task in tasks], "index": 0, **sent}
    return desk.post(address or at("task_changelist"), data)


def confirm(desk, action, tasks, address=None, **sent):
    """Send the confirmation page's form."""
    data = {"action": action, "_selected_action": [task.pk for task in tasks], "confirmed": "yes", **sent}
    return desk.post(address or at("task_changelist"), data)


def done():
    """Work the newest batch off; the batch."""
    batch = Batch.objects.first()
    while batches.work(batch_id=batch.pk):
        pass
    batch.refresh_from_db()
    return batch


def priorities():
    return list(Task.objects.order_by("id").values_list("priority", flat=True))


class TestAsking:
    def test_it_says_how_many_and_asks(self, desk, queue):
        tasks = cast.post(queue, 3)
        page = text(choose(desk, "prioritise", tasks))
        assert "<strong>3</strong>" in page
        assert 'name="change"' in page
        assert not Batch.objects.exists()

    def test_the_page_leads_to_the_batch(self, desk, queue, olga):
        tasks = cast.post(queue, 3)
        answer = confirm(desk, "prioritise", tasks, change="+10")
        batch = Batch.objects.get()
        assert answer.headers["Location"] == at("batch_change", batch.pk)
        assert (batch.created_by, batch.items, batch.parameters) == (olga, 3, {"change": "+10"})

    @pytest.mark.parametrize("change", ["N**2", "ten", "", "4", "N//"])
    def test_a_bad_expression_is_refused_in_words_and_stays(self, desk, queue, change):
        page = text(confirm(desk, "prioritise", cast.post(queue, 2), change=change))
        assert "errorlist" in page
        assert f'value="{change}"' in page or not change
        assert not Batch.objects.exists()

    def test_a_stranger_as_target_is_refused(self, desk, queue):
        page = text(confirm(desk, "retarget", cast.post(queue, 1), target_reviewer="nobody@example.org"))
        assert "not exactly one active user" in page

    def test_across_all_pages_the_filters_hold(self, desk, queue):
        cast.post(queue, 4)
        cast.post(cast.queue("cats"), 3)
        address = f"{at('task_changelist')}?queue={queue.pk}"
        first = Task.objects.filter(queue=queue)[:1]
        assert "<strong>4</strong>" in text(choose(desk, "cancel", first, address, select_across="1"))
        confirm(desk, "cancel", first, address, select_across="1", reason="enough")
        done()
        assert set(Task.objects.filter(queue=queue).values_list("status", flat=True)) == {"CANCELED"}
        assert set(Task.objects.exclude(queue=queue).values_list("status", flat=True)) == {"AVAILABLE"}

    def test_too_many_are_refused_with_a_way_out(self, desk, queue, monkeypatch):
        monkeypatch.setattr("queues.admin.bulk.ITEMS_MAX", 2)
        tasks = cast.post(queue, 3)
        answer = desk.post(
            at("task_changelist"),
            {"action": "cancel", "_selected_action": tasks[0].pk, "index": 0, "select_across": "1"},
            follow=True,
        )
        assert "More than 2 are selected" in text(answer)

    def test_it_needs_the_permission_to_change(self, client, queue):
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.view_task"))
        confirm(client, "cancel", cast.post(queue, 1), reason="no")
        assert not Batch.objects.exists()

    def test_whoever_planned_a_batch_may_steer_it(self, client, queue):
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.change_task"))
        answer = confirm(client, "cancel", cast.post(queue, 1), reason="no")
        assert client.get(answer.headers["Location"]).status_code == 200
        assert client.post(at("batch_step", Batch.objects.get().pk)).status_code == 302
        assert Task.objects.get().status == "CANCELED"

    def test_nobody_else_does(self, client, queue):
        batch = batches.plan(kind=bulk.CANCEL, items=[1], actor=cast.person("mia"))
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.change_task"))
        assert client.get(at("batch_change", batch.pk)).status_code == 403
        assert client.post(at("batch_step", batch.pk)).status_code == 403
        assert client.post(at("batch_stop", batch.pk)).status_code == 403


class TestTheBatch:
    def test_its_page_does_the_work_by_itself(self, desk, queue):
        confirm(desk, "cancel", cast.post(queue, 3), reason="enough")
        batch = Batch.objects.get()
        numbers = desk.post(at("batch_step", batch.pk), headers={"Accept": "application/json"}).json()
        assert (numbers["done"], numbers["changed"], numbers["running"]) == (3, 3, True)
        numbers = desk.post(at("batch_step", batch.pk), headers={"Accept": "application/json"}).json()
        assert not numbers["running"]

    def test_without_a_script_a_button_goes_on(self, desk, queue):
        confirm(desk, "cancel", cast.post(queue, 1), reason="enough")
        batch = Batch.objects.get()
        assert "Continue" in text(desk.get(at("batch_change", batch.pk)))
        desk.post(at("batch_step", batch.pk))
        assert "Continue" not in text(desk.post(at("batch_step", batch.pk), follow=True))

    def test_looking_at_it_works_nothing(self, desk, queue):
        confirm(desk, "cancel", cast.post(queue, 1), reason="enough")
        batch = Batch.objects.get()
        desk.get(at("batch_change", batch.pk))
        desk.get(at("batch_step", batch.pk))
        assert batches.progress(batch).done == 0

    def test_it_is_stopped_resumed_and_given_up(self, desk, queue):
        confirm(desk, "cancel", cast.post(queue, 1), reason="enough")
        batch = Batch.objects.get()
        for move, status in (("stop", "STOPPED"), ("start", "RUNNING"), ("stop", "STOPPED"), ("give_up", "CANCELED")):
            desk.post(at(f"batch_{move}", batch.pk))
            batch.refresh_from_db()
            assert batch.status == status
        assert "is canceled" in text(desk.post(at("batch_start", batch.pk), follow=True))

    def test_its_faults_lead_to_their_tasks(self, desk, queue):
        tasks = cast.post(queue, 2)
        lifecycle.cancel_task(task_id=tasks[0].pk)
        confirm(desk, "prioritise", tasks, change="7")
        done()
        page = text(desk.get(at("batch_change", Batch.objects.get().pk)))
        assert at("task_change", tasks[0].pk) in page
        assert "never changes again" in page
        assert "1 changed, 1 refused" in page


class TestTheKinds:
    def test_canceling_tells_the_reason_and_who(self, desk, queue, olga):
        (task,) = cast.post(queue, 1)
        confirm(desk, "cancel", [task], reason="enough")
        assert done().status == BatchStatus.FINISHED
        event = Event.objects.of_task(task.pk).last()
        assert (event.type, event.delta["reason"], event.actor) == ("TASK_CANCELED", "enough", str(olga.pk))

    def test_a_division_by_zero_is_the_fault_of_its_task(self, desk, queue):
        cast.post(queue, 1, priority=5)
        cast.post(queue, 1, priority=10)
        confirm(desk, "prioritise", Task.objects.all(), change="100//(N-5)")
        assert [fault["detail"] for fault in batches.progress(done()).faults] == [
            "The expression divides by zero where N is 5."
        ]
        assert priorities() == [5, 20]

    def test_retargeting_and_opening_again(self, desk, queue):
        cast.join(queue, "alice")
        tasks = cast.post(queue, 2)
        confirm(desk, "retarget", tasks, target_reviewer="alice@example.org")
        done()
        assert Task.objects.filter(target_reviewer=cast.person("alice")).count() == 2
        confirm(desk, "retarget", tasks, target_reviewer="~ANYONE")
        done()
        assert Task.objects.filter(target_reviewer=None).count() == 2

    def test_retargeting_to_one_who_may_not_review_is_a_fault_in_words(self, desk, queue):
        cast.person("bob")
        confirm(desk, "retarget", cast.post(queue, 1), target_reviewer="bob@example.org")
        assert batches.progress(done()).faults[0]["detail"] == "Must be an active reviewer of this queue."

    def test_an_id_that_is_no_task_is_a_fault(self, queue):
        batches.plan(kind=bulk.CANCEL, items=[999_999], actor=cast.person("mia"))
        assert "no task 999999" in batches.progress(done()).faults[0]["detail"]

    def test_releasing_opens_the_slot_and_shows_the_reason(self, desk, queue):
        alice = cast.join(queue, "alice")
        (task,) = cast.post(queue, 1)
        (held,) = cast.grab(alice).assignments
        address = at("assignment_changelist")
        assert "errorlist" in text(confirm(desk, "release", [held], address, reason=""))
        confirm(desk, "release", [held], address, reason="lunch is over")
        done()
        held.refresh_from_db()
        task.refresh_from_db()
        assert (held.status, held.reason, task.status) == ("CANCELED", "lunch is over", TaskStatus.AVAILABLE)

    def test_releasing_what_has_ended_is_a_fault(self, queue):
        alice = cast.join(queue, "alice")
        cast.post(queue, 1)
        (held,) = cast.grab(alice).assignments
        lifecycle.cancel_task(task_id=held.task_id)
        items = [held.pk, 999_999]
        batches.plan(kind=assignments_bulk.RELEASE, items=items, parameters={"reason": "x"}, actor=cast.person("mia"))
        found = batches.progress(done())
        assert (found.changed, [fault["item"] for fault in found.faults]) == (0, items)
        assert Assignment.objects.count() == 1


@pytest.mark.threads
class TestExactlyOnce:
    """“+10” reaches each task once, whatever happens to the process."""

    def plan(self, tasks):
        items = [task.pk for task in tasks]
        return batches.plan(
            kind=bulk.PRIORITISE, items=items, parameters={"change": "+10"}, actor=cast.person("mia"), part=4
        )

    def test_when_it_is_killed_in_the_middle_of_a_part(self, queue, monkeypatch):
        class Killed(BaseException):
            pass

        batch = self.plan(cast.post(queue, 10))
        assert batches.work(batch_id=batch.pk)
        calls, apply = iter(range(100)), priority.Change.apply

        def die(change, present):
            if next(calls) == 2:
                raise Killed
            return apply(change, present)

        with monkeypatch.context() as patch:
            patch.setattr(priority.Change, "apply", die)
            with pytest.raises(Killed):
                batches.work(batch_id=batch.pk)
        assert priorities() == [510] * 4 + [500] * 6
        assert done().status == BatchStatus.FINISHED
        assert priorities() == [510] * 10
        assert Event.objects.filter(type="TASK_UPDATED").count() == 10

    def test_when_workers_do_it_at_once(self, queue, together):
        batch = self.plan(cast.post(queue, 24))

        def worker():
            while batches.work(batch_id=batch.pk):
                pass

        assert together(worker, worker, worker) == [None] * 3
        assert done().status == BatchStatus.FINISHED
        assert priorities() == [510] * 24

    def test_when_two_batches_meet_on_the_same_tasks(self, queue, together):
        tasks = cast.post(queue, 12)
        first, second = self.plan(tasks), self.plan(reversed(tasks))

        def worker(batch):
            while batches.work(batch_id=batch.pk):
                pass

        assert together(lambda: worker(first), lambda: worker(second)) == [None] * 2
        assert priorities() == [520] * 12
        assert not Batch.objects.exclude(status=BatchStatus.FINISHED).exists()
