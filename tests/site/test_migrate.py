"""Migrations that come after a release must not stop the site that is being upgraded.

The rules are those of docs/upgrade.md. They are asked of operations rather than of the SQL that these make: an
operation says whose table it is about, and what is not in the list is not known to be safe.
"""

from threading import Event, Thread

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

from crowdsite import runner
from queues.altering import AddCheckBeside, AddIndexBeside, RemoveIndexBeside

OURS = ("crowd_queues", "crowd_assignments", "crowd_pavilion", "crowd_routing")

RELEASED = {
    "crowd_queues": "0005_flat",
    "crowd_assignments": "0005_count_hands",
    "crowd_pavilion": "0001_initial",
    "crowd_routing": "0001_initial",
}
"""The last migrations that no site had data before."""

HARMLESS = (
    AddIndexBeside,
    RemoveIndexBeside,
    AddCheckBeside,
    migrations.RunPython,
    migrations.RunSQL,
    migrations.SeparateDatabaseAndState,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.RemoveConstraint,
)
"""Of these none rewrites a table, or reads all of it under a lock. What RunPython and RunSQL do, a reviewer judges."""


def harms(migration):
    """What a migration does to a table that was there before it, in sentences."""
    made = set()
    for operation in migration.operations:
        table = (getattr(operation, "model_name", "") or getattr(operation, "name", "")).lower()
        if isinstance(operation, migrations.CreateModel):
            made.add(table)
        elif table in made or isinstance(operation, HARMLESS):
            continue
        elif isinstance(operation, migrations.AddField):
            field = operation.field
            if not (field.null or field.has_db_default()):
                yield f"{migration}: {operation.describe()} without null or db_default: the old version cannot insert"
            if field.db_index or field.unique or field.remote_field:
                yield f"{migration}: {operation.describe()} with an index or a foreign key: writers wait for it"
        else:
            yield f"{migration}: {operation.describe()}: not known to be harmless"
    beside = (AddIndexBeside, RemoveIndexBeside, AddCheckBeside)
    if migration.atomic and any(isinstance(operation, beside) for operation in migration.operations):
        yield f"{migration}: in a transaction its locks last to the end: set atomic = False"


def test_no_migration_since_the_release_stops_a_site_that_works():
    loader = MigrationLoader(None)
    found = []
    for app in OURS:
        names = [name for label, name in sorted(loader.disk_migrations) if label == app]
        assert RELEASED[app] in names
        for name in names[names.index(RELEASED[app]) + 1 :]:
            found += harms(loader.disk_migrations[app, name])
    assert found == []


def migration(*operations, atomic=True):
    made = type("Migration", (migrations.Migration,), {"operations": list(operations), "atomic": atomic})
    return made("0042_it", "crowd_queues")


INDEX = models.Index(fields=["topic"], name="it")
CHECK = models.CheckConstraint(name="it", condition=models.Q(topic="a"))
NEW = migrations.CreateModel("new", [("id", models.BigAutoField(primary_key=True)), ("topic", models.TextField())])


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddIndex("task", INDEX),
        migrations.RemoveIndex("task", "it"),
        migrations.AddConstraint("task", CHECK),
        migrations.AlterField("task", "topic", models.TextField()),
        migrations.RenameField("task", "topic", "subject"),
        migrations.RemoveField("task", "topic"),
        migrations.DeleteModel("task"),
        migrations.AddField("task", "it", models.TextField(default="")),
        migrations.AddField("task", "it", models.TextField(null=True, db_index=True)),
        migrations.AddField("task", "it", models.ForeignKey("crowd_queues.queue", models.CASCADE, null=True)),
        AddIndexBeside("task", INDEX),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_locks_rewrites_or_breaks_the_old_version_is_found(operation):
    assert len(list(harms(migration(operation)))) == 1


@pytest.mark.parametrize(
    "operations",
    [
        [NEW, migrations.AddIndex("new", INDEX), migrations.AddConstraint("new", CHECK)],
        [migrations.AddField("task", "it", models.TextField(null=True))],
        [migrations.AddField("task", "it", models.TextField(db_default=""))],
    ],
)
def test_what_does_none_of_it_passes(operations):
    assert list(harms(migration(*operations))) == []


@pytest.mark.parametrize("operation", [AddIndexBeside("task", INDEX), AddCheckBeside("task", CHECK)])
def test_what_is_done_beside_the_work_passes_outside_of_transactions(operation):
    assert list(harms(migration(operation, atomic=False))) == []


@pytest.fixture
def table():
    """A model's table with rows in it, in the state of migrations."""
    state = migrations.state.ProjectState()
    NEW.state_forwards("crowd_queues", state)
    with connection.schema_editor() as editor:
        NEW.database_forwards("crowd_queues", editor, migrations.state.ProjectState(), state)
    model = state.apps.get_model("crowd_queues", "new")
    model.objects.bulk_create([model(topic="a") for _time in range(3)])
    yield state
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def applied(state, operation):
    """The state after an operation, which is carried out forwards."""
    after = state.clone()
    operation.state_forwards("crowd_queues", after)
    with connection.schema_editor(atomic=connection.vendor == "sqlite") as editor:
        operation.database_forwards("crowd_queues", editor, state, after)
    return after


def constraints():
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, "crowd_queues_new")


@pytest.mark.django_db(transaction=True)
def test_an_index_is_built_and_dropped_beside_the_work(table):
    after = applied(table, AddIndexBeside("new", INDEX))
    assert constraints()["it"]["index"]
    applied(after, RemoveIndexBeside("new", "it"))
    assert "it" not in constraints()


@pytest.mark.only("postgresql")
@pytest.mark.django_db(transaction=True)
def test_hosts_that_wait_for_the_one_that_migrates_do_not_hold_it_up(table):
    asked, may_end = Event(), Event()

    def wait():
        with connection.execute_wrapper(lambda execute, *call: (asked.set(), execute(*call))[1]), runner.alone():
            may_end.wait(30)
        connection.close()

    other = Thread(target=wait)
    try:
        with runner.alone():
            other.start()
            assert asked.wait(30)
            applied(table, AddIndexBeside("new", INDEX))
    finally:
        may_end.set()
        other.join(30)
    assert not other.is_alive()
    assert constraints()["it"]["index"]


@pytest.mark.django_db(transaction=True)
def test_a_rule_is_added_and_then_checked_of_all_rows(table):
    applied(table, AddCheckBeside("new", CHECK))
    assert constraints()["it"]["check"]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT convalidated FROM pg_constraint WHERE conname = 'it'")
            assert cursor.fetchone() == (True,)
