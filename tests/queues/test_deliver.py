"""What becomes of a delivery and of its endpoint, by the clock: leases, retries, giving up, resting, switching off."""

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.db.models import Min

from queues import deliveries, jobs, notifications, owners
from queues.deliveries import RETRIES, Claimed, Outcome
from queues.exceptions import DeliveryOpen, EndpointDisabled, EndpointEnabled
from queues.models import Delivery, DeliveryTry, Endpoint
from queues.sequencer import GIVE_UP_AFTER
from queues.states import DELIVERY_TRANSITIONS, UNDELIVERED, DeliveryStatus, Disabled
from tests import cast, outbox
from tests.plans import explain, prefer_indexes
from tests.servers import free_port

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return outbox.endpoint()


def test_what_is_taken_is_its_takers_until_the_lease_ends(endpoint: Endpoint) -> None:
    (delivery,) = outbox.waiting(endpoint, now=NOW)
    assert outbox.take(endpoint, now=NOW - SECOND) == []
    (claimed,) = outbox.take(endpoint, now=NOW)
    assert (claimed.id, claimed.body, claimed.fence) == (delivery.pk, delivery.body, 1)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == (DeliveryStatus.FIRST_TRY, 1)
    assert outbox.take(endpoint, now=NOW + outbox.LEASE - SECOND) == []


def test_what_nobody_tells_of_is_taken_over_with_the_same_id_and_body(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    (first,) = outbox.take(endpoint, now=NOW)
    (second,) = outbox.take(endpoint, now=NOW + outbox.LEASE)
    assert (second.id, second.body, second.fence) == (first.id, first.body, 2)


def test_a_late_failure_is_noted_and_changes_nothing_for_who_took_over(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    (first,) = outbox.take(endpoint, now=NOW)
    later = NOW + outbox.LEASE
    (second,) = outbox.take(endpoint, now=later)
    before = Delivery.objects.get()
    outbox.told(first, 500, now=later)
    after = Delivery.objects.get()
    assert (after.status, after.next_try_at) == (before.status, before.next_try_at)
    outbox.told(second, 200, now=later)
    assert Delivery.objects.get().status == DeliveryStatus.FINISHED
    assert list(DeliveryTry.objects.values_list("number", "status_code")) == [(1, 500), (2, 200)]


def test_a_late_success_counts_and_who_took_over_changes_nothing(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    (first,) = outbox.take(endpoint, now=NOW)
    later = NOW + outbox.LEASE
    (second,) = outbox.take(endpoint, now=later)
    outbox.told(first, 204, now=later)
    outbox.told(second, 500, now=later + SECOND)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.ended_at) == (DeliveryStatus.FINISHED, later)


def test_a_success_that_comes_after_the_giving_up_counts(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW, give_up_at=NOW + SECOND)
    (claimed,) = outbox.take(endpoint, now=NOW)
    assert deliveries.give_up(now=NOW + SECOND) == 1
    outbox.told(claimed, 200, now=NOW + 2 * SECOND)
    assert Delivery.objects.get().status == DeliveryStatus.FINISHED


@pytest.mark.parametrize("status", [200, 500])
def test_a_try_from_before_a_replay_is_only_noted(endpoint: Endpoint, status: int) -> None:
    outbox.waiting(endpoint, now=NOW, give_up_at=NOW + SECOND)
    (claimed,) = outbox.take(endpoint, now=NOW)
    deliveries.give_up(now=NOW + SECOND)
    deliveries.replay(delivery_id=claimed.id, now=NOW + SECOND)
    outbox.told(claimed, status, now=NOW + 2 * SECOND)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.next_try_at) == (DeliveryStatus.RETRY, NOW + SECOND)


def test_both_outcomes_of_one_delivery_in_one_batch_make_it_delivered(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    (first,) = outbox.take(endpoint, now=NOW)
    (second,) = outbox.take(endpoint, now=NOW + outbox.LEASE)
    outcomes = [Outcome(first, NOW, 10, status_code=200), Outcome(second, NOW, 10, status_code=500)]
    deliveries.record(outcomes=outcomes, now=NOW + outbox.LEASE)
    assert Delivery.objects.get().status == DeliveryStatus.FINISHED


def test_each_retry_waits_as_long_as_the_table_says_and_then_it_is_given_up(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    now = NOW
    for wait in RETRIES:
        delivery = outbox.attempt(endpoint, 503, now=now)
        assert delivery.status == DeliveryStatus.RETRY
        assert wait <= delivery.next_try_at - now <= 1.1 * wait
        now = delivery.next_try_at
    assert now - NOW < GIVE_UP_AFTER
    delivery = outbox.attempt(endpoint, None, now=now)
    assert (delivery.status, delivery.tries, delivery.ended_at) == (DeliveryStatus.FAILED, 9, now)
    assert Endpoint.objects.get().due_at is None


def test_chance_spreads_retries(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 10, now=NOW)
    outcomes = [Outcome(one, NOW, 10, status_code=500) for one in outbox.take(endpoint, now=NOW, limit=10)]
    deliveries.record(outcomes=outcomes, now=NOW)
    assert Delivery.objects.values("next_try_at").distinct().count() > 5


def test_nothing_is_tried_again_after_its_time(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW, give_up_at=NOW + 4 * SECOND)
    assert outbox.attempt(endpoint, 500, now=NOW).status == DeliveryStatus.FAILED


def test_what_is_taken_after_its_time_is_given_up_untried(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW, give_up_at=NOW + SECOND)
    assert outbox.take(endpoint, now=NOW + SECOND) == []
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries) == (DeliveryStatus.FAILED, 0)


def test_what_was_taken_and_never_tried_uses_up_no_retry(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    for _killed in range(20):
        outbox.take(endpoint, now=NOW, lease=timedelta(0))
    delivery = outbox.attempt(endpoint, 500, now=NOW)
    assert delivery.next_try_at is not None
    assert delivery.next_try_at - NOW <= 1.1 * RETRIES[0]


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [(None, 5, 5.5), (0, 5, 5.5), (3, 5, 5.5), (60, 60, 60), (90_000, 86_400, 86_400), (999_999_999, 86_400, 86_400)],
)
def test_retry_after_puts_the_next_try_off_for_a_day_at_most(
    endpoint: Endpoint, retry_after: float | None, least: float, most: float
) -> None:
    outbox.waiting(endpoint, now=NOW)
    delivery = outbox.attempt(endpoint, 400, now=NOW, retry_after=retry_after)
    assert delivery.next_try_at is not None
    assert least <= (delivery.next_try_at - NOW).total_seconds() <= most


def test_retry_after_beyond_the_end_gives_up(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW, give_up_at=NOW + HOUR)
    assert outbox.attempt(endpoint, 503, now=NOW, retry_after=7200).status == DeliveryStatus.FAILED


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_delivered(endpoint: Endpoint, status: int) -> None:
    outbox.waiting(endpoint, now=NOW)
    delivery = outbox.attempt(endpoint, status, now=NOW)
    assert (delivery.status, delivery.next_try_at, delivery.ended_at) == (DeliveryStatus.FINISHED, None, NOW)


@pytest.mark.parametrize("status", [None, 199, 300, 301, 304, 400, 404, 429, 500, 599])
def test_everything_else_is_not(endpoint: Endpoint, status: int | None) -> None:
    outbox.waiting(endpoint, now=NOW)
    assert outbox.attempt(endpoint, status, now=NOW).status == DeliveryStatus.RETRY


def test_each_try_is_kept(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    outbox.attempt(endpoint, 500, now=NOW, milliseconds=1234, excerpt="é" * 2000)
    outbox.attempt(endpoint, None, now=NOW + 6 * SECOND, error="x" * 1000)
    kept = DeliveryTry.objects.order_by("number")
    assert [(one.number, one.status_code, one.milliseconds) for one in kept] == [(1, 500, 1234), (2, None, 10)]
    assert [(len(one.excerpt), len(one.error)) for one in kept] == [(1024, 0), (0, 300)]


def test_what_is_handed_back_is_as_it_was_and_due_at_once(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 2, now=NOW)
    outbox.attempt(endpoint, 500, now=NOW)
    later = NOW + 10 * SECOND
    claimed = outbox.take(endpoint, now=later, limit=2)
    deliveries.give_back(claimed=claimed, now=later)
    rows = Delivery.objects.order_by("pk").values_list("status", "tries", "next_try_at")
    assert list(rows) == [(DeliveryStatus.RETRY, 1, later), (DeliveryStatus.WAITING, 0, later)]
    assert Endpoint.objects.get().due_at == later


def test_what_was_taken_over_cannot_be_handed_back(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    first = outbox.take(endpoint, now=NOW)
    outbox.take(endpoint, now=NOW + outbox.LEASE)
    deliveries.give_back(claimed=first, now=NOW + outbox.LEASE)
    assert Delivery.objects.get().tries == 2


def test_what_was_replayed_meanwhile_cannot_be_handed_back(endpoint: Endpoint) -> None:
    (row,) = outbox.waiting(endpoint, now=NOW)
    held = outbox.take(endpoint, now=NOW)
    late = NOW + timedelta(hours=73)
    assert deliveries.give_up(now=late) == 1
    deliveries.replay(delivery_id=row.pk, now=late)
    deliveries.give_back(claimed=held, now=late)
    row.refresh_from_db()
    assert (row.status, row.tries, row.tries_before) == (DeliveryStatus.RETRY, 1, 1)


def test_both_secrets_sign_for_a_day_after_a_rotation(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 3, now=NOW)
    (claimed,) = outbox.take(endpoint, now=NOW)
    before = claimed.secrets
    notifications.rotate(endpoint_id=endpoint.pk, now=NOW)
    (claimed,) = outbox.take(endpoint, now=NOW + DAY - SECOND)
    assert claimed.secrets[0] not in before
    assert claimed.secrets[1:] == before
    (later,) = outbox.take(endpoint, now=NOW + DAY)
    assert later.secrets == claimed.secrets[:1]


def test_gone_gives_up_and_switches_the_endpoint_off(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 2, now=NOW)
    assert outbox.attempt(endpoint, 410, now=NOW).status == DeliveryStatus.FAILED
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.disabled_reason) == (NOW, Disabled.GONE)
    assert outbox.take(endpoint, now=NOW) == []
    assert deliveries.due(proven=False, limit=9, now=NOW) == []


def test_three_days_of_failure_switch_the_endpoint_off(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 3, now=NOW, give_up_at=NOW + 30 * DAY)
    outbox.attempt(endpoint, 500, now=NOW)
    outbox.attempt(endpoint, None, now=NOW + 3 * DAY - SECOND)
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is None
    later = NOW + 3 * DAY + MINUTE
    outbox.attempt(endpoint, 500, now=later)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.disabled_reason) == (later, Disabled.FAILING)


def test_a_fault_of_our_own_is_not_the_endpoints(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    outbox.attempt(endpoint, None, now=NOW, ours=True)
    assert Delivery.objects.get().status == DeliveryStatus.RETRY
    assert Endpoint.objects.values_list("failing_since", "rests_until").get() == (None, None)


def test_one_success_in_between_begins_the_three_days_anew(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 4, now=NOW, give_up_at=NOW + 30 * DAY)
    outbox.attempt(endpoint, 500, now=NOW)
    outbox.attempt(endpoint, 200, now=NOW + 2 * DAY)
    outbox.attempt(endpoint, 500, now=NOW + 3 * DAY)
    outbox.attempt(endpoint, 500, now=NOW + 4 * DAY)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.failing_since) == (None, NOW + 3 * DAY)


def test_the_owner_is_told_once(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    outbox.attempt(endpoint, 410, now=NOW)
    assert jobs.tell_owners() == 1
    assert jobs.tell_owners() == 0
    (letter,) = mail.outbox
    assert letter.to == ["mia@example.org"]
    assert outbox.URL in letter.body
    assert "gone (410)" in letter.body


def test_who_switched_it_off_is_not_told(endpoint: Endpoint) -> None:
    notifications.disable(endpoint_id=endpoint.pk)
    assert owners.tell() == 0


def test_a_second_switching_off_is_told_as_well(endpoint: Endpoint) -> None:
    for day in range(2):
        outbox.waiting(endpoint, now=NOW + day * DAY)
        outbox.attempt(endpoint, 410, now=NOW + day * DAY)
        assert owners.tell() == 1
        notifications.enable(endpoint_id=endpoint.pk, now=NOW + day * DAY)


def test_an_owner_without_an_address_holds_up_nobody(endpoint: Endpoint) -> None:
    nobody = cast.person("nobody")
    nobody.email = ""
    nobody.save()
    for number, owner in enumerate(("nobody", "mia")):
        other = outbox.endpoint(f"{outbox.URL}/{number}", owner)
        outbox.waiting(other, now=NOW)
        outbox.attempt(other, 410, now=NOW)
    assert owners.tell() == 2
    assert [letter.to for letter in mail.outbox] == [["mia@example.org"]]


def test_a_mail_server_that_does_not_answer_is_logged(endpoint: Endpoint, settings: Any, caplog: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    outbox.waiting(endpoint, now=NOW)
    outbox.attempt(endpoint, 410, now=NOW)
    assert owners.tell() == 1
    assert f"The owner of endpoint {endpoint.pk} could not be told" in caplog.text


@pytest.mark.threads
def test_two_ticks_at_once_write_one_letter(together: Any) -> None:
    endpoint = outbox.endpoint()
    outbox.waiting(endpoint, now=NOW)
    outbox.attempt(endpoint, 410, now=NOW)
    assert sum(together(*[owners.tell] * 4)) == 1
    assert len(mail.outbox) == 1


def proven(endpoint: Endpoint) -> bool:
    return Endpoint.objects.get(pk=endpoint.pk).proven


def test_an_endpoint_is_proven_by_a_quick_success_and_by_that_alone(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 4, now=NOW)
    assert not proven(endpoint)
    outbox.attempt(endpoint, 200, now=NOW, milliseconds=2000)
    assert proven(endpoint)
    outbox.attempt(endpoint, 200, now=NOW, milliseconds=2001)
    assert not proven(endpoint)
    outbox.attempt(endpoint, 200, now=NOW)
    assert proven(endpoint)
    outbox.attempt(endpoint, 500, now=NOW)
    assert not proven(endpoint)


@pytest.mark.parametrize(
    ("failing", "rest"), [(0 * SECOND, 0), (5 * SECOND, 0.5), (100 * SECOND, 10), (5 * MINUTE, 30), (2 * DAY, 30)]
)
def test_an_endpoint_that_keeps_failing_rests_between_its_tries(
    endpoint: Endpoint, failing: timedelta, rest: float
) -> None:
    outbox.waiting(endpoint, 3, now=NOW, give_up_at=NOW + 30 * DAY)
    outbox.attempt(endpoint, 500, now=NOW)
    now = NOW + failing
    outbox.attempt(endpoint, 500, now=now)
    over = now + timedelta(seconds=rest)
    if rest:
        assert deliveries.due(proven=False, limit=9, now=over - timedelta(milliseconds=1)) == []
        assert outbox.take(endpoint, now=over - timedelta(milliseconds=1)) == []
    assert deliveries.due(proven=False, limit=9, now=over) == [endpoint.pk]
    assert len(outbox.take(endpoint, now=over)) == 1


@pytest.mark.parametrize(("status", "asked", "rest"), [(429, 60, 60), (503, 3600, 300), (500, 60, 0), (400, 60, 0)])
def test_too_many_and_unavailable_put_off_all_of_the_endpoints(
    endpoint: Endpoint, status: int, asked: float, rest: float
) -> None:
    outbox.waiting(endpoint, 2, now=NOW)
    outbox.attempt(endpoint, status, now=NOW, retry_after=asked)
    assert (deliveries.due(proven=False, limit=9, now=NOW) == []) == bool(rest)
    assert deliveries.due(proven=False, limit=9, now=NOW + timedelta(seconds=rest)) == [endpoint.pk]


def test_switching_on_and_replaying_end_the_rest(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW, give_up_at=NOW + SECOND)
    delivery = outbox.attempt(endpoint, 503, now=NOW, retry_after=300)
    deliveries.replay(delivery_id=delivery.pk, now=NOW + SECOND)
    assert len(outbox.take(endpoint, now=NOW + SECOND)) == 1
    outbox.waiting(endpoint, now=NOW + SECOND)
    outbox.attempt(endpoint, 410, now=NOW + SECOND)
    Endpoint.objects.update(rests_until=NOW + HOUR)
    notifications.enable(endpoint_id=endpoint.pk, now=NOW + SECOND)
    assert deliveries.due(proven=False, limit=9, now=NOW + SECOND) == [endpoint.pk]


def test_endpoints_take_turns_and_the_new_one_comes_first() -> None:
    made = [outbox.endpoint(f"{outbox.URL}/{number}") for number in range(3)]
    for one in made:
        outbox.waiting(one, 9, now=NOW)
    turns = []
    for second in range(6):
        now = NOW + second * SECOND
        (first, *_others) = deliveries.due(proven=False, limit=9, now=now)
        turns.append(first)
        deliveries.claim(endpoint_ids=[first], limit=1, lease=outbox.LEASE, now=now)
    assert turns == [one.pk for one in made] * 2
    fresh = outbox.endpoint(f"{outbox.URL}/fresh")
    outbox.waiting(fresh, now=NOW)
    assert deliveries.due(proven=False, limit=1, now=NOW) == [fresh.pk]
    assert deliveries.due(proven=False, besides=[fresh.pk], limit=1, now=NOW) == [made[0].pk]
    assert deliveries.due(proven=True, limit=9, now=NOW) == []


def test_what_waits_for_a_disabled_endpoint_is_given_up_in_time(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 3, now=NOW)
    notifications.disable(endpoint_id=endpoint.pk, now=NOW)
    assert deliveries.give_up(now=NOW + GIVE_UP_AFTER - SECOND) == 0
    assert deliveries.give_up(limit=2, now=NOW + GIVE_UP_AFTER) == 2
    assert deliveries.give_up(limit=2, now=NOW + GIVE_UP_AFTER) == 1
    assert set(Delivery.objects.values_list("status", flat=True)) == {DeliveryStatus.FAILED}
    assert Endpoint.objects.get().due_at is None


def test_what_ended_long_ago_is_purged_with_its_tries(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 2, now=NOW)
    old = outbox.attempt(endpoint, 200, now=NOW)
    fresh = outbox.attempt(endpoint, 200, now=NOW + DAY)
    assert deliveries.purge(now=NOW + 30 * DAY) == 0
    assert deliveries.purge(now=NOW + 30 * DAY + SECOND) == 1
    assert list(Delivery.objects.all()) == [fresh]
    assert not DeliveryTry.objects.filter(delivery_id=old.pk).exists()


def test_a_try_of_what_is_not_there_any_more_is_passed_by(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, 2, now=NOW)
    first, second = outbox.take(endpoint, now=NOW, limit=2)
    Delivery.objects.filter(pk=first.id).delete()
    outcomes = [Outcome(one, NOW, 10, status_code=200) for one in (first, second)]
    deliveries.record(outcomes=outcomes, now=NOW)
    assert Delivery.objects.get().status == DeliveryStatus.FINISHED


class Walk:
    """A courier, an operator and the clock, doing whatever comes to mind to the deliveries of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.now, self.dice = endpoint, NOW, random.Random(4)
        self.ids = [one.pk for one in outbox.waiting(endpoint, 6, now=NOW)]
        self.held: list[Claimed] = []

    def take(self) -> None:
        self.held += outbox.take(self.endpoint, now=self.now, limit=self.dice.randint(1, 3))

    def tell(self) -> None:
        for claimed in self.held:
            outbox.told(claimed, self.dice.choice([200, 500, 500, 500, None]), now=self.now)
        self.held.clear()

    def give_back(self) -> None:
        deliveries.give_back(claimed=self.held, now=self.now)
        self.held.clear()

    def replay(self) -> None:
        with suppress(DeliveryOpen, EndpointDisabled):
            deliveries.replay(delivery_id=self.dice.choice(self.ids), now=self.now)

    def give_up(self) -> None:
        deliveries.give_up(now=self.now)

    def enable(self) -> None:
        """Switch the endpoint on again; the next one who looks finds when it is due."""
        with suppress(EndpointEnabled):
            notifications.enable(endpoint_id=self.endpoint.pk, now=self.now)
            self.take()

    def step(self) -> None:
        self.now += self.dice.choice([SECOND, 10 * SECOND, HOUR, 12 * HOUR])
        self.enable()
        self.dice.choice([self.take, self.tell, self.tell, self.give_back, self.replay, self.give_up])()


def test_whatever_is_done_keeps_to_the_table_and_to_the_time_that_is_due(endpoint: Endpoint) -> None:
    walk, moves = Walk(endpoint), set()
    after = dict.fromkeys(walk.ids, DeliveryStatus.WAITING)
    for _step in range(120):
        before = after
        walk.step()
        after = {pk: DeliveryStatus(status) for pk, status in Delivery.objects.values_list("pk", "status")}
        moves |= {(before[pk], after[pk]) for pk in walk.ids if before[pk] != after[pk]}
        first = Delivery.objects.filter(status__in=UNDELIVERED).aggregate(at=Min("next_try_at"))["at"]
        assert Endpoint.objects.get().due_at == first
    assert len(moves) > 6
    for old, new in moves:
        assert new in DELIVERY_TRANSITIONS[old], (old, new)


@pytest.mark.threads
def test_two_couriers_at_once_never_take_the_same(together: Any) -> None:
    endpoint = outbox.endpoint()
    outbox.waiting(endpoint, 40, now=NOW)

    def take() -> list[int]:
        return [one.id for _turn in range(5) for one in outbox.take(endpoint, now=NOW, limit=2)]

    taken = [pk for some in together(*[take] * 4) for pk in some]
    assert len(taken) == len(set(taken)) == 40


@pytest.mark.threads
def test_two_couriers_that_tell_of_two_endpoints_at_once_do_not_deadlock(together: Any) -> None:
    made = [outbox.endpoint(f"{outbox.URL}/{number}") for number in range(2)]
    for one in made:
        outbox.waiting(one, 40, now=NOW)

    def work(order: int) -> None:
        for _turn in range(10):
            taken = [outbox.take(one, now=NOW)[0] for one in made[::order]]
            deliveries.record(outcomes=[Outcome(one, NOW, 10, status_code=200) for one in taken], now=NOW)

    assert together(lambda: work(1), lambda: work(-1)) == [None, None]
    assert Delivery.objects.filter(status=DeliveryStatus.FINISHED).count() == 40


@pytest.mark.threads
def test_a_purge_and_a_replay_at_once_leave_a_whole_delivery_or_none(together: Any) -> None:
    endpoint = outbox.endpoint()
    outbox.waiting(endpoint, 30, now=NOW)
    claimed = outbox.take(endpoint, now=NOW, limit=30)
    deliveries.record(outcomes=[Outcome(one, NOW, 10, status_code=200) for one in claimed], now=NOW)
    later = NOW + 40 * DAY

    def replay() -> set[int]:
        kept = set()
        for one in reversed(claimed):
            with suppress(Delivery.DoesNotExist):
                deliveries.replay(delivery_id=one.id, now=later)
                kept.add(one.id)
        return kept

    def purge() -> int:
        return sum(deliveries.purge(limit=2, now=later) for _turn in range(20))

    kept, purged = together(replay, purge)
    assert (set(Delivery.objects.values_list("pk", flat=True)), len(kept) + purged) == (kept, 30)
    assert set(DeliveryTry.objects.values_list("delivery", flat=True)) == kept


@pytest.mark.threads
@pytest.mark.only("postgresql")
def test_what_is_being_replayed_is_passed_by_by_the_purge(together: Any) -> None:
    endpoint = outbox.endpoint()
    outbox.waiting(endpoint, 2, now=NOW)
    rows = [outbox.attempt(endpoint, 200, now=NOW) for _time in range(2)]
    replayed, purged, later = Event(), Event(), NOW + 40 * DAY

    def replay() -> None:
        with transaction.atomic():
            deliveries.replay(delivery_id=rows[0].pk, now=later)
            replayed.set()
            # A purge that does not pass it by waits for this transaction, and cannot say that it is done.
            purged.wait(2)

    def purge() -> int:
        replayed.wait(10)
        count = deliveries.purge(now=later)
        purged.set()
        return count

    assert together(replay, purge) == [None, 1]
    assert list(Delivery.objects.values_list("pk", "status")) == [(rows[0].pk, DeliveryStatus.RETRY)]
    assert DeliveryTry.objects.get().delivery_id == rows[0].pk


def explained(queries: list[dict[str, str]]) -> str:
    """The plans of these statements that read or change anything of ours."""
    asked = [query["sql"] for query in queries if query["sql"].startswith(("SELECT", "UPDATE"))]
    return "\n".join(explain(sql) for sql in asked if "crowd_queues" in sql)


@pytest.fixture
def crowded(db: None) -> list[Endpoint]:
    """Some hundred endpoints, and some hundred deliveries for the first of them."""
    owner = cast.person("mia")
    made = Endpoint.objects.bulk_create(
        [Endpoint(owner=owner, url=outbox.URL, url_digest=number, created_at=NOW, due_at=NOW) for number in range(300)]
    )
    row = outbox.waiting(made[0], 500, now=NOW)[0]
    Delivery.objects.bulk_create(
        [
            Delivery(
                endpoint=one, status=DeliveryStatus.FAILED, ended_at=NOW, give_up_at=row.give_up_at, created_at=NOW
            )
            for one in made[100:200]
            for _time in range(2)
        ]
    )
    secret = outbox.endpoint().secret
    Endpoint.objects.update(secret=secret)
    for model in (Endpoint, Delivery, DeliveryTry):
        prefer_indexes(model)
    return made


@pytest.mark.only("postgresql")
def test_the_statements_of_the_courier_read_along_indexes(
    crowded: list[Endpoint], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(4) as seen:
        assert deliveries.due(proven=False, limit=9, now=NOW)
    assert "endpoint_due" in explained(seen.captured_queries)

    with django_assert_max_num_queries(8) as seen:
        (claimed,) = outbox.take(crowded[0], now=NOW)
    plan = explained(seen.captured_queries)
    assert "Seq Scan" not in plan
    assert plan.count("using delivery_due on") == 2, plan
    assert "Sort" not in plan

    with django_assert_max_num_queries(16) as seen:
        outbox.told(claimed, 500, now=NOW)
    plan = explained(seen.captured_queries)
    assert "Seq Scan" not in plan
    assert "using delivery_due on" in plan


@pytest.mark.only("postgresql")
def test_a_replay_reads_along_the_index_of_what_failed(
    crowded: list[Endpoint], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(120) as seen:
        assert deliveries.replay_failed(since=NOW, limit=10, now=NOW) == 10
    plan = explained(seen.captured_queries)
    assert "Scan using delivery_to_replay" in plan
    assert "Seq Scan on crowd_queues_delivery" not in plan
