"""The Django app of routing."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RoutingConfig(AppConfig):
    """The app's name and its label, which can never change: tables are named after it."""

    name = "routing"
    label = "crowd_routing"
    verbose_name = _("Routing")
    default_auto_field = "django.db.models.BigAutoField"
