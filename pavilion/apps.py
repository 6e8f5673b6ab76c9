"""The Django app of pavilion."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PavilionConfig(AppConfig):
    """The app's name and its label, which can never change: tables are named after it."""

    name = "pavilion"
    label = "crowd_pavilion"
    verbose_name = _("Pavilion")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pavilion import checks as checks  # registers the system checks
        from pavilion import pushes
        from pavilion.states import EventType
        from queues import bodies, events
        from queues.pushes import register

        events.register(EventType)
        bodies.register("session", "pavilion.api.bodies.sessions")
        bodies.register("seat", "pavilion.api.bodies.seats")
        register(pushes.told)
