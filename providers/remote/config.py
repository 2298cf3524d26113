"""Settings that every remote side has: its key, where it is, and how long it may take."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, SecretStr

from voicebackend.durations import Duration, seconds
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import EngineConfig
from voicebackend.retry import RetryPolicy

MAX_MESSAGE_BYTES = 4 * 2**20
"""Of one message of a websocket, unless a vendor needs more."""
MAX_DELAY_S = 2.0
"""Seconds that a caller may wait for another try; a vendor that asks for more has failed."""


class RemoteConfig(EngineConfig):
    """What an engine or provider of a vendor is told beside its own settings."""

    connect_timeout: Annotated[Duration, seconds(0.05, 60)] = timedelta(seconds=5)
    """Seconds that one try to connect, or to be answered a request, may take."""
    first_byte_timeout: Annotated[Duration, seconds(0.05, 60)] = timedelta(seconds=5)
    """Seconds from a question to the first of its answer."""
    idle_timeout: Annotated[Duration, seconds(0.05, 300)] = timedelta(seconds=20)
    """Seconds within an answer in which nothing may come, and that one which is read whole may take altogether; then
    the connection counts as dead."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Tries after the first, where another may help; a caller waits meanwhile."""
    retry_delay: Annotated[Duration, seconds(0.01, 30)] = timedelta(seconds=0.2)
    """Seconds before the first of them; doubles each time, at most 2 s, with full jitter."""

    @property
    def retry(self) -> RetryPolicy:
        """How often it is tried again."""
        delay_s = self.retry_delay.total_seconds()
        return RetryPolicy(max_retries=self.max_retries, delay_s=delay_s, max_delay_s=MAX_DELAY_S, impatient=True)

    def plain(self) -> dict[str, Any]:
        """Return what was set as JSON has it, secrets as they are: for an engine's settings, never for a log."""
        told = self.model_dump(mode="json", exclude_unset=True)
        for name in told:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                told[name] = value.get_secret_value()
        return told


def key_of(given: SecretStr | None, variable: str, *, field: str, op: str) -> str:
    """Return a key as it was given, or from the environment.

    Raises:
        InvalidConfig: it is in neither.

    """
    key = given.get_secret_value() if given is not None else os.environ.get(variable, "")
    if not key:
        raise InvalidConfig(op, f"{field}: set it, or {variable} in the environment", details={"field": field})
    return key
