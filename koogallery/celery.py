"""The Celery application: Redis as broker, settings from Django, tasks found in each app's `tasks` module."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koogallery.settings.local")

app = Celery("koogallery")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
