"""An operator says who is told of what, and looks after the endpoints."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queues import deliveries, notifications, vault
from queues.deliveries import Outcome
from queues.exceptions import EndpointEnabled
from queues.models import Batch, Delivery, Endpoint, Notification
from queues.notifications import NotificationDraft
from queues.states import Level
from queues.transactions import database_now
from tests import cast
from tests.admin.conftest import allow, at, text

HOOK = "http://127.0.0.1:8099/hook"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture(autouse=True)
def _loopback(settings):
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = True


@pytest.fixture
def form(queue):
    """What is sent to be told of the queue's answers."""
    return {
        "level": "queue",
        "queue": "digits",
        "endpoint": HOOK,
        "events_to_notify": ["TASK_FINISHED", "TASK_CANCELED"],
        "strategy": "UNION",
        "new_headers": "X-Token: open-sesame",
    }


@pytest.fixture
def setting(queue, olga):
    """Olga's setting for the queue, with a header."""
    draft = NotificationDraft(endpoint=HOOK, events_to_notify=("TASK_FINISHED",), headers={"X-Token": "open-sesame"})
    return notifications.create(level=Level.QUEUE, draft=draft, owner=olga, queue=queue).notification


def errors(answer):
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def fail(setting, count=1):
    """Deliveries to the setting's endpoint that were tried once and given up."""
    for _ in range(count):
        delivery = notifications.send_test(notification_id=setting.pk)
        (claimed,) = deliveries.claim(endpoint_ids=[setting.endpoint_id], limit=1, lease=timedelta(minutes=1))
        late = database_now() + timedelta(hours=80)
        deliveries.record(outcomes=[Outcome(claimed, late, 12, 500, "<i>no</i>")], now=late)
        Endpoint.objects.update(disabled_at=None, disabled_reason="", failing_since=None, rests_until=None)
        assert Delivery.objects.get(pk=delivery.pk).status == "FAILED"


class TestAdding:
    def test_it_is_made_and_the_secret_is_shown_once(self, desk, olga, form):
        answer = desk.post(at("notification_add"), form)
        made = Notification.objects.get()
        assert (made.queue.name, made.events_to_notify) == ("digits", ["TASK_FINISHED", "TASK_CANCELED"])
        assert notifications.headers_of(made.headers) == {"X-Token": "open-sesame"}
        assert made.endpoint.owner == olga
        (shown,) = set(SECRET.findall(text(answer)))
        assert shown == vault.unseal(made.endpoint.secret)
        assert "will not be shown again" in text(answer)
        assert "no-store" in answer["Cache-Control"]

    def test_neither_secret_nor_header_is_on_any_page_afterwards(self, desk, form):
        desk.post(at("notification_add"), form)
        made = Notification.objects.get()
        desk.post(at("notification_test", made.pk))
        pages = [
            at("notification_change", made.pk),
            at("notification_history", made.pk),
            at("notification_changelist"),
            at("endpoint_change", made.endpoint_id),
            at("endpoint_changelist"),
            at("delivery_change", Delivery.objects.get().pk),
            at("delivery_changelist"),
            at("queue_notifications", made.queue_id),
        ]
        for page in pages:
            shown = text(desk.get(page))
            assert not SECRET.search(shown)
            assert "open-sesame" not in shown
        assert "X-Token" in text(desk.get(pages[0]))

    def test_an_endpoint_of_the_same_owner_keeps_its_secret(self, desk, form, setting):
        before = setting.endpoint.secret
        answer = desk.post(at("notification_add"), {**form, "level": "site", "queue": ""}, follow=True)
        assert "keeps its secret" in text(answer)
        assert not SECRET.search(text(answer))
        assert Endpoint.objects.get().secret == before

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("endpoint", "http://10.0.0.1/hook", "not a public address"),
            ("endpoint", "ftp://example.org/", "must begin with https"),
            ("endpoint", "https://me:secret@example.org/", "user name or password"),
            ("events_to_notify", [], "required"),
            ("events_to_notify", ["TASK_EATEN"], "not one of the available choices"),
            ("new_headers", "nonsense", "a name, a colon, a value"),
            ("new_headers", "Host: example.org", "ours to set"),
            ("new_headers", "X-A: 1\nx-a: 2", "stands here twice"),
            ("queue", "", "Which queue?"),
            ("queue", "cats", "There is no queue cats"),
            ("task", "1", "no task to name"),
            ("strategy", "BOTH", "not one of the available choices"),
        ],
    )
    def test_what_is_refused_is_said_at_its_field_and_stays(self, desk, form, field, value, said, request):
        if field == "task":
            value = str(cast.post(request.getfixturevalue("queue"), 1)[0].pk)
        answer = desk.post(at("notification_add"), {**form, field: value})
        assert said in str(errors(answer)[field])
        if field != "endpoint":
            assert HOOK in text(answer)
        if field != "new_headers":
            assert "open-sesame" in text(answer)
        assert not Notification.objects.exists()

    def test_a_second_one_in_the_same_place_is_an_error_and_stays(self, desk, form, setting):
        answer = desk.post(at("notification_add"), form)
        assert "__all__" in errors(answer)
        assert "open-sesame" in text(answer)

    @pytest.mark.parametrize("task", ["x", "999999", "9" * 30, ""])
    def test_a_task_that_is_none_is_an_error(self, desk, form, task):
        answer = desk.post(at("notification_add"), {**form, "level": "task", "queue": "", "task": task})
        assert "task" in errors(answer)

    def test_the_links_of_a_queue_and_a_task_fill_the_form(self, desk, queue):
        (task,) = cast.post(queue, 1)
        for page, level in (
            (at("queue_notifications", queue.pk), "queue"),
            (at("notification_of_task", task.pk), "task"),
        ):
            (link,) = re.findall(r'href="([^"]+/add/\?[^"]+)"', text(desk.get(page)))
            initial = desk.get(link.replace("&amp;", "&")).context["adminform"].form.initial
            assert (initial["level"], initial[level]) == (level, str({"queue": queue, "task": task}[level].pk))


class TestList:
    def asked(self, desk):
        with CaptureQueriesContext(connection) as seen:
            desk.get(at("notification_changelist"))
        assert not any('."secret"' in query["sql"] or "input_data" in query["sql"] for query in seen)
        return len(seen)

    def test_it_asks_as_much_for_many_as_for_few(self, desk, olga, queue):
        def tell(task):
            draft = NotificationDraft(endpoint=f"{HOOK}/{task.pk}", events_to_notify=("TASK_FINISHED",))
            notifications.create(level=Level.TASK, draft=draft, owner=olga, task=task)

        first, *others = cast.post(queue, 5)
        tell(first)
        self.asked(desk)
        few = self.asked(desk)
        for task in others:
            tell(task)
        assert self.asked(desk) == few

    @pytest.mark.parametrize(("level", "wanted"), [("site", 0), ("queue", 1), ("task", 0), ("odd", 1)])
    def test_by_level(self, desk, setting, level, wanted):
        shown = desk.get(at("notification_changelist"), {"level": level}).context["cl"].result_list
        assert len(shown) == wanted

    def test_endpoints_by_state(self, desk, setting):
        def found(state):
            return len(desk.get(at("endpoint_changelist"), {"state": state}).context["cl"].result_list)

        assert [found(state) for state in ("live", "failing", "off")] == [1, 0, 0]
        notifications.disable(endpoint_id=setting.endpoint_id)
        assert [found(state) for state in ("live", "failing", "off")] == [0, 0, 1]


class TestChanging:
    def sent(self, **changes):
        old = {f"initial-{name}": value for name, value in {"events_to_notify": ["TASK_FINISHED"]}.items()}
        return {
            **old,
            "initial-strategy": "UNION",
            "events_to_notify": ["TASK_FINISHED"],
            "strategy": "UNION",
            **changes,
        }

    def test_events_and_strategy(self, desk, setting):
        sent = self.sent(events_to_notify=["TASK_EXPIRED"], strategy="ONLY")
        assert desk.post(at("notification_change", setting.pk), sent).status_code == 302
        setting.refresh_from_db()
        assert (setting.events_to_notify, setting.strategy) == (["TASK_EXPIRED"], "ONLY")

    def test_headers_stay_unless_others_are_given(self, desk, setting):
        desk.post(at("notification_change", setting.pk), self.sent(strategy="ONLY"))
        setting.refresh_from_db()
        assert notifications.headers_of(setting.headers) == {"X-Token": "open-sesame"}
        desk.post(at("notification_change", setting.pk), self.sent(new_headers="X-Other: a:b"))
        setting.refresh_from_db()
        assert notifications.headers_of(setting.headers) == {"X-Other": "a:b"}
        desk.post(at("notification_change", setting.pk), self.sent(without_headers="on"))
        setting.refresh_from_db()
        assert setting.headers == ""

    def test_new_headers_and_none_at_once_is_an_error(self, desk, setting):
        answer = desk.post(at("notification_change", setting.pk), self.sent(new_headers="A: b", without_headers="on"))
        assert "not both" in str(errors(answer)["without_headers"])

    def test_removing_says_what_happens(self, desk, setting):
        assert "is told no more" in text(desk.get(at("notification_delete", setting.pk)))
        assert desk.post(at("notification_delete", setting.pk), {"post": "yes"}).status_code == 302
        assert not Notification.objects.exists()
        assert Endpoint.objects.exists()


class TestTesting:
    def test_a_test_event_leads_to_its_delivery(self, desk, setting):
        answer = desk.post(at("notification_test", setting.pk))
        delivery = Delivery.objects.get()
        assert (delivery.type, answer["Location"]) == ("TEST", at("delivery_change", delivery.pk))

    def test_looking_at_its_address_sends_nothing(self, desk, setting):
        assert desk.get(at("notification_test", setting.pk)).status_code == 302
        assert not Delivery.objects.exists()

    def test_a_disabled_endpoint_is_said(self, desk, setting):
        notifications.disable(endpoint_id=setting.endpoint_id)
        assert "is disabled" in text(desk.post(at("notification_test", setting.pk), follow=True))
        assert not Delivery.objects.exists()


class TestLevels:
    def silenced(self, desk, page):
        return [(str(level["label"]), level["silenced"]) for level in desk.get(page).context["levels"]]

    def test_a_task_shows_whom_its_levels_tell(self, desk, olga, queue, setting):
        (task,) = cast.post(queue, 1)
        draft = NotificationDraft(endpoint=HOOK, events_to_notify=("TASK_FINISHED",))
        notifications.create(level=Level.SITE, draft=draft, owner=olga)
        page = at("notification_of_task", task.pk)
        assert self.silenced(desk, page) == [("task", False), ("queue", False), ("site", False)]
        notifications.change(notification_id=setting.pk, changes={"strategy": "ONLY"})
        assert self.silenced(desk, page) == [("task", False), ("queue", False), ("site", True)]
        assert self.silenced(desk, at("queue_notifications", queue.pk)) == [("queue", False), ("site", True)]

    def test_a_tasks_page_leads_to_its_notifications_and_deliveries(self, desk, queue):
        (task,) = cast.post(queue, 1)
        shown = text(desk.get(at("task_change", task.pk)))
        assert at("notification_of_task", task.pk) in shown
        assert f"{at('delivery_changelist')}?task={task.pk}" in shown


class TestEndpoint:
    def test_a_new_secret_is_shown_once_and_the_old_one_signs_too(self, desk, setting):
        assert "For 24 hours the present one signs as well" in text(
            desk.get(at("endpoint_rotate", setting.endpoint_id))
        )
        answer = desk.post(at("endpoint_rotate", setting.endpoint_id))
        endpoint = Endpoint.objects.get()
        (shown,) = set(SECRET.findall(text(answer)))
        assert (vault.unseal(endpoint.secret), endpoint.old_secret) == (shown, setting.endpoint.secret)
        assert "What it replaced signs as well until" in text(desk.get(at("endpoint_change", endpoint.pk)))

    def test_it_is_switched_off_and_on_and_the_page_says_by_whom(self, desk, setting):
        page = at("endpoint_change", setting.endpoint_id)
        assert "Nothing is sent there any more" in text(desk.get(at("endpoint_disable", setting.endpoint_id)))
        assert Endpoint.objects.get().disabled_at is None
        desk.post(at("endpoint_disable", setting.endpoint_id))
        shown = text(desk.get(page))
        assert "it was switched off. By olga@example.org." in shown
        assert "is disabled already" in text(desk.post(at("endpoint_disable", setting.endpoint_id), follow=True))
        desk.get(at("endpoint_enable", setting.endpoint_id))
        assert Endpoint.objects.get().disabled_at is not None
        desk.post(at("endpoint_enable", setting.endpoint_id))
        assert Endpoint.objects.get().disabled_at is None
        with pytest.raises(EndpointEnabled):
            notifications.enable(endpoint_id=setting.endpoint_id)

    def test_who_switched_it_off_elsewhere_is_not_guessed(self, desk, setting):
        desk.post(at("endpoint_rotate", setting.endpoint_id))
        notifications.disable(endpoint_id=setting.endpoint_id)
        assert "By olga" not in text(desk.get(at("endpoint_change", setting.endpoint_id)))

    def test_what_waits_is_counted_to_a_bound(self, desk, setting, monkeypatch):
        monkeypatch.setattr("queues.admin.endpoint.up_to.__defaults__", (2,))
        for _ in range(3):
            notifications.send_test(notification_id=setting.pk)
        assert desk.get(at("endpoint_change", setting.endpoint_id)).context["waiting"] == "2+"

    def test_its_newest_tries_are_shown(self, desk, setting):
        fail(setting)
        (each, _badge) = desk.get(at("endpoint_change", setting.endpoint_id)).context["tries"][0]
        assert each.status_code == 500

    def test_what_failed_is_counted_and_then_replayed_in_a_batch(self, desk, setting):
        fail(setting, 3)
        old = Delivery.objects.earliest("pk")
        Delivery.objects.filter(pk=old.pk).update(ended_at=old.ended_at - timedelta(days=30))
        moment = Delivery.objects.exclude(pk=old.pk).earliest("ended_at").ended_at - timedelta(days=1)
        page = at("endpoint_replay", setting.endpoint_id)
        sent = {"since_0": moment.date().isoformat(), "since_1": "00:00:00"}
        assert "Given up since then: <strong>2</strong>" in text(desk.post(page, sent))
        assert Delivery.objects.filter(status="FAILED").count() == 3
        answer = desk.post(page, {**sent, "confirmed": "yes"})
        batch = Batch.objects.get()
        assert answer["Location"] == at("batch_change", batch.pk)
        desk.post(at("batch_step", batch.pk))
        assert list(Delivery.objects.filter(status="FAILED")) == [old]
        shown = text(desk.get(at("batch_change", batch.pk)))
        assert "replay deliveries" in shown
        assert "2 of 2 done: 2 changed, 0 refused" in shown

    def test_a_time_that_is_none_is_an_error(self, desk, setting):
        answer = desk.post(at("endpoint_replay", setting.endpoint_id), {"since_0": "yesterday", "since_1": "12:00"})
        assert "valid date" in text(answer)
        assert "yesterday" in text(answer)

    def test_a_batch_says_what_a_disabled_endpoint_keeps_it_from(self, desk, setting):
        fail(setting)
        sent = {"since_0": "2020-01-01", "since_1": "00:00:00", "confirmed": "yes"}
        desk.post(at("endpoint_replay", setting.endpoint_id), sent)
        notifications.disable(endpoint_id=setting.endpoint_id)
        batch = Batch.objects.get()
        desk.post(at("batch_step", batch.pk))
        assert "Its endpoint is disabled" in text(desk.get(at("batch_change", batch.pk)))


class TestPermission:
    @pytest.fixture
    def sam(self, client, setting):
        """Staff who may look at all of it, and change nothing."""
        models = ["notification", "endpoint", "delivery", "feedentry"]
        user = allow(cast.person("sam", is_staff=True), *[f"crowd_queues.view_{model}" for model in models])
        client.force_login(user)
        return client

    def test_who_may_look_sees_no_buttons(self, sam, setting):
        shown = text(sam.get(at("endpoint_change", setting.endpoint_id)))
        assert "Switch off" not in shown
        assert "Send a test event" not in text(sam.get(at("notification_change", setting.pk)))

    def test_who_may_look_changes_nothing(self, sam, setting):
        endpoint = setting.endpoint_id
        fail(setting)
        pages = [
            *(at(f"endpoint_{name}", endpoint) for name in ("rotate", "disable", "enable", "replay")),
            at("notification_test", setting.pk),
            at("notification_delete", setting.pk),
            at("delivery_replay", Delivery.objects.get().pk),
        ]
        assert [sam.post(page).status_code for page in pages] == [403] * len(pages)
        assert Endpoint.objects.get().old_secret == ""

    def test_the_pages_of_levels_take_the_permission_to_view(self, client, queue):
        (task,) = cast.post(queue, 1)
        client.force_login(
            allow(cast.person("tom", is_staff=True), "crowd_queues.view_queue", "crowd_queues.view_task")
        )
        assert client.get(at("queue_notifications", queue.pk)).status_code == 403
        assert client.get(at("notification_of_task", task.pk)).status_code == 403
        assert "Notifications" not in text(client.get(at("task_change", task.pk))).split('id="content-main"')[1]
