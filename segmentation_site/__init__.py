"""Settings, Celery app, URL and API tables, the commands that start and reset an installation. No models, no rules."""

from segmentation_site.celery import app as celery_app

__all__ = ["celery_app"]
