"""Taking constraints away, to break what they guard: until the test's transaction is undone."""

from django.apps import apps
from django.db import connection
from django.db.models import CheckConstraint


def without(name: str) -> None:
    """Take this constraint of ours away. On SQLite all CHECKs go with one, until somebody asks for them again."""
    model, constraint = next(
        (model, constraint)
        for model in apps.get_models()
        for constraint in model._meta.constraints
        if constraint.name == name
    )
    table, is_check = model._meta.db_table, isinstance(constraint, CheckConstraint)
    # With a condition it is an index alone; without one it is the table's own.
    is_index = not is_check and constraint.condition is not None
    if connection.vendor == "postgresql":
        steps = ["SET CONSTRAINTS ALL IMMEDIATE"]
        steps.append(f"DROP INDEX {name}" if is_index else f'ALTER TABLE "{table}" DROP CONSTRAINT {name}')
    elif is_check:
        steps = ["PRAGMA ignore_check_constraints = 1"]
    elif is_index:
        steps = [f"DROP INDEX {name}"]
    else:
        steps = [
            f'CREATE TABLE bare AS SELECT * FROM "{table}"',
            f'DROP TABLE "{table}"',
            f'ALTER TABLE bare RENAME TO "{table}"',
        ]
    with connection.cursor() as cursor:
        for step in steps:
            cursor.execute(step)
