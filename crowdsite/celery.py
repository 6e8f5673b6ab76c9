"""The Celery application. Its settings are the CELERY_* ones of crowdsite/settings.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crowdsite.settings")

app = Celery("crowdsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")
