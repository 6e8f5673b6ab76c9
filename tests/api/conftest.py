"""The people of an API test."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from tests import cast
from tests.api.calling import Caller


@pytest.fixture
def as_(db: None) -> Callable[[str | None], Caller]:
    """Return `as_(name)`: the API as the user `name` calls it, or as nobody for None."""
    return Caller


@pytest.fixture
def mia(db: None) -> Caller:
    """A manager: of every queue that tests.cast makes. She may create queues."""
    cast.person("mia").user_permissions.add(Permission.objects.get(codename="add_queue"))
    return Caller("mia")


@pytest.fixture
def rick(db: None) -> Caller:
    """A requester, once he has joined a queue."""
    return Caller("rick")


@pytest.fixture
def alice(db: None) -> Caller:
    """A reviewer, once she has joined a queue."""
    return Caller("alice")


@pytest.fixture
def bob(db: None) -> Caller:
    """Another reviewer."""
    return Caller("bob")


@pytest.fixture
def digits(db: None) -> Any:
    """The queue `digits`: mia manages it, rick posts to it, alice reviews in it."""
    queue = cast.queue("digits")
    cast.join(queue, "rick", "requester")
    cast.join(queue, "alice")
    return queue


@pytest.fixture
def olga(db: None) -> Caller:
    """An operator."""
    cast.person("olga").user_permissions.add(Permission.objects.get(codename="operate"))
    return Caller("olga")
