"""The site: settings, addresses, servers and the command that runs them all."""

from crowdsite.celery import app as celery_app

__all__ = ["celery_app"]
