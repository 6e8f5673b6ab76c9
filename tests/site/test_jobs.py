"""The jobs that beat sends."""

from django.conf import settings

from crowdsite.celery import app


def test_every_job_that_is_due_is_known_to_the_worker():
    app.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)


def test_a_tick_that_nobody_takes_is_dropped():
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["options"]["expires"] <= entry["schedule"]


def test_work_is_acknowledged_when_it_is_done():
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
