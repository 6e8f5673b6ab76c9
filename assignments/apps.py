from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AssignmentsConfig(AppConfig):
    name = "assignments"
    label = "crowd_assignments"
    verbose_name = _("Assignments")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from assignments import bulk, census, pushes, receivers
        from assignments.states import EventType
        from queues import bodies, events, feed
        from queues.pushes import register

        events.register(EventType)
        bodies.register("assignment", "assignments.api.bodies.assignments")
        receivers.connect()
        bulk.register()
        feed.keep_for("census", census.position)
        register(pushes.told)
