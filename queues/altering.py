"""Operations for migrations of tables that are in use: on PostgreSQL nobody who works waits for them.

For migrations with `atomic = False`: in a transaction the first lock would be held until the last row was read. One
that was broken off is to be cleared away by hand before it is run again: an index that is INVALID is dropped.
"""

from typing import Any

from django.db.migrations import AddConstraint, AddIndex, RemoveIndex


def _model(operation: Any, app_label: str, state: Any) -> Any:
    return state.apps.get_model(app_label, operation.model_name)


class AddIndexBeside(AddIndex):
    """AddIndex, CONCURRENTLY where that is known: reads the table twice, and writers go on."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif self.allow_migrate_model(schema_editor.connection.alias, model := _model(self, app_label, to_state)):
            schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        elif self.allow_migrate_model(schema_editor.connection.alias, model := _model(self, app_label, from_state)):
            schema_editor.remove_index(model, self.index, concurrently=True)


class RemoveIndexBeside(RemoveIndex):
    """RemoveIndex, CONCURRENTLY where that is known."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif self.allow_migrate_model(schema_editor.connection.alias, model := _model(self, app_label, from_state)):
            index = from_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
            schema_editor.remove_index(model, index, concurrently=True)


class AddCheckBeside(AddConstraint):
    """AddConstraint for a CHECK: it holds for new rows at once, and then the others are read while writers go on."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif self.allow_migrate_model(schema_editor.connection.alias, model := _model(self, app_label, to_state)):
            table, name = map(schema_editor.quote_name, (model._meta.db_table, self.constraint.name))
            schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", None)
            schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}", None)
