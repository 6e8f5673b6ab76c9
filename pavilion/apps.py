"""The Django app of pavilion."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PavilionConfig(AppConfig):
    """The app's name and its label, which can never change: tables are named after it."""

    name = "pavilion"
    label = "crowd_pavilion"
    verbose_name = _("Pavilion")
    default_auto_field = "django.db.models.BigAutoField"
