"""`manage.py forget_person`: nothing says any more who somebody was, and what they did is still there."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection

from assignments import lifecycle
from assignments.models import Assignment
from pavilion import pool
from queues import tokens
from queues.models import Endpoint, Event, Membership, Task
from tests import cast, outbox, pools
from tests.site.serving import ROOT

pytestmark = pytest.mark.django_db

SECRETS = ("Alicia", "Liddell", "alice@example.org", "alice")


def everything():
    """All text there is in the database, but for the names of tables and the sentences of migrations."""
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}"')
            yield from (f"{table}: {row}" for row in cursor.fetchall())


def test_whoever_was_forgotten_is_found_nowhere_and_their_answers_are():
    digits = cast.queue("digits")
    member = cast.join(digits, "alice")
    alice = member.user
    alice.first_name, alice.last_name, alice.is_staff = "Alicia", "Liddell", True
    alice.save()
    _token, secret = tokens.issue(user=alice, name="alice's laptop")
    outbox.endpoint(owner="alice")
    LogEntry.objects.create(
        user=cast.person("mia"),
        content_type=ContentType.objects.get_for_model(alice),
        object_id=str(alice.pk),
        object_repr="alice",
        action_flag=CHANGE,
    )
    cast.post(digits, 2)
    (first,) = cast.grab(member).assignments
    lifecycle.finalize(assignment_id=first.pk, data="an answer")
    cast.grab(member)
    cast.post(digits, target_reviewer="alice@example.org")
    call_command("forget_person", "alice")

    assert not [text for text in everything() if any(secret in text for secret in SECRETS)]
    assert tokens.authenticate(secret=secret) is None
    assert Endpoint.objects.get().disabled_at is not None
    assert not Membership.objects.filter(user=alice).exists()
    assert Assignment.objects.get(pk=first.pk).data == "an answer"
    assert Assignment.objects.get(pk=first.pk).reviewer.user == alice
    assert sorted(Task.objects.values_list("status", "target_reviewer")) == [
        ("AVAILABLE", None),
        ("AVAILABLE", None),
        ("FINISHED", None),
    ]
    assert Event.objects.filter(type="ASSIGNMENT_FINISHED").count() == 1
    user = get_user_model().objects.get(pk=alice.pk)
    assert (user.get_username(), user.is_active, user.is_staff) == (f"forgotten-{alice.pk}", False, False)
    call_command("check_invariants")


def test_a_worker_is_forgotten_after_the_seat_is_left():
    session = pools.post(min_waiting=1)
    seat = pools.join(session, "Worker-W1")
    name = seat.worker.reviewer.user.get_username()
    with pytest.raises(CommandError, match="has a seat"):
        call_command("forget_person", name)
    pool.submit(seat_id=seat.pk)
    call_command("forget_person", name)
    assert not [text for text in everything() if "Worker-W1" in text or name in text]
    call_command("check_invariants")


def test_somebody_unknown_is_not_forgotten():
    with pytest.raises(CommandError, match="no user"):
        call_command("forget_person", "nobody")


def test_contents_may_be_blanked_with_the_statements_of_the_documents():
    digits = cast.queue("digits")
    member = cast.join(digits, "alice")
    done, open_ = cast.post(digits, 2, input_data={"picture": "of a person"})
    (held,) = cast.grab(member).assignments
    lifecycle.finalize(assignment_id=held.pk, data="it is a person")
    page = (ROOT / "docs/purge.md").read_text()
    statements = page.split("```sql")[1].split("```")[0].replace("BETWEEN 1 AND 5000", f"BETWEEN 1 AND {open_.pk}")
    with connection.cursor() as cursor:
        for statement in filter(str.strip, statements.split(";")):
            cursor.execute(statement)
    done.refresh_from_db()
    open_.refresh_from_db()
    held.refresh_from_db()
    assert (done.input_data, done.output_data, held.data) == ({}, {}, {})
    assert open_.input_data == {"picture": "of a person"}
    call_command("check_invariants")
