"""The Django app of routing."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RoutingConfig(AppConfig):
    """The app's name and its label, which can never change: tables are named after it."""

    name = "routing"
    label = "crowd_routing"
    verbose_name = _("Routing")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from queues import bodies, events
        from routing import checks as checks  # registers the system checks
        from routing import receivers, registry
        from routing.states import EventType

        events.register(EventType)
        bodies.register("run", "routing.api.bodies.runs")
        receivers.connect()
        registry.discover()
