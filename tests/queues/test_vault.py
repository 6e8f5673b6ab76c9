"""Keeping secrets: under which key, and changing it."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from standardwebhooks import Webhook

from queues import deliveries, notifications, resealing, vault
from queues.models import Delivery, Endpoint, Notification
from queues.notifications import NotificationDraft
from queues.posting import signed
from queues.sequencer import sequence
from queues.states import Level
from tests import cast

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_sealed_is_unsealed_and_is_not_in_clear(settings: Any) -> None:
    settings.CROWDSITE_ENCRYPTION_KEYS = [OLD]
    sealed = vault.seal("whsec_ü")
    assert "whsec" not in sealed
    assert vault.unseal(sealed) == "whsec_ü"
    assert vault.seal("whsec_ü") != sealed


def test_older_keys_open_and_the_newest_seals(settings: Any) -> None:
    settings.CROWDSITE_ENCRYPTION_KEYS = [OLD]
    sealed = vault.seal("a")
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW, OLD]
    assert vault.unseal(sealed) == "a"
    fresh = vault.seal("b")
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW]
    assert vault.unseal(fresh) == "b"
    with pytest.raises(ImproperlyConfigured):
        vault.unseal(sealed)


def test_what_was_tampered_with_is_not_opened(settings: Any) -> None:
    settings.CROWDSITE_ENCRYPTION_KEYS = [OLD]
    with pytest.raises(ImproperlyConfigured):
        vault.unseal(vault.seal("a")[:-4] + "AAAA")


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "é"], [""]])
def test_keys_that_are_none_are_refused(settings: Any, keys: list[str]) -> None:
    settings.CROWDSITE_ENCRYPTION_KEYS = keys
    with pytest.raises(ImproperlyConfigured):
        vault.check_keys()
    with pytest.raises(ImproperlyConfigured):
        vault.seal("a")


@pytest.fixture
def under_the_old_key(db: None, settings: Any) -> tuple[list[str], int]:
    """Secrets and headers under OLD, with a delivery of each; the secrets that sign, and how many rows are sealed."""
    settings.CROWDSITE_ENCRYPTION_KEYS = [OLD]
    queue = cast.queue()
    draft = NotificationDraft(
        endpoint="https://8.8.8.8/hook", events_to_notify=("TASK_CREATED",), headers={"A": "hidden"}
    )
    made = notifications.create(level=Level.QUEUE, queue=queue, draft=draft, owner=cast.person("mia"))
    second = notifications.rotate(endpoint_id=made.notification.endpoint_id)
    cast.post(queue, 3)
    sequence()
    return [str(made.secret), second], 1 + 1 + 3


def test_everything_is_put_under_a_new_key_and_the_old_one_can_go(
    under_the_old_key: tuple[list[str], int], settings: Any, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets, rows = under_the_old_key
    monkeypatch.setattr(resealing, "BATCH", 2)
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW, OLD]
    call_command("reseal_secrets")
    assert f"{rows} rows" in capsys.readouterr().out
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW]
    for row in (Notification.objects.get(), *Delivery.objects.all()):
        assert notifications.headers_of(row.headers) == {"A": "hidden"}
    endpoint = Endpoint.objects.get()
    claimed = deliveries.claim(endpoint_ids=[endpoint.pk], limit=1, lease=deliveries.PATIENCE)[0]
    headers = signed(claimed, Delivery.objects.all()[0].created_at)
    for secret in secrets:
        Webhook(secret).verify(claimed.body, headers)


def test_resealing_without_the_old_key_says_so_and_changes_nothing(
    under_the_old_key: tuple[list[str], int], settings: Any
) -> None:
    before = Endpoint.objects.get().secret
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="does not list any more"):
        call_command("reseal_secrets")
    assert Endpoint.objects.get().secret == before


def test_where_the_key_is_lost_a_new_secret_signs_alone(
    under_the_old_key: tuple[list[str], int], settings: Any
) -> None:
    settings.CROWDSITE_ENCRYPTION_KEYS = [NEW]
    endpoint = Endpoint.objects.get()
    secret = notifications.rotate(endpoint_id=endpoint.pk)
    claimed = deliveries.claim(endpoint_ids=[endpoint.pk], limit=1, lease=deliveries.PATIENCE)[0]
    Webhook(secret).verify(claimed.body, signed(claimed, Delivery.objects.all()[0].created_at))
