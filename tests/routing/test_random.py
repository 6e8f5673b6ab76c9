"""`self.random`: any of the tasks is shown; an answer goes to the one that was."""

import pytest

from routing import NoTaskFoundError
from tests.routing.crowds import First, Person, Second, flow, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return Person(flow(First, Second, run=lambda self, crowd_request: self.random(crowd_request)))


def test_random_shows_any_and_takes_an_answer_to_the_one_that_was_shown(person):
    seen = set()
    for _time in range(200):
        shown = person.get().task.get_name()
        seen.add(shown)
        assert person.post().response["taken"] == shown
        if len(seen) == 2:
            break
    assert seen == {"First", "Second"}


def test_random_takes_an_answer_to_the_task_that_is_named(person):
    person.get()
    assert person.post(Second).response["taken"] == "Second"
    assert person.post("First").response["taken"] == "First"


def test_random_takes_no_answer_to_what_was_not_shown(person):
    with pytest.raises(NoTaskFoundError, match="No task of Flow was shown"):
        person.post()


def test_random_writes_the_session_only_when_another_task_is_shown():
    session = stored()
    person = Person(flow(First, run=lambda self, crowd_request: self.random(crowd_request)), session)
    person.get()
    assert session.modified
    session.modified = False
    person.get()
    assert not session.modified
