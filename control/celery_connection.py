"""Celery's connection to its broker, which outlives the broker's restart, and items of a queue that are no messages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError

from control.task_item import is_message
from voicebackend.telemetry import task_items_refused

logger = logging.getLogger(__name__)

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What kombu raises as it reads an item that is no JSON, or JSON for an object of Python that cannot be."""
FIRST_S, STEP_S, LAST_S = 0.1, 0.2, 1.0
"""Seconds between tries: the first, what each adds, and the most. Celery's own are 2, 4, 6 … 30 s."""


class PromptConnection(Connection):
    """Tries again soon, on channels that say what is wrong with them."""

    def ensure_connection(self, errback: Any = None, max_retries: int | None = None, **options: Any) -> Any:
        """Connect, with tries a second apart at most."""
        waits = {"interval_start": FIRST_S, "interval_step": STEP_S, "interval_max": LAST_S}
        return super().ensure_connection(errback, max_retries, **{**options, **waits})  # type: ignore[no-untyped-call]

    def get_transport_cls(self) -> Any:
        """Return the transport of the URL's scheme, with such channels."""
        return _with_frank_channels(super().get_transport_cls())  # type: ignore[no-untyped-call]


class _FrankChannel:
    """Outlives what is no JSON, and says by the right error that its connection is gone.

    A task that was under way when the broker went acknowledges itself on the old channel. Celery takes a connection
    error there for what it is; of the AttributeError that comes otherwise, the worker dies.
    """

    connection: Any
    pool: Any
    _kept: Any = None
    """The client of the pool: kombu makes one for each message, of which the table of Redis's commands costs most."""

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Return a client that any thread may use, the same one while the pool is; or one for who waits for tasks."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]  # of the channel it is mixed into
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[misc]  # of the channel it is mixed into
        return self._kept

    def _brpop_read(self, **options: Any) -> Any:
        """Take an item from a queue; one that cannot be read is dropped, where it would end the worker."""
        return self._readable(super()._brpop_read, **options)  # type: ignore[misc]  # of the channel it is mixed into

    def _receive_one(self, *args: Any) -> Any:
        """Take what is published to all workers, in the same way."""
        return self._readable(super()._receive_one, *args)  # type: ignore[misc]  # of the channel it is mixed into

    def _readable(self, take: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self.connection.delivering = False
        try:
            return take(*args, **options)
        except _UNREADABLE:
            if self.connection.delivering:
                raise  # it was read: whoever it was delivered to failed
            refuse_item()
            return True

    def _connparams(self, *args: Any, **options: Any) -> Any:
        if getattr(self.connection, "client", None) is None:
            raise RedisConnectionError("the connection of this channel is gone")
        return super()._connparams(*args, **options)  # type: ignore[misc]  # of the channel it is mixed into


class _StrictTransport:
    """Delivers messages only."""

    delivering = False
    """Whether the item that is being taken has been read."""

    def _deliver(self, item: Any, queue: str) -> None:
        self.delivering = True
        if is_message(item):
            super()._deliver(item, queue)  # type: ignore[misc]  # of the transport it is mixed into
        else:
            refuse_item()


def refuse_item() -> None:
    """Tell that something in a queue was no task; what it says is not told."""
    task_items_refused.add(1)
    logger.error("what lay in a queue is no task: it was dropped")


@cache
def _with_frank_channels(transport: Any) -> Any:
    channel = type(f"Frank{transport.Channel.__name__}", (_FrankChannel, transport.Channel), {})
    return type(f"Frank{transport.__name__}", (_StrictTransport, transport), {"Channel": channel})


class PromptAMQP(AMQP):  # type: ignore[misc]  # Celery has no types
    """Celery's messaging, over such connections."""

    Connection = PromptConnection
