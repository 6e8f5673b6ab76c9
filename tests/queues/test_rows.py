"""Model instances out of rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models.signals import post_init

from queues import rows
from queues.models import Membership, Queue, Token
from queues.rows import Columns, stored
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_was_asked() -> Iterator[None]:
    """Who listens is asked once for a model and process."""
    rows._is_told_of_instances.cache_clear()
    yield
    rows._is_told_of_instances.cache_clear()


def test_it_is_the_row_as_the_orm_reads_it() -> None:
    queue = cast.queue("rows", default_assignment_strategy={"order": "lifo"})
    read = Queue.objects.get(pk=queue.pk)
    values = {field.attname: getattr(read, field.attname) for field in Queue._meta.concrete_fields}
    made = stored(Queue, values)
    assert made == read
    assert vars(made).keys() == vars(read).keys()
    assert (made._state.adding, made._state.db) == (read._state.adding, read._state.db)
    made.description = "Changed"
    made.save(update_fields=["description"])
    assert Queue.objects.get(pk=queue.pk).description == "Changed"


def test_what_was_not_read_is_read_when_it_is_asked_for() -> None:
    queue = cast.queue("rows", description="Described")
    columns = Columns(Queue, "queue", only=("id", "name"))
    made = columns.read([queue.pk, "rows"])
    assert made.get_deferred_fields() == {field.attname for field in Queue._meta.concrete_fields} - {"id", "name"}
    assert made.description == "Described"


def test_json_is_read_whatever_is_in_it() -> None:
    columns = Columns(Queue, "queue", only=("id", "default_assignment_strategy"))
    for text, value in (("{}", {}), ("[]", []), ("null", None), ('{"a": [1]}', {"a": [1]}), (None, None)):
        assert columns.read([1, text]).default_assignment_strategy == value


def test_what_a_foreign_key_leads_to_is_not_asked_for(django_assert_num_queries: Any) -> None:
    user = get_user_model()._default_manager.create_user("rows", "rows@example.org")
    made = stored(Token, {"id": 1, "user_id": user.pk}, user=user)
    with django_assert_num_queries(0):
        assert made.user is user


def test_whoever_listens_is_told_of_each_instance() -> None:
    told: list[Any] = []

    def listen(instance: Any, **_more: Any) -> None:
        told.append(instance)

    post_init.connect(listen, sender=Membership)
    try:
        made = stored(Membership, {"id": 3, "role": "reviewer"})
    finally:
        post_init.disconnect(listen, sender=Membership)
    assert told == [made]
    assert made.get_deferred_fields() >= {"strategy", "queue_id"}


def test_a_model_with_a_way_of_its_own_is_read_in_that(monkeypatch: pytest.MonkeyPatch) -> None:
    user = get_user_model()

    def from_db(cls: Any, db: Any, names: Any, values: Any) -> Any:
        made = super(user, cls).from_db(db, names, values)
        made.was_read = True
        return made

    monkeypatch.setattr(user, "from_db", classmethod(from_db), raising=False)
    assert Columns(user, "person", only=("id", "email")).read([1, "rows@example.org"]).was_read


class Shouted:
    """A field that makes something of what it is given, as a phone number's does."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else instance.__dict__["email"]

    def __set__(self, instance: Any, value: str) -> None:
        instance.__dict__["email"] = value.upper()


def test_a_field_that_makes_something_of_what_it_is_given_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    user = get_user_model()
    monkeypatch.setattr(user, "email", Shouted())
    assert Columns(user, "person", only=("id", "email")).read([1, "rows@example.org"]).email == "ROWS@EXAMPLE.ORG"
