"""Celery's connection to its broker, made to get over the broker's restart at once, also while tasks run."""

from __future__ import annotations

from functools import cache
from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError

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
    """Says by the right error that its connection is gone.

    A task that was under way when the broker went acknowledges itself on the old channel. Celery takes a connection
    error there for what it is; of the AttributeError that comes otherwise, the worker dies.
    """

    connection: Any

    def _connparams(self, *args: Any, **options: Any) -> Any:
        if getattr(self.connection, "client", None) is None:
            raise RedisConnectionError("the connection of this channel is gone")
        return super()._connparams(*args, **options)  # type: ignore[misc]  # of the channel it is mixed into


@cache
def _with_frank_channels(transport: Any) -> Any:
    channel = type(f"Frank{transport.Channel.__name__}", (_FrankChannel, transport.Channel), {})
    return type(f"Frank{transport.__name__}", (transport,), {"Channel": channel})


class PromptAMQP(AMQP):  # type: ignore[misc]  # Celery has no types
    """Celery's messaging, over such connections."""

    Connection = PromptConnection
