from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class QueuesConfig(AppConfig):
    name = "queues"
    label = "crowd_queues"
    verbose_name = _("Queues")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from queues import batches, bodies, bulk, imports, replays
        from queues import checks as checks  # registers the system checks

        bodies.register("queue", "queues.api.bodies.queues")
        bodies.register("task", "queues.api.bodies.tasks")
        bulk.register()
        batches.register(imports.KIND, imports.apply)
        batches.register(replays.KIND, replays.apply)
