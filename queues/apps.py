from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class QueuesConfig(AppConfig):
    name = "queues"
    label = "crowd_queues"
    verbose_name = _("Queues")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from queues import batches, bulk, imports
        from queues import checks as checks  # registers the system checks

        bulk.register()
        batches.register(imports.KIND, imports.apply)
