"""Every row that the site has, to be compared with what it had before."""

from typing import Any

from django.apps import apps

_NO_EFFECTS = {"crowd_queues.IdempotencyRecord", "crowd_queues.Batch", "crowd_queues.BatchPart"}
"""The memory of answers, and drafts of batches, which do nothing until somebody starts them."""

_WHO_ASKED = {"last_used_at"}


def rows() -> dict[str, list[Any]]:
    """All of them, by model; not when a token was used last."""
    return {
        model._meta.label: list(
            model._base_manager.order_by("pk").values_list(
                *(field.attname for field in model._meta.concrete_fields if field.name not in _WHO_ASKED)
            )
        )
        for model in apps.get_models()
        if model._meta.app_label.startswith("crowd_") and not model._meta.proxy and model._meta.label not in _NO_EFFECTS
    }
