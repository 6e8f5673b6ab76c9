"""The floors of the house, where import-linter cannot see them: models refer to each other by name."""

from django.apps import apps

FLOORS = {"crowd_queues": 0, "crowd_assignments": 1, "crowd_pavilion": 2, "crowd_routing": 2}


def test_no_relation_points_upward_or_sideways():
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models()
        if model._meta.app_label in FLOORS
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created and field.related_model
        if (there := field.related_model._meta.app_label) in FLOORS
        if there != model._meta.app_label and FLOORS[there] >= FLOORS[model._meta.app_label]
    ]
    assert upward == []


def test_the_labels_of_the_apps_are_theirs_for_ever():
    labels = {config.name: config.label for config in apps.get_app_configs() if config.label in FLOORS}
    assert labels == {label.removeprefix("crowd_"): label for label in FLOORS}


def test_tables_are_named_after_their_app():
    tables = [
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.app_label in FLOORS and not model._meta.proxy
        if not model._meta.db_table.startswith(f"{model._meta.app_label}_")
    ]
    assert tables == []
