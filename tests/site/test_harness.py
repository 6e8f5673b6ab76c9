"""The rules of the test run itself."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction


@pytest.mark.threads
def test_threads_have_transactions_of_their_own(together, backend):
    User = get_user_model()

    def make(name):
        with transaction.atomic():
            return User.objects.create(username=name).pk

    made = together(*(lambda name=name: make(name) for name in ("ann", "ben", "cem", "dia")))
    assert len(set(made)) == 4
    assert set(User.objects.values_list("pk", flat=True)) == set(made)


@pytest.mark.only("sqlite")
@pytest.mark.django_db
def test_sqlite_runs_in_wal_mode():
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert cursor.execute("PRAGMA foreign_keys").fetchone() == (1,)
