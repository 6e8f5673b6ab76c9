"""Requests at once: on one step of a pipeline, on the number that is let in, on the statistics."""

from threading import Event
from time import monotonic

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from queues.models import Queue
from routing import PipelineError, RequestsUsedUp, TaskError, statistics
from routing.models import Allowance, Move
from routing.pipeline import SESSION_PIPELINE_KEY
from tests import cast
from tests.assignments.test_races import deadlocks
from tests.routing.crowds import Ask, First, Person, Second, flow, plain, router, stored

pytestmark = pytest.mark.threads

LONGEST = 30
"""Seconds after which a wait is given up, and the test fails."""


def meets(function):
    """Wait until the function says yes."""
    pace, latest = Event(), monotonic() + LONGEST
    while not function():
        assert monotonic() < latest, "it did not come about in time"
        pace.wait(0.01)


class Posts(First):
    """Its answer is a row, so that one that is undone can be told."""

    def post(self, form):
        cast.queue(form["say"])
        return {"said": form["say"]}


def posting(kind, key, say):
    """A request of its own that has read the stored session: it is saved where the request went well."""
    session = SessionStore(key)
    session.get(SESSION_PIPELINE_KEY)

    def post():
        response = Person(kind, session).post(form={"say": say})
        session.save()
        return response

    return post


def test_two_requests_at_once_on_one_step_advance_once(together):
    before = deadlocks()
    for round_ in range(15):
        kind, session = flow(Posts, Posts, Second), stored()
        Person(kind, session).get()
        session.save()
        answers = together(*(posting(kind, session.session_key, f"r{round_}-{n}") for n in range(4)))
        told = [answer for answer in answers if isinstance(answer, PipelineError)]
        done = [answer for answer in answers if not isinstance(answer, Exception)]
        assert (len(told), len(done)) == (3, 1), answers
        assert SessionStore(session.session_key)[SESSION_PIPELINE_KEY] == "Flow/1/Posts"
        assert Queue.objects.filter(name__startswith=f"r{round_}-").count() == 1
    assert deadlocks() == before


def test_two_first_answers_at_once_from_one_session_begin_one_pipeline(together):
    kind, session = flow(Posts, Second), stored()
    answers = together(*(posting(kind, session.session_key, f"n{n}") for n in range(4)))
    assert sum(isinstance(answer, PipelineError) for answer in answers) == 3, answers
    assert Queue.objects.count() == 1


def test_where_the_winner_fails_the_other_advances(together):
    cast.person("mia")
    under_way, failing = Event(), Event()

    class Fails(Posts):
        def post(self, form):
            if form["say"] == "fails":
                cast.queue("spoilt")
                under_way.set()
                failing.wait(LONGEST)
                raise TaskError("No.")
            return super().post(form)

    kind, session = flow(Fails, Second), stored()
    Person(kind, session).get()
    session.save()

    well = posting(kind, session.session_key, "well")

    def second():
        under_way.wait(LONGEST)
        failing_soon.set()
        return well()

    failing_soon = Event()

    def let_go():
        failing_soon.wait(LONGEST)
        # SQLite does not say who waits.
        if connection.vendor == "postgresql":
            meets(waits_for_a_lock)
        failing.set()

    failed, advanced, _let_go = together(posting(kind, session.session_key, "fails"), second, let_go)
    assert isinstance(failed, TaskError)
    assert advanced.task.get_name() == "Second"
    assert set(Queue.objects.values_list("name", flat=True)) == {"well"}
    assert SessionStore(session.session_key)[SESSION_PIPELINE_KEY] == "Flow/1/Second"


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


def test_a_lost_session_is_taken_over_by_one_request(together):
    kind, session = flow(Posts, Second), stored()
    Person(kind, session).get()
    session.save()
    Person(kind, SessionStore(session.session_key)).post(form={"say": "lost"})
    Move.objects.update(at="2020-01-01T00:00Z")
    answers = together(*(posting(kind, session.session_key, f"n{n}") for n in range(4)))
    assert sum(isinstance(answer, PipelineError) for answer in answers) == 3, answers
    assert Queue.objects.count() == 2


def test_sixteen_threads_get_no_more_in_than_are_let_in(together):
    crowd = router(plain(First), num_allowable_requests=50)

    def ask():
        let_in = 0
        for _request in range(10):
            try:
                crowd.route("Plain", None, Ask())
                let_in += 1
            except RequestsUsedUp:
                pass
        return let_in

    assert sum(together(*(ask for _thread in range(16)))) == 50
    assert crowd.report_crowd_statistics()["task_counts"]["Plain"]["First"]["GET"] == 50


def test_a_limit_that_is_cleared_while_requests_come_never_refuses_too_early(together):
    crowd = router(plain(First), num_allowable_requests=10_000)

    def ask():
        for _request in range(15):
            crowd.route("Plain", None, Ask())

    def clear():
        for _time in range(15):
            crowd.clear_crowd_statistics()

    assert together(ask, ask, ask, clear, clear) == [None] * 5
    crowd.clear_crowd_statistics()
    crowd.num_allowable_requests = 1
    crowd.route("Plain", None, Ask())
    assert Allowance.objects.get().admitted == 1


def test_statistics_are_exact_under_sixteen_threads_while_they_are_rolled_up(together):
    person = Person(flow(First, Second))
    crowd, before = person.router, deadlocks()
    sums = []

    def ask():
        for _time in range(10):
            session = {}
            for method in ("GET", "POST"):
                crowd.route("Flow", None, Ask(method, session))

    def look():
        for _time in range(40):
            statistics.roll_up(limit=25)
            found = crowd.report_crowd_statistics()["task_counts"]["Flow"]
            sums.append(sum(sum(count.values()) for count in found.values()))

    assert together(*(ask for _thread in range(16)), look, look) == [None] * 18
    expected = {"First": {"GET": 160, "POST": 160}, "Second": {"GET": 160, "POST": 0}}
    assert crowd.report_crowd_statistics()["task_counts"]["Flow"] == expected
    while statistics.roll_up():
        pass
    assert crowd.report_crowd_statistics()["task_counts"]["Flow"] == expected
    assert deadlocks() == before


def test_what_is_recorded_after_a_clearing_is_counted_whatever_is_rolled_up(together):
    crowd, before = router(plain(First, Second)), deadlocks()
    for _round in range(10):
        for task in (First, Second):
            crowd.route("Plain", task, Ask())

        def clear_and_ask():
            crowd.clear_crowd_statistics()
            for task in (Second, First):
                crowd.route("Plain", task, Ask())

        assert not any(together(clear_and_ask, statistics.roll_up, statistics.roll_up)[:1])
        found = crowd.report_crowd_statistics()["task_counts"]["Plain"]
        assert [found[name]["GET"] for name in ("First", "Second")] == [1, 1]
    assert deadlocks() == before
