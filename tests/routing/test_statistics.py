"""Visits are counted in the database, by themselves."""

import pytest
from django.db import IntegrityError, transaction

from routing import statistics
from routing.models import Tally, Visit
from tests.routing.crowds import Ask, First, Fork, Person, Second, Third, flow, plain, router

pytestmark = pytest.mark.django_db

NONE = {"GET": 0, "POST": 0}


def counts(crowd):
    return crowd.report_crowd_statistics()["task_counts"]


def test_a_report_has_zeros_for_what_nobody_visited():
    crowd = router(plain(First, name="One"), plain(Second, Fork, name="Two"))
    assert counts(crowd) == {"One": {"First": NONE}, "Two": {"Second": NONE, "Third": NONE}}


def test_each_request_is_counted_once():
    crowd = router(plain(First, Second))
    for method in ("GET", "GET", "POST"):
        crowd.route("Plain", First, Ask(method))
    assert counts(crowd) == {"Plain": {"First": {"GET": 2, "POST": 1}, "Second": NONE}}


def test_a_pipeline_counts_the_post_and_the_get_that_follows():
    person = Person(flow(First, Second))
    person.get()
    person.post()
    assert counts(person.router) == {"Flow": {"First": {"GET": 1, "POST": 1}, "Second": {"GET": 1, "POST": 0}}}


def test_a_request_that_fails_is_not_counted():
    person = Person(plain(type("Broken", (First,), {"get": lambda self: None})))
    with pytest.raises(Exception, match="dict"):
        person.get()
    assert counts(person.router)["Plain"]["Broken"] == NONE


def test_a_failure_inside_a_lost_transaction_is_the_one_that_is_told():
    def get(self, crowd_request):
        First(self.workflow).execute(crowd_request)
        transaction.set_rollback(True)
        raise IntegrityError("mine")

    person = Person(plain(type("Broken", (First,), {"get": get})))
    with pytest.raises(IntegrityError, match="mine"), transaction.atomic():
        person.get()
    assert counts(person.router)["Plain"]["Broken"] == NONE


def test_new_names_are_taken_in_and_old_ones_kept():
    kind = plain(First)
    crowd = router(kind)
    crowd.route("Plain", None, Ask())
    kind.tasks = [Third]
    crowd.workflows = [kind, plain(Second, name="New")]
    crowd.route("Plain", None, Ask("POST"))
    assert counts(crowd) == {
        "Plain": {"Third": {"GET": 0, "POST": 1}, "First": {"GET": 1, "POST": 0}},
        "New": {"Second": NONE},
    }


def test_rolling_up_changes_no_count():
    crowd = router(plain(First, Second))
    for task in (First, Second, First):
        crowd.route("Plain", task, Ask())
    before = counts(crowd)
    assert statistics.roll_up(limit=2) == 2
    assert counts(crowd) == before
    crowd.route("Plain", First, Ask())
    assert statistics.roll_up() == 2
    assert statistics.roll_up() == 0
    assert counts(crowd)["Plain"] == {"First": {"GET": 3, "POST": 0}, "Second": {"GET": 1, "POST": 0}}
    assert not Visit.objects.exists()
    assert Tally.objects.count() == 2


def test_requests_of_before_a_limit_are_within_it_when_they_were_rolled_up():
    crowd = router(plain(First))
    crowd.route("Plain", None, Ask())
    statistics.roll_up()
    crowd.num_allowable_requests = 1
    with pytest.raises(Exception, match="lets in 1 requests"):
        crowd.route("Plain", None, Ask())


def test_clearing_forgets_all_of_this_router_alone():
    one, two = router(plain(First), name="One"), router(plain(First), name="Two")
    for crowd in (one, two):
        crowd.route("Plain", None, Ask())
        statistics.roll_up()
        crowd.route("Plain", None, Ask())
    one.clear_crowd_statistics()
    assert counts(one)["Plain"]["First"] == NONE
    assert counts(two)["Plain"]["First"]["GET"] == 2


def test_statistics_may_be_turned_off_and_on():
    crowd = router(plain(First), crowd_statistics=False)
    assert crowd.crowd_stats is None
    crowd.route("Plain", None, Ask())
    assert counts(crowd)["Plain"]["First"] == NONE
    crowd.enable_crowd_statistics("crowd_statistics.db")
    crowd.route("Plain", None, Ask())
    assert counts(crowd)["Plain"]["First"]["GET"] == 1


def test_older_code_finds_the_counts_where_it_looks_for_them():
    crowd = router(plain(First))
    response = crowd.route("Plain", None, Ask())
    crowd.update_crowd_statistics(response)
    assert crowd.crowd_stats.task_counts["Plain"]["First"]["GET"] == 2
    assert crowd.crowd_stats.report() == crowd.report_crowd_statistics()
    crowd.crowd_stats.clear()
    assert crowd.crowd_stats.task_counts["Plain"]["First"] == NONE


def test_one_request_costs_one_statement_more(django_assert_num_queries):
    crowd = router(plain(First))
    with django_assert_num_queries(1):
        crowd.route("Plain", None, Ask())


def test_a_report_is_one_statement(django_assert_num_queries):
    crowd = router(plain(First))
    with django_assert_num_queries(1):
        crowd.report_crowd_statistics()
