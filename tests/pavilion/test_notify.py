"""Writing to workers who were invited by hand: where they have left an address."""

import pytest
from django.core import mail

from pavilion import marketplaces
from pavilion.marketplaces import Later, Refused
from tests import pools
from tests.cast import person
from tests.servers import free_port

pytestmark = pytest.mark.django_db


def with_an_address(username, email, name):
    """What a host may make of a new worker."""
    return person(name)


def write(*workers):
    marketplaces.of("local").notify(workers, subject="Come back", text="There is work.")


def test_who_came_by_an_invitation_has_none_and_cannot_be_written_to():
    pools.join(pools.post(), "ann")
    with pytest.raises(Refused, match="1 of 1 workers came by an invitation and left no e-mail address"):
        write("ann")
    assert mail.outbox == []


def test_who_has_an_address_gets_a_letter_of_their_own(settings):
    settings.CROWDSITE_MAKE_WORKER_USER = f"{__name__}.with_an_address"
    session = pools.post()
    for name in ("ann", "ben"):
        pools.join(session, name)
    write("ann", "ben")
    assert sorted(letter.to for letter in mail.outbox) == [["ann@example.org"], ["ben@example.org"]]


def test_where_one_cannot_be_written_to_nobody_is(settings):
    session = pools.post()
    pools.join(session, "ann")
    settings.CROWDSITE_MAKE_WORKER_USER = f"{__name__}.with_an_address"
    pools.join(session, "ben")
    with pytest.raises(Refused, match="1 of 2"):
        write("ann", "ben")
    assert mail.outbox == []


def test_a_mail_server_that_is_away_is_asked_later(settings):
    settings.CROWDSITE_MAKE_WORKER_USER = f"{__name__}.with_an_address"
    pools.join(pools.post(), "ann")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    with pytest.raises(Later, match="mail server"):
        write("ann")
