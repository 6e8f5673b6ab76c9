"""An operator sets up projects and pools in the admin, and puts a pool to work."""

from decimal import Decimal

import pytest
from django.urls import reverse

from pavilion import pools as writers
from pavilion import sessions
from pavilion.models import Pool, Project, Session
from queues.exceptions import InvalidInput
from tests import cast, pools
from tests.admin.conftest import allow, text

POOL = {
    "title": "Read digits",
    "base_reward": "0.10",
    "answer_reward": "0.02",
    "waiting_wage": "0.0600",
    "time_limit": "1800",
    "posting_seconds": "28800",
    "approval_delay": "0",
    "confirm_seconds": "30",
    "heartbeat_seconds": "60",
    "min_waiting": "1",
    "min_active": "1",
    "max_waiting": "3",
    "max_active": "2",
    "budget": "50",
    "marketplace": "local",
    "countries": "de, FR",
    "miss_rate": "0.05",
}


def at(name, *args):
    return reverse(f"admin:crowd_pavilion_{name}", args=args)


@pytest.fixture
def house(settings):
    """A house that hires by invitations alone."""
    settings.CROWDSITE_MARKETPLACES = {"local": "pavilion.marketplaces.local.Local"}


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("house")]


def test_a_project_and_its_pool_are_made_by_the_writers(desk, olga):
    cast.queue("digits")
    desk.post(at("project_add"), {"name": "Study", "description": ""})
    project = Project.objects.get()
    assert project.owner == olga
    answer = desk.post(at("pool_add"), {**POOL, "project": project.pk, "queue": "digits", "name": "first"})
    assert answer.status_code == 302, text(answer)
    pool = Pool.objects.get()
    assert (pool.queue.name, pool.base_reward, pool.countries) == ("digits", Decimal("0.10"), ["DE", "FR"])


def test_what_is_wrong_stands_at_its_field(desk):
    cast.queue("digits")
    project = writers.create_project(name="Study", actor=cast.person("mia"))
    given = {**POOL, "project": project.pk, "queue": "digits", "name": "first", "min_active": "3"}
    answer = desk.post(at("pool_add"), given)
    assert "min_active" in answer.context["adminform"].form.errors
    assert "Must not be more than max_active." in text(answer)
    assert not Pool.objects.exists()


def test_a_name_that_is_taken_stands_at_the_name(desk):
    made = pools.make("first")
    given = {**POOL, "project": made.project.pk, "queue": "digits", "name": "first"}
    assert "name" in desk.post(at("pool_add"), given).context["adminform"].form.errors
    taken = desk.post(at("project_add"), {"name": "Study", "description": ""})
    assert "name" in taken.context["adminform"].form.errors


def test_a_change_leaves_alone_what_others_changed_meanwhile(desk):
    pool = pools.make()
    page = desk.get(at("pool_change", pool.pk)).context["adminform"].form
    given = {f"initial-{name}": page[name].value() for name in page.fields if page[name].value() is not None}
    given |= {name.removeprefix("initial-"): value for name, value in given.items()}
    given = {name: "" if value in ([], "[]") else value for name, value in given.items() if value is not False}
    writers.update_pool(pool_id=pool.pk, changes={"title": "Another"})
    answer = desk.post(at("pool_change", pool.pk), {**given, "max_waiting": "7"})
    assert answer.status_code == 302, text(answer)
    pool.refresh_from_db()
    assert (pool.title, pool.max_waiting) == ("Another", 7)


def test_the_form_says_what_a_worker_may_cost(desk):
    pool = pools.make(base_reward="0.50", waiting_wage="0.1", answer_reward="0.02", time_limit=600)
    assert "1.70: the base reward" in text(desk.get(at("pool_change", pool.pk)))


def test_a_pool_is_cloned_under_another_name(desk):
    pool = pools.make("first", budget="7")
    assert 'value="first 2"' in text(desk.get(at("pool_clone", pool.pk)))
    assert "has a pool first already" in text(desk.post(at("pool_clone", pool.pk), {"name": "first"}))
    answer = desk.post(at("pool_clone", pool.pk), {"name": "second"})
    made = Pool.objects.get(name="second")
    assert answer["Location"] == at("pool_change", made.pk)
    assert made.budget == Decimal(7)


def test_posting_leads_to_the_console(desk, olga):
    pool = pools.make()
    answer = desk.post(at("pool_post", pool.pk))
    session = Session.objects.get()
    assert answer["Location"] == at("session_change", session.pk)
    assert session.posted_by == olga
    assert desk.post(at("pool_post", pool.pk))["Location"] == at("session_change", session.pk)
    assert Session.objects.count() == 1


def test_a_budget_that_is_too_small_is_said(desk):
    pool = pools.make(budget="0.01")
    answer = desk.post(at("pool_post", pool.pk), follow=True)
    assert "the budget is 0.01" in text(answer)
    assert not Session.objects.exists()


def test_what_was_never_at_work_is_deleted(desk):
    pool = pools.make()
    project = pool.project
    assert desk.post(at("project_delete", project.pk)).status_code == 403
    desk.post(at("pool_delete", pool.pk))
    desk.post(at("project_delete", project.pk))
    assert not Pool.objects.exists()
    assert not Project.objects.exists()


def test_a_pool_that_was_at_work_stays(desk):
    session = pools.post()
    assert desk.post(at("pool_delete", session.pool.pk)).status_code == 403
    assert Pool.objects.exists()


def test_other_staff_see_nothing_of_it(client):
    session = pools.post()
    client.force_login(cast.person("sam", is_staff=True))
    for name, args in (
        ("project_changelist", ()),
        ("pool_changelist", ()),
        ("session_changelist", ()),
        ("session_change", (session.pk,)),
        ("session_now", (session.pk,)),
        ("worker_changelist", ()),
        ("payment_changelist", ()),
        ("payment_export", ()),
    ):
        assert client.get(at(name, *args)).status_code == 403, name


def test_who_may_only_look_changes_nothing(client):
    session = pools.post()
    seat = pools.join(session, "ann")
    client.force_login(allow(cast.person("sam", is_staff=True), "crowd_pavilion.view_session"))
    page = text(client.get(at("session_change", session.pk)))
    assert "/pool/offer/" not in page
    assert at("session_stop", session.pk) not in page
    for name, args in (
        ("session_start", (session.pk,)),
        ("session_stop", (session.pk,)),
        ("session_expire", (session.pk,)),
        ("session_migrate", (session.pk,)),
        ("session_hire", (session.pk,)),
        ("session_limits", (session.pk,)),
        ("session_dismiss", (session.pk, seat.pk)),
        ("worker_block", (seat.worker_id,)),
        ("pool_post", (session.pool_id,)),
    ):
        assert client.post(at(name, *args), {"count": 1}).status_code == 403, name
    assert pools.statuses(session) == {"ann": "WAITING"}


def test_a_pool_that_was_at_work_keeps_its_marketplace(settings):
    settings.CROWDSITE_MARKETPLACES = dict.fromkeys(("local", "other"), "pavilion.marketplaces.local.Local")
    session = pools.post()
    sessions.expire(session_id=session.pk)
    with pytest.raises(InvalidInput, match="marketplace"):
        writers.update_pool(pool_id=session.pool_id, changes={"marketplace": "other"})
    writers.update_pool(pool_id=session.pool_id, changes={"marketplace": "local"})


def test_the_backlog_stays_while_a_session_is_live():
    session = pools.post()
    change = {"backlog_queue": cast.queue("backlog")}
    with pytest.raises(InvalidInput, match="backlog_queue"):
        writers.update_pool(pool_id=session.pool_id, changes=change)
    sessions.stop(session_id=session.pk)
    assert writers.update_pool(pool_id=session.pool_id, changes=change).backlog_queue is not None
