"""The Celery application. A message is only a doorbell: the work owed is a row in the database."""

import logging.config
import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django_structlog.celery.steps import DjangoStructLogInitStep


def _is_celery_program() -> bool:
    program = Path(sys.argv[0])
    return "celery" in (program.name, program.parent.name)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "segmentation_site.settings")
if _is_celery_program():
    from segmentation_site import embedded

    os.environ.setdefault("CUTLINE_PROCESS", "worker")
    # Soft shutdown on SIGTERM: finish or hand back what is in flight before the orchestrator loses patience.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    embedded.provide_environment()

app = Celery("cutline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def use_the_sites_logging(**kwargs: Any) -> None:
    """Keep Celery from installing handlers of its own: every process logs the same JSON lines."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
