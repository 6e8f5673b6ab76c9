"""The site as a Django app: it brings the system checks and the `serve` command."""

from django.apps import AppConfig


class CrowdsiteConfig(AppConfig):
    """Registers the site's system checks. It has no models."""

    name = "crowdsite"
    label = "crowdsite"
    verbose_name = "Crowdsite"

    def ready(self) -> None:
        """Import the checks, which register themselves."""
        from crowdsite import checks  # noqa: F401
