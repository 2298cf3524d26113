"""Celery's consumer, which takes tasks only: of a message that is none, its worker would end."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker.consumer import Consumer
from kombu.exceptions import ContentDisallowed, DecodeError

from control.celery_connection import refuse_item
from control.task_item import is_task

logger = logging.getLogger(__name__)


class TaskConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Hands on tasks, and refuses all else."""

    def create_task_handler(self, *args: Any, **options: Any) -> Any:
        """Return what takes each message of a queue."""
        handle = super().create_task_handler(*args, **options)

        def handle_task(message: Any) -> Any:
            if _is_task(message):
                return handle(message)
            refuse_item()
            return message.reject_log_error(logger, self.connection_errors)

        return handle_task


def _is_task(message: Any) -> bool:
    try:
        return is_task(message.headers, message.payload)
    except (ContentDisallowed, DecodeError):
        return False
