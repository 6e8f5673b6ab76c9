"""Making and changing things in the admin: through the writers, with every refusal at its field."""

from datetime import timedelta

import pytest
from django.utils import timezone

from queues import administration, lifecycle, members
from queues.models import Event, Membership, Queue, Task
from tests import cast
from tests.admin.conftest import allow, at, text


def shown(desk, name, *args):
    """What the form of a page would send, untouched: field → value."""
    form = desk.get(at(name, *args)).context["adminform"].form
    sent = {}
    for field in form:
        value = field.value()
        widget = field.field.widget
        if hasattr(widget, "widgets"):
            parts = widget.decompress(value)
            for n, part in enumerate(parts):
                sent[f"{field.name}_{n}"] = sent[f"initial-{field.name}_{n}"] = "" if part is None else part
        elif value is True:
            sent |= {field.name: "on", f"initial-{field.name}": "True"}
        elif value not in (None, False):
            sent[field.name] = sent[f"initial-{field.name}"] = value
    return sent


def errors(answer):
    """Field → messages of a form that came back."""
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


class TestQueue:
    def test_a_new_queue_is_made_with_its_event(self, desk, olga):
        answer = desk.post(
            at("queue_add"), {**shown(desk, "queue_add"), "name": "cats", "output_schema": '{"type": "string"}'}
        )
        assert answer.status_code == 302
        queue = Queue.objects.get(name="cats")
        assert queue.output_schema == {"type": "string"}
        assert Membership.objects.get(queue=queue).user == olga
        assert Event.objects.get(type="QUEUE_CREATED").actor == str(olga.pk)

    def test_a_taken_name_is_an_error_and_what_was_typed_stays(self, desk, queue):
        sent = {**shown(desk, "queue_add"), "name": "digits", "description": "all my typing"}
        answer = desk.post(at("queue_add"), sent)
        assert "is taken" in str(errors(answer))
        assert "all my typing" in text(answer)

    def test_a_fault_inside_a_schema_is_at_the_schema(self, desk, queue):
        sent = {**shown(desk, "queue_change", queue.pk), "output_schema": '{"properties": {"a": {"type": "strin"}}}'}
        assert "/properties/a/type" in str(errors(desk.post(at("queue_change", queue.pk), sent))["output_schema"])

    def test_text_that_is_not_json_is_an_error_and_stays(self, desk, queue):
        sent = {**shown(desk, "queue_change", queue.pk), "input_schema": '{"type": '}
        answer = desk.post(at("queue_change", queue.pk), sent)
        assert "input_schema" in errors(answer)
        assert "{&quot;type&quot;: </textarea>" in text(answer)

    def test_only_what_was_changed_is_written(self, desk, queue):
        sent = shown(desk, "queue_change", queue.pk)
        administration.update_queue(queue_id=queue.pk, changes={"alias": "Digits by mia"})
        desk.post(at("queue_change", queue.pk), {**sent, "judgments_per_task": 3})
        queue.refresh_from_db()
        assert (queue.alias, queue.judgments_per_task) == ("Digits by mia", 3)
        assert Event.objects.filter(type="QUEUE_UPDATED").count() == 2

    def test_a_queue_that_is_deleted_meanwhile_refuses_in_words(self, desk, queue):
        sent = {**shown(desk, "queue_change", queue.pk), "alias": "all my typing"}
        administration.archive_queue(queue_id=queue.pk)
        answer = desk.post(at("queue_change", queue.pk), sent)
        assert "was deleted" in str(errors(answer)["__all__"])
        assert "all my typing" in text(answer)

    def test_a_deleted_queue_is_read_only(self, desk, queue):
        administration.archive_queue(queue_id=queue.pk)
        assert desk.get(at("queue_change", queue.pk)).context["adminform"].form.fields == {}

    def test_deleting_says_what_happens_and_archives(self, desk, queue):
        (task,) = cast.post(queue, 1)
        assert "open tasks are canceled" in text(desk.get(at("queue_delete", queue.pk)))
        assert desk.post(at("queue_delete", queue.pk), {"post": "yes"}).status_code == 302
        task.refresh_from_db()
        assert task.status == "CANCELED"
        assert Queue.objects.get(pk=queue.pk).archived_at is not None
        assert Event.objects.filter(type="QUEUE_DELETED").count() == 1

    def test_a_queue_is_not_deleted_twice(self, desk, queue):
        administration.archive_queue(queue_id=queue.pk)
        assert desk.post(at("queue_delete", queue.pk), {"post": "yes"}).status_code == 403

    def test_the_list_has_no_deletion_of_many(self, desk, queue):
        assert "delete_selected" not in text(desk.get(at("queue_changelist")))

    def test_pausing_and_resuming(self, desk, queue):
        desk.post(at("queue_pause", queue.pk))
        queue.refresh_from_db()
        assert queue.is_paused
        desk.post(at("queue_changelist"), {"action": "resume", "_selected_action": queue.pk, "index": 0})
        queue.refresh_from_db()
        assert not queue.is_paused
        assert Event.objects.filter(type="QUEUE_UPDATED").count() == 2

    def test_asking_for_the_page_of_pausing_pauses_nothing(self, desk, queue):
        desk.get(at("queue_pause", queue.pk))
        queue.refresh_from_db()
        assert not queue.is_paused

    def test_pausing_needs_the_permission_to_change(self, client, queue):
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.view_queue"))
        assert client.post(at("queue_pause", queue.pk)).status_code == 403

    def test_a_queue_without_a_lease_limit_is_warned_of(self, desk, queue):
        assert "for ever" not in text(desk.get(at("queue_change", queue.pk))).split("<form")[1]
        administration.update_queue(queue_id=queue.pk, changes={"max_lease_seconds": None})
        assert "a task can be held for ever" in text(desk.get(at("queue_changelist")))
        assert "can hold a task for ever" in text(desk.get(at("queue_change", queue.pk)))


class TestMember:
    def test_a_member_is_added_by_e_mail(self, desk, queue):
        cast.person("alice")
        sent = {"queue": "digits", "user": "Alice@Example.org", "role": "reviewer", "max_live": 2, "strategy": ""}
        assert desk.post(at("membership_add"), sent).status_code == 302
        assert Membership.objects.get(user__username="alice").max_live == 2

    def test_a_member_is_added_by_id(self, desk, queue):
        sent = {"queue": queue.pk, "user": cast.person("alice").pk, "role": "requester"}
        assert desk.post(at("membership_add"), sent).status_code == 302
        assert Membership.objects.get(user__username="alice").role == "requester"

    @pytest.mark.parametrize("who", ["nobody@example.org", "999999", "x" * 100, "9" * 40])
    def test_nobody_is_an_error(self, desk, queue, who):
        sent = {"queue": queue.pk, "user": who, "role": "reviewer"}
        assert "user" in errors(desk.post(at("membership_add"), sent))

    def test_a_second_role_of_the_same_kind_is_an_error(self, desk, queue):
        cast.join(queue, "alice")
        sent = {"queue": queue.pk, "user": "alice@example.org", "role": "reviewer"}
        assert "already" in str(errors(desk.post(at("membership_add"), sent)))

    def test_a_strategy_of_nonsense_is_an_error_at_its_field(self, desk, queue):
        alice = cast.join(queue, "alice")
        sent = {"strategy": '{"order": "random"}', "max_live": ""}
        found = errors(desk.post(at("membership_change", alice.pk), sent))
        assert "/order" in str(found["strategy"])

    def test_a_limit_is_changed(self, desk, queue):
        alice = cast.join(queue, "alice")
        desk.post(at("membership_change", alice.pk), {"strategy": '{"topic": "cats"}', "max_live": "1"})
        alice.refresh_from_db()
        assert (alice.strategy, alice.max_live) == ({"topic": "cats"}, 1)

    def test_revoking_says_what_happens_and_releases(self, desk, queue):
        alice = cast.join(queue, "alice")
        (task,) = cast.post(queue, 1)
        cast.grab(alice)
        assert "released at once" in text(desk.get(at("membership_delete", alice.pk)))
        desk.post(at("membership_delete", alice.pk), {"post": "yes"})
        task.refresh_from_db()
        assert task.status == "AVAILABLE"
        assert not Membership.objects.filter(pk=alice.pk).exists()

    def test_who_was_revoked_meanwhile_is_no_error(self, desk, queue):
        alice = cast.join(queue, "alice")
        members.revoke(membership=Membership.objects.get(pk=alice.pk))
        assert desk.post(at("membership_delete", alice.pk), {"post": "yes"}).status_code == 302


class TestTask:
    def test_a_task_is_added_through_the_intake(self, desk, queue, olga):
        cast.join(queue, "alice")
        sent = {
            **shown(desk, "task_add"),
            "queue": "digits",
            "input_data": '{"n": 7}',
            "global_keys": "one\ntwo\n",
            "target_reviewer": "alice@example.org",
        }
        assert desk.post(at("task_add"), sent).status_code == 302
        task = Task.objects.get()
        assert (task.input_data, task.global_keys, task.requester) == ({"n": 7}, ["one", "two"], olga)
        assert task.target_reviewer == cast.person("alice")
        assert list(Event.objects.of_task(task.pk).values_list("type", flat=True)) == ["TASK_CREATED", "TASK_AVAILABLE"]

    @pytest.mark.parametrize("data", ["0", "false", '""', "[]", "{}"])
    def test_small_json_is_an_input_too(self, desk, queue, data):
        assert (
            desk.post(at("task_add"), {**shown(desk, "task_add"), "queue": "digits", "input_data": data}).status_code
            == 302
        )

    def test_an_input_against_the_schema_is_an_error_at_the_input(self, desk):
        queue = cast.queue("strict", input_schema={"properties": {"n": {"type": "integer"}}})
        sent = {**shown(desk, "task_add"), "queue": queue.name, "input_data": '{"n": "seven"}'}
        assert "/n" in str(errors(desk.post(at("task_add"), sent))["input_data"])

    def test_a_stranger_as_target_is_an_error_at_the_target(self, desk, queue):
        cast.person("bob")
        sent = {**shown(desk, "task_add"), "queue": "digits", "input_data": "1", "target_reviewer": "bob@example.org"}
        assert "target_reviewer" in errors(desk.post(at("task_add"), sent))

    @pytest.mark.parametrize(("given", "becomes"), [("120", 120), ("+10", 510), ("(N*2)+12", 995), ("N//2", 250)])
    def test_a_priority_is_changed_by_expression(self, desk, queue, given, becomes):
        (task,) = cast.post(queue, 1)
        sent = {**shown(desk, "task_change", task.pk), "priority": given}
        assert desk.post(at("task_change", task.pk), sent).status_code == 302
        task.refresh_from_db()
        assert task.priority == becomes
        assert Event.objects.of_task(task.pk).last().delta == {"priority": becomes}

    def test_an_untouched_form_changes_nothing(self, desk, queue):
        cast.join(queue, "alice")
        later = timezone.now() + timedelta(days=2)
        (task,) = cast.post(queue, 1, target_reviewer="alice@example.org", expire_at=later)
        assert desk.post(at("task_change", task.pk), shown(desk, "task_change", task.pk)).status_code == 302
        assert Event.objects.filter(type="TASK_UPDATED").count() == 0

    @pytest.mark.parametrize(
        ("field", "value"), [("priority", "N**2"), ("priority", "1000"), ("priority", "N//0"), ("priority", "")]
    )
    def test_a_bad_priority_is_an_error_and_stays(self, desk, queue, field, value):
        (task,) = cast.post(queue, 1)
        answer = desk.post(at("task_change", task.pk), {**shown(desk, "task_change", task.pk), field: value})
        assert field in errors(answer)
        assert f'value="{value}"' in text(answer) or not value

    def test_a_target_is_set_and_taken_away(self, desk, queue):
        cast.join(queue, "alice")
        (task,) = cast.post(queue, 1)
        sent = shown(desk, "task_change", task.pk)
        desk.post(at("task_change", task.pk), {**sent, "target_reviewer": "alice@example.org"})
        task.refresh_from_db()
        assert task.target_reviewer == cast.person("alice")
        desk.post(at("task_change", task.pk), {**sent, "target_reviewer": "~ANYONE"})
        task.refresh_from_db()
        assert task.target_reviewer is None

    def test_a_time_that_has_passed_is_an_error_at_it(self, desk, queue):
        (task,) = cast.post(queue, 1)
        sent = {**shown(desk, "task_change", task.pk), "expire_at_0": "2001-01-01", "expire_at_1": "10:00:00"}
        assert "expire_at" in errors(desk.post(at("task_change", task.pk), sent))

    def test_a_task_that_closes_meanwhile_refuses_in_words(self, desk, queue):
        (task,) = cast.post(queue, 1)
        sent = {**shown(desk, "task_change", task.pk), "topic": "all my typing"}
        lifecycle.cancel_task(task_id=task.pk)
        answer = desk.post(at("task_change", task.pk), sent)
        assert "never changes again" in str(errors(answer)["__all__"])
        assert "all my typing" in text(answer)

    def test_a_task_in_hands_is_not_scheduled_anew(self, desk, queue):
        alice = cast.join(queue, "alice")
        (task,) = cast.post(queue, 1)
        cast.grab(alice)
        later = (timezone.now() + timedelta(days=2)).date().isoformat()
        sent = {**shown(desk, "task_change", task.pk), "schedule_to_0": later, "schedule_to_1": "10:00:00"}
        assert "handed to somebody" in str(errors(desk.post(at("task_change", task.pk), sent)))

    def test_a_closed_task_is_read_only(self, desk, queue):
        (task,) = cast.post(queue, 1)
        lifecycle.cancel_task(task_id=task.pk)
        answer = desk.get(at("task_change", task.pk))
        assert answer.context["adminform"].form.fields == {}
        assert 'name="_save"' not in text(answer)

    def test_a_task_is_not_deleted(self, desk, queue):
        (task,) = cast.post(queue, 1)
        assert desk.post(at("task_delete", task.pk), {"post": "yes"}).status_code == 403

    def test_its_history_is_a_timeline_with_who_did_it(self, desk, queue, olga):
        alice = cast.join(queue, "alice")
        (task,) = cast.post(queue, 1)
        desk.post(at("task_change", task.pk), {**shown(desk, "task_change", task.pk), "priority": "7"})
        (held,) = cast.grab(alice).assignments
        page = text(desk.get(at("task_history", task.pk)))
        order = [page.index(words) for words in ("Task created", "Available", "Changed", "Handed out")]
        assert order == sorted(order)
        assert "olga@example.org" in page
        assert f"assignment {held.pk}" in page

    def test_its_assignments_are_linked(self, desk, queue):
        (task,) = cast.post(queue, 1)
        address = f"{at('assignment_changelist')}?task__id__exact={task.pk}"
        assert address in text(desk.get(at("task_change", task.pk)))
        assert desk.get(address).status_code == 200


class TestToken:
    def test_its_text_is_shown_once_and_not_kept_by_anybody(self, desk):
        cast.person("rick")
        answer = desk.post(
            at("token_add"), {"user": "rick@example.org", "name": "script", "expires_at_0": "", "expires_at_1": ""}
        )
        secret = answer.context["secret"]
        assert secret in text(answer)
        assert "no-store" in answer.headers["Cache-Control"]
        assert desk.get("/api/v1/queues/", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
        assert secret not in text(desk.get(at("token_changelist")))
        assert secret not in str(dict(desk.session))

    def test_revoking_ends_it_and_keeps_the_row(self, desk):
        from queues import tokens

        token, secret = tokens.issue(user=cast.person("rick"), name="script")
        assert token.digest not in text(desk.get(at("token_change", token.pk)))
        desk.post(at("token_delete", token.pk), {"post": "yes"})
        assert tokens.authenticate(secret=secret) is None
        token.refresh_from_db()
        assert token.revoked_at is not None

    def test_who_is_no_operator_makes_no_operators_token(self, client, db):
        cast.person("root", is_superuser=True)
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.add_token"))
        answer = client.post(at("token_add"), {"user": "root@example.org", "name": "script"})
        assert "Only an operator" in str(errors(answer)["user"])
