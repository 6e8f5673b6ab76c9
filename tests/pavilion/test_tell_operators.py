"""Operators who invite by hand are told of open places: in one letter a minute and session, and none is lost."""

import pytest
from django.core import mail

from pavilion import hiring, links, pool, sessions, telling
from pavilion.models import Hire, Seat
from tests import cast, pools
from tests.pools import after
from tests.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(db):
    """Posted by mia at noon: five places, open since one second later."""
    session = pools.post(now=after(0))
    hiring.work(now=after(1))
    return session


def tell(seconds):
    """Who was written to, letter by letter, in the sweep of so many seconds after noon."""
    before = len(mail.outbox)
    assert telling.work(now=after(seconds)) == len(mail.outbox) - before
    return [letter.to for letter in mail.outbox[before:]]


def give_back(session, name, seconds):
    """A worker takes a place and returns it at once, so that it is open again."""
    pools.join(session, name, now=after(seconds))
    pool.give_back(seat_id=Seat.objects.latest("pk").pk, now=after(seconds))


def test_places_that_are_opened_together_are_told_in_one_letter_with_the_invitation(session):
    assert tell(20) == [["mia@example.org"]]
    (letter,) = mail.outbox
    assert letter.subject == "pool: 5 places are open"
    (address,) = (line for line in letter.body.splitlines() if line.startswith("http"))
    assert address.startswith("http://127.0.0.1:8000/pool/offer/")
    offer = links.offer(address.removesuffix("/").rsplit("/", 1)[1])
    assert (offer.session_id, offer.hire_id) == (session.pk, None)


def test_a_place_has_to_be_open_for_a_moment(session):
    assert tell(5) == []
    assert tell(11) == [["mia@example.org"]]


def test_what_was_told_is_not_told_again(session):
    tell(20)
    assert tell(2000) == []


def test_a_place_that_is_open_again_is_told_a_minute_later_at_the_earliest(session):
    tell(20)
    give_back(session, "ann", 25)
    assert tell(79) == []
    assert tell(80) == [["mia@example.org"]]
    assert mail.outbox[-1].subject == "pool: a place is open"


def test_a_place_that_was_taken_meanwhile_is_not_told(session):
    Hire.objects.exclude(pk=Hire.objects.first().pk).delete()
    pools.join(session, "ann", now=after(2))
    assert tell(20) == []


def test_a_mail_server_that_is_away_delays_the_letter(session, settings, caplog):
    backend = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    assert tell(20) == []
    assert f"could not be told of open places in session {session.pk}" in caplog.text
    settings.EMAIL_BACKEND = backend
    assert tell(79) == []
    assert tell(80) == [["mia@example.org"]]
    assert mail.outbox[0].subject == "pool: 5 places are open"


def test_those_whom_the_site_names_are_told_as_well_each_once(session, settings):
    tell = ["crew@example.org", "Mia@example.org"]
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"local": {"tell": tell}}
    assert telling.work(now=after(20)) == 1
    assert {address.lower() for address in mail.outbox[0].to} == {"mia@example.org", "crew@example.org"}
    assert len(mail.outbox[0].to) == 2


def test_where_nobody_is_to_be_told_there_is_no_letter_until_somebody_is(settings):
    sessions.post(pool_id=pools.make().pk, now=after(0))
    hiring.work(now=after(1))
    assert tell(20) == []
    settings.CROWDSITE_MARKETPLACE_OPTIONS = {"local": {"tell": ["crew@example.org"]}}
    assert tell(21) == [["crew@example.org"]]


def test_who_may_not_sign_in_any_more_is_not_told(session):
    mia = cast.person("mia")
    mia.is_active = False
    mia.save()
    assert tell(20) == []


def test_nobody_is_told_of_a_session_that_was_stopped(session):
    sessions.stop(session_id=session.pk, now=after(15))
    assert tell(20) == []


def test_each_session_has_its_own_letter(session):
    pools.post(pools.make("other"), now=after(0))
    hiring.work(now=after(1))
    assert len(tell(20)) == 2


@pytest.mark.threads
def test_two_ticks_at_once_write_one_letter(together):
    pools.post(now=after(-60))
    hiring.work(now=after(-60))
    assert sum(together(*[lambda: telling.work(now=after(0))] * 4)) == 1
    assert len(mail.outbox) == 1
