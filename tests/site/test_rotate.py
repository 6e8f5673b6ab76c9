"""Changing the site's keys while people are at work, as docs/rotate.md has it."""

import pytest

from pavilion import links
from queues import tokens, vault
from tests import cast

pytestmark = pytest.mark.django_db

OLD, NEW = "old " * 15, "new " * 15
OLD_SEAL, NEW_SEAL = "b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZCE=", "bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IG5ldyE="


@pytest.fixture
def secret_keys(settings):
    """Set SECRET_KEY and its fallbacks."""

    def have(key, *fallbacks):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, list(fallbacks)

    have(OLD)
    return have


def at_work(client):
    """Whether who signed in is still."""
    return client.get("/desk/").status_code == 200


def test_sessions_and_links_outlive_a_new_secret_key_as_long_as_the_old_one_is_a_fallback(client, secret_keys):
    client.force_login(cast.person("alice"))
    seat, offer = links.of_seat(7), links.of_offer(session_id=3)
    secret_keys(NEW, OLD)
    assert at_work(client)
    assert (links.seat(seat), links.offer(offer).session_id) == (7, 3)
    secret_keys(NEW)
    # A request under both keys has signed the session with the new one.
    assert at_work(client)
    with pytest.raises(links.BadLink):
        links.seat(seat)


def test_without_a_fallback_everybody_is_signed_out(client, secret_keys):
    client.force_login(cast.person("alice"))
    secret_keys(NEW)
    assert not at_work(client)


def test_hosts_that_change_one_after_the_other_understand_each_other(client, secret_keys):
    """First all know the new key, as a fallback; then one host after the other signs with it."""
    client.force_login(cast.person("alice"))
    secret_keys(OLD, NEW)
    link_of_one_that_has_changed_nothing_yet = links.of_seat(7)
    secret_keys(NEW, OLD)
    link_of_one_that_has_changed = links.of_seat(8)
    assert links.seat(link_of_one_that_has_changed_nothing_yet) == 7
    assert at_work(client)
    secret_keys(OLD, NEW)
    assert links.seat(link_of_one_that_has_changed) == 8
    assert at_work(client)


def test_hosts_that_change_the_encryption_key_read_what_each_other_sealed(settings):
    settings.CROWDSITE_ENCRYPTION_KEYS = [OLD_SEAL, NEW_SEAL]
    before = vault.seal("a")
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW_SEAL, OLD_SEAL]
    after = vault.seal("b")
    assert vault.unseal(before) == "a"
    settings.CROWDSITE_ENCRYPTION_KEYS = [OLD_SEAL, NEW_SEAL]
    assert vault.unseal(after) == "b"
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW_SEAL]
    assert vault.unseal(after) == "b"
    assert not vault.is_readable(before)


def test_api_tokens_hang_on_no_key(secret_keys):
    _token, secret = tokens.issue(user=cast.person("rick"), name="program")
    secret_keys(NEW)
    found = tokens.authenticate(secret=secret)
    assert found is not None
    assert found.user == cast.person("rick")
