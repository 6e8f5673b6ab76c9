"""An operator looks at what was sent, what is on its way, and what happened at all."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queues import arrears, deliveries, lifecycle, notifications, sequencer
from queues.admin import backwards
from queues.deliveries import Outcome
from queues.models import Delivery, Endpoint, EventPending, FeedEntry
from queues.notifications import NotificationDraft
from queues.states import UNDELIVERED, Level
from queues.transactions import database_now
from tests import cast
from tests.admin.conftest import allow, at, text
from tests.plans import prefer_indexes

HOOK = "http://127.0.0.1:8099/hook"
LIST, FEED = "/admin/crowd_queues/delivery/", "/admin/crowd_queues/feedentry/"


@pytest.fixture(autouse=True)
def _loopback(settings):
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True


def tell(olga, queue, address=HOOK, types=("TASK_CREATED", "TASK_CANCELED")):
    draft = NotificationDraft(endpoint=address, events_to_notify=types, headers={"X-Token": "open-sesame"})
    return notifications.create(level=Level.QUEUE, draft=draft, owner=olga, queue=queue).notification


def sequence():
    while sequencer.sequence().count:
        pass


@pytest.fixture
def sent(olga, queue):
    """Four deliveries about tasks of the queue; their ids, the newest first."""
    tell(olga, queue)
    cast.post(queue, 4)
    sequence()
    return list(Delivery.objects.order_by("-id").values_list("pk", flat=True))


def ids(answer):
    return [row.pk for row, *_more in answer.context["rows"]]


def end(pk, status_code, excerpt=""):
    """Try a delivery once; an answer that is no success gives it up, for it comes too late."""
    row = Delivery.objects.get(pk=pk)
    Delivery.objects.filter(pk=pk).update(next_try_at=row.created_at - timedelta(hours=1))
    (claimed,) = deliveries.claim(endpoint_ids=[row.endpoint_id], limit=1, lease=timedelta(minutes=1))
    late = row.give_up_at
    deliveries.record(outcomes=[Outcome(claimed, row.created_at, 1234, status_code, excerpt)], now=late)
    Endpoint.objects.update(disabled_at=None, disabled_reason="", failing_since=None, rests_until=None)


class TestList:
    def test_the_newest_come_first(self, desk, sent):
        assert ids(desk.get(LIST)) == sent

    def test_pages_follow_one_another(self, desk, sent, monkeypatch):
        monkeypatch.setattr(backwards, "PAGE", 3)
        first = desk.get(LIST)
        second = desk.get(LIST + first.context["further"])
        assert ids(first) + ids(second) == sent
        assert second.context["page"].further is None
        assert desk.get(LIST + second.context["newest"]).context["page"].rows == first.context["page"].rows

    @pytest.mark.parametrize("with_endpoint", [False, True])
    @pytest.mark.parametrize("status", ["WAITING", "FINISHED", "FAILED", "RETRY"])
    def test_by_state(self, desk, sent, status, with_endpoint):
        end(sent[0], 200)
        end(sent[1], 500)
        wanted = {"FINISHED": sent[:1], "FAILED": sent[1:2], "WAITING": sent[2:], "RETRY": []}[status]
        more = f"&endpoint={Endpoint.objects.get().pk}" if with_endpoint else ""
        assert ids(desk.get(f"{LIST}?status={status}{more}")) == wanted

    def test_by_endpoint_queue_type_and_task(self, desk, olga, queue, sent):
        cats = cast.queue("cats")
        other = tell(olga, cats, HOOK + "/cats")
        (task,) = cast.post(cats, 1)
        lifecycle.cancel_task(task_id=task.pk)
        sequence()
        canceled, created = Delivery.objects.filter(queue_id=cats.pk).order_by("-id").values_list("pk", flat=True)
        assert ids(desk.get(f"{LIST}?endpoint={other.endpoint_id}")) == [canceled, created]
        assert ids(desk.get(f"{LIST}?queue={cats.pk}")) == [canceled, created]
        assert ids(desk.get(f"{LIST}?type=TASK_CANCELED")) == [canceled]
        assert ids(desk.get(f"{LIST}?task={task.pk}&type=TASK_CREATED")) == [created]
        assert ids(desk.get(f"{LIST}?endpoint={other.endpoint_id}&queue={queue.pk}")) == []

    def test_since(self, desk, sent):
        now = database_now()
        Delivery.objects.filter(pk__in=sent[2:]).update(created_at=now - timedelta(days=2))
        since = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        assert ids(desk.get(f"{LIST}?since={since}")) == sent[:2]

    def test_what_was_looked_through_without_finding_is_said_and_leads_on(self, desk, sent, monkeypatch):
        monkeypatch.setattr(backwards, "WINDOW", 2)
        Delivery.objects.filter(pk=sent[3]).update(type="TASK_CANCELED")
        first = desk.get(f"{LIST}?type=TASK_CANCELED")
        assert ids(first) == []
        assert "Look further back" in text(first)
        second = desk.get(LIST + first.context["further"])
        assert ids(second) == [sent[3]]
        assert second.context["page"].further is None

    def test_looking_back_ends_where_since_begins(self, desk, sent, monkeypatch):
        monkeypatch.setattr(backwards, "WINDOW", 2)
        now = database_now()
        Delivery.objects.filter(pk__in=sent[1:]).update(created_at=now - timedelta(days=2))
        since = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        page = desk.get(f"{LIST}?since={since}").context["page"]
        assert ([row.pk for row in page.rows], page.further) == (sent[:1], None)

    @pytest.mark.parametrize(
        "query", ["status=ODD", "endpoint=x", "queue=99999999999999999999", "since=yesterday", "type=%00", "task=-1"]
    )
    def test_nonsense_is_said_at_its_field(self, desk, sent, query):
        answer = desk.get(f"{LIST}?{query}")
        assert answer.status_code == 200
        assert list(answer.context["form"].errors) == [query.partition("=")[0]]

    @pytest.mark.parametrize("until", ["x", "-1", "9" * 30, "٣"])
    def test_a_page_that_is_none_is_the_first(self, desk, sent, until):
        assert ids(desk.get(f"{LIST}?until={until}")) == sent

    def test_it_asks_as_much_for_many_as_for_few(self, desk, queue, sent):
        def asked():
            with CaptureQueriesContext(connection) as seen:
                desk.get(LIST)
            assert not any("COUNT(" in query["sql"] for query in seen)
            assert not any('."body"' in query["sql"] for query in seen)
            return len(seen)

        asked()
        few = asked()
        cast.post(queue, 20)
        sequence()
        assert asked() == few

    @pytest.mark.only("postgresql")
    def test_each_filter_is_read_along_its_index(self, olga, queue):
        setting, busy = tell(olga, queue), tell(olga, queue, HOOK + "/busy")
        now, ends = database_now(), ("WAITING", "RETRY", "FAILED", "FINISHED")
        rows = [(setting, ends[n // 50 % 4]) if n % 50 == 0 else (busy, "FINISHED") for n in range(2000)]
        Delivery.objects.bulk_create(
            Delivery(
                endpoint_id=told.endpoint_id,
                task_id=n,
                status=status,
                next_try_at=now if status in UNDELIVERED else None,
                ended_at=None if status in UNDELIVERED else now,
                give_up_at=now,
                created_at=now,
            )
            for n, (told, status) in enumerate(rows)
        )
        prefer_indexes(Delivery)
        mine = Delivery.objects.filter(endpoint=setting.endpoint_id)
        plans = {
            "delivery_failed": Delivery.objects.filter(status="FAILED"),
            "delivery_by_endpoint": mine.filter(status="RETRY"),
            "delivery_newest": mine,
            "delivery_by_task": Delivery.objects.filter(task_id=1),
        }
        for index, rows in plans.items():
            assert index in rows.order_by("-id").values_list("id")[:50].explain()
        failed = mine.filter(status="FAILED", ended_at__gte=now)
        assert "delivery_to_replay" in failed.order_by("ended_at").values_list("id")[:500].explain()


class TestOne:
    def test_it_shows_the_body_the_headers_and_each_try(self, desk, sent):
        end(sent[0], 503, "<script>alert(1)</script>")
        shown = text(desk.get(at("delivery_change", sent[0])))
        assert "&quot;type&quot;: &quot;TASK_CREATED&quot;" in shown
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert "<script>alert" not in shown
        assert "503" in shown
        assert "1,234 ms" in shown
        assert "X-Token" in shown
        assert "open-sesame" not in shown
        assert (
            at("feedentry_change", FeedEntry.objects.get(event=Delivery.objects.get(pk=sent[0]).event_id).pk) in shown
        )

    def test_its_present_state_is_asked_for_until_it_has_ended(self, desk, sent):
        page = at("delivery_now", sent[0])
        assert "data-under-way" in text(desk.get(page))
        end(sent[0], 200, "thanks")
        answer = desk.get(page)
        assert "data-under-way" not in text(answer)
        assert "thanks" in text(answer)
        assert "no-store" in answer["Cache-Control"]

    def test_one_that_ended_is_sent_again(self, desk, sent):
        end(sent[0], 500)
        assert at("delivery_replay", sent[0]) in text(desk.get(at("delivery_change", sent[0])))
        assert desk.get(at("delivery_replay", sent[0])).status_code == 302
        assert Delivery.objects.get(pk=sent[0]).status == "FAILED"
        assert "on its way again" in text(desk.post(at("delivery_replay", sent[0]), follow=True))
        assert Delivery.objects.get(pk=sent[0]).status == "RETRY"

    def test_one_that_is_on_its_way_is_not(self, desk, sent):
        assert at("delivery_replay", sent[0]) not in text(desk.get(at("delivery_change", sent[0])))
        assert "still on its way" in text(desk.post(at("delivery_replay", sent[0]), follow=True))

    def test_one_whose_endpoint_is_off_is_not(self, desk, sent):
        end(sent[0], 500)
        notifications.disable(endpoint_id=Endpoint.objects.get().pk)
        shown = text(desk.get(at("delivery_change", sent[0])))
        assert at("delivery_replay", sent[0]) not in shown
        assert "is disabled" in text(desk.post(at("delivery_replay", sent[0]), follow=True))

    @pytest.mark.parametrize("model", ["delivery", "feedentry", "endpoint"])
    def test_what_does_not_exist_leads_back(self, desk, model):
        assert desk.get(at(f"{model}_change", 999_999)).status_code == 302

    @pytest.mark.parametrize("model", ["delivery", "feedentry", "endpoint", "notification"])
    def test_staff_without_a_permission_are_refused(self, client, sent, model):
        client.force_login(cast.person("sam", is_staff=True))
        rows = {
            "delivery": sent[0],
            "feedentry": FeedEntry.objects.first().pk,
            "endpoint": Endpoint.objects.get().pk,
            "notification": Delivery.objects.get(pk=sent[0]).notification_id,
        }
        assert client.get(at(f"{model}_changelist")).status_code == 403
        assert client.get(at(f"{model}_change", rows[model])).status_code == 403
        if model == "delivery":
            assert client.get(at("delivery_now", sent[0])).status_code == 403


class TestFeed:
    def test_the_newest_come_first_with_who_did_it(self, desk, queue):
        (task,) = cast.post(queue, 1)
        sequence()
        (entry, address, name, actor) = desk.get(FEED).context["rows"][0]
        assert (entry.event.type, name, actor) == ("TASK_AVAILABLE", "digits", "rick@example.org")
        assert address == at("task_change", task.pk)

    def test_by_queue_and_type(self, desk, queue):
        cast.post(queue, 2)
        cast.post(cast.queue("cats"), 1)
        sequence()
        found = desk.get(f"{FEED}?queue={queue.pk}&type=TASK_CREATED").context["rows"]
        assert [(entry.event.type, name) for entry, _at, name, _who in found] == [("TASK_CREATED", "digits")] * 2

    def test_pages_follow_one_another(self, desk, queue, monkeypatch):
        monkeypatch.setattr(backwards, "PAGE", 4)
        cast.post(queue, 3)
        sequence()
        first = desk.get(FEED)
        second = desk.get(FEED + first.context["further"])
        wanted = list(FeedEntry.objects.order_by("-position").values_list("pk", flat=True))
        assert ids(first) + ids(second) == wanted

    def test_it_says_where_the_head_is_and_what_waits(self, desk, queue):
        sequence()
        head = FeedEntry.objects.count()
        cast.post(queue, 1)
        shown = text(desk.get(FEED))
        assert f"position {head}" in shown
        assert desk.get(FEED).context["arrears"].pending == 2
        assert "the oldest for" in shown

    def test_what_waits_is_counted_to_a_bound(self, desk, queue, monkeypatch):
        monkeypatch.setattr(arrears, "COUNTED_MAX", 2)
        cast.post(queue, 3)
        assert "2+" in text(desk.get(FEED))

    def test_an_event_shows_who_was_told_of_it(self, desk, sent):
        delivery = Delivery.objects.get(pk=sent[0])
        shown = text(desk.get(at("feedentry_change", FeedEntry.objects.get(event=delivery.event_id).pk)))
        assert at("delivery_change", sent[0]) in shown
        assert HOOK in shown

    def test_who_was_told_is_for_those_who_may_see_deliveries(self, client, sent):
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_queues.view_feedentry"))
        delivery = Delivery.objects.get(pk=sent[0])
        assert HOOK not in text(client.get(at("feedentry_change", FeedEntry.objects.get(event=delivery.event_id).pk)))


class TestCourier:
    def test_one_at_work_leaves_nothing(self, queue):
        sequence()
        assert arrears.look() == arrears.Arrears(0, None, None)

    def test_events_that_nobody_places_are_noticed(self, desk, queue):
        cast.post(queue, 1, now=database_now() - timedelta(minutes=3))
        EventPending.objects.exclude(event__type__startswith="TASK").delete()
        found = arrears.look()
        assert found.behind
        assert found.event >= timedelta(minutes=3)
        assert "No courier seems to be at work" in text(desk.get(FEED))

    def test_deliveries_that_nobody_sends_are_noticed(self, sent):
        later = database_now() + timedelta(minutes=3)
        Endpoint.objects.update(proven=True)
        assert arrears.look(now=later).delivery > timedelta(minutes=2)
        deliveries.claim(endpoint_ids=[Endpoint.objects.get().pk], limit=1, lease=timedelta(minutes=1), now=later)
        assert not arrears.look(now=later).behind
