"""The KooGallery platform: settings, kernel, identity, notifications."""

from koogallery.celery import app as celery_app

__all__ = ["celery_app"]
