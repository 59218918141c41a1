"""Telling a worker that there is work in the database. People never wait for the broker, and never see it fail."""

import logging
from typing import Any, Protocol

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


class Task(Protocol):
    """As much of a Celery task as a doorbell needs."""

    name: str

    def delay(self, *args: Any) -> Any: ...


def ring(task: Task, *ids: int) -> None:
    """Send the message; when the broker does not take it, the sweeper finds the work within its period."""
    try:
        task.delay(*ids)
    except OperationalError:
        logger.warning("The broker took no doorbell for %s; the sweeper will find the work.", task.name)
